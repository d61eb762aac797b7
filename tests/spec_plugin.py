"""Remembers which test proves which line of docs/requirements.md, and how it last ended.

A test says what it proves with `@pytest.mark.spec("11.2", "11.3")`. A number that the document
does not have stops the run before any test starts. Results are merged into
`.sluice/spec-results.json`: a run changes what it ran, and a test is forgotten once its file or
folder was collected whole without it. `tests/spec_report.py` prints the outcome.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from tests.spec_report import (
    RESULTS_PATH,
    Outcome,
    RequirementsError,
    TestResult,
    dump_results,
    load_requirements,
    load_results,
    numbers_of,
)

_PARTIAL_OPTIONS = ("ignore", "ignore_glob", "lf", "pyargs")
"""Options under which pytest may not look at every test of the paths it was given."""


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SpecRecorder(config), "spec-recorder")


class SpecRecorder:
    """Collects the markers and outcomes of one run; writes them when it ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._root = config.rootpath
        self._marked: dict[str, tuple[str, ...]] = {}
        self._collected: set[str] = set()
        self._unread: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}
        self._accepted = False
        self._fault: str | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be read: its tests may well still exist."""
        if not report.passed:
            self._unread.add(report.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Read the markers of every test, those too that -k and -m are about to deselect.

        Raises:
            pytest.UsageError: a marker names an unknown line, or none; all faults are listed.
        """
        self._collected = {item.nodeid for item in items}
        self._marked = {
            item.nodeid: spec_numbers(item) for item in items if item.get_closest_marker("spec")
        }
        if self._marked:
            self._check_markers()
        self._accepted = True
        return (yield)

    def _check_markers(self) -> None:
        try:
            known = numbers_of(load_requirements(self._root))
        except RequirementsError as error:
            raise pytest.UsageError(str(error)) from error
        if faults := list(marker_faults(self._marked, known)):
            raise pytest.UsageError("\n".join(faults))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test: any phase that failed, or else what its call came to."""
        test = report.nodeid
        if test not in self._marked or self._outcomes.get(test) is Outcome.FAILED:
            return
        if report.failed:
            self._outcomes[test] = Outcome.FAILED
        elif report.skipped:
            expected = hasattr(report, "wasxfail")
            self._outcomes[test] = Outcome.XFAILED if expected else Outcome.SKIPPED
        elif report.when == "call":
            self._outcomes.setdefault(test, Outcome.PASSED)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the results. A disk that refuses is reported and fails no test."""
        if not self._accepted:
            return
        date = datetime.now(UTC).isoformat(timespec="seconds")
        scopes = scopes_collected_whole(session.config)
        try:
            with _exclusive(self._root / RESULTS_PATH) as path:
                before = load_results(self._root)
                after = merge(before, self._collected, self._marked, self._outcomes, date=date)
                after = forget_gone(after, self._collected, scopes, unread=self._unread)
                if after != before:
                    _replace_text(path, dump_results(after))
        except OSError as error:
            self._fault = f"{RESULTS_PATH} not written: {error}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say so when the results could not be kept."""
        if self._fault:
            terminalreporter.write_line(self._fault, yellow=True)


def spec_numbers(item: pytest.Item) -> tuple[str, ...]:
    """Return the numbers in a test's own markers, its class's and its module's.

    An argument that is not a string becomes a text that no line is called: as a float, 2.10
    would pass for line 2.1.
    """
    arguments = [
        number
        for mark in item.iter_markers("spec")
        for number in (*mark.args, *mark.kwargs.items())
    ]
    texts = (each if isinstance(each, str) else f"{each!r} (not a string)" for each in arguments)
    return tuple(dict.fromkeys(texts))


def marker_faults(marked: Mapping[str, Iterable[str]], known: Collection[str]) -> Iterator[str]:
    """Name every unknown number with its test, and every test whose marker names no line."""
    for test, numbers in marked.items():
        numbers = tuple(numbers)
        if not numbers:
            yield f"{test}: the spec marker names no line"
        for number in numbers:
            if number not in known:
                yield f"{test}: docs/requirements.md has no line {number}"


def scopes_collected_whole(config: pytest.Config) -> tuple[PurePosixPath, ...]:
    """Return the files and folders, relative to the root, in which pytest looked at every test."""
    if any(config.getoption(option, None) for option in _PARTIAL_OPTIONS):
        return ()
    root = config.rootpath.resolve()
    paths = [
        (config.invocation_params.dir / argument).resolve()
        for argument in config.args
        if "::" not in argument
    ]
    return tuple(
        PurePosixPath(path.relative_to(root).as_posix())
        for path in paths
        if path.is_relative_to(root)
    )


def merge(
    before: Mapping[str, TestResult],
    collected: Collection[str],
    marked: Mapping[str, tuple[str, ...]],
    outcomes: Mapping[str, Outcome],
    *,
    date: str,
) -> dict[str, TestResult]:
    """Bring the remembered results up to date with one run.

    Args:
        before: results of earlier runs, by test id.
        collected: ids of the tests this run looked at, deselected ones included.
        marked: the numbers of those among them that carry the marker.
        outcomes: how those ended that ran to an end.
        date: when, ISO 8601.

    Returns:
        All results. A test that did not run keeps its last outcome; one that lost its marker
        is dropped.
    """
    after = {test: result for test, result in before.items() if test not in collected}
    for test, numbers in marked.items():
        last = before.get(test, TestResult(numbers, Outcome.NOT_RUN, None))
        ran = test in outcomes
        after[test] = (
            TestResult(numbers, outcomes[test], date) if ran else replace(last, spec=numbers)
        )
    return after


def forget_gone(
    results: Mapping[str, TestResult],
    collected: Collection[str],
    scopes: Collection[PurePosixPath],
    *,
    unread: Collection[str] = (),
) -> dict[str, TestResult]:
    """Drop the tests that no longer exist.

    Args:
        results: remembered results, by test id.
        collected: ids of the tests this run looked at.
        scopes: files and folders of which it looked at every test.
        unread: ids of the files or classes that it failed to read, or skipped as a whole.

    Returns:
        What remains: the tests seen, and those the run says nothing about.
    """

    def is_gone(test: str) -> bool:
        file = PurePosixPath(test.split("::", 1)[0])
        return (
            test not in collected
            and any(file.is_relative_to(scope) for scope in scopes)
            and not any(test.startswith(node) for node in unread)
        )

    return {test: result for test, result in results.items() if not is_gone(test)}


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[Path]:
    """Hold off other runs of the tests, so that none loses what another has just written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def _replace_text(path: Path, text: str) -> None:
    fresh = path.with_suffix(".tmp")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)

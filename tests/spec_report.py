"""Which lines of docs/requirements.md are proven, by which tests, as of their last run.

Run as `python -m tests.spec_report [--missing] [--json]`. It reads two files and runs no test.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS_PATH = Path("docs/requirements.md")
RESULTS_PATH = Path(".sluice/spec-results.json")
RESULTS_FORMAT = 1

_SECTION = re.compile(r"## (?P<number>\d+)\. (?P<title>.+)")
_LINE = re.compile(r"- \*\*(?P<section>\d+)\.(?P<index>\d+)\*\* (?P<text>.+)")
_LOOKS_NUMBERED = re.compile(r"\s*[-*|]?\s*\**\d+\.\d+\b")
_SHORT_TEXT_CHARS = 88


class Outcome(StrEnum):
    """How a test last ended. `NOT_RUN`: collected, and never run since."""

    PASSED = "passed"
    FAILED = "failed"
    XFAILED = "xfailed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


class State(StrEnum):
    """How well one requirement is proven."""

    PROVEN = "proven"
    FAILING = "failing"
    NOT_RUN = "not run"
    NO_TEST = "no test"


_STYLES = {
    State.PROVEN: "green",
    State.FAILING: "bold red",
    State.NOT_RUN: "yellow",
    State.NO_TEST: "dim",
}


class RequirementsError(ValueError):
    """docs/requirements.md breaks its own format; the message names the line."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One numbered line."""

    number: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """One section and its numbered lines; the preface has none and is left out."""

    number: int
    title: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class TestResult:
    """What is remembered of one test. `date` (ISO 8601, UTC) is None until it has run."""

    __test__ = False

    spec: tuple[str, ...]
    outcome: Outcome
    date: str | None


@dataclass(frozen=True, slots=True)
class FunctionResult:
    """One test function, all its parameter sets together: the worst outcome, the oldest date."""

    test: str
    cases: int
    outcome: Outcome
    date: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement with its tests."""

    number: str
    text: str
    state: State
    tests: tuple[FunctionResult, ...]


@dataclass(frozen=True, slots=True)
class SectionReport:
    """One section with its rows, in the order of the document."""

    number: int
    title: str
    rows: tuple[Row, ...]

    @property
    def proven(self) -> int:
        """Number of lines proven."""
        return sum(row.state is State.PROVEN for row in self.rows)


def parse_requirements(markdown: str) -> tuple[Section, ...]:
    """Read the sections and numbered lines of the requirements document.

    Args:
        markdown: text with `## 2. Title` headings and `- **2.1** text` lines; an indented line
            continues the one above it.

    Returns:
        The sections that have numbered lines, in order.

    Raises:
        RequirementsError: a line that looks numbered is not in this form, stands in another
            section than its number says, or does not follow the number before it.
    """
    sections: list[tuple[int, str, list[str]]] = []
    for position, raw in enumerate(markdown.splitlines(), start=1):
        if heading := _SECTION.fullmatch(raw):
            sections.append((int(heading["number"]), heading["title"], []))
        elif line := _LINE.fullmatch(raw):
            if not sections:
                raise RequirementsError(f"line {position}: {raw[:40]!r} stands before any section")
            number, _, texts = sections[-1]
            expected = f"{number}.{len(texts) + 1}"
            found = f"{line['section']}.{line['index']}"
            if found != expected:
                raise RequirementsError(f"line {position}: found {found}, expected {expected}")
            texts.append(line["text"])
        elif sections and sections[-1][2] and raw.startswith("  ") and raw.strip():
            sections[-1][2][-1] += " " + raw.strip()
        elif _LOOKS_NUMBERED.match(raw):
            raise RequirementsError(f"line {position}: write {raw[:40]!r} as '- **2.1** text'")
    return tuple(
        Section(number, title, _numbered(number, texts))
        for number, title, texts in sections
        if texts
    )


def _numbered(section: int, texts: Sequence[str]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(f"{section}.{index}", text) for index, text in enumerate(texts, start=1)
    )


def numbers_of(sections: Iterable[Section]) -> frozenset[str]:
    """Return every number a test may quote."""
    return frozenset(line.number for section in sections for line in section.requirements)


def load_requirements(root: Path) -> tuple[Section, ...]:
    """Read the document of the repository at `root`.

    Raises:
        RequirementsError: the document is missing or breaks its format.
    """
    path = root / REQUIREMENTS_PATH
    try:
        return parse_requirements(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RequirementsError(f"{REQUIREMENTS_PATH} is missing") from error
    except RequirementsError as error:
        raise RequirementsError(f"{REQUIREMENTS_PATH}: {error}") from error


def load_results(root: Path) -> dict[str, TestResult]:
    """Read the remembered results, by test id; empty where there are none in this format."""
    try:
        stored = json.loads((root / RESULTS_PATH).read_text(encoding="utf-8"))
        if stored["format"] != RESULTS_FORMAT:
            return {}
        return {
            test: TestResult(tuple(entry["spec"]), Outcome(entry["outcome"]), entry["date"])
            for test, entry in stored["tests"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # a record that one run of the tests makes anew


def dump_results(results: Mapping[str, TestResult]) -> str:
    """Return the text of the results file, sorted so that two runs compare."""
    tests = {test: asdict(result) for test, result in sorted(results.items())}
    return json.dumps({"format": RESULTS_FORMAT, "tests": tests}, indent=1) + "\n"


def state_of(outcomes: Iterable[Outcome]) -> State:
    """Judge one requirement by the outcomes of its tests.

    One failure fails the line (an expected one too: it says the line does not hold), and a line
    with a skipped or never-run test is not yet proven, however many others passed.
    """
    seen = set(outcomes)
    if not seen:
        return State.NO_TEST
    if seen & {Outcome.FAILED, Outcome.XFAILED}:
        return State.FAILING
    return State.PROVEN if seen == {Outcome.PASSED} else State.NOT_RUN


_WORST_FIRST = (
    Outcome.FAILED,
    Outcome.XFAILED,
    Outcome.NOT_RUN,
    Outcome.SKIPPED,
    Outcome.PASSED,
)


def _functions(results: Mapping[str, TestResult]) -> tuple[FunctionResult, ...]:
    cases: dict[str, list[TestResult]] = {}
    for test, result in sorted(results.items()):
        cases.setdefault(test.split("[", 1)[0], []).append(result)
    return tuple(
        FunctionResult(
            test=test,
            cases=len(each),
            outcome=min((result.outcome for result in each), key=_WORST_FIRST.index),
            date=min((result.date for result in each if result.date), default=None),
        )
        for test, each in cases.items()
    )


def build_report(
    sections: Iterable[Section], results: Mapping[str, TestResult]
) -> tuple[SectionReport, ...]:
    """Join the requirements with the remembered results."""
    return tuple(
        SectionReport(
            section.number,
            section.title,
            tuple(_row(line, results) for line in section.requirements),
        )
        for section in sections
    )


def _row(line: Requirement, results: Mapping[str, TestResult]) -> Row:
    own = {test: result for test, result in results.items() if line.number in result.spec}
    state = state_of(result.outcome for result in own.values())
    return Row(line.number, line.text, state, _functions(own))


def as_json(report: Iterable[SectionReport], *, missing: bool) -> dict[str, Any]:
    """Return the report as plain data; totals count every line, also those `missing` hides."""
    sections = tuple(report)
    counts = _counts(sections)
    return {
        "total": sum(counts.values()),
        "states": {state.value: count for state, count in counts.items()},
        "proven_share": counts[State.PROVEN] / max(1, sum(counts.values())),
        "sections": [
            {
                "number": section.number,
                "title": section.title,
                "total": len(section.rows),
                "proven": section.proven,
                "lines": [asdict(row) for row in _shown(section, missing=missing)],
            }
            for section in sections
        ],
    }


def _counts(sections: Iterable[SectionReport]) -> dict[State, int]:
    states = [row.state for section in sections for row in section.rows]
    return {state: states.count(state) for state in State}


def _shown(section: SectionReport, *, missing: bool) -> list[Row]:
    return [row for row in section.rows if not (missing and row.state is State.PROVEN)]


def print_report(console: Console, report: Sequence[SectionReport], *, missing: bool) -> None:
    """Print one table per section and the totals."""
    for section in report:
        rows = _shown(section, missing=missing)
        if rows:
            console.print(_table(section, rows))
            console.print()
    counts = _counts(report)
    total = sum(counts.values())
    share = counts[State.PROVEN] / max(1, total)
    rest = ", ".join(f"{counts[state]} {state}" for state in State if state is not State.PROVEN)
    console.print(Text(f"{counts[State.PROVEN]} of {total} lines proven ({share:.0%}); {rest}"))


def _table(section: SectionReport, rows: Iterable[Row]) -> Table:
    title = f"{section.number}. {section.title}: {section.proven} of {len(section.rows)} proven"
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=None)
    table.add_column("line", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("requirement and its tests", overflow="fold")
    for row in rows:
        short = textwrap.shorten(row.text, _SHORT_TEXT_CHARS, placeholder=" ...")
        table.add_row(row.number, Text(row.state, _STYLES[row.state]), Text(short))
        for test in row.tests:
            table.add_row("", "", Text(f"  {_describe(test)}", "dim"))
    return table


def _describe(test: FunctionResult) -> str:
    cases = f" ({test.cases} cases)" if test.cases > 1 else ""
    date = f" {test.date[:10]}" if test.date else ""
    return f"{test.outcome}{date}  {test.test}{cases}"


def main(argv: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Print the report; a line that is not proven is news, not an error, so the status is 0."""
    parser = argparse.ArgumentParser(prog="spec_report", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--missing", action="store_true", help="only lines that are not proven")
    options = parser.parse_args(argv)
    try:
        sections = load_requirements(root)
    except RequirementsError as error:
        print(error, file=sys.stderr)
        return 1
    results = load_results(root)
    if not results:
        print(f"no results in {RESULTS_PATH}: run pytest first", file=sys.stderr)
    report = build_report(sections, results)
    if options.json:
        print(json.dumps(as_json(report, missing=options.missing), indent=2))
    else:
        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            console.width = 160
        print_report(console, report, missing=options.missing)
    return 0


if __name__ == "__main__":
    sys.exit(main())

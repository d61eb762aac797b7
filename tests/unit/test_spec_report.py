"""The requirements document, the marker that quotes it, and the report that joins the two."""

import json
from pathlib import Path, PurePosixPath

import pytest

from tests.spec_plugin import forget_gone, marker_faults, merge
from tests.spec_report import (
    RESULTS_PATH,
    ROOT,
    Outcome,
    RequirementsError,
    State,
    TestResult,
    as_json,
    build_report,
    dump_results,
    load_requirements,
    load_results,
    main,
    numbers_of,
    parse_requirements,
    state_of,
)

pytest_plugins = ["pytester"]

LINES_PER_SECTION = {
    2: 14,
    3: 4,
    4: 5,
    5: 4,
    6: 4,
    7: 3,
    8: 4,
    9: 4,
    10: 5,
    11: 5,
    12: 4,
    13: 3,
    14: 2,
}

DOCUMENT = """\
# Requirements

Numbers such as 2.5 in prose are no lines.

## 1. Goals

| who | what |
|---|---|

## 2. Agents

- **2.1** `experience[]` is kept
  in full.
- **2.2** Answers within 3 s.

## 3. Cost

- **3.1** Decimals.
"""


def result(*spec: str, outcome: str = "passed", date: str | None = "2026-01-02") -> TestResult:
    return TestResult(spec, Outcome(outcome), date)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/requirements.md").write_text(DOCUMENT, encoding="utf-8")
    return tmp_path


def remember(root: Path, results: dict[str, TestResult]) -> None:
    path = root / RESULTS_PATH
    path.parent.mkdir(exist_ok=True)
    path.write_text(dump_results(results), encoding="utf-8")


class TestTheDocument:
    def test_has_exactly_the_numbers_of_the_product(self):
        expected = {
            f"{section}.{index}"
            for section, count in LINES_PER_SECTION.items()
            for index in range(1, count + 1)
        }
        assert numbers_of(load_requirements(ROOT)) == expected
        assert len(expected) == 61

    def test_is_read_by_section_and_indented_lines_continue_the_line_above(self):
        agents, cost = parse_requirements(DOCUMENT)
        assert (agents.number, agents.title) == (2, "Agents")
        assert [line.number for line in agents.requirements] == ["2.1", "2.2"]
        assert agents.requirements[0].text == "`experience[]` is kept in full."
        assert [line.text for line in cost.requirements] == ["Decimals."]

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ("## 2. A\n- **2.1** a\n- **2.3** b", "line 3: found 2.3, expected 2.2"),
            ("## 2. A\n- **2.1** a\n- **2.1** b", "line 3: found 2.1, expected 2.2"),
            ("## 2. A\n- **3.1** a", "line 2: found 3.1, expected 2.1"),
            ("- **2.1** a", "line 1: .* stands before any section"),
            ("## 2. A\n- 2.1 a", "line 2: write '- 2.1 a' as"),
            ("## 2. A\n| 2.1 | a |", "line 2: write"),
            ("## 2. A\n* **2.1** a", "line 2: write"),
        ],
    )
    def test_is_refused_where_a_number_could_get_lost(self, body: str, fault: str):
        with pytest.raises(RequirementsError, match=fault):
            parse_requirements(body)

    def test_is_missed_by_name(self, tmp_path: Path):
        with pytest.raises(RequirementsError, match=r"docs/requirements\.md is missing"):
            load_requirements(tmp_path)


class TestTheReport:
    @pytest.mark.parametrize(
        ("outcomes", "state"),
        [
            ([], State.NO_TEST),
            (["passed"], State.PROVEN),
            (["passed", "passed"], State.PROVEN),
            (["passed", "failed"], State.FAILING),
            (["passed", "xfailed"], State.FAILING),
            (["failed", "not run"], State.FAILING),
            (["not run"], State.NOT_RUN),
            (["skipped"], State.NOT_RUN),
            (["passed", "skipped"], State.NOT_RUN),
            (["passed", "not run"], State.NOT_RUN),
        ],
    )
    def test_a_line_is_as_good_as_its_worst_test(self, outcomes: list[str], state: State):
        assert state_of(Outcome(outcome) for outcome in outcomes) is state

    def test_parameter_sets_count_as_one_test_with_the_worst_outcome_and_oldest_date(self):
        results = {
            "t.py::test_a[1]": result("3.1", date="2026-01-05"),
            "t.py::test_a[x::y[0]]": result("3.1", date="2026-01-03"),
            "t.py::test_a[2]": result("3.1", outcome="skipped", date="2026-01-04"),
            "t.py::test_b": result("2.1", "3.1"),
        }
        agents, cost = build_report(parse_requirements(DOCUMENT), results)
        first, second = cost.rows[0].tests
        assert (first.test, first.cases, first.outcome, first.date) == (
            "t.py::test_a",
            3,
            Outcome.SKIPPED,
            "2026-01-03",
        )
        assert second.test == "t.py::test_b"
        assert [row.state for row in agents.rows] == [State.PROVEN, State.NO_TEST]
        assert (agents.proven, cost.proven) == (1, 0)

    def test_json_totals_count_the_lines_that_missing_hides(self):
        report = build_report(parse_requirements(DOCUMENT), {"t.py::test_a": result("2.1")})
        plain = as_json(report, missing=True)
        assert (plain["total"], plain["states"]["proven"]) == (3, 1)
        assert plain["proven_share"] == pytest.approx(1 / 3)
        assert [line["number"] for line in plain["sections"][0]["lines"]] == ["2.2"]
        assert len(as_json(report, missing=False)["sections"][0]["lines"]) == 2

    def test_prints_lines_tests_and_share_and_ends_with_status_0(self, project, capsys):
        remember(
            project,
            {
                "t.py::test_a": result("2.1"),
                "t.py::test_b": result("2.2", outcome="failed"),
            },
        )
        assert main([], root=project) == 0
        printed = capsys.readouterr().out
        assert "2. Agents: 1 of 2 proven" in printed
        assert "`experience[]` is kept in full." in printed
        assert "passed 2026-01-02  t.py::test_a" in printed
        assert "1 of 3 lines proven (33%); 1 failing, 0 not run, 1 no test" in printed

    def test_missing_leaves_out_what_is_proven(self, project, capsys):
        remember(project, {"t.py::test_a": result("2.1")})
        assert main(["--missing"], root=project) == 0
        printed = capsys.readouterr().out
        assert "t.py::test_a" not in printed
        assert "Answers within 3 s." in printed

    def test_json_goes_to_stdout_alone_also_before_any_run(self, project, capsys):
        assert main(["--json"], root=project) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["states"]["no test"] == 3
        assert "run pytest first" in captured.err

    def test_a_broken_document_is_the_one_thing_that_fails_it(self, tmp_path, capsys):
        assert main([], root=tmp_path) == 1
        assert "docs/requirements.md is missing" in capsys.readouterr().err


class TestTheResults:
    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0, "tests": {}}', "{"])
    def test_a_file_in_another_format_counts_as_none(self, project: Path, text: str):
        remember(project, {})
        (project / RESULTS_PATH).write_text(text, encoding="utf-8")
        assert load_results(project) == {}

    def test_are_read_back_as_they_were_written(self, project: Path):
        results = {
            "t.py::test_a": result("2.1", "3.1"),
            "t.py::test_b": result("2.2", outcome="not run", date=None),
        }
        remember(project, results)
        assert load_results(project) == results

    def test_a_run_changes_only_what_it_ran(self):
        before = {
            "t.py::test_other": result("3.1"),
            "t.py::test_deselected": result("2.1", outcome="failed"),
            "t.py::test_ran": result("2.1", outcome="failed"),
            "t.py::test_unmarked": result("2.1"),
        }
        marked = {
            "t.py::test_deselected": ("2.2",),
            "t.py::test_ran": ("2.1",),
            "t.py::test_new": ("3.1",),
        }
        outcomes = {"t.py::test_ran": Outcome.PASSED}
        after = merge(before, [*marked, "t.py::test_unmarked"], marked, outcomes, date="2026-02-03")
        assert after == {
            "t.py::test_other": result("3.1"),
            "t.py::test_deselected": result("2.2", outcome="failed"),
            "t.py::test_ran": result("2.1", date="2026-02-03"),
            "t.py::test_new": result("3.1", outcome="not run", date=None),
        }

    @pytest.mark.parametrize(
        ("scopes", "unread", "left"),
        [
            ([], [], {"a", "b"}),
            (["tests"], [], set()),
            (["."], [], set()),
            (["tests/a.py"], [], {"b"}),
            (["tests"], ["tests/b.py"], {"b"}),
            (["test"], [], {"a", "b"}),
        ],
    )
    def test_a_test_is_forgotten_where_all_were_looked_at_and_it_was_not_there(
        self, scopes: list[str], unread: list[str], left: set[str]
    ):
        results = {
            "tests/a.py::test_gone": result("2.1"),
            "tests/b.py::test_gone": result("2.1"),
            "tests/b.py::test_seen": result("2.1"),
        }
        kept = forget_gone(
            results,
            ["tests/b.py::test_seen"],
            [PurePosixPath(scope) for scope in scopes],
            unread=unread,
        )
        assert set(kept) == {
            "tests/b.py::test_seen",
            *(f"tests/{name}.py::test_gone" for name in left),
        }


class TestTheMarker:
    def test_faults_name_the_number_and_the_test(self):
        marked = {"t.py::test_a": ("2.1", "11.9"), "t.py::test_b": (), "t.py::test_c": ("2.2",)}
        assert list(marker_faults(marked, {"2.1", "2.2"})) == [
            "t.py::test_a: docs/requirements.md has no line 11.9",
            "t.py::test_b: the spec marker names no line",
        ]


class TestARun:
    """The plugin inside a pytest of its own, in a project of its own."""

    @pytest.fixture
    def run(self, pytester: pytest.Pytester):
        pytester.mkdir("docs").joinpath("requirements.md").write_text(DOCUMENT, encoding="utf-8")
        pytester.makeini(
            "[pytest]\n"
            "markers = spec(*numbers): lines\n"
            "asyncio_default_fixture_loop_scope = function\n"
        )

        def run_inside(*arguments: str) -> pytest.RunResult:
            return pytester.runpytest_inprocess(
                "-p", "tests.spec_plugin", "-p", "no:cacheprovider", *arguments
            )

        return run_inside

    @staticmethod
    def outcomes(root: Path) -> dict[str, str]:
        return {
            test.split("::", 1)[1]: each.outcome.value for test, each in load_results(root).items()
        }

    def test_records_the_last_outcome_of_every_marked_test(self, pytester, run):
        pytester.makepyfile(
            """
            import pytest
            pytestmark = pytest.mark.spec("3.1")

            @pytest.fixture
            def broken():
                yield
                raise OSError

            @pytest.mark.spec("2.1", "3.1")
            def test_passes(): pass
            def test_fails(): assert False
            def test_breaks_afterwards(broken): pass
            @pytest.mark.skip
            def test_skips(): pass
            @pytest.mark.xfail
            def test_fails_as_expected(): assert False
            def test_is_deselected(): pass
            """
        )
        run("-k", "not deselected")
        assert self.outcomes(pytester.path) == {
            "test_passes": "passed",
            "test_fails": "failed",
            "test_breaks_afterwards": "failed",
            "test_skips": "skipped",
            "test_fails_as_expected": "xfailed",
            "test_is_deselected": "not run",
        }
        (passed,) = (
            each
            for test, each in load_results(pytester.path).items()
            if test.endswith("test_passes")
        )
        assert passed.spec == ("2.1", "3.1")
        assert passed.date is not None

    @pytest.mark.parametrize(
        ("marker", "fault"),
        [
            ('"11.9"', "has no line 11.9"),
            ("2.1", "has no line 2.1 (not a string)"),
            ("", "names no line"),
        ],
    )
    def test_refuses_an_unknown_number_before_any_test_starts(self, pytester, run, marker, fault):
        pytester.makepyfile(
            f"""
            import pytest
            @pytest.mark.spec({marker})
            def test_x(): raise SystemExit("ran")
            """
        )
        outcome = run()
        assert outcome.ret == pytest.ExitCode.USAGE_ERROR
        errors = outcome.stderr.str()
        assert "::test_x" in errors
        assert fault in errors
        assert not (pytester.path / RESULTS_PATH).exists()

    def test_a_part_keeps_the_rest_and_the_whole_forgets_what_is_gone(self, pytester, run):
        marked = "import pytest\n@pytest.mark.spec('2.1')\ndef {}(): pass\n"
        pytester.makepyfile(
            test_one=marked.format("test_1") + "\n" + "def test_plain(): pass\n",
            test_two=marked.format("test_2"),
        )
        run()
        assert set(self.outcomes(pytester.path)) == {"test_1", "test_2"}
        pytester.makepyfile(test_two=marked.format("test_3"))
        run("test_one.py")
        run("test_two.py::test_3")
        assert set(self.outcomes(pytester.path)) == {"test_1", "test_2", "test_3"}
        run("--ignore", "test_one.py")
        assert set(self.outcomes(pytester.path)) == {"test_1", "test_2", "test_3"}
        run()
        assert set(self.outcomes(pytester.path)) == {"test_1", "test_3"}

    def test_a_module_that_cannot_be_read_keeps_its_results(self, pytester, run):
        marked = "import pytest\n{}\n@pytest.mark.spec('2.1')\ndef test_1(): pass\n"
        pytester.makepyfile(test_one=marked.format(""))
        run()
        pytester.makepyfile(
            test_one=marked.format("pytest.skip('no', allow_module_level=True)"),
        )
        run()
        assert self.outcomes(pytester.path) == {"test_1": "passed"}

    def test_a_disk_that_refuses_fails_no_test(self, pytester, run):
        pytester.makepyfile(
            "import pytest\n@pytest.mark.spec('2.1')\ndef test_1(): pass\n",
        )
        pytester.path.joinpath(RESULTS_PATH.parent).write_text("a file, not a folder")
        outcome = run()
        assert outcome.ret == pytest.ExitCode.OK
        outcome.stdout.fnmatch_lines(["*spec-results.json not written*"])

    def test_without_markers_needs_no_document(self, pytester, run):
        pytester.path.joinpath("docs/requirements.md").unlink()
        pytester.makepyfile("def test_1(): pass")
        assert run().ret == pytest.ExitCode.OK

"""The dashboards are what the code writes, what Grafana reads, and what an operator can use."""

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from otel.dashboards.__main__ import files
from otel.dashboards.links import TITLES, TRACES_UID
from tests.otel.boards import FILES, FOLDER, board, panels
from tests.otel.tools import OTEL, ROOT, tool

CHECKER = ROOT / "tests" / "otel" / "grafana"
pytestmark = pytest.mark.otel
every_board = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def _every_panel() -> list[Any]:
    return [
        pytest.param(board(path), panel, id=f"{path.stem}: {panel['title']}")
        for path in FILES
        for panel in panels(board(path))
    ]


every_panel = pytest.mark.parametrize(("dashboard", "panel"), _every_panel())


@pytest.mark.spec("9.2")
def test_there_are_the_four_dashboards() -> None:
    assert {board(path)["title"] for path in FILES} == {
        "LLM Overview", "Agent Performance", "Quality Metrics", "Cost Analysis",
    }  # fmt: skip


def test_what_is_committed_is_what_the_code_writes() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert committed == files(), "run: python -m otel.dashboards"


def _validated(*paths: Path) -> "subprocess.CompletedProcess[str]":
    if not (CHECKER / "node_modules").is_dir():
        pytest.fail("the validator is not installed: run `make test-otel`")
    return subprocess.run(
        [tool("node"), str(CHECKER / "check.mjs"), *map(str, paths)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_grafanas_own_types_accept_them() -> None:
    done = _validated(*FILES)
    assert done.returncode == 0, done.stderr


DAMAGE: list[tuple[tuple[str | int, ...], object]] = [
    (("style",), "dark"),
    (("panels", 1, "options"), None),
    (("panels", 1, "gridPos", "w"), "4"),
    (("panels", 1, "fieldConfig", "defaults", "unti"), "s"),
    (("panels", 1, "type"), "graph"),
    (("panels", 1, "targets", 0, "query"), "up"),
    (("templating", "list", 0, "type"), "datasources"),
]


def test_they_refuse_what_grafana_would_not_read(tmp_path: Path) -> None:
    paths: list[Path] = []
    for number, (place, value) in enumerate(DAMAGE):
        inner = damaged = json.loads((FOLDER / "overview.json").read_text())
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
        paths.append(tmp_path / f"damaged-{number}.json")
        paths[-1].write_text(json.dumps(damaged))
    done = _validated(*paths)
    assert done.returncode == 1
    for path, (place, _) in zip(paths, DAMAGE, strict=True):
        assert f"{path.name}" in done.stderr, place


@every_panel
def test_a_panel_says_what_it_shows_in_which_unit(
    dashboard: dict[str, Any], panel: dict[str, Any]
) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 15
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    if panel["type"] == "table":
        named = set(panel["transformations"][1]["options"]["renameByName"].values())
        units = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
        assert named == units
        for target in panel["targets"]:  # a metric's own name would be a column that splits rows
            assert re.match(r"1 - |histogram_quantile|\w+ by \(", target["expr"])


@every_panel
def test_a_panel_leads_on_to_traces_or_to_the_next_dashboard(
    dashboard: dict[str, Any], panel: dict[str, Any]
) -> None:
    urls = [link["url"] for link in panel["fieldConfig"]["defaults"]["links"]]
    assert urls
    for url in urls:
        if url.startswith("/explore?"):
            assert TRACES_UID in url
            continue
        there = re.match(r"/d/([\w-]+)\?", url)
        assert there
        assert there[1] in TITLES
        assert there[1] != dashboard["uid"]
        assert "${datasource:queryparam}" in url
        assert "${__url_time_range}" in url


@every_panel
def test_a_link_names_only_variables_and_labels_that_exist(
    dashboard: dict[str, Any], panel: dict[str, Any]
) -> None:
    known = {v["name"] for v in dashboard["templating"]["list"]}
    text = json.dumps([target.get("expr", target.get("rawSql")) for target in panel["targets"]])
    for link in panel["fieldConfig"]["defaults"]["links"]:
        assert set(re.findall(r"\$\{(\w+):queryparam\}", link["url"])) <= known
        place = "__data.fields" if panel["type"] == "table" else "__field.labels"
        assert set(re.findall(r"__(?:field|data)\.\w+", link["url"])) <= {place}
        for label in re.findall(rf"{place}\.(\w+)", link["url"]):
            assert re.search(rf"\b{label}\b", text), f"{label} is no label of this panel"


@every_panel
def test_a_panel_asks_the_chosen_data_source_and_known_variables(
    dashboard: dict[str, Any], panel: dict[str, Any]
) -> None:
    known = {v["name"] for v in dashboard["templating"]["list"]}
    assert panel["datasource"]["uid"] in {"${datasource}", "${ledger}"}
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        used = set(re.findall(r"\$\{?([a-z]\w*)", target.get("expr", "")))
        assert used <= known


@every_board
def test_every_variable_is_used_and_its_data_source_chosen(path: Path) -> None:
    dashboard = board(path)
    asked = json.dumps([panel["targets"] for panel in panels(dashboard)])
    for variable in dashboard["templating"]["list"]:
        assert f"${variable['name']}" in asked or f"${{{variable['name']}" in asked
        if variable["type"] == "query":
            assert variable["datasource"]["uid"] == "${datasource}"


@every_board
def test_numbers_are_unique_and_no_panel_lies_on_another(path: Path) -> None:
    dashboard = board(path)
    rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
    numbers = [one["id"] for one in [*rows, *panels(dashboard)]]
    assert len(numbers) == len(set(numbers))
    for one, other in itertools.combinations([*rows, *panels(dashboard)], 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])
    for panel in panels(dashboard):
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    apart = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    return not (beside or apart)


def test_provisioned_uids_are_unique_and_match_the_links() -> None:
    uids = [board(path)["uid"] for path in FILES]
    assert sorted(uids) == sorted(TITLES)
    assert TRACES_UID in (OTEL / "grafana/provisioning/datasources/sluice.yml").read_text()


def _tags() -> set[str]:
    found: set[str] = set()
    for path in FILES:
        for panel in panels(board(path)):
            for link in panel["fieldConfig"]["defaults"]["links"]:
                query = unquote(link["url"])
                for tags in re.findall(r'"tags":"([^"]*)"', query):
                    found |= {pair.partition("=")[0] for pair in tags.split(" ")}
    return found


@pytest.mark.parametrize("tag", sorted(_tags() - {"error"}))
def test_traces_are_looked_for_by_attributes_that_are_written(tag: str) -> None:
    """`error` is Jaeger's own name for a span whose status is an error."""
    sources = "".join(p.read_text() for p in (ROOT / "plugins" / "tracing").glob("*.py"))
    assert f'"{tag}"' in sources

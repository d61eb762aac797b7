"""docs/metrics.md has one line for each family, and no other."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import plugins
from plugins.core.metrics import Family, Histogram

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+\*?) \|\s*([\w, ]*?)\s*\| (.+) \|$", re.MULTILINE)
LITELLM = re.compile(r"plugins\.(proxy|callbacks|guardrails|cli)\b")
"""These import LiteLLM, which takes seconds, or run commands; families are in features."""
TRACED = {
    "sluice_attempt_duration_seconds",
    "sluice_call_duration_seconds",
    "sluice_first_byte_seconds",
    "sluice_overhead_seconds",
}


def _families() -> dict[str, Family]:
    found: dict[str, Family] = {}
    for module in pkgutil.walk_packages(plugins.__path__, "plugins."):
        if not LITELLM.match(module.name) and ".migrations" not in module.name:
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Family):
                    found[value.name] = value
    return found


def _kind(family: Family) -> str:
    name = type(family).__name__.lower()
    return f"{name}*" if family.name in TRACED else name


FAMILIES = _families()
ROWS = {name: (kind, labels) for name, kind, labels, _ in ROW.findall(PAGE.read_text())}


def test_the_page_and_the_code_name_the_same_families() -> None:
    missing = [
        f"| `{f.name}` | {_kind(f)} | {', '.join(f.labels)} | {f.help} |"
        for f in FAMILIES.values()
        if f.name not in ROWS
    ]
    assert not missing, "add to docs/metrics.md:\n" + "\n".join(missing)
    assert not ROWS.keys() - FAMILIES.keys(), "no such families any more"
    assert len(ROWS) >= 34


@pytest.mark.parametrize("name", FAMILIES)
def test_each_line_has_the_families_type_and_labels(name: str) -> None:
    family = FAMILIES[name]
    kind, labels = ROWS[name]
    assert kind == _kind(family)
    assert labels == ", ".join(family.labels)


@pytest.mark.parametrize("name", FAMILIES)
def test_names_are_as_prometheus_wants_them(name: str) -> None:
    family = FAMILIES[name]
    assert re.fullmatch(r"sluice_[a-z][a-z0-9_]*", name)
    assert name.endswith("_total") == (type(family).__name__ == "Counter")
    assert family.help
    if isinstance(family, Histogram):
        assert list(family.bounds) == sorted(set(family.bounds))

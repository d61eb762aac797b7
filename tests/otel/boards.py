"""The committed dashboards, read as Grafana would."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.otel.tools import OTEL

FOLDER = OTEL / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))


@cache
def board(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels, those of folded rows too, without the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def expressions() -> Iterator[tuple[str, str]]:
    """Each expression of each panel, with where it stands."""
    for path in FILES:
        for panel in panels(board(path)):
            for target in panel["targets"]:
                if "expr" in target:
                    yield f"{path.stem}: {panel['title']} {target['refId']}", target["expr"]

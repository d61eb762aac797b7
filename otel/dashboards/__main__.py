"""`python -m otel.dashboards`: write all dashboards anew."""

from pathlib import Path
from typing import Final

from otel.dashboards import agents, cost, overview, quality
from otel.dashboards.grafana import to_json
from otel.dashboards.panels import Board

FOLDER: Final = Path(__file__).parents[1] / "grafana" / "dashboards"
BOARDS: Final = (overview.BOARD, agents.BOARD, quality.BOARD, cost.BOARD)


def files() -> dict[str, str]:
    """Give the text of every dashboard by the name of its file."""
    return {file_name(board): to_json(board) for board in BOARDS}


def file_name(board: Board) -> str:
    """Name a dashboard's file."""
    return f"{board.uid.removeprefix('sluice-')}.json"


def main() -> None:
    """Write them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

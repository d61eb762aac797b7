"""`python -m bench.accuracy FOLDER`: a table for people, then one line of JSON."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.accuracy.data import Folder
from bench.accuracy.measure import Report, Row, measured
from bench.accuracy.scores import Share


def main() -> int:
    """Measure and print.

    Returns:
        0, or 2 when the folder is not there.
    """
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    console = Console()
    if not path.is_dir():
        console.print(f"No folder {path}: name one that holds the data, with DATA=folder.")
        return 2
    with console.status("Measuring ...") as status:
        report = measured(Folder(path), lambda name: status.update(f"Measuring {name} ..."))
    _print(report, console)
    print(json.dumps({name: _rounded(value) for name, value in report.figures.items()}))
    return 0


def _print(report: Report, console: Console) -> None:
    table = Table("check", "precision", "recall", "F1", "false positives", "AUC", "us / 1K tokens")
    for row in report.rows:
        table.add_row(row.check, *_cells(row))
    console.print(table)
    console.print("Shares with 95 % intervals (Wilson).")
    for name in report.missing:
        console.print(f"Missing: {name}; its figures are null or left out.")


def _cells(row: Row) -> tuple[str, ...]:
    tally = row.tally
    return (
        _share(tally.precision if tally else None),
        _share(tally.recall if tally else row.recall),
        _number(tally.f1 if tally else None, 4),
        _share(row.false_positives),
        _number(row.area, 4),
        _number(row.cost_us, 1),
    )


def _share(share: Share | None) -> str:
    if share is None or share.value is None:
        return ""
    low, high = share.interval
    return f"{share.value:.4f} ({low:.4f}..{high:.4f}) of {share.of}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


if __name__ == "__main__":
    sys.exit(main())

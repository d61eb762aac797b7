"""Writes what was found into `docs/reliability.md`, between its markers. Pure but for that file."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.reliability.faults import SILENCE_S
from bench.reliability.matrix import Result
from bench.reliability.outage import Outcome, median_s, p95_s
from bench.reliability.shapes import SHAPES

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
_NONE: Final = "-"


def matrix_table(results: Sequence[Result], machine: str) -> str:
    """Write the matrix: a line for each fault and position, a column for each shape of call."""
    calls = sum(len(result.seen) for result in results)
    failed = sum(len(result.failed) for result in results)
    lines = [
        f"{len(results)} cells, {calls} calls with a fault: {failed} not as promised. Time limits"
        f" of the run: {SILENCE_S:g} s. {machine}.",
        "",
        "| fault | at | client gets (tries) | " + " | ".join(s.name for s in SHAPES) + " |",
        "|---|---|---|" + "---|" * len(SHAPES),
    ]
    rows: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        rows.setdefault((result.cell.fault.name, result.cell.where), []).append(result)
    for (fault, where), row in rows.items():
        cell = row[0].cell
        gets = "an error at the end" if cell.fault.after_content else cell.tier
        found = {result.cell.shape.name: _figures(result) for result in row}
        columns = " | ".join(found.get(shape.name, _NONE) for shape in SHAPES)
        lines.append(f"| {fault} | {where} | {gets} ({cell.attempts}) | {columns} |")
    return "\n".join(lines)


def _figures(result: Result) -> str:
    if result.failed:
        return f"**{len(result.failed)} of {len(result.seen)} failed**"
    return f"{_ms(result.added_s)} / {_ms(result.most_added_s)}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:+.0f}"


def outage_table(outcomes: Sequence[tuple[str, Outcome]], machine: str) -> str:
    """Write the outages, one a column."""
    titles = [name for name, _ in outcomes]
    found = [outcome for _, outcome in outcomes]
    rows = [
        ("calls a second; seconds healthy, away", [_planned(o) for o in found]),
        ("calls; failed", [f"{len(o.all)}; {len(o.failed)}" for o in found]),
        ("circuit seen open after", [f"{o.opened_s * 1000:.0f} ms" for o in found]),
        (
            "tries of the dead provider until then; calls in flight meanwhile",
            [f"{o.tries_to_open}; {o.in_flight}" for o in found],
        ),
        ("tries after that (probes)", [str(o.probes) for o in found]),
        ("p50 healthy; away", [_pair(median_s(o.healthy), median_s(o.during)) for o in found]),
        ("p95 healthy; away", [_pair(p95_s(o.healthy), p95_s(o.during)) for o in found]),
        ("p95 away / healthy", [f"{o.p95_ratio:.2f}" for o in found]),
        (
            "left of the cool-off when it came back; return noticed after",
            [f"{o.cool_off_s:.1f} s; {o.noticed_s:.1f} s" for o in found],
        ),
        ("alerts: opened; closed", [f"{o.fired}; {o.resolved}" for o in found]),
    ]
    lines = [f"{machine}.", "", "| | " + " | ".join(titles) + " |", "|---|" + "---|" * len(found)]
    lines += [f"| {name} | " + " | ".join(values) + " |" for name, values in rows]
    return "\n".join(lines)


def _planned(outcome: Outcome) -> str:
    plan = outcome.plan
    return f"{plan.rate:g}; {plan.healthy_s:g}, {plan.outage_s:g}"


def _pair(healthy_s: float, during_s: float) -> str:
    return f"{healthy_s * 1000:.1f}; {during_s * 1000:.1f} ms"


def insert(page: str, name: str, table: str) -> str:
    """Put a table between its markers.

    Args:
        page: the document.
        name: of the markers.
        table: in Markdown.

    Raises:
        ValueError: when the page has no such markers.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if not pattern.search(page):
        raise ValueError(f"the page has no markers {begin} and {end}; write them where it belongs")
    return pattern.sub(lambda _: f"{begin}\n{table}\n{end}", page)


def write(name: str, table: str) -> None:
    """Put a table into `docs/reliability.md`."""
    PAGE.write_text(insert(PAGE.read_text(), name, table))

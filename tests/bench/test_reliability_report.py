"""The reliability run's pure parts: what it counts, and what it writes."""

from typing import Any

import pytest

from bench.reliability.faults import FAULTS
from bench.reliability.matrix import Cell, Result, Seen, cells
from bench.reliability.outage import Asked, Outcome, Plan
from bench.reliability.report import insert, matrix_table
from bench.reliability.shapes import SHAPES

CHAT = SHAPES[0]
STATUS = next(f for f in FAULTS if f.name == "503")
LATE = next(f for f in FAULTS if f.name == "closed after content")
PLAN = Plan(10.0, 1.0, 5.0, 30.0, {"kind": "refuse"})


def _seen(**changes: Any) -> Seen:
    kept: dict[str, Any] = {
        "status": 200,
        "whole": True,
        "broken_off": False,
        "tier": "secondary",
        "attempts": 2,
        "took_s": 0.03,
        "call_id": "c",
        "body": b"",
    }
    return Seen(**(kept | changes))


@pytest.mark.parametrize(
    ("fault", "both", "changes", "met"),
    [
        (STATUS, False, {}, True),
        (STATUS, False, {"status": 502}, False),
        (STATUS, False, {"whole": False}, False),
        (STATUS, False, {"tier": "primary", "attempts": 1}, False),
        (STATUS, False, {"attempts": 3}, False),
        (STATUS, True, {}, False),
        (STATUS, True, {"tier": "tertiary", "attempts": 3}, True),
        (LATE, False, {}, False),
        (LATE, False, {"tier": "primary", "attempts": 1}, False),
        (LATE, False, {"tier": "primary", "attempts": 1, "broken_off": True}, True),
    ],
)
def test_a_cell_is_met_by_the_right_answer_alone(
    fault: Any, both: bool, changes: dict[str, Any], met: bool
) -> None:
    assert Cell(fault, CHAT, both).is_met(_seen(**changes)) is met


def test_every_fault_meets_every_shape_that_can_have_it_once_a_position() -> None:
    labels = [cell.label for cell in cells()]
    assert len(labels) == len(set(labels))
    for fault in FAULTS:
        meeting = [cell for cell in cells() if cell.fault is fault]
        assert len(meeting) == len(fault.shapes) * (1 if fault.after_content else 2)


def test_the_table_tells_figures_and_failures_apart() -> None:
    good = Result(Cell(STATUS, CHAT, False), (_seen(), _seen(took_s=0.05)), 0.02)
    bad = Result(Cell(STATUS, CHAT, True), (_seen(), _seen(status=502)), 0.02)
    table = matrix_table([good, bad], "a machine")
    assert "2 cells, 4 calls with a fault: 2 not as promised" in table
    assert "| 503 | primary | secondary (2) | +20 / +30 |" in table
    assert "| 503 | primary and secondary | tertiary (3) | **2 of 2 failed** |" in table


def test_a_table_goes_between_its_markers_and_nothing_else_changes() -> None:
    page = "a\n<!-- m: begin -->\nold\n<!-- m: end -->\nb\n"
    once = insert(page, "m", "new \\1")
    assert once == "a\n<!-- m: begin -->\nnew \\1\n<!-- m: end -->\nb\n"
    assert insert(once, "m", "new \\1") == once
    with pytest.raises(ValueError, match="markers"):
        insert(page, "other", "new")


def _asked(sent_s: float, tier: str = "secondary", attempts: int = 1, **more: Any) -> Asked:
    return Asked(sent_s, more.pop("took_s", 0.01), more.pop("ok", True), tier, attempts, **more)


def test_an_outage_counts_tries_before_the_opening_and_probes_after_it() -> None:
    during = [
        *(_asked(100.0 + n / 100, attempts=2, took_s=0.05) for n in range(4)),
        _asked(100.5),
        _asked(106.0, attempts=2),
        _asked(107.0, tier="-", attempts=0, ok=False, told="502"),
    ]
    healthy = [_asked(99.0, tier="primary"), _asked(120.0, tier="primary")]
    outcome = Outcome(PLAN, healthy, during, [], 100.0, 0.1, 1.0, 1.0, 1, 1)
    assert (outcome.tries_to_open, outcome.probes, outcome.in_flight) == (4, 1, 4)
    assert [call.told for call in outcome.failed] == ["502"]

"""`make bench-store`, small: it runs, cleans up after itself and ends with its line of JSON."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.store.filling import MONTHS, SHARES, SLOTS, months_until

ROOT = Path(__file__).parents[2]


def test_a_small_run_ends_with_its_figures_and_leaves_nothing_behind() -> None:
    small = ("--rows", "6000", "--rounds", "1", "--seconds", "0.3", "--times", "2")
    done = subprocess.run(
        [sys.executable, "-m", "bench.store", *small],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ingest_rows_per_s"] > 0
    assert figures["query_p95_ms"] > 0
    assert figures["rows"] == 6000


def test_the_months_end_now_and_each_begins_where_the_one_before_ended() -> None:
    now = datetime(2026, 2, 14, 9, tzinfo=UTC)
    months = list(months_until(now))
    assert len(months) == MONTHS
    assert months[-1] == (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), now)
    assert months[0][0] == datetime(2025, 3, 1, tzinfo=UTC)
    assert [end for _, end, _ in months[:-1]] == [begin for begin, _, _ in months[1:]]


def test_the_largest_tenant_has_a_quarter_of_the_cases() -> None:
    assert SLOTS == 64
    assert max(SHARES) / SLOTS == 0.25

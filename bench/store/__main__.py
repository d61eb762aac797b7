"""`make bench-store`: fills, measures, prints a table; the last line is JSON."""

import argparse
import asyncio
import json
import random
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import text

from bench.store.filling import fill, patient, pick
from bench.store.measuring import Ingested, asked, ingest, questions
from plugins.core.chain import Seals
from plugins.store import migrate
from plugins.store.database import create_engine
from selfhosted.engines import EmbeddedPostgres

ROWS: Final = 10_000_000
SECRET: Final = "of the benchmark alone, thirty-two characters"  # noqa: S105 - guards nothing


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="bench.store", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="for the database; room for 1.2 kB a row")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-store-", dir=wanted.folder))
    try:
        with EmbeddedPostgres(folder) as server:
            migrate.upgrade(server.url)
            asyncio.run(_run(server.url, wanted))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(url: str, wanted: argparse.Namespace) -> None:
    seals = Seals(SECRET)
    print(f"filling {wanted.rows:,} rows")
    filled = await fill(url, wanted.rows, seals, datetime.now(UTC))
    size = await _size(url)
    print(f"filled in {filled.took_s:.0f} s: {filled.rows:,} rows, {size}")
    engine = create_engine(url)
    try:
        draw = random.Random(7)  # noqa: S311 - the same questions in every run
        picked = await pick(url, filled.tenants, 200)
        took = await asked(questions(engine, seals, filled, picked, draw), wanted.times)
        _show(took)
        drains = [
            await ingest(
                engine, seals, filled, rounds=wanted.rounds, seconds=wanted.seconds, drains=number
            )
            for number in (1, 2)
        ]
    finally:
        await engine.dispose()
    for one in drains:
        _say(one)
    last = {
        "ingest_rows_per_s": round(drains[0].rows_per_s),
        "query_p95_ms": round(max(p95 for _, p95 in took.values()), 1),
        "rows": filled.rows,
    }
    print(json.dumps(last))


def _show(took: Mapping[str, tuple[float, float]]) -> None:
    print(f"\n{'query':52}  {'p50 ms':>8}  {'p95 ms':>8}")
    for name, (p50, p95) in took.items():
        print(f"{name:52}  {p50:8.1f}  {p95:8.1f}")
    print()


def _say(one: Ingested) -> None:
    low, high = min(one.rounds), max(one.rounds)
    print(f"{one.drains} drain(s): {one.rows_per_s:,.0f} rows/s ({low:,.0f} to {high:,.0f})")


async def _size(url: str) -> str:
    async with patient(url) as engine, engine.connect() as connection:
        found = await connection.execute(
            text("SELECT pg_size_pretty(pg_database_size(current_database()))")
        )
        return str(found.scalar_one())


if __name__ == "__main__":
    main()

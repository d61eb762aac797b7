"""Turns rounds into a table for people and one line of JSON for machines."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, added, compared, percentile, ratio
from bench.load import Load
from bench.measure import NOTHING, RedisCount, round_trips_per_call
from bench.rounds import (
    ALONE,
    BUSY,
    HIT,
    HITS_BUSY,
    LONG,
    MIXED_BUSY,
    MODES,
    OPEN,
    STREAMS,
    Mode,
    Round,
    Run,
)
from bench.servers import System
from bench.workloads import STREAM_CHUNKS

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Starts:
    """What was seen before any round.

    Args:
        bare_first_s: latency of the very first call to bare LiteLLM.
        sluice_first_s: and to Sluice.
        straight: one call at a time straight at the practice provider.
        straight_busy: as many at a time as the busy mode has.
        client_cpu_s: processor time the client used for `straight_busy`.
        machine: in words.
    """

    bare_first_s: float
    sluice_first_s: float
    straight: Load
    straight_busy: Load
    client_cpu_s: float
    machine: str


def calls_per_s(r: Round) -> float:
    """Give the throughput of a round."""
    return r.load.calls / r.load.elapsed_s


def cpu_ms_per_call(r: Round) -> float:
    """Give the proxy's processor time for one call."""
    return r.cpu_s * 1000 / r.load.calls


def stores_ms_per_call(r: Round) -> float:
    """Give the processor time of PostgreSQL and Redis for one call."""
    return r.stores_cpu_s * 1000 / r.load.calls


def cpu_us_per_chunk(r: Round) -> float:
    """Give the proxy's processor time for one chunk that the provider sent, microseconds."""
    return r.cpu_s * 1e6 / (r.load.calls * STREAM_CHUNKS)


def latency_ms(share: float) -> Callable[[Round], float]:
    """Give a round's percentile of latency, milliseconds."""
    return lambda r: percentile(r.load.latencies_s, share) * 1000


def first_ms(share: float) -> Callable[[Round], float]:
    """Give a round's percentile of the time to the first byte of the answer, milliseconds."""
    return lambda r: percentile(r.load.firsts_s, share) * 1000


class Result:
    """A run and its systems, ready to be asked for figures.

    Args:
        run: all rounds.
        starts: what was seen before.
        bare: LiteLLM alone.
        cached: LiteLLM alone with its own cache.
        sluice: the gateway.
    """

    def __init__(
        self, run: Run, starts: Starts, bare: System, cached: System, sluice: System
    ) -> None:
        self._run: Final = run
        self._starts: Final = starts
        self._bare: Final = bare
        self._cached: Final = cached
        self._sluice: Final = sluice

    def figure(
        self, mode: Mode, what: Callable[[Round], float], how: Callable[[float, float], float]
    ) -> Figure:
        """Compare one property of the rounds of one mode."""
        bare, sluice = ([what(r) for r in self._run.of(mode, s)] for s in self._pair(mode))
        return compared(bare, sluice, how)

    def _pair(self, mode: Mode) -> tuple[System, System]:
        return (self._cached if mode.is_cached else self._bare, self._sluice)

    def pooled_ms(self, mode: Mode, system: System, share: float) -> float:
        """Give a percentile over the calls of all rounds together, milliseconds."""
        rounds = self._run.of(mode, system)
        return percentile([s for r in rounds for s in r.load.latencies_s], share) * 1000

    def added_at(self, mode: Mode, share: float) -> Figure:
        """Compare a percentile of all calls pooled; the spread is that of the pairs."""
        spread = self.figure(mode, latency_ms(share), added)
        bare, sluice = (self.pooled_ms(mode, s, share) for s in self._pair(mode))
        return Figure(bare, sluice, added(bare, sluice), spread.low, spread.high, spread.sure)

    def round_trips(self) -> float:
        """Give Redis round trips per call, seen with one call at a time."""
        rounds = self._run.of(ALONE, self._sluice)
        return round_trips_per_call(
            sum((r.redis for r in rounds), NOTHING),
            sum(r.load.calls for r in rounds),
            sum(r.wall_s for r in rounds),
            self._run.idle,
            self._run.idle_s,
        )

    def commands(self) -> dict[str, float]:
        """Give Redis commands per call with one call at a time, the drain's among them."""
        rounds = self._run.of(ALONE, self._sluice)
        total: RedisCount = sum((r.redis for r in rounds), NOTHING)
        calls = sum(r.load.calls for r in rounds)
        return {name: round(n / calls, 4) for name, n in sorted(total.commands.items()) if n}

    def summary(self) -> dict[str, float]:
        """Give the figures of the last line."""
        figures = {
            "throughput_ratio": self.figure(BUSY, calls_per_s, ratio).change,
            "p50_ratio": self.figure(ALONE, latency_ms(0.5), ratio).change,
            "p99_added_ms": self.added_at(ALONE, 0.99).change,
            "stream_chunk_cpu_ratio": self.figure(STREAMS, cpu_us_per_chunk, ratio).change,
            "cpu_ms_added_per_call": self.figure(BUSY, cpu_ms_per_call, added).change,
            "redis_round_trips_per_call": self.round_trips(),
            "ready_s": self._sluice.ready_s,
            "first_call_ms": self._starts.sluice_first_s * 1000,
            "cache_hit_throughput_ratio": self.figure(HITS_BUSY, calls_per_s, ratio).change,
            "hit_p99_ms": self.pooled_ms(HIT, self._sluice, 0.99),
            "workload40_throughput_ratio": self.figure(MIXED_BUSY, calls_per_s, ratio).change,
        }
        return {name: round(value, 3) for name, value in figures.items()}

    def print(self, console: Console) -> None:
        """Write the table."""
        table = Table(title="Sluice beside bare LiteLLM (in brackets: least and most of any pair)")
        for name in ("load", "figure"):
            table.add_column(name)
        for name in ("bare", "Sluice", "ratio", "added"):
            table.add_column(name, justify="right")
        for mode in MODES:
            name = f"{mode.name}, {self._run.rate:.0f}/s" if mode is OPEN else mode.name
            for what, figures in self._rows_of(mode):
                table.add_row(name, what, *_cells(*figures))
                name = ""
            table.add_section()
        self._start_rows(table)
        console.print(table)
        for line in self._notes():
            console.print(line, soft_wrap=True)

    def _rows_of(self, mode: Mode) -> Iterator[tuple[str, tuple[Figure | None, Figure]]]:
        """Give names with the ratio and the difference; nothing divides by stores bare lacks."""
        plain: dict[str, Callable[[Round], float]] = {}
        if mode in (BUSY, LONG, STREAMS, HITS_BUSY, MIXED_BUSY):
            plain["calls/s"] = calls_per_s
        if mode is STREAMS:
            plain |= {"first byte p50, ms": first_ms(0.5), "CPU/chunk, us": cpu_us_per_chunk}
        plain |= {"p50, ms": latency_ms(0.5), "CPU/call, ms": cpu_ms_per_call}
        for name, what in plain.items():
            yield name, (self.figure(mode, what, ratio), self.figure(mode, what, added))
        yield "p99, ms (all rounds)", (None, self.added_at(mode, 0.99))
        yield "stores' CPU/call, ms", (None, self.figure(mode, stores_ms_per_call, added))

    def _start_rows(self, table: Table) -> None:
        bare, sluice = self._bare, self._sluice
        starts = self._starts
        table.add_row("start", "ready, s", f"{bare.ready_s:.1f}", f"{sluice.ready_s:.1f}", "", "")
        firsts = [f"{s * 1000:.0f}" for s in (starts.bare_first_s, starts.sluice_first_s)]
        table.add_row("start", "first call, ms", *firsts, "", "")

    def _notes(self) -> list[str]:
        starts = self._starts
        straight, busy = starts.straight, starts.straight_busy
        commands = sorted(self.commands().items(), key=lambda c: -c[1])
        return [
            f"Machine: {starts.machine}",
            f"Other programs used {self.foreign_cores():.2f} cores on average during the rounds; "
            "over 0.1, trust CPU figures and ratios, not percentiles",
            f"The client alone, straight at the practice provider: p50 "
            f"{percentile(straight.latencies_s, 0.5) * 1000:.2f} ms one at a time, "
            f"{busy.calls / busy.elapsed_s:.0f} calls/s {BUSY.connections} at a time, "
            f"{starts.client_cpu_s * 1000 / busy.calls:.2f} ms of the client's CPU per call",
            "Events per stream that reached the client: "
            + ", ".join(f"{s.name} {self._chunks(s):.1f}" for s in (self._bare, self._sluice)),
            f"Redis: {self.round_trips():.2f} round trips per call; commands per call, the "
            "drain's among them: " + ", ".join(f"{n} {c:.2f}" for n, c in commands[:_SHOWN]),
        ]

    def foreign_cores(self) -> float:
        """Give how many cores programs used that are no part of the comparison."""
        rounds = self._run.rounds
        return sum(r.foreign_cpu_s for r in rounds) / sum(r.wall_s for r in rounds)

    def _chunks(self, system: System) -> float:
        rounds = self._run.of(STREAMS, system)
        return sum(r.load.chunks for r in rounds) / sum(r.load.calls for r in rounds)

    def save(self, path: Path) -> None:
        """Write everything as JSON, with each round."""
        rounds = [
            asdict(r)
            | {"load": {"calls": r.load.calls, "elapsed_s": r.load.elapsed_s}}
            | {f"p{q:g}_ms": latency_ms(q / 100)(r) for q in (50, 90, 99, 99.9)}
            for r in self._run.rounds
        ]
        told = {
            "summary": self.summary(),
            "machine": self._starts.machine,
            "foreign_cores": self.foreign_cores(),
            "open_loop_rate": self._run.rate,
            "redis_commands_per_call": self.commands(),
            "rounds": rounds,
        }
        path.write_text(json.dumps(told, indent=1) + "\n")


def _cells(quotient: Figure | None, difference: Figure) -> tuple[str, str, str, str]:
    d, q = difference, quotient
    return (
        f"{d.bare:.2f}",
        f"{d.sluice:.2f}",
        "" if q is None else f"{q.change:.2f} ({q.low:.2f} .. {q.high:.2f})",
        f"{d.change:+.2f} ({d.low:+.2f} .. {d.high:+.2f})",
    )

"""Reads what a round cost: processor time of process trees, and what Redis was asked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_DRAIN: Final = ("xreadgroup", "xautoclaim", "xack")
"""Each names one round trip of the drain, which moves settlements into PostgreSQL behind the
calls; XDEL, MULTI and EXEC travel with XACK."""


def cpu_s(*roots: int) -> float:
    """Give the processor time, user and system, of processes and all their descendants.

    Children that have ended count with the parent that waited for them.

    Args:
        roots: process numbers.

    Returns:
        Seconds since each was started.
    """
    times: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            rest = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(entry.name)
        times[pid] = sum(map(int, rest[11:15])) / _TICKS
        children.setdefault(int(rest[1]), []).append(pid)
    total_s, pending = 0.0, list(roots)
    while pending:
        pid = pending.pop()
        total_s += times.get(pid, 0.0)
        pending += children.get(pid, [])
    return total_s


def machine_cpu_s() -> float:
    """Give the processor time that the whole machine has used, or was denied by its host."""
    user, nice, system, _idle, _wait, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


@dataclass(frozen=True, slots=True)
class RedisCount:
    """What Redis has done so far.

    Args:
        reads: times it read from any connection; a command or a pipeline waits for one each.
        commands: by name.
    """

    reads: int
    commands: Mapping[str, int]

    def __sub__(self, before: "RedisCount") -> "RedisCount":
        """Give what happened since."""
        names = set(self.commands) | set(before.commands)
        return RedisCount(
            self.reads - before.reads,
            {n: self.commands.get(n, 0) - before.commands.get(n, 0) for n in names},
        )

    def __add__(self, other: "RedisCount") -> "RedisCount":
        """Join two counts."""
        names = set(self.commands) | set(other.commands)
        return RedisCount(
            self.reads + other.reads,
            {n: self.commands.get(n, 0) + other.commands.get(n, 0) for n in names},
        )

    @property
    def foreground_reads(self) -> int:
        """Count the round trips without the drain's and our own INFO."""
        return self.reads - sum(self.commands.get(n, 0) for n in (*_DRAIN, "info"))


NOTHING: Final = RedisCount(0, {})


class RedisMeter:
    """Asks one Redis for its counters.

    Args:
        url: as redis-py takes it.
    """

    def __init__(self, url: str) -> None:
        self._client: Final = redis.Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType] - untyped there

    def count(self) -> RedisCount:
        """Read the counters."""
        told: dict[str, Any] = self._client.info("all")  # pyright: ignore[reportUnknownMemberType] - untyped there
        commands = {
            name.removeprefix("cmdstat_"): int(stat["calls"])
            for name, stat in told.items()
            if name.startswith("cmdstat_")
        }
        return RedisCount(int(told["total_reads_processed"]), commands)


def round_trips_per_call(
    loaded: RedisCount, calls: int, loaded_s: float, idle: RedisCount, idle_s: float
) -> float:
    """Give how often one call makes Redis read.

    The drain's reads are known by their commands and left out; whatever else the workers ask at
    fixed intervals is measured while nothing is called, and taken off by time.

    Args:
        loaded: counted under load.
        calls: made meanwhile.
        loaded_s: how long that took.
        idle: counted without load.
        idle_s: how long that took.
    """
    background = idle.foreground_reads / idle_s * loaded_s
    return max(0.0, (loaded.foreground_reads - background) / calls)

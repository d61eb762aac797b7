"""Runs the rounds: every mode in turn, both systems next to each other, in alternating order."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bench.load import Load, arrivals, closed_loop, open_loop
from bench.measure import NOTHING, RedisCount, RedisMeter, cpu_s, machine_cpu_s
from bench.servers import System
from bench.workloads import HITS, MIXED, RESUME, SHORT, STREAM, Workload

CHAT: Final = "/v1/chat/completions"
SETTLE_S: Final = 0.5
"""Pause after each round; work that was put off until then still counts as the round's."""
OPEN_SHARE: Final = 0.5
"""The open loop's rate, as a share of what bare LiteLLM managed in the warm-up."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to load both systems.

    Args:
        name: in the report.
        workload: what is asked.
        connections: calls in flight; for an open loop, connections opened beforehand.
        is_open: an open loop.
        is_cached: against bare LiteLLM with its own cache.
    """

    name: str
    workload: Workload
    connections: int
    is_open: bool = False
    is_cached: bool = False


ALONE: Final = Mode("one at a time", SHORT, 1)
BUSY: Final = Mode("8 at a time", SHORT, 8)
LONG: Final = Mode("resumes, 8 at a time", RESUME, 8)
STREAMS: Final = Mode("streams, 4 at a time", STREAM, 4)
OPEN: Final = Mode("open loop", SHORT, 16, is_open=True)
HIT: Final = Mode("cache hits, one at a time", HITS, 1, is_cached=True)
HITS_BUSY: Final = Mode("cache hits, 8 at a time", HITS, 8, is_cached=True)
MIXED_BUSY: Final = Mode("40 % repeated, 8 at a time", MIXED, 8, is_cached=True)
MODES: Final = (ALONE, BUSY, LONG, STREAMS, OPEN, HIT, HITS_BUSY, MIXED_BUSY)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Args:
        rounds: per mode and system.
        round_s: length of one.
        warm_s: of each warm-up.
        rate: calls a second of the open loop; None for `OPEN_SHARE`.
    """

    rounds: int
    round_s: float
    warm_s: float
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What one round showed.

    Args:
        mode: its name.
        system: its name.
        number: from 0; bare's and Sluice's rounds of one number and mode are a pair.
        load: what the client saw.
        cpu_s: processor time of the proxy.
        stores_cpu_s: processor time of PostgreSQL and Redis.
        redis: what Redis did meanwhile.
        wall_s: length, with the pause.
        foreign_cpu_s: processor time of programs that are no part of the comparison.
    """

    mode: str
    system: str
    number: int
    load: Load
    cpu_s: float
    stores_cpu_s: float
    redis: RedisCount
    wall_s: float
    foreign_cpu_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """All rounds.

    Args:
        rounds: in the order in which they were run.
        idle: what Redis did in `idle_s` without load.
        idle_s: seconds.
        rate: calls a second of the open loop.
    """

    rounds: list[Round]
    idle: RedisCount
    idle_s: float
    rate: float

    def of(self, mode: Mode, system: System) -> list[Round]:
        """Give one system's rounds of one mode, by number."""
        return [r for r in self.rounds if (r.mode, r.system) == (mode.name, system.name)]


class Course:
    """Takes the systems through a plan.

    Args:
        plan: how much.
        bare: LiteLLM alone.
        cached: LiteLLM alone with its own cache.
        sluice: the gateway.
        meter: of Sluice's Redis.
        say: told what is being done.
    """

    def __init__(
        self,
        plan: Plan,
        bare: System,
        cached: System,
        sluice: System,
        meter: RedisMeter,
        say: Callable[[str], None],
    ) -> None:
        self._plan: Final = plan
        self._bare: Final = bare
        self._cached: Final = cached
        self._sluice: Final = sluice
        self._meter: Final = meter
        self._say: Final = say
        self._rate = plan.rate or 0.0

    async def run(self) -> Run:
        """Warm all up, then run all rounds.

        Raises:
            LoadError: when any call fails.
        """
        self._say("warming all up")
        await self._warm_up()
        idle_s = max(2.0, self._plan.warm_s)
        before = self._meter.count()
        await asyncio.sleep(idle_s)
        idle = self._meter.count() - before
        rounds: list[Round] = []
        for number in range(self._plan.rounds):
            self._say(f"round {number + 1} of {self._plan.rounds}")
            for mode in MODES:
                for system in self._order(mode, number):
                    rounds.append(await self._round(mode, system, number))  # noqa: PERF401 - in turn
        return Run(rounds, idle, idle_s, self._rate)

    def _order(self, mode: Mode, number: int) -> tuple[System, System]:
        pair = (self._cached if mode.is_cached else self._bare, self._sluice)
        return pair if number % 2 == 0 else (pair[1], pair[0])

    async def _warm_up(self) -> None:
        for mode in (LONG, STREAMS, MIXED_BUSY, HITS_BUSY, BUSY):
            _, other = self._order(mode, 1)
            await self._load(mode, self._sluice, self._plan.warm_s, 0)
            load = await self._load(mode, other, self._plan.warm_s, 0)
            if mode is BUSY and not self._rate:
                self._rate = OPEN_SHARE * load.calls / load.elapsed_s

    async def _round(self, mode: Mode, system: System, number: int) -> Round:
        watched = system is self._sluice
        redis = self._meter.count() if watched else NOTHING
        cpu, stores = cpu_s(system.proxy_pid), cpu_s(*system.store_pids)
        foreign, began_s = _foreign_cpu_s(), time.monotonic()
        load = await self._load(mode, system, self._plan.round_s, number)
        await asyncio.sleep(SETTLE_S)
        return Round(
            mode=mode.name,
            system=system.name,
            number=number,
            load=load,
            cpu_s=cpu_s(system.proxy_pid) - cpu,
            stores_cpu_s=cpu_s(*system.store_pids) - stores,
            redis=self._meter.count() - redis if watched else NOTHING,
            wall_s=time.monotonic() - began_s,
            foreign_cpu_s=_foreign_cpu_s() - foreign,
        )

    async def _load(self, mode: Mode, system: System, duration_s: float, seed: int) -> Load:
        requests = self._requests(mode.workload, system)
        if mode.is_open:
            moments = arrivals(self._rate, duration_s, seed)
            return await open_loop(system.place, requests, moments, mode.connections)
        return await closed_loop(system.place, requests, mode.connections, duration_s)

    def _requests(self, workload: Workload, system: System) -> Iterator[bytes]:
        model = workload.agent if system is self._sluice else workload.model
        return workload.requests(system.place, system.key, model, CHAT)


def _foreign_cpu_s() -> float:
    """Give the time used by all but us and what we have started."""
    return machine_cpu_s() - cpu_s(os.getpid())

"""Redis away for all workers, or for one alone: breakers go on, and agree again afterwards."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from plugins.store.database import create_engine
from plugins.store.tables import ledger
from selfhosted.engines import EmbeddedRedis
from tests.gateway.load import Crowd
from tests.gateway.running import Gateway, eventually, running
from tests.gateway.valve import Valve

WORKERS = 2
FAILURES_TO_OPEN = 3
UNAVAILABLE = {"kind": "status", "status": 503}


@dataclass
class Divided:
    """A gateway of two workers whose way to Redis the test holds in its hands."""

    gateway: Gateway
    redis: EmbeddedRedis
    valve: Valve

    def workers(self) -> list[int]:
        parent = int(self.gateway.ready["pids"]["proxy"])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return sorted(self.valve.pids() & {parent, *map(int, children)})

    def ask(self) -> httpx.Response:
        """One call over a connection of its own: either worker may get it."""
        answer = self.gateway.chat(model="matching")
        assert answer.status_code == 200, answer.text
        return answer

    def tried(self, since: int) -> int:
        """How often OpenAI was asked."""
        return sum(s["provider"] == "openai" for s in self.gateway.practice_requests(since))

    def last(self) -> int:
        return max((int(s["seq"]) for s in self.gateway.practice_requests()), default=0)

    def until_primary(self) -> None:
        """Wait until both workers' calls go to the primary again."""
        eventually(
            lambda: [self.ask().headers["x-sluice-tier"] for _ in range(8)],
            lambda tiers: set(tiers) == {"primary"},
            30,
        )
        # All eight may have gone to one worker: see what each says of its own circuit.
        eventually(
            lambda: ([self.ask() for _ in range(8)], _listed(self))[1],
            lambda states: states == {"closed"},
            30,
        )


@pytest.fixture(scope="module")
def divided(new_folder: Callable[[str], Path]) -> Iterator[Divided]:
    folder = new_folder("divided")
    with EmbeddedRedis(folder / "engines") as redis:
        valve = Valve(urlsplit(redis.url).path)
        with valve.open(), running(folder, workers=WORKERS, REDIS_URL=valve.url) as gateway:
            made = Divided(gateway, redis, valve)
            eventually(made.workers, lambda pids: len(pids) == WORKERS)
            for _ in range(12):
                made.ask()
            yield made


@pytest.fixture(autouse=True)
def _whole(divided: Divided) -> Iterator[None]:
    yield
    divided.valve.mend()
    if not divided.redis.alive:
        divided.redis.start()
    eventually(lambda: _mended(divided.gateway), bool, 20)


def _mended(gateway: Gateway) -> bool:
    try:
        gateway.mend()
    except httpx.HTTPStatusError:
        return False  # the worker that got it is in its quiet moment after Redis' return
    return True


def _opens_within(divided: Divided, most: int) -> None:
    since = divided.last()
    with_fault = [divided.ask() for _ in range(30)]
    assert {answer.headers["x-sluice-tier"] for answer in with_fault} == {"secondary"}
    assert FAILURES_TO_OPEN <= divided.tried(since) <= most


@pytest.mark.spec("8.3")
def test_without_redis_each_worker_opens_its_own_circuit_and_closes_it_again(
    divided: Divided,
) -> None:
    divided.redis.stop(hard=True)
    divided.gateway.faults("openai", UNAVAILABLE)
    _opens_within(divided, WORKERS * FAILURES_TO_OPEN)
    divided.gateway.faults("openai")
    divided.until_primary()  # still without Redis: each worker probes for itself
    divided.redis.start()
    divided.gateway.faults("openai", UNAVAILABLE)
    eventually(lambda: _listed(divided), lambda states: states == {"closed"})
    eventually(lambda: _opened_together(divided), bool, 20)


def _listed(divided: Divided) -> set[str]:
    """What several calls, over connections of their own, are told of OpenAI's circuit."""
    found: set[str] = set()
    for _ in range(8):
        circuits = divided.gateway.admin("GET", "/sluice/circuits").json()
        found |= {c["state"] for c in circuits if c["provider"] == "openai"}
    return found


def _opened_together(divided: Divided) -> bool:
    for _ in range(4):
        divided.ask()
    return _listed(divided) == {"open"}


@pytest.mark.spec("8.3")
def test_a_worker_cut_off_from_redis_opens_and_closes_by_itself(divided: Divided) -> None:
    alone, _ = divided.workers()
    divided.valve.cut(alone)
    divided.gateway.faults("openai", UNAVAILABLE)
    _opens_within(divided, WORKERS * FAILURES_TO_OPEN)
    assert alone not in divided.valve.pids()
    divided.gateway.faults("openai")
    divided.until_primary()
    divided.valve.mend()
    eventually(divided.workers, lambda pids: len(pids) == WORKERS)
    eventually(lambda: _listed(divided), lambda states: states == {"closed"})


@pytest.mark.spec("11.2")
async def test_a_worker_cut_off_from_redis_under_load_loses_nothing(divided: Divided) -> None:
    tenant_id = divided.gateway.new_tenant()
    crowd = Crowd(divided.gateway.base_url, divided.gateway.new_key(tenant_id))
    calling = asyncio.create_task(crowd.run())
    try:
        await asyncio.sleep(1.0)
        before = len(crowd.answered)
        alone = divided.workers()[0]
        divided.valve.cut(alone)
        await asyncio.sleep(3.0)
        assert alone not in divided.valve.pids()
        assert len(crowd.answered) > before + 15, "calls did not go on"
        divided.valve.mend()
        await asyncio.sleep(1.0)
    finally:
        divided.valve.mend()
        crowd.stopping = True
        await calling
    print(f"partitioned 3 s: {len(crowd.answered)} whole answers")
    assert (crowd.refused, crowd.broken) == ([], 0)
    rows = await _rows(divided, tenant_id, set(crowd.answered))
    assert rows == [(call_id, cost) for call_id, cost in sorted(crowd.answered.items())]


async def _rows(divided: Divided, tenant_id: str, expected: set[str]) -> list[tuple[Any, Any]]:
    engine = create_engine(divided.gateway.ready["database_url"])
    wanted = select(ledger.c.call_id, ledger.c.cost_usd).where(ledger.c.tenant_id == tenant_id)
    rows: list[tuple[Any, Any]] = []
    try:
        for _ in range(200):
            async with engine.connect() as connection:
                found = list(await connection.execute(wanted))
            rows = sorted((str(row.call_id), row.cost_usd) for row in found)
            if {call_id for call_id, _ in rows} >= expected:
                break
            await asyncio.sleep(0.1)
    finally:
        await engine.dispose()
    return rows

"""What a failover must not do: mix two answers, outlive its client, leave anything behind."""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import func, select

from bench.reliability.farm import NEVER_OPENS, PATIENT, Server, agent, farm, write_config
from bench.reliability.shapes import FRESH, SHAPES, Shape, ends_with_error, texts
from plugins.store.database import create_engine
from plugins.store.tables import ledger
from tests.gateway.running import Gateway, eventually, running

CHAT, CHAT_STREAM, MESSAGES_STREAM, RESPONSES_STREAM, *_ = SHAPES
STREAMS = (CHAT_STREAM, MESSAGES_STREAM, RESPONSES_STREAM)
STALL = {"kind": "stall", "for_s": 60.0}
PATIENCE_S = 0.5
CHUNK_MS = 20.0
CHUNKS = 60


@dataclass
class Pair:
    """A gateway with three tiers of everything, and what stands behind them."""

    gateway: Gateway
    servers: tuple[Server, ...]

    def worker_pid(self) -> int:
        """The one worker: the proxy's process, or its child that has most sockets."""
        parent = int(self.gateway.ready["pids"]["proxy"])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return max([parent, *map(int, children)], key=_sockets)

    def last_tasks(self) -> int:
        """How many asyncio tasks the worker had when the last call was observed."""
        lines = self.gateway.probe.read_bytes().splitlines()
        seen = (orjson.loads(line) for line in reversed(lines))
        return next(int(one["tasks"]) for one in seen if one["phase"] == "observe")

    def rows(self, tenant_id: str) -> list[Any]:
        """All of a tenant's calls, from the database itself."""
        return asyncio.run(self._rows(tenant_id))

    async def _rows(self, tenant_id: str) -> list[Any]:
        engine = create_engine(self.gateway.ready["database_url"])
        try:
            async with engine.connect() as connection:
                wanted = select(ledger.c.call_id, ledger.c.outcome, func.count().over())
                found = await connection.execute(wanted.where(ledger.c.tenant_id == tenant_id))
                return list(found)
        finally:
            await engine.dispose()


def _sockets(pid: int) -> int:
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(link.readlink()).startswith("socket:")
    return count


@pytest.fixture(scope="module")
def pair(new_folder: Callable[[str], Path]) -> Iterator[Pair]:
    folder = new_folder("failover")
    with farm(folder, chunk_delay_ms=CHUNK_MS) as servers:
        config = write_config(folder / "failover.yaml", servers, **NEVER_OPENS)
        with running(folder, config=config, probe=True) as gateway:
            for model in ("chat-primary", "chat-secondary", "chat-tertiary"):
                for shape in (CHAT, *STREAMS):
                    gateway.request(
                        "POST", shape.path, gateway.demo_key, **shape.options(model)
                    ).raise_for_status()
            yield Pair(gateway, servers)


@pytest.fixture(autouse=True)
def _healthy(pair: Pair) -> Iterator[None]:
    yield
    for server in pair.servers:
        server.mend()


def _leave_early(pair: Pair, shape: Shape, key: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            pair.gateway.base_url + shape.path,
            headers={"authorization": f"Bearer {key}", **FRESH},
            timeout=PATIENCE_S,
            **shape.options(agent("chat")),
        )


def _let_go(server: Server, since: int) -> list[dict[str, Any]]:
    return eventually(
        lambda: server.requests(since), lambda found: [s["aborted"] for s in found] == [True]
    )


@pytest.mark.spec("11.2")
@pytest.mark.parametrize("shape", [CHAT, *STREAMS], ids=lambda shape: shape.name)
def test_a_client_that_leaves_during_a_failover_ends_it(pair: Pair, shape: Shape) -> None:
    first, second, third = pair.servers
    tenant_id = pair.gateway.new_tenant()
    key = pair.gateway.new_key(tenant_id)
    before = [server.last() for server in pair.servers]
    first.order("openai", [{"kind": "status", "status": 503}])
    second.order("anthropic", [STALL])
    _leave_early(pair, shape, key)
    _let_go(second, before[1])
    rows = eventually(lambda: pair.rows(tenant_id), bool)
    row = pair.gateway.call_row(str(rows[0].call_id))
    assert [one.outcome for one in rows] == ["disconnected"]
    assert [tried["deployment"] for tried in row["attempts"]] == [
        "matrix-chat-primary",
        "matrix-chat-secondary",
    ]
    assert third.last() == before[2]


@pytest.mark.spec("11.2")
@pytest.mark.parametrize("shape", [CHAT, CHAT_STREAM], ids=lambda shape: shape.name)
def test_a_client_that_leaves_a_silent_primary_makes_no_second_try(
    pair: Pair, shape: Shape
) -> None:
    first, second, _ = pair.servers
    tenant_id = pair.gateway.new_tenant()
    key = pair.gateway.new_key(tenant_id)
    before = first.last(), second.last()
    first.order("openai", [STALL])
    _leave_early(pair, shape, key)
    _let_go(first, before[0])
    rows = eventually(lambda: pair.rows(tenant_id), bool)
    assert [one.outcome for one in rows] == ["disconnected"]
    assert second.last() == before[1]


def _answer(word: str) -> dict[str, Any]:
    return {"kind": "answer", "text": f"{word} " * CHUNKS, "chunks": CHUNKS}


@pytest.mark.spec("2.10")
@pytest.mark.parametrize("shape", STREAMS, ids=lambda shape: shape.name)
async def test_streams_whose_provider_dies_are_whole_or_say_so_and_never_two_answers(
    pair: Pair, shape: Shape
) -> None:
    first, second, _ = pair.servers
    first.order("openai", [_answer("alpha")])
    second.order("anthropic", [_answer("beta")])
    headers = {"authorization": f"Bearer {pair.gateway.demo_key}", **FRESH}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=pair.gateway.base_url, headers=headers, timeout=60, limits=limits
    ) as client:

        async def ask(number: int) -> httpx.Response:
            await asyncio.sleep(number * 0.02)
            return await client.post(shape.path, **shape.options(PATIENT))

        asking = [asyncio.create_task(ask(number)) for number in range(100)]
        # Some have ended by now, some are in the middle, some have not begun.
        await _until_some_ended(asking)
        await asyncio.to_thread(first.order, "openai", [_answer("alpha"), {"kind": "refuse"}])
        answers = await asyncio.gather(*asking)
    kinds = Counter(_kind(shape, answer) for answer in answers)
    print(shape.name, dict(kinds))
    assert set(kinds) <= {"whole alpha", "whole beta", "broken alpha"}
    assert kinds["whole alpha"]
    assert kinds["whole beta"]
    assert kinds["broken alpha"]


async def _until_some_ended(asking: list[asyncio.Task[httpx.Response]]) -> None:
    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)


def _kind(shape: Shape, answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    words = set(re.findall(r"\w+", texts(shape, answer.content)))
    served = "/".join(sorted(words))
    if ends_with_error(shape, answer.content):
        return f"broken {served}"
    return f"whole {served}" if shape.is_whole(answer) else f"unended {served}"


@pytest.mark.parametrize("shape", [CHAT, CHAT_STREAM], ids=lambda shape: shape.name)
async def test_two_hundred_time_outs_leave_no_connection_and_no_task(
    pair: Pair, shape: Shape
) -> None:
    pair.servers[0].order("openai", [STALL])
    await _time_outs(pair, shape, 20)
    before = await _settled(pair)
    await _time_outs(pair, shape, 200)
    after = await _settled(pair)
    print(f"{shape.name}: sockets and tasks before {before}, after {after}")
    assert after[0] <= before[0] + 5
    assert after[1] <= before[1] + 5
    held = pair.servers[0].requests()
    assert [seen for seen in held if seen["status"] == 0 and not seen["aborted"]] == []


async def _time_outs(pair: Pair, shape: Shape, count: int) -> None:
    headers = {"authorization": f"Bearer {pair.gateway.demo_key}", **FRESH}
    async with httpx.AsyncClient(
        base_url=pair.gateway.base_url, headers=headers, timeout=60
    ) as client:
        turns = asyncio.Semaphore(20)

        async def ask() -> str:
            async with turns:
                answer = await client.post(shape.path, **shape.options(agent("chat")))
                return f"{answer.status_code} {answer.headers.get('x-sluice-attempts')}"

        seen = Counter(await asyncio.gather(*(ask() for _ in range(count))))
    assert all(one.startswith("200") for one in seen), seen


async def _settled(pair: Pair) -> tuple[int, int]:
    """The worker's sockets and tasks, once the clients have gone and one call has passed."""
    await asyncio.sleep(1.0)
    pair.gateway.chat(model="chat-tertiary").raise_for_status()
    return _sockets(pair.worker_pid()), await asyncio.to_thread(pair.last_tasks)

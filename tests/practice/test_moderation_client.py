"""The moderation gate's client against a real server: what counts as no answer, and sparing it."""

import asyncio

import pytest

from plugins.moderation.api_client import (
    FAILURES_TO_SPARE,
    SPARED_S,
    ModerationClient,
    Unreachable,
    within,
)
from plugins.moderation.api_rules import Item
from tests.remembering import RememberedMetrics, SetClock

ITEMS = [Item("a", "I will kill you"), Item("b", "hello")]
PATH = "/moderations"


class World:
    def __init__(self, base: str) -> None:
        self.clock = SetClock()
        self.metrics = RememberedMetrics()
        url = f"{base}/openai/v1{PATH}"
        self.client = ModerationClient(url, "k", "omni-moderation-latest", self.clock, self.metrics)

    def count(self, outcome: str) -> int:
        return self.metrics.counts["sluice_moderation_requests_total", outcome]


@pytest.fixture
async def world(server, program):
    made = World(server.base)
    yield made
    await made.client.close()


async def test_it_judges_and_counts(world) -> None:
    found = await world.client.ask(ITEMS)
    assert {(one.where, one.category) for one in found} == {
        ("a", "violence"), ("a", "harassment_threatening"), ("a", "harassment"),
    }  # fmt: skip
    assert await world.client.ask(ITEMS[1:]) == []
    assert (world.count("flagged"), world.count("clean")) == (1, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 429, "retry_after_s": 5},
        {"kind": "status", "status": 401},
        {"kind": "cut"},
        {"kind": "malformed"},
    ],
    ids=lambda fault: str(fault.get("status") or fault["kind"]),
)
async def test_what_is_no_judgement_is_none_and_after_three_it_is_spared(
    world, program, fault
) -> None:
    program("openai", fault | {"path": PATH})
    for _ in range(FAILURES_TO_SPARE):
        with pytest.raises(Unreachable):
            await world.client.ask(ITEMS)
    program("openai")
    with pytest.raises(Unreachable, match="lately"):
        await world.client.ask(ITEMS)
    assert (world.count("unreachable"), world.count("spared")) == (FAILURES_TO_SPARE, 1)
    world.clock.passed_s += SPARED_S
    assert await world.client.ask(ITEMS)


async def test_a_server_that_is_not_there_is_no_judgement(world) -> None:
    client = ModerationClient(
        "http://127.0.0.1:9/moderations", None, "m", world.clock, world.metrics
    )
    with pytest.raises(Unreachable):
        await client.ask(ITEMS)
    await client.close()


async def test_patience_ends_and_counts(world, program) -> None:
    program("openai", {"kind": "stall", "for_s": 30, "path": PATH})
    for _ in range(FAILURES_TO_SPARE):
        task = asyncio.create_task(world.client.ask(ITEMS))
        with pytest.raises(Unreachable, match="in time"):
            await within(world.client, task, 0.05)
        assert task.cancelled()
    assert world.count("timed_out") == FAILURES_TO_SPARE
    with pytest.raises(Unreachable, match="lately"):
        await world.client.ask(ITEMS)

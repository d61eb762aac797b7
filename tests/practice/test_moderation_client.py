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
        self.told: list[bool] = []
        self.client = ModerationClient(
            url, "k", "omni-moderation-latest", self.clock, self.metrics, self.told.append
        )

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
    assert world.told == [True]
    world.clock.passed_s += SPARED_S
    assert await world.client.ask(ITEMS)
    assert world.told == [True, False]


async def test_of_many_calls_one_tries_whether_the_endpoint_is_back(world, program) -> None:
    program("openai", {"kind": "status", "status": 500, "path": PATH})
    for _ in range(FAILURES_TO_SPARE):
        with pytest.raises(Unreachable):
            await world.client.ask(ITEMS)
    for spared in (9, 18):
        world.clock.passed_s += SPARED_S
        await asyncio.gather(*(world.client.ask(ITEMS) for _ in range(10)), return_exceptions=True)
        assert world.count("spared") == spared
    assert world.told == [True], "an outage is told once"


async def test_a_success_in_between_forgives_earlier_failures(world, program) -> None:
    for _ in range(2):
        program("openai", {"kind": "status", "status": 500, "path": PATH, "times": 2})
        for _ in range(2):
            with pytest.raises(Unreachable):
                await world.client.ask(ITEMS)
        assert await world.client.ask(ITEMS)
    assert not world.told


async def test_a_connection_that_breaks_once_costs_nothing(world, program) -> None:
    await world.client.ask(ITEMS)
    program("openai", {"kind": "cut", "path": PATH, "times": 1})
    assert await world.client.ask(ITEMS)
    assert world.count("unreachable") == 0


async def test_its_requests_are_what_openais_sdk_would_send(world, http) -> None:
    await world.client.ask(ITEMS)
    seen = http.get("/_practice/requests").json()["requests"][-1]
    assert (seen["method"], seen["path"], seen["status"]) == ("POST", "/v1/moderations", 200)
    assert seen["model"] == "omni-moderation-latest"


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

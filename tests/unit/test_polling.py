"""What is read from a database now and then: stated while it can be read, absent otherwise."""

import asyncio
import logging

import pytest

from plugins.core.metrics import Gauge
from plugins.metrics.polling import Poll, Poller, Values
from tests.remembering import RememberedMetrics

SCORE = Gauge("score", "A score", ("model",))
DEPTH = Gauge("depth", "A depth")


async def test_what_vanishes_or_cannot_be_read_is_absent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = RememberedMetrics()
    answers: list[Values | Exception] = [
        {SCORE: {("a",): 0.5, ("b",): 1.0}, DEPTH: {(): 3.0}},
        {SCORE: {("a",): 0.6}, DEPTH: {(): 0.0}},
        OSError("away"),
        OSError("away"),
        {SCORE: {("b",): 0.1}},
    ]

    async def read() -> Values:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    poll = Poll("quality", 30, read)
    poller = Poller(metrics, [poll])
    await poller.step(poll)
    assert metrics.values == {("score", "a"): 0.5, ("score", "b"): 1.0, ("depth",): 3.0}
    await poller.step(poll)
    assert metrics.values == {("score", "a"): 0.6, ("depth",): 0.0}
    with caplog.at_level(logging.WARNING):
        await poller.step(poll)
        await poller.step(poll)
    assert metrics.values == {}
    assert [r.message for r in caplog.records] == ["quality cannot be read: OSError"]
    await poller.step(poll)
    assert metrics.values == {("score", "b"): 0.1}


async def test_a_read_that_hangs_is_given_up_and_keeps_no_other_waiting() -> None:
    metrics = RememberedMetrics()
    read = asyncio.Event()

    async def hangs() -> Values:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def works() -> Values:
        read.set()
        return {DEPTH: {(): 1.0}}

    hanging = Poll("hanging", 30, hangs)
    poller = Poller(metrics, [hanging, Poll("working", 30, works)], limit_s=0.01)
    task = asyncio.create_task(poller.run())
    await asyncio.wait_for(read.wait(), 2)
    await asyncio.sleep(0)
    assert metrics.values == {("depth",): 1.0}
    task.cancel()
    await poller.step(hanging)  # ends

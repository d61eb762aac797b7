"""Notes how long each stage took with a call, for traces and for the gateway's own overhead."""

import time
from collections.abc import Awaitable
from typing import TypeVar

from plugins.core.call import Call, Step
from plugins.core.errors import GatewayError
from plugins.core.stage import Phase, Stage

T = TypeVar("T")


async def timed(call: Call, phase: Phase, stage: Stage, work: Awaitable[T]) -> T:
    """Wait for a stage's phase and note it on the call, also when it raises.

    Args:
        call: whose way it is.
        phase: which part of it.
        stage: who works.
        work: the phase, under way.

    Returns:
        What the phase returns.
    """
    started_s, before = time.monotonic(), len(call.findings)
    refused: str | None = "failed"
    try:
        answer = await work
        refused = answer.code if isinstance(answer, GatewayError) else None
        return answer
    finally:
        found = (before, len(call.findings))
        step = Step(phase.value, stage.name, started_s, time.monotonic(), refused, found)
        call.steps.append(step)

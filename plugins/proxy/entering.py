"""Takes a call through the phases before any provider is asked."""

import asyncio
from collections.abc import Iterable

from plugins.core.call import Call, Recalled
from plugins.core.errors import GatewayError
from plugins.core.stage import Phase, Rota, Stage
from plugins.proxy.steps import timed


async def enter(call: Call, rota: Rota) -> GatewayError | None:
    """Run the phases that may refuse a call.

    Args:
        call: what is asked.
        rota: the stages of each phase.

    Returns:
        The first refusal, or None.
    """
    return (
        await _one_by_one(call, Phase.ADMIT, rota.admit)
        or await _one_by_one(call, Phase.PREPARE, rota.prepare)
        or await _reserve(call, rota)
        or await _one_by_one(call, Phase.CHECK_INPUT, rota.check_input)
    )


async def recall(call: Call, rota: Rota) -> Recalled | None:
    """Ask the stages for an answer that is known already."""
    for stage in rota.recall:
        recalled = await timed(call, Phase.RECALL, stage, stage.recall(call))
        if recalled is not None:
            return recalled
    return None


async def _one_by_one(call: Call, phase: Phase, stages: Iterable[Stage]) -> GatewayError | None:
    for stage in stages:
        refusal = await timed(call, phase, stage, getattr(stage, phase.value)(call))
        if refusal is not None:
            return refusal
    return None


async def _reserve(call: Call, rota: Rota) -> GatewayError | None:
    """Let all stages reserve at the same time: what they send to Redis travels together."""
    work = [timed(call, Phase.RESERVE, stage, stage.reserve(call)) for stage in rota.reserve]
    if len(work) == 1:
        return await work[0]
    refusals = await asyncio.gather(*work)
    return next((refusal for refusal in refusals if refusal is not None), None)

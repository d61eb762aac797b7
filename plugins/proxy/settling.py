"""Settles and observes a call with all its stages, and says in headers what was served."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from plugins.core.call import Call
from plugins.core.errors import GatewayError
from plugins.core.stage import Phase, Stage
from plugins.proxy.reviewing import review_headers
from plugins.proxy.steps import timed

_log: Final = logging.getLogger("sluice.door")


async def settle_all(call: Call, settlers: Sequence[Stage]) -> GatewayError | None:
    """Let all stages settle at the same time: what they send to Redis travels together.

    Returns:
        The refusal of the first stage that has one: an answer that cannot be recorded is not given.
    """
    refusals = await asyncio.gather(*(_settled_by(stage, call) for stage in settlers))
    return next((refusal for refusal in refusals if refusal is not None), None)


async def _settled_by(stage: Stage, call: Call) -> GatewayError | None:
    try:
        return await timed(call, Phase.SETTLE, stage, stage.settle(call))
    except Exception:  # noqa: BLE001 - one stage's bug must not keep the others back
        _log.exception("stage %s failed to settle call %s", stage.name, call.id)
        return None


async def observe_all(call: Call, observers: Sequence[Stage]) -> None:
    """Let the stages observe one after the other: a task for each would cost more than most do."""
    for stage in observers:
        try:
            await stage.observe(call)
        except Exception:  # noqa: BLE001 - one stage's bug must not keep the others back
            _log.exception("stage %s failed to observe call %s", stage.name, call.id)


def call_headers(call: Call) -> list[tuple[bytes, bytes]]:
    """Say in headers what was served, by which tier, and whose practice it was."""
    headers = [
        (b"x-sluice-call-id", call.id),
        (b"x-request-id", call.id),
        (b"traceparent", call.trace.traceparent() if call.trace.trace_id else None),
        (b"x-sluice-agent", call.agent_name),
        (b"x-sluice-tier", call.tier),
        (b"x-sluice-model", call.model_served),
        (b"x-sluice-cache", call.cache),
        (b"x-sluice-attempts", str(len(call.attempts)) if call.attempts else None),
        (b"x-sluice-skipped", ", ".join(f"{s.group}={s.code}" for s in call.skipped)),
        (b"x-sluice-practice", "true" if call.practice else None),
        *review_headers(call),
        *((name.encode(), value) for name, value in call.headers.items()),
    ]
    return [(name, value.encode("latin-1", "replace")) for name, value in headers if value]

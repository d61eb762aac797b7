"""Runs a check so that its own failure has the outcome that policy decided on (SPEC 10.4).

A check that raises, hangs in an `await` or takes longer than its rule allows ends here. Only what
never awaits cannot be ended from outside: such work belongs in a thread, or in steps with
`await asyncio.sleep(0)` in between.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable
from dataclasses import replace
from enum import StrEnum
from typing import Final, TypeVar

from plugins.core.call import Call
from plugins.core.checks import CheckRule, OnFailure
from plugins.core.errors import GatewayError, Unavailable
from plugins.core.verdict import Action, Finding

T = TypeVar("T")

FAILED: Final = "check_failed"
"""Code of the finding that says what was not checked."""
UNAVAILABLE: Final = "check_unavailable"
"""Code of the refusal of a call that could not be judged."""

_log: Final = logging.getLogger("sluice.checks")


class Failure(StrEnum):
    """Why a check gave no judgement, or gave it late."""

    RAISED = "raised"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    """What it asks is away, or gave no usable answer."""
    LATE = "late"
    """It never let go of the event loop, and its judgement came after its time; it holds."""


async def guarded(
    call: Call, check: str, rule: CheckRule, work: Awaitable[T]
) -> T | GatewayError | None:
    """Wait for a check no longer than its rule allows.

    Args:
        call: that is judged.
        check: its stable name, such as `pii`.
        rule: how long it may take, and what becomes of the call when it fails.
        work: the check, not yet awaited. It is cancelled when its time is over.

    Returns:
        What the check returns; or, when it failed, None to let the call go on with the finding
        `check_failed`, or the refusal `check_unavailable`.

    Raises:
        asyncio.CancelledError: the call itself was given up.
    """
    started_s = time.monotonic()
    limit = asyncio.timeout(rule.timeout_s)
    try:
        async with limit:
            judgement = await work
    except Exception as error:  # noqa: BLE001 - whatever a check does, the worker lives
        why = Failure.TIMED_OUT if limit.expired() else Failure.RAISED
        return failed(call, check, rule, why, error)
    if time.monotonic() - started_s > rule.timeout_s:
        _count(call, check, Failure.LATE)
    return judgement


def patient(rule: CheckRule, more_s: float) -> CheckRule:
    """Give a check more time, for what it asks somebody else; seconds."""
    return replace(rule, timeout_s=rule.timeout_s + more_s)


def failed(
    call: Call, check: str, rule: CheckRule, why: Failure, error: BaseException | None = None
) -> GatewayError | None:
    """Do what policy says of a check that gave no judgement.

    It is counted (`sluice_check_failures_total`), logged without anything that the call holds, and
    what it leaves unjudged is given to no other call.

    Args:
        call: that was to be judged.
        check: its stable name.
        rule: says what becomes of the call.
        why: what happened.
        error: what it raised, if anything.

    Returns:
        None to let the call go on, or the refusal.
    """
    _count(call, check, why, error)
    closed = rule.on_failure is OnFailure.CLOSED
    call.note(Finding(check, FAILED, Action.BLOCK if closed else Action.OBSERVE))
    if not closed:
        return None
    return Unavailable(
        f"the check `{check}` could not judge this call ({_TOLD[why]}), and this gateway lets"
        " nothing pass unjudged by it; send it again, and tell the operator if that does not help",
        code=UNAVAILABLE,
        retry_after_s=1.0,
    )


_TOLD: Final = {
    Failure.RAISED: "it failed",
    Failure.TIMED_OUT: "it took too long",
    Failure.UNREACHABLE: "what it asks did not answer",
    Failure.LATE: "it took too long",
}


def _count(call: Call, check: str, why: Failure, error: BaseException | None = None) -> None:
    call.failed_checks.append((check, why.value))
    _log.error("check %s of call %s: %s%s", check, call.id, why.value, _place(error))


def _place(error: BaseException | None) -> str:
    """Tell where something was raised; not its message, which may quote what was judged."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else None
    if not frames:
        return ""
    return f" ({type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno})"

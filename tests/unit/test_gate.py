"""A check that fails: the call goes on or not as policy says, and it is counted, never quoted."""

import asyncio
import itertools
import logging
import time

import pytest

from plugins.core.call import Call
from plugins.core.checks import CheckRule, Mode, OnFailure
from plugins.core.errors import GatewayError, InvalidRequest
from plugins.core.gate import Failure, failed, guarded
from plugins.core.verdict import Action, Verdict
from tests.making import a_call

SECRET_TEXT = "the candidate's card is 4111 1111 1111 1111"


def rule(on_failure: OnFailure, timeout_s: float = 0.02) -> CheckRule:
    return CheckRule(Mode.BLOCK, on_failure, timeout_s)


async def raises(_call: Call) -> GatewayError | None:
    raise ValueError(SECRET_TEXT)


async def hangs(_call: Call) -> GatewayError | None:
    await asyncio.Event().wait()


async def is_slow_in_steps(_call: Call) -> GatewayError | None:
    for _step in itertools.count():
        await asyncio.sleep(0)


async def has_a_limit_of_its_own(_call: Call) -> GatewayError | None:
    raise TimeoutError(SECRET_TEXT)


WAYS_TO_FAIL = [
    (raises, Failure.RAISED),
    (hangs, Failure.TIMED_OUT),
    (is_slow_in_steps, Failure.TIMED_OUT),
    (has_a_limit_of_its_own, Failure.RAISED),
]


@pytest.mark.parametrize(("check", "why"), WAYS_TO_FAIL)
async def test_an_open_check_that_fails_lets_the_call_go_on_and_says_what_was_not_checked(
    check, why: Failure
) -> None:
    call = a_call()
    assert await guarded(call, "pii", rule(OnFailure.OPEN), check(call)) is None
    (finding,) = call.findings
    assert (finding.check, finding.code) == ("pii", "check_failed")
    assert finding.action is Action.OBSERVE
    assert call.verdict is Verdict.ALLOW
    assert not call.shareable
    assert call.failed_checks == [("pii", why.value)]


@pytest.mark.parametrize(("check", "why"), WAYS_TO_FAIL)
async def test_a_closed_check_that_fails_refuses_the_call(check, why: Failure) -> None:
    call = a_call()
    refusal = await guarded(call, "pii", rule(OnFailure.CLOSED), check(call))
    assert isinstance(refusal, GatewayError)
    assert (refusal.status, refusal.code) == (503, "check_unavailable")
    assert "`pii`" in refusal.message
    assert "again" in refusal.message
    assert SECRET_TEXT not in refusal.message
    assert call.verdict is Verdict.BLOCK
    assert call.failed_checks == [("pii", why.value)]


@pytest.mark.parametrize("judgement", [None, InvalidRequest("no")])
async def test_a_check_that_works_is_heard_and_leaves_no_trace(judgement) -> None:
    async def works() -> GatewayError | None:
        await asyncio.sleep(0)
        return judgement

    call = a_call()
    assert await guarded(call, "pii", rule(OnFailure.CLOSED, 5.0), works()) is judgement
    assert (call.findings, call.failed_checks, call.shareable) == ([], [], True)


@pytest.mark.parametrize("on_failure", OnFailure)
async def test_a_judgement_that_came_late_without_letting_others_run_holds_and_is_counted(
    on_failure: OnFailure,
) -> None:
    refusal = InvalidRequest("no")

    async def holds_the_loop() -> GatewayError | None:
        until_s = time.monotonic() + 0.03
        while time.monotonic() < until_s:
            pass
        return refusal

    call = a_call()
    assert await guarded(call, "pii", rule(on_failure), holds_the_loop()) is refusal
    assert call.failed_checks == [("pii", "late")]
    assert call.findings == []


async def test_a_call_that_is_given_up_is_not_taken_for_a_check_that_failed() -> None:
    call = a_call()
    task = asyncio.create_task(guarded(call, "pii", rule(OnFailure.OPEN, 5.0), hangs(call)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.failed_checks == []


async def test_the_log_says_where_it_failed_and_nothing_of_what_was_judged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = a_call()
    with caplog.at_level(logging.ERROR, logger="sluice.checks"):
        await guarded(call, "pii", rule(OnFailure.OPEN), raises(call))
    assert "ValueError at" in caplog.text
    assert "test_gate.py" in caplog.text
    assert call.id in caplog.text
    assert "4111" not in caplog.text


def test_a_check_can_say_itself_that_what_it_asks_is_away() -> None:
    call = a_call()
    refusal = failed(call, "moderation", rule(OnFailure.CLOSED), Failure.UNREACHABLE)
    assert refusal is not None
    assert "did not answer" in refusal.message
    assert refusal.retry_after_s == 1.0
    assert call.failed_checks == [("moderation", "unreachable")]

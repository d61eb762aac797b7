"""How a try ends that gives the client nothing: it failed, or its answer is set aside."""

from plugins.core.call import Attempt, Call, Usage
from plugins.proxy.outlet import OK, Outlet
from plugins.proxy.passage import Failure, Kept, Passage


async def fail_try(
    passage: Passage, outlet: Outlet, error_class: str, status: int | None = None, body: bytes = b""
) -> None:
    """Note that a try gives nothing; the door asks the next tier, or gives up."""
    passage.silence.over()
    await outlet.end_attempt(error_class, status)
    passage.failure = Failure(passage.group, status, error_class, body)


def set_aside(call: Call, passage: Passage, kept: Kept, error_class: str) -> None:
    """Note that a try's answer is not good enough; what it consumed is charged all the same.

    Args:
        call: that is answered; its attempt has ended.
        passage: the try.
        kept: its answer.
        error_class: why.
    """
    passage.silence.over()
    if call.attempts:
        call.attempts[-1].usage = kept.usage
        call.attempts[-1].error_class = error_class
    call.deployment, call.usage = None, Usage()
    passage.failure = Failure(passage.group, OK, error_class, kept=kept)


def error_class_of(call: Call, otherwise: str = "HostError") -> str:
    """Name what went wrong with the try that runs."""
    attempt = _this_attempt(call)
    return (attempt and attempt.error_class) or otherwise


def status_of(call: Call, otherwise: int | None) -> int | None:
    """Give what the provider answered; LiteLLM's own answer may be another."""
    attempt = _this_attempt(call)
    return attempt.status if attempt and attempt.error_class else otherwise


def last_deployment(call: Call) -> str | None:
    """Name the deployment that was tried last."""
    return call.attempts[-1].deployment if call.attempts else None


def _this_attempt(call: Call) -> Attempt | None:
    """Give the attempt that the running try has made, or None when it made none."""
    attempt = call.attempts[-1] if call.attempts else None
    return attempt if attempt and attempt.group == call.group else None

"""What a client hears when no tier has given an answer. Pure."""

from collections.abc import Sequence
from typing import Final

from plugins.core.call import EMPTY_ANSWER, NOT_CONFIDENT, Call
from plugins.core.errors import (
    GatewayError,
    InvalidRequest,
    ProviderTimedOut,
    RateLimited,
    Unavailable,
)
from plugins.proxy.host_errors import read_host_error
from plugins.proxy.passage import TIMED_OUT, Failure

_ANSWERS: Final = frozenset({EMPTY_ANSWER, NOT_CONFIDENT})
"""Failures that are answers, only not good ones."""


def all_failed(call: Call, failures: Sequence[Failure]) -> GatewayError:
    """Choose what a client hears when every try has failed.

    Args:
        call: what was asked.
        failures: of its tries, in order, at least one.
    """
    telling = [f for f in failures if f.error_class not in _ANSWERS] or list(failures)
    # The first is the tier that was meant to serve; later ones may refuse what only they cannot.
    first = next((f for f in telling if not f.is_clients), telling[0])
    if first.error_class == TIMED_OUT:
        return ProviderTimedOut(
            f"no provider answered in time ({len(call.attempts)} tried); try again", retry_after_s=1
        )
    return read_host_error(call, first.status or 502, first.body)


def none_left(call: Call, skipped: Sequence[GatewayError]) -> GatewayError:
    """Say why no tier was tried at all.

    Args:
        call: what was asked.
        skipped: why each tier was left out, in the order of the tiers.

    Returns:
        That reason itself, when it is one; of several the one that time mends soonest.
    """
    if not skipped:
        return Unavailable(f"no model stands behind {call.model_asked[:64]!r} now")
    waits = [error for error in skipped if not isinstance(error, InvalidRequest)]
    if not waits:
        return skipped[0]
    soonest = min(waits, key=lambda error: error.retry_after_s or 0.0)
    if len(skipped) == 1:
        return soonest
    kind = RateLimited if all(isinstance(e, RateLimited) for e in skipped) else Unavailable
    codes = {error.code for error in skipped}
    told = "; ".join(dict.fromkeys(error.message for error in skipped))
    return kind(
        f"no tier of {call.model_asked[:64]!r} can be tried now: {told}",
        code=codes.pop() if len(codes) == 1 else "tiers_unavailable",
        retry_after_s=soonest.retry_after_s,
    )

"""What LiteLLM answers when a call fails, read back into the gateway's own errors.

LiteLLM's messages name deployments, addresses and other model groups; a client gets only what a
provider said of the client's own request.
"""

import logging
import re
from collections.abc import Iterator
from typing import Any, Final, cast

from plugins.core.call import Call
from plugins.core.errors import (
    BodyTooLarge,
    GatewayError,
    InvalidRequest,
    NotFound,
    ProviderFailed,
    ProviderTimedOut,
    RateLimited,
)
from plugins.proxy.streams import json_or_none

_log: Final = logging.getLogger("sluice.door")

MAX_MESSAGE: Final = 500
_READ: Final = 20_000
"""Characters of LiteLLM's message that are looked at; a provider may quote a whole prompt."""
_PREFIX: Final = re.compile(r"^(?:litellm\.)?(?:\w+Error: |\w+Exception - |litellm\.\w+: )+")
_SUFFIX: Final = re.compile(
    r"(?:LiteLLM: model group|Received Model Group=|Available Model).*", re.S
)
_SECRET: Final = re.compile(r"\b(?:sk|pk|key)-[\w*-]{4,}|https?://\S+", re.I)
_INSIDE: Final = re.compile(r"litellm|modify_params|traceback|model[ _]group", re.I)
"""LiteLLM's own advice, which is for operators."""
_QUOTED: Final = 12
"""A text of the client's that shares about twice as many characters in a row is being quoted."""
_CLIENT_FAULTS: Final = {
    400: InvalidRequest,
    409: InvalidRequest,
    413: BodyTooLarge,
    415: InvalidRequest,
    422: InvalidRequest,
}


def read_host_error(call: Call, status: int, body: bytes) -> GatewayError:
    """Tell a client why its call failed.

    Args:
        call: its refusal, where a stage made one, comes first.
        status: HTTP status of LiteLLM's answer.
        body: LiteLLM's answer.

    Returns:
        The stage's own refusal; the provider's words for a fault of the client's; else a plain
        sentence that names the kind of failure and nothing of the inside.
    """
    if call.refusal is not None:
        return call.refusal
    if status == NotFound.status and call.attempts:
        # A tenant's names are checked at the door: what the provider misses is the operator's.
        _log.error("call %s: the provider knows nothing of %s", call.id, call.attempts[-1].group)
        return ProviderFailed(
            "the model behind this name is not available at its provider; the operator is told",
            code="model_unavailable",
        )
    if status in _CLIENT_FAULTS:
        return _CLIENT_FAULTS[status](_cleaned(call, body), code="provider_refused_request")
    if status == RateLimited.status:
        return RateLimited(
            "the provider's rate limit is reached; slow down or try again later",
            code="provider_rate_limited",
            retry_after_s=1,
        )
    if status in {408, 504}:
        return ProviderTimedOut("no provider answered in time; try again", retry_after_s=1)
    if not call.attempts:
        return GatewayError("the gateway could not carry out this call; it is logged by its id")
    return ProviderFailed(
        f"no provider could answer ({len(call.attempts)} tried); try again", retry_after_s=1
    )


def not_found(path: str) -> NotFound:
    """Answer a path that the gateway does not serve."""
    return NotFound(f"this gateway serves nothing at {path[:128]!r}", code="route_not_found")


def _cleaned(call: Call, body: bytes) -> str:
    answer = json_or_none(body) or {}
    error: object = answer.get("error") or answer.get("detail") or {}
    message: object = (
        cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else error
    )
    text = _SUFFIX.sub("", _PREFIX.sub("", str(message or "")[:_READ])).strip()
    nested = json_or_none(text.encode())
    if nested is not None:
        inner: object = nested.get("error") or nested
        text = (
            str(cast("dict[str, Any]", inner).get("message", ""))
            if isinstance(inner, dict)
            else str(inner)
        )
    text = _SECRET.sub("[removed]", text).strip()[:MAX_MESSAGE]
    if _INSIDE.search(text) or _quotes(text, call.body):
        text = ""
    return (
        f"the provider refused the request: {text}" if text else "the provider refused the request"
    )


def _quotes(message: str, body: dict[str, Any]) -> bool:
    """Tell whether a message repeats what the client wrote: prompts stay out of errors and logs."""
    written = "\n".join(_texts(body))
    pieces = (message[at : at + _QUOTED] for at in range(0, len(message) - _QUOTED + 1, _QUOTED))
    return any(piece in written for piece in pieces)


def _texts(value: Any) -> Iterator[str]:
    """Give every text in a body, in no order."""
    layer: list[Any] = [value]
    while layer:
        inner: Any = layer.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, dict):
            layer.extend(cast("dict[str, Any]", inner).values())
        elif isinstance(inner, list):
            layer.extend(cast("list[Any]", inner))

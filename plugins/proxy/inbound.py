"""Reads what a client sent: key, context headers, body. Everything else is left behind."""

import asyncio
import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from plugins.core.call import Context
from plugins.core.errors import BodyTooLarge, InvalidRequest

Headers = Iterable[tuple[bytes, bytes]]

BODY_TIMEOUT_S: Final = 60.0
DISCARD_TIMEOUT_S: Final = 2.0
_PASSED_ON: Final = frozenset({b"accept", b"user-agent", b"anthropic-version", b"tracestate"})
"""Headers that LiteLLM gets to see; it takes orders from many others."""
_CONTEXT: Final = {
    b"x-sluice-subject": "subject",
    b"x-sluice-session": "session",
    b"x-sluice-entity-type": "entity_type",
    b"x-sluice-entity-id": "entity_id",
    b"x-sluice-parent-call-id": "parent_call_id",
}
_CONTEXT_NAMES: Final = frozenset(_CONTEXT.values())
MAX_CONTEXT: Final = 256
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]{1,256}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def token_of(headers: Headers) -> str | None:
    """Find the virtual key: `Authorization: Bearer`, or `x-api-key` as Anthropic's SDK sends it."""
    found: str | None = None
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer":
                return token.strip().decode("latin-1")
        elif name == b"x-api-key":
            found = value.strip().decode("latin-1")
    return found


def context_of(headers: Headers, metadata: Any) -> Context:
    """Read what the caller says the call is about.

    Args:
        headers: `x-sluice-subject` and its like; they win over the metadata.
        metadata: OpenAI's `metadata` of the body; other keys of it are ignored.

    Raises:
        InvalidRequest: naming the header whose value is no short printable text.
    """
    found: dict[str, str] = {}
    if isinstance(metadata, dict):
        for key, value in metadata.items():  # pyright: ignore[reportUnknownVariableType]
            if key in _CONTEXT_NAMES and isinstance(value, str):
                found[key] = value[:MAX_CONTEXT]
    for name, value in headers:
        if name in _CONTEXT:
            text = value.decode("latin-1")
            if not _PRINTABLE.fullmatch(text):
                raise InvalidRequest(
                    f"header {name.decode()} holds {len(text)} characters; give 1 to {MAX_CONTEXT}"
                    " printable ASCII characters",
                    param=name.decode(),
                    code="invalid_header",
                )
            found[_CONTEXT[name]] = text
        elif name == b"traceparent" and _TRACEPARENT.fullmatch(text := value.decode("latin-1")):
            found["traceparent"] = text
    return Context(**found)


def cache_control_of(headers: Headers) -> str:
    """Read `Cache-Control`; several lines are joined by commas, none is empty."""
    found = [value.decode("latin-1") for name, value in headers if name == b"cache-control"]
    return ",".join(found) if found else ""


def anthropic_version_of(headers: Headers) -> str | None:
    """Read which version of Anthropic's wire format a client speaks; it is passed on as it is."""
    return next((v.decode("latin-1") for n, v in headers if n == b"anthropic-version"), None)


def forwarded(
    headers: Headers,
    call_id: str,
    length: int,
    *,
    form: bool = False,
    traceparent: str | None = None,
) -> list[tuple[bytes, bytes]]:
    """Give the headers that LiteLLM sees.

    The client's key is not among them, nor is any header by which LiteLLM could be steered. What
    was read as JSON is sent on as JSON, whatever the client called it: only a form keeps its type.

    Args:
        headers: the client's.
        call_id: by which LiteLLM's hooks find the call.
        length: of the body, bytes.
        form: the body is a form.
        traceparent: from where LiteLLM's own spans, where it makes any, continue the trace.
    """
    headers = list(headers)
    kept = [(name, value) for name, value in headers if name in _PASSED_ON]
    types = [value for name, value in headers if name == b"content-type"] if form else []
    traced = [(b"traceparent", traceparent.encode())] if traceparent else []
    return [
        *kept,
        *traced,
        (b"content-type", types[0] if types else b"application/json"),
        (b"host", b"sluice"),
        (b"authorization", b"Bearer sk-sluice"),
        (b"x-litellm-call-id", call_id.encode()),
        (b"content-length", str(length).encode()),
    ]


async def read_body(receive: Any, headers: Headers, limit: int) -> bytes | None:
    """Read the whole body.

    Args:
        receive: ASGI's.
        headers: to refuse by the stated length before reading.
        limit: most bytes read.

    Returns:
        The body, or None when the client went away.

    Raises:
        BodyTooLarge: when it has more bytes than the limit.
        InvalidRequest: when it does not come within a minute.
    """
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(int(value), limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > limit:
                    raise _too_large(size, limit)
                parts.append(part)
                if not message.get("more_body"):
                    return b"".join(parts) if len(parts) > 1 else part
    except TimeoutError:
        raise InvalidRequest(
            f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s; send it again",
            code="request_timeout",
        ) from None


async def discard_body(receive: Any, limit: int) -> None:
    """Read what is left of a body and drop it, so that the client hears why it was refused.

    A connection closed over unread bytes is reset, and the answer is lost with it.

    Args:
        receive: ASGI's.
        limit: most bytes read.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_TIMEOUT_S):
            while limit > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
                limit -= len(message.get("body", b""))


def closes(scope: Mapping[str, Any]) -> bool:
    """Tell whether the connection ends with this answer."""
    return scope.get("http_version") == "1.0" or any(
        name == b"connection" and b"close" in value.lower() for name, value in scope["headers"]
    )


def _too_large(size: int, limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body has {size} bytes or more; at most {limit} are read: send less text, or split it"
    )

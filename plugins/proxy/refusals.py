"""A `GatewayError` as HTTP, in the shape that the endpoint's official SDK parses."""

import math
from dataclasses import dataclass
from typing import Any, Final

import orjson

from plugins.core.call import Endpoint
from plugins.core.errors import GatewayError
from plugins.proxy.endpoints import speaks_anthropic
from plugins.proxy.reviewing import Review, with_review

_ANTHROPIC_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}
"""https://docs.anthropic.com/en/api/errors, read 2026-11."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer of the gateway's own."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def refuse(
    error: GatewayError, endpoint: Endpoint | None, call_id: str, review: Review | None = None
) -> Reply:
    """Write a refusal.

    Args:
        error: what is refused.
        endpoint: decides the shape; None for the gateway's own routes (OpenAI's shape).
        call_id: goes into the headers, and into Anthropic's `request_id`.
        review: what the checks found of the call, told beside the error.
    """
    headers = [
        (b"content-type", b"application/json"),
        (b"x-sluice-call-id", call_id.encode()),
        (b"x-request-id", call_id.encode()),
    ]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(max(math.ceil(error.retry_after_s), 1)).encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    body = with_review(orjson.dumps(_body(error, endpoint, call_id)), review)
    headers.append((b"content-length", str(len(body)).encode()))
    return Reply(error.status, headers, body)


def error_frame(error: GatewayError, endpoint: Endpoint, call_id: str) -> bytes:
    """Write an error inside a running stream, as the endpoint's SDK expects one there."""
    content = _body(error, endpoint, call_id)
    body = orjson.dumps(content)
    if endpoint is Endpoint.RESPONSES:
        # OpenAI's SDK raises for an event that holds `error`; the rest is the documented event.
        event = {
            **content,
            "type": "error",
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "sequence_number": 0,
        }
        return b"event: error\ndata: " + orjson.dumps(event) + b"\n\n"
    if speaks_anthropic(endpoint):
        return b"event: error\ndata: " + body + b"\n\n"
    return b"data: " + body + b"\n\ndata: [DONE]\n\n"


def _body(error: GatewayError, endpoint: Endpoint | None, call_id: str) -> dict[str, Any]:
    if speaks_anthropic(endpoint):
        kind = _ANTHROPIC_TYPES.get(
            error.status, "invalid_request_error" if error.status < 500 else "api_error"
        )
        detail = {"type": kind, "message": error.message, "code": error.code}
        if error.param:
            detail["param"] = error.param
        return {"type": "error", "error": detail, "request_id": call_id}
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }

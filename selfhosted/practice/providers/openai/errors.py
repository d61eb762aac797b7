"""Refusals in OpenAI's shape."""

from selfhosted.practice.wire import Refused, Whole, to_json

_CODES = {429: "rate_limit_exceeded"}
_TYPES = {403: "invalid_request_error", 429: "requests"}

KEY_MISSING = Refused(
    401,
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
)


def refuse(fault: Refused) -> Whole:
    """Write a refusal as OpenAI does."""
    kind = _TYPES.get(
        fault.status, "invalid_request_error" if fault.status < 500 else "server_error"
    )
    return to_json(
        {
            "error": {
                "message": fault.message,
                "type": kind,
                "param": fault.param,
                "code": fault.code or _CODES.get(fault.status),
            }
        },
        fault.status,
    )


def no_model(model: str) -> Refused:
    """Refuse a model that does not exist."""
    return Refused(
        404,
        f"The model `{model}` does not exist or you do not have access to it.",
        code="model_not_found",
    )

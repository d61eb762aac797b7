"""Refusals in Anthropic's shape."""

from selfhosted.practice.wire import Refused, Whole, to_json

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}

KEY_MISSING = Refused(401, "x-api-key header is required")


def refuse(fault: Refused) -> Whole:
    """Write a refusal as Anthropic does."""
    kind = _TYPES.get(fault.status, "invalid_request_error" if fault.status < 500 else "api_error")
    message = f"{fault.param}: {fault.message}" if fault.param else fault.message
    return to_json(
        {"type": "error", "error": {"type": kind, "message": message}, "request_id": None},
        fault.status,
    )


def no_model(model: str) -> Refused:
    """Refuse a model that does not exist."""
    return Refused(404, f"model: {model}")

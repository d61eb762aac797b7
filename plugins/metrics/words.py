"""The words that labels may say; what is not here, or in the configuration, is `other`."""

from typing import Final

from plugins.core.call import EMPTY_ANSWER, HOST_REFUSED, NOT_CONFIDENT
from plugins.core.checks import DEFAULTS
from plugins.core.gate import Failure

TIERS: Final = frozenset({"primary", "secondary", "tertiary"})
CACHE_WORDS: Final = frozenset({"off", "bypass", "miss", "hit", "coalesced"})

REFUSAL_KINDS: Final = frozenset(
    {
        "BodyTooLarge",
        "Forbidden",
        "InvalidRequest",
        "NotFound",
        "RateLimited",
        "Unavailable",
    }
)
"""Classes of `core/errors.py` that a stage refuses with."""

SKIP_REASONS: Final = frozenset(
    {
        "context_length_exceeded",
        "model_lacks_audio",
        "model_lacks_documents",
        "model_lacks_images",
        "model_lacks_json_schema",
        "model_lacks_tools",
        "provider_limit_reached",
        "providers_unavailable",
        "replicas_unavailable",
    }
)

ERROR_CLASSES: Final = frozenset(
    {
        # LiteLLM's, which are OpenAI's
        "APIConnectionError",
        "APIError",
        "APIResponseValidationError",
        "AuthenticationError",
        "BadGatewayError",
        "BadRequestError",
        "ContentPolicyViolationError",
        "ContextWindowExceededError",
        "InternalServerError",
        "MidStreamFallbackError",
        "NotFoundError",
        "PermissionDeniedError",
        "RateLimitError",
        "ServiceUnavailableError",
        "Timeout",
        "UnprocessableEntityError",
        "UnsupportedParamsError",
        # the connection's, where LiteLLM lets them through in the middle of a stream
        "ConnectError",
        "ReadError",
        "ReadTimeout",
        "RemoteProtocolError",
        # the gateway's own
        "ClientDisconnected",
        "HostEndedEarly",
        "HostError",
        EMPTY_ANSWER,
        HOST_REFUSED,
        NOT_CONFIDENT,
        "ProviderTimeout",
        "StreamBroken",
    }
)
"""Words that `error_class` may say."""

CHECKS: Final = frozenset(DEFAULTS)
"""Names of checks (`core.verdict.Finding.check`)."""
CHECK_FAILURE_REASONS: Final = frozenset(why.value for why in Failure)

DOOR: Final = "door"
"""The `stage` of what the door does itself (phases `auth` and `read`)."""
DOOR_PHASES: Final = frozenset({"auth", "read"})

DOOR_CODES: Final = frozenset(
    {
        # the key
        "admin_key_required",
        "invalid_api_key",
        "key_expired",
        "key_revoked",
        "tenant_key_required",
        "tenant_suspended",
        # the path
        "route_not_allowed",
        # the body and its headers
        "invalid_content_type",
        "invalid_form",
        "invalid_header",
        "invalid_json",
        "invalid_type",
        "invalid_value",
        "missing_parameter",
        "parameter_not_allowed",
        "request_timeout",
        "request_too_large",
        "too_deep",
        "too_many_items",
        "tool_not_allowed",
        "unknown_parameter",
        "url_not_allowed",
        # the gateway
        "internal_error",
        "service_unavailable",
    }
)
"""Codes of refusals before there was a call."""

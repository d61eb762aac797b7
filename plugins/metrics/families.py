"""What is measured of calls and of the stores; other features keep their families beside them."""

from typing import Final

from plugins.core.call import EMPTY_ANSWER, HOST_REFUSED
from plugins.core.metrics import Counter, Gauge, Histogram, Merge

CALLS: Final = Counter(
    "sluice_calls_total",
    "Calls by how they ended",
    ("agent", "endpoint", "outcome", "tier", "cache"),
)
ATTEMPTS: Final = Counter(
    "sluice_attempts_total",
    "Tries at providers by how they ended",
    ("provider", "tier", "outcome", "error_class"),
)
REFUSALS: Final = Counter(
    "sluice_refusals_total",
    "Calls that the gateway itself refused, by the kind of refusal",
    ("agent", "reason"),
)
SKIPS: Final = Counter(
    "sluice_tiers_skipped_total",
    "Tiers that were left out before they were tried",
    ("tier", "reason"),
)
DURATION: Final = Histogram(
    "sluice_call_duration_seconds",
    "Seconds from a call's arrival to its settlement",
    ("agent", "endpoint"),
)
FIRST_BYTE: Final = Histogram(
    "sluice_first_byte_seconds",
    "Seconds from a stream's arrival to its first byte",
    ("agent", "endpoint"),
)
STORE_AWAY: Final = Gauge("sluice_store_away", "1 while a worker cannot reach a store", ("store",))
SPOOL_ENTRIES: Final = Gauge("sluice_spool_entries", "Settlements on disk, waiting for a store")
LIMITS_ALONE: Final = Gauge(
    "sluice_limits_alone", "1 while a worker counts rate limits by itself, without Redis"
)
RESERVED_ALONE: Final = Gauge(
    "sluice_limit_reservations_alone",
    "Reservations that workers decided without Redis, since their start",
    merge=Merge.SUM,
)

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
CACHE_WORDS: Final = frozenset({"off", "bypass", "miss", "hit", "coalesced"})
TIERS: Final = frozenset({"primary", "secondary", "tertiary"})

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
        # the gateway's own
        "ClientDisconnected",
        "HostEndedEarly",
        "HostError",
        EMPTY_ANSWER,
        HOST_REFUSED,
        "ProviderTimeout",
        "StreamBroken",
    }
)
"""Words that `error_class` may say; all others are `other`."""

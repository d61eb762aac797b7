"""What is measured of calls and of the stores; other features keep their families beside them.

`docs/metrics.md` says what each is for; a test holds the two together. Label values are in
`words.py` and in the configuration.
"""

from typing import Final

from plugins.core.metrics import Counter, Gauge, Histogram, Merge

# --- calls and tries -----------------------------------------------------------------------------
CALLS: Final = Counter(
    "sluice_calls_total",
    "Calls by how they ended; model is the group that served",
    ("agent", "model", "endpoint", "outcome", "tier", "cache"),
)
ATTEMPTS: Final = Counter(
    "sluice_attempts_total",
    "Tries at providers by how they ended",
    ("provider", "model", "tier", "outcome", "error_class"),
)
ERRORS: Final = Counter(
    "sluice_call_errors_total",
    "Calls that no provider answered (whole), by the class of the last error",
    ("agent", "error_class"),
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
DOOR_REFUSALS: Final = Counter(
    "sluice_door_refusals_total",
    "Requests refused before they were calls, by the code of the refusal",
    ("code",),
)

# --- time ----------------------------------------------------------------------------------------
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
TRY_DURATION: Final = Histogram(
    "sluice_attempt_duration_seconds",
    "Seconds that one try at a provider took, to its end",
    ("provider", "model", "outcome"),
)
OVERHEAD: Final = Histogram(
    "sluice_overhead_seconds",
    "Seconds from a call's arrival to its last byte in which no provider was being asked",
    ("endpoint",),
    bounds=(0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0),
)
STAGE: Final = Histogram(
    "sluice_stage_seconds",
    "Seconds that a stage took in a phase of a call",
    ("stage", "phase"),
    bounds=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1),
)

# --- what was used, and what it cost -------------------------------------------------------------
TOKENS: Final = Counter(
    "sluice_tokens_total",
    "Tokens as in the ledger; input includes cached_input and cache_write",
    ("agent", "model", "kind"),
)
CHARACTERS: Final = Counter(
    "sluice_characters_total", "Characters spoken, as in the ledger", ("agent", "model")
)
AUDIO: Final = Counter(
    "sluice_audio_seconds_total", "Seconds of audio heard, as in the ledger", ("agent", "model")
)
COST: Final = Counter(
    "sluice_cost_usd_total",
    "US dollars, as in the ledger; tries without an answer included",
    ("agent", "model"),
)
SAVED: Final = Counter(
    "sluice_saved_usd_total",
    "US dollars that a known answer, or a provider's prompt cache, made unnecessary",
    ("agent", "cause"),
)
UNPRICED: Final = Counter(
    "sluice_unpriced_calls_total",
    "Calls that consumed something and cost nothing without a stated reason",
    ("model",),
)
TENANT_CALLS: Final = Counter(
    "sluice_tenant_calls_total",
    "Calls of the tenants under sluice.metrics.tenants",
    ("tenant", "outcome"),
)
TENANT_TOKENS: Final = Counter(
    "sluice_tenant_tokens_total",
    "Tokens of the tenants under sluice.metrics.tenants",
    ("tenant", "kind"),
)
TENANT_COST: Final = Counter(
    "sluice_tenant_cost_usd_total",
    "US dollars of the tenants under sluice.metrics.tenants",
    ("tenant",),
)

# --- what checks found ---------------------------------------------------------------------------
FINDINGS: Final = Counter(
    "sluice_findings_total",
    "What checks found, and what was done about it",
    ("agent", "check", "action"),
)
CHECK_FAILURES: Final = Counter(
    "sluice_check_failures_total",
    "Checks that gave no judgement of a call, or gave it late",
    ("check", "reason"),
)
VERDICTS: Final = Counter(
    "sluice_verdicts_total",
    "Calls with a verdict other than allow",
    ("agent", "verdict"),
)
CONFIDENCE: Final = Histogram(
    "sluice_confidence",
    "How sure answers are, 0 to 1, where something tells",
    ("agent",),
    bounds=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
)

# --- states --------------------------------------------------------------------------------------
STORE_AWAY: Final = Gauge("sluice_store_away", "1 while a worker cannot reach a store", ("store",))
SPOOL_ENTRIES: Final = Gauge("sluice_spool_entries", "Settlements on disk, waiting for a store")
SETTLEMENTS_WAITING: Final = Gauge(
    "sluice_settlements_waiting", "Settlements in Redis that are not yet in PostgreSQL"
)
LIMIT_USED: Final = Gauge(
    "sluice_limit_used_ratio",
    "Share of a provider's limit a minute that is used",
    ("provider", "kind"),
)
LIMITS_ALONE: Final = Gauge(
    "sluice_limits_alone", "1 while a worker counts rate limits by itself, without Redis"
)
RESERVED_ALONE: Final = Gauge(
    "sluice_limit_reservations_alone",
    "Reservations that workers decided without Redis, since their start",
    merge=Merge.SUM,
)
BUILD: Final = Gauge("sluice_build_info", "1; the version is the label", ("version",))

"""A settled call as one line of JSON, the same bytes in Redis, in the spool and for PostgreSQL."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import msgspec

from plugins.core.call import RAW_CONFIDENCE, Attempt, Call, Outcome
from plugins.core.money import printed_usd
from plugins.core.verdict import Finding

_encode: Final = msgspec.json.Encoder().encode
_MAX_TEXT: Final = 256
"""Longest identifier kept of what a caller says of a call."""


_NOTHING: Final[Mapping[str, Any]] = {}


def encode(call: Call, evidence: Mapping[str, Any] = _NOTHING) -> bytes:
    """Write the ledger row of a call.

    Args:
        call: as it ended.
        evidence: what lineage adds (`core.lineage.Witness`).

    Returns:
        One JSON object without newlines; its keys are columns of `store.tables.ledger`, and the
        text that is to be kept.
    """
    ended_s = call.ended_s if call.ended_s is not None else call.started_s
    first_byte_s = call.first_byte_s
    usage = call.usage
    context = call.context
    return _encode(
        {
            "call_id": call.id,
            "started_at": call.started_at.astimezone(UTC).isoformat(),
            "tenant_id": call.principal.tenant_id,
            "key_id": call.principal.key_id,
            "agent": call.agent_name,
            "endpoint": call.endpoint.value,
            "model_asked": call.model_asked,
            "model_served": call.model_served,
            "deployment": call.deployment,
            "provider": call.provider_served,
            "tier": call.tier,
            "outcome": (call.outcome or Outcome.FAILED).value,
            "status": call.status,
            "error_class": call.error_class,
            "stream": call.stream,
            "cache": call.cache,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "characters": usage.characters,
            "audio_s": str(usage.audio_s),
            "usage_source": usage.source.value,
            "cost_usd": printed_usd(call.cost_usd),
            "saved_usd": printed_usd(call.saved_usd),
            "cost_note": call.cost_note,
            "practice": call.practice,
            "latency_ms": _ms(ended_s - call.started_s),
            "first_byte_ms": None if first_byte_s is None else _ms(first_byte_s - call.started_s),
            "attempts": [
                *(_attempt(attempt, call.started_s) for attempt in call.attempts),
                *({"group": skip.group, "skipped": skip.code} for skip in call.skipped),
            ],
            "subject": _short(context.subject),
            "session": _short(context.session),
            "entity_type": _short(context.entity_type),
            "entity_id": _short(context.entity_id),
            "parent_call_id": _short((context.parent_call_id or "").lower() or None),
            "traceparent": _short(context.traceparent),
            "trace_id": call.trace.trace_id or None,
            "findings": [_finding(finding) for finding in call.findings],
            "excerpts": [finding.excerpt for finding in call.findings] or None,
            "variants": _variants(call),
            "verdict": call.verdict.value,
            "confidence": call.confidence,
            **evidence,
        }
    )


def _variants(call: Call) -> Mapping[str, str]:
    """Give what decided the answer, and its confidence before calibration.

    Calibration is fitted on the raw figure (`confidence.labels`); the column holds what the client
    was told. In `Call.variants` it would be part of the cache's key.
    """
    raw = call.signals.get(RAW_CONFIDENCE)
    return call.variants if raw is None else {**call.variants, RAW_CONFIDENCE: f"{raw:.6f}"}


def _finding(finding: Finding) -> dict[str, Any]:
    """Write a finding without its excerpt, which can be erased and has a column of its own."""
    return {
        "check": finding.check,
        "code": finding.code,
        "action": finding.action.value,
        "where": finding.where,
        "score": finding.score,
    }


def _attempt(attempt: Attempt, call_started_s: float) -> dict[str, Any]:
    ended_s = attempt.ended_s
    return {
        "deployment": attempt.deployment,
        "provider": attempt.provider,
        "group": attempt.group,
        "started_ms": _ms(attempt.started_s - call_started_s),
        "took_ms": None if ended_s is None else _ms(ended_s - attempt.started_s),
        "error_class": attempt.error_class,
        "status": attempt.status,
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _short(value: str | None) -> str | None:
    return value if value is None else value[:_MAX_TEXT]

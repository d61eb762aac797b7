"""Says what the checks made of a call: `x_review` in bodies and streams, and headers. Pure."""

from typing import Any, Final

import orjson

from plugins.core.call import Call
from plugins.core.review import Reason
from plugins.core.verdict import Finding, Verdict

REVIEW: Final = "x_review"

Review = dict[str, Any]


def review_of(call: Call) -> Review | None:
    """Tell a client what was found in its call.

    That a call was drawn at random for a person to look at is the operator's to see.

    Returns:
        None when there is nothing to tell.
    """
    findings = [_told(finding) for finding in call.findings]
    confidence, calibrated = _confidence(call)
    review_id = _review_id(call)
    is_ordinary = call.verdict is Verdict.ALLOW and confidence is None
    if is_ordinary and not findings and review_id is None:
        return None
    return {
        "verdict": call.verdict.value,
        "confidence": None if confidence is None else round(confidence, 3),
        "calibrated": calibrated,
        "review_id": review_id,
        "findings": findings,
    }


def review_headers(call: Call) -> list[tuple[bytes, str | None]]:
    """Say the same in headers, in short."""
    confidence, _ = _confidence(call)
    review_id = _review_id(call)
    tells = call.verdict is not Verdict.ALLOW or confidence is not None or review_id
    return [
        (b"x-sluice-verdict", call.verdict.value if tells else None),
        (b"x-sluice-confidence", None if confidence is None else f"{confidence:.3f}"),
        (b"x-sluice-review-id", review_id),
    ]


def with_review(body: bytes, review: Review | None) -> bytes:
    """Add `x_review` to a JSON object as its last member, without reading the rest anew.

    Args:
        body: a JSON object; anything else is left as it is.
        review: what is told; None for nothing.
    """
    end = body.strip()
    if review is None or not end.startswith(b"{") or not end.endswith(b"}"):
        return body
    comma = b"" if end[1:-1].strip() == b"" else b","
    return end[:-1] + comma + b'"' + REVIEW.encode() + b'":' + orjson.dumps(review) + b"}"


def is_told(call: Call) -> bool:
    """Tell whether a person looks at the call for a reason of its own, not by the draw."""
    return call.review is not None and any(r is not Reason.SAMPLE for r in call.review.reasons)


def _confidence(call: Call) -> tuple[float | None, bool]:
    if call.recalled is not None:
        return call.recalled.confidence, call.recalled.calibrated
    return call.confidence, call.calibrated


def _review_id(call: Call) -> str | None:
    return call.review.id if call.review is not None and is_told(call) else None


def _told(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "code": finding.code,
        "action": finding.action.value,
        "where": finding.where,
        "excerpt": finding.excerpt,
        "score": finding.score,
    }

"""Which traces are kept: decided at a call's end, when it is known what it was. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from plugins.core.call import Call, Outcome
from plugins.core.verdict import Verdict
from plugins.tracing.rules import CLIENT_LEFT

_RANDOM_DIGITS: Final = 14
"""The W3C's Trace Context, level 2: the last 7 bytes of a trace's identifier are random."""
_ALL: Final = 1 << (4 * _RANDOM_DIGITS)
_FIRST_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which traces are kept.

    Args:
        share: of the ordinary ones, 0..1.
        slower_than_s: calls that take longer are always kept; None for no such bound.
        dearer_than_usd: calls that cost more likewise.
    """

    share: float = 1.0
    slower_than_s: float | None = 10.0
    dearer_than_usd: Decimal | None = None

    def reason(self, call: Call) -> str | None:
        """Say why a call's trace is kept; None when it is not.

        Every replica decides alike: of the ordinary ones the trace's identifier decides, as
        OpenTelemetry's consistent probability sampling has it.
        """
        if _failed(call):
            return "error"
        if call.verdict is not Verdict.ALLOW or call.findings:
            return "flagged"
        if self._is_slow(call):
            return "slow"
        if self.dearer_than_usd is not None and call.cost_usd > self.dearer_than_usd:
            return "dear"
        if call.trace.sampled:
            return "caller"
        return "share" if self._is_in_share(call.trace.trace_id) else None

    def _is_slow(self, call: Call) -> bool:
        if self.slower_than_s is None or call.closed_s is None:
            return False
        return call.closed_s - (call.arrived_s or call.started_s) > self.slower_than_s

    def _is_in_share(self, trace_id: str) -> bool:
        if self.share >= 1.0:
            return True
        return int(trace_id[-_RANDOM_DIGITS:], 16) >= round((1.0 - self.share) * _ALL)


def _failed(call: Call) -> bool:
    """Tell whether a call or any of its tries failed; a client that went away is no failure."""
    return (
        call.outcome is Outcome.FAILED
        or (call.outcome is not Outcome.DISCONNECTED and call.status >= _FIRST_SERVER_ERROR)
        or any(a.error_class not in {None, CLIENT_LEFT} for a in call.attempts)
    )

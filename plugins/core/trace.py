"""Where a call stands in a distributed trace, as the W3C's Trace Context has it."""

import os
import random
from dataclasses import dataclass
from typing import Final

_chance: Final = random.Random()  # noqa: S311 - unique is enough, and a call needs ten
os.register_at_fork(after_in_child=_chance.seed)
SAMPLED: Final = 1
"""The flag of a `traceparent` that says its sender records the trace."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The call's own span within its trace.

    Args:
        trace_id: 32 hexadecimal digits; the caller's, or the call's own identifier.
        span_id: 16 hexadecimal digits; of the span that covers the whole call.
        parent_span_id: the caller's span, or None when the trace begins here.
        sampled: whether the caller records the trace; None when there is no caller's trace.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    sampled: bool | None = None

    def traceparent(self, span_id: str | None = None) -> str:
        """Write the header by which others join the trace.

        Args:
            span_id: the span that they are to be under; None for the call's own.
        """
        flags = 0 if self.sampled is False else SAMPLED
        return f"00-{self.trace_id}-{span_id or self.span_id}-{flags:02x}"


def new_span_id() -> str:
    """Make a span's identifier: 16 random hexadecimal digits, never all zero."""
    return f"{_chance.getrandbits(64) or 1:016x}"


def trace_of(call_id: str, traceparent: str | None) -> TraceContext:
    """Give a call its place in a trace.

    Args:
        call_id: a UUID; without a caller's trace it is the trace's identifier, so that either finds
            the other. A version 7 has 62 random bits at its end, which is where samplers look.
        traceparent: the caller's header, valid in form, or None.
    """
    if traceparent is None:
        return TraceContext(call_id.replace("-", ""), new_span_id())
    _, trace_id, parent_span_id, flags = traceparent.split("-")[:4]
    if not int(trace_id, 16) or not int(parent_span_id, 16):
        return TraceContext(call_id.replace("-", ""), new_span_id())
    sampled = bool(int(flags, 16) & SAMPLED)
    return TraceContext(trace_id, new_span_id(), parent_span_id, sampled)

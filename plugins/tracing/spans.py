"""What a span is here: plain values, so that a tree can be made and looked at without an SDK."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Value]


class Kind(StrEnum):
    """A span's part in the conversation between two programs; OpenTelemetry's words."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Moment:
    """An event on a span.

    Args:
        name: stable, with dots.
        at_ns: nanoseconds since 1970, within its span.
        attributes: facts about it.
    """

    name: str
    at_ns: int
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """One span of a call's trace.

    Args:
        name: few different ones.
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        parent_id: likewise; None for a trace that begins here.
        started_ns: nanoseconds since 1970.
        ended_ns: likewise, not before `started_ns`.
        kind: its part.
        failure: a short stable word, for a span whose status is an error.
        attributes: facts, bounded.
        moments: its events, bounded.
        remote_parent: the parent is another program's span.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    started_ns: int
    ended_ns: int
    kind: Kind = Kind.INTERNAL
    failure: str | None = None
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    moments: list[Moment] = field(default_factory=list[Moment])
    remote_parent: bool = False

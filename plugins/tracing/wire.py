"""Writes spans in OTLP's wire format (protobuf). Pure.

The SDK's encoder takes 20 us a span, most of a trace's cost; this one takes 2: most of what spans
say has been said before, and its bytes are still there. `tests/unit/test_tracing_wire.py`
compares its results with the SDK's, message by message. The fields are those of opentelemetry-proto
1.x (`trace.proto`, `common.proto`, `resource.proto`).
"""

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from plugins.tracing.spans import Kind, Moment, Span, Value

_KINDS: Final = {
    Kind.INTERNAL: b"\x30\x01",
    Kind.SERVER: b"\x30\x02",
    Kind.CLIENT: b"\x30\x03",
}
_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_NO_FAILURE: Final = b"\x7a\x00"
_FLAGS: Final = {
    remote: b"\x85\x01" + struct.pack("<I", _HAS_IS_REMOTE | (_IS_REMOTE if remote else 0))
    for remote in (False, True)
}
_TIMES: Final = struct.Struct("<BQBQ")
_MOMENT: Final = struct.Struct("<BQ")
_DOUBLE: Final = struct.Struct("<Bd")
LONG: Final = 48
"""Characters from which a text is taken for one that does not come again."""
_TRUE: Final = b"\x10\x01"
_FALSE: Final = b"\x10\x00"


def span_bytes(span: Span) -> bytes:
    """Write one span as an element of `ScopeSpans.spans`."""
    parts = [
        b"\x0a\x10",
        bytes.fromhex(span.trace_id),
        b"\x12\x08",
        bytes.fromhex(span.span_id),
    ]
    if span.parent_id:
        parts += (b"\x22\x08", bytes.fromhex(span.parent_id))
    parts += (
        _name(span.name),
        _KINDS[span.kind],
        _TIMES.pack(0x39, span.started_ns, 0x41, span.ended_ns),
    )
    for key, value in span.attributes.items():
        rare = type(value) is float or (type(value) is str and len(value) > LONG)
        parts.append(_pair(0x4A, key, value) if rare else _common_pair(0x4A, key, value))
    parts += [_moment(moment) for moment in span.moments]
    parts += (_NO_FAILURE if span.failure is None else _status(span.failure),)
    parts += (_FLAGS[span.remote_parent],)
    return _field(0x12, b"".join(parts))


def _status(failure: str) -> bytes:
    return _field(0x7A, _text(0x12, failure) + b"\x18\x02")


class Envelope:
    """What all spans of a worker have in common, written once.

    Args:
        resource: which program they come from.
        scope: which part of it.
        version: its release.
    """

    def __init__(self, resource: Mapping[str, Value], scope: str, version: str) -> None:
        origin = b"".join(_pair(0x0A, key, value) for key, value in resource.items())
        self._resource: Final = _field(0x0A, origin)
        self._scope: Final = _field(0x0A, _text(0x0A, scope) + _text(0x12, version))

    def request(self, spans: Iterable[bytes]) -> bytes:
        """Write an `ExportTraceServiceRequest` of spans that `span_bytes` has written."""
        scoped = _field(0x12, b"".join((self._scope, *spans)))
        return _field(0x0A, self._resource + scoped)


def _length(size: int) -> bytes:
    """Write a length, or any number that is not negative, as a varint."""
    if size < 0x80:
        return _SHORT[size]
    found = bytearray()
    while size >= 0x80:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    found.append(size)
    return bytes(found)


_SHORT: Final = [bytes([n]) for n in range(0x80)]


def _field(tag: int, body: bytes) -> bytes:
    return _SHORT[tag] + _length(len(body)) + body


def _text(tag: int, text: str) -> bytes:
    return _field(tag, text.encode("utf-8", "replace"))


@lru_cache(maxsize=1024)
def _key(name: str) -> bytes:
    return _text(0x0A, name)


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    return _text(0x2A, name)


@lru_cache(maxsize=2048, typed=True)
def _common_pair(tag: int, name: str, value: Value) -> bytes:
    return _pair(tag, name, value)


def _pair(tag: int, name: str, value: Value) -> bytes:
    key, body = _key(name), _value(value)
    return _field(tag, b"%b\x12%b%b" % (key, _length(len(body)), body))


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return _text(0x0A, value)
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, int):
        return b"\x18" + _length(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return _DOUBLE.pack(0x21, value)
    return _field(0x2A, b"".join(_field(0x0A, _text(0x0A, each)) for each in value))


def _moment(moment: Moment) -> bytes:
    facts = b"".join(_pair(0x1A, key, value) for key, value in moment.attributes.items())
    return _field(0x5A, _MOMENT.pack(0x09, moment.at_ns) + _text(0x12, moment.name) + facts)

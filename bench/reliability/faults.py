"""The faults of the matrix, as data."""

from dataclasses import dataclass
from typing import Any, Final

from bench.reliability.shapes import SHAPES, Shape

SILENCE_S: Final = 1.0
"""Every time limit of the matrix's agents; a stall lasts longer than any test."""
_FOR_EVER_S: Final = 60.0
_MOMENT_S: Final = 0.2
_NAMES: Final = frozenset(shape.name for shape in SHAPES)
_STREAMS: Final = frozenset(shape.name for shape in SHAPES if shape.is_stream)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a provider fails.

    Args:
        name: in the table.
        orders: what the practice provider is told to do.
        address: suffix of the model groups whose address is broken in that way, in place of orders.
        shapes: names of the shapes of call that can meet it.
        after_content: the client has part of the answer by then, so no other tier may go on.
        waits_s: what it costs each time by its nature: a time limit.
    """

    name: str
    orders: tuple[dict[str, Any], ...] = ()
    address: str = ""
    shapes: frozenset[str] = _NAMES
    after_content: bool = False
    waits_s: float = 0.0

    def meets(self, shape: Shape) -> bool:
        """Tell whether calls of this shape can meet the fault."""
        return shape.name in self.shapes


def _status(status: int) -> Fault:
    return Fault(str(status), ({"kind": "status", "status": status},))


FAULTS: Final = (
    *(_status(status) for status in (408, 429, 500, 502, 503, 529)),
    Fault("refused", ({"kind": "refuse"},)),
    Fault("reset", ({"kind": "cut"},)),
    Fault("DNS", address="dns"),
    Fault("TLS", address="tls"),
    Fault("no first byte", ({"kind": "stall", "for_s": _FOR_EVER_S},), waits_s=SILENCE_S),
    Fault(
        "silent before content",
        ({"kind": "stream_stall", "after_chunks": 0, "for_s": _FOR_EVER_S},),
        shapes=_STREAMS,
        waits_s=SILENCE_S,
    ),
    Fault(
        "closed before content",
        ({"kind": "stream_cut", "after_chunks": 0},),
        shapes=_STREAMS,
    ),
    # Nothing tells half of a sound from a whole one.
    Fault("malformed", ({"kind": "malformed"},), shapes=_NAMES - {"speech"}),
    # A transcription of silence is empty, and right.
    Fault("empty", ({"kind": "empty"},), shapes=_NAMES - {"transcription"}),
    Fault(
        "silent after content",
        ({"kind": "stream_stall", "after_chunks": 2, "for_s": _FOR_EVER_S},),
        shapes=_STREAMS,
        after_content=True,
        waits_s=SILENCE_S,
    ),
    Fault(
        "closed after content",
        # After a moment, or the content that is on its way would be lost with the connection.
        (
            {"kind": "stream_stall", "after_chunks": 2, "for_s": _MOMENT_S},
            {"kind": "stream_cut", "after_chunks": 2},
        ),
        shapes=_STREAMS,
        after_content=True,
    ),
    Fault(
        "malformed after content",
        (
            {"kind": "stream_stall", "after_chunks": 2, "for_s": _MOMENT_S},
            {"kind": "malformed", "after_chunks": 2},
        ),
        shapes=_STREAMS,
        after_content=True,
    ),
)

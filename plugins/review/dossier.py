"""What a reviewer reads of a call: prompt, sources and output, kept sealed with the item."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

MOST_SHOWN: Final = 500_000
"""Longest text of a part that is kept, characters; what is cut says so."""


class Part(msgspec.Struct, frozen=True):
    """A text of its own: one message, one document, or the output.

    Args:
        name: what it is, such as `user` or the document's name.
        text: itself.
    """

    name: str
    text: str


class Mark(msgspec.Struct, frozen=True):
    """A place that a check found something at.

    Args:
        start: first character in the output.
        end: the one after the last.
        title: what was found, for people.
    """

    start: Annotated[int, Meta(ge=0)]
    end: Annotated[int, Meta(ge=0)]
    title: str


class Dossier(msgspec.Struct, frozen=True):
    """One call, as far as it has to be read.

    Args:
        prompt: the messages, in order.
        sources: documents that the output must agree with.
        output: what the model said.
        marks: places in it.
    """

    prompt: tuple[Part, ...] = ()
    sources: tuple[Part, ...] = ()
    output: str = ""
    marks: tuple[Mark, ...] = ()


_decode: Final = msgspec.json.Decoder(Dossier).decode
_encode: Final = msgspec.json.Encoder().encode


def encoded(dossier: Dossier) -> bytes:
    """Write a dossier, with every part cut to `MOST_SHOWN`."""
    return _encode(
        Dossier(
            prompt=tuple(map(_cut, dossier.prompt)),
            sources=tuple(map(_cut, dossier.sources)),
            output=_short(dossier.output),
            marks=dossier.marks,
        )
    )


def decoded(text: bytes) -> Dossier:
    """Read a dossier.

    Raises:
        msgspec.DecodeError: when it is none.
    """
    return _decode(text)


class Piece(NamedTuple):
    """A stretch of a text, and what was found there."""

    text: str
    title: str | None


def marked(text: str, marks: Iterable[Mark]) -> Sequence[Piece]:
    """Cut a text where marks begin and end.

    Args:
        text: which.
        marks: in any order; of overlapping ones the later begins where the earlier ends, and what
            lies beyond the text is left out.

    Returns:
        Pieces that together are the text.
    """
    pieces: list[Piece] = []
    at = 0
    for mark in sorted(marks, key=lambda mark: (mark.start, mark.end)):
        start, end = max(mark.start, at), min(mark.end, len(text))
        if start >= end:
            continue
        if start > at:
            pieces.append(Piece(text[at:start], None))
        pieces.append(Piece(text[start:end], mark.title))
        at = end
    if at < len(text) or not pieces:
        pieces.append(Piece(text[at:], None))
    return pieces


def _cut(part: Part) -> Part:
    return Part(part.name, _short(part.text))


def _short(text: str) -> str:
    if len(text) <= MOST_SHOWN:
        return text
    return f"{text[:MOST_SHOWN]}\n[... {len(text) - MOST_SHOWN} more characters are not kept]"

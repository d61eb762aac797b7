"""What a reviewer reads of a call: prompt, sources and output, kept sealed with the item."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import msgspec.structs
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
        others: what else the model wrote: further choices, calls of tools.
        output_cut: it is not whole, and cannot be approved for a caller who waits for it.
    """

    prompt: tuple[Part, ...] = ()
    sources: tuple[Part, ...] = ()
    output: str = ""
    marks: tuple[Mark, ...] = ()
    others: tuple[Part, ...] = ()
    output_cut: bool = False


_decode: Final = msgspec.json.Decoder(Dossier).decode
_encode: Final = msgspec.json.Encoder().encode


def encoded(dossier: Dossier) -> bytes:
    """Write a dossier, with every part cut to `MOST_SHOWN`."""
    return _encode(
        msgspec.structs.replace(
            dossier,
            prompt=tuple(_cut(part, MOST_SHOWN) for part in dossier.prompt),
            sources=tuple(_cut(part, MOST_SHOWN) for part in dossier.sources),
            others=tuple(_cut(part, MOST_SHOWN) for part in dossier.others),
            output=_short(dossier.output, MOST_SHOWN),
            output_cut=dossier.output_cut or len(dossier.output) > MOST_SHOWN,
        )
    )


def bounded(dossier: Dossier, most: int, *, whole_output: bool) -> Dossier:
    """Cut the longest parts until a dossier is not longer than it may be.

    Args:
        dossier: as it was gathered.
        most: characters of all its texts together; each part's notice of a cut comes on top.
        whole_output: the output is cut at `MOST_SHOWN` alone, and takes from the others' room.
    """
    longest = MOST_SHOWN if whole_output else most // 2
    output = _short(dossier.output, longest)
    parts = (dossier.prompt, dossier.sources, dossier.others)
    sizes = [len(part.text) for group in parts for part in group]
    each = _fair(sizes, max(most - len(output), most // 4))
    prompt, sources, others = (tuple(_cut(part, each) for part in group) for group in parts)
    return msgspec.structs.replace(
        dossier,
        prompt=prompt,
        sources=sources,
        others=others,
        output=output,
        output_cut=len(dossier.output) > longest,
    )


def _fair(sizes: Sequence[int], room: int) -> int:
    """Give the longest that each may be so that all together fit; the short ones stay whole."""
    ordered = sorted(sizes)
    for number, size in enumerate(ordered):
        left = len(ordered) - number
        if size * left > room:
            return room // left
        room -= size
    return ordered[-1] if ordered else 0


def decoded(text: bytes) -> Dossier:
    """Read a dossier.

    Raises:
        msgspec.DecodeError: when it is none.
    """
    return _decode(text)


def _cut(part: Part, most: int) -> Part:
    return Part(part.name, _short(part.text, most))


def _short(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[... {len(text) - most} more characters are not kept]"

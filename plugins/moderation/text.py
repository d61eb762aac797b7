"""A text read once: normalised, its disguises undone, every place kept in the original."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from plugins.moderation.folding import LATIN_LOOKALIKES, folded

_FOREIGN: Final = re.compile(r"[^\x00-\x7f]+")
_BLOCK: Final = 256
"""Characters that are looked at together for being plain ASCII, before any is looked at alone."""


class Piece(NamedTuple):
    """A stretch of a view and where it came from.

    Args:
        start: offset in the view where the stretch begins.
        source_start: offset in the source where it came from.
        source_end: end of that source stretch; unused for a stretch taken over unchanged.
        changed: whether it stands for the source stretch as a whole (decoded, folded to another
            length) rather than character by character.
    """

    start: int
    source_start: int
    source_end: int
    changed: bool


@dataclass(frozen=True, slots=True)
class View:
    """One reading of a text, with the way back to the original.

    Args:
        text: what the patterns see.
        pieces: stretches in order; empty when the view has its source's very offsets.
        source: the view this one was made from; None when it was made from the original.
        spots: for each rule that may hold here, the offsets at which its pattern ended, ascending.
    """

    text: str
    pieces: tuple[Piece, ...] = ()
    source: "View | None" = None
    spots: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Give the place in the original of a stretch of this view.

        Args:
            start: first character, 0 to the view's length.
            end: one past the last, at least `start`.

        Returns:
            Start and end in the original. A stretch that touches something decoded covers all of
            what was decoded, so that masking it leaves nothing behind.
        """
        if self.pieces:
            start, end = self._source_start(start), self._source_end(max(end, start + 1))
        return self.source.place(start, end) if self.source is not None else (start, end)

    def _source_start(self, offset: int) -> int:
        piece = self._piece(offset)
        return piece.source_start if piece.changed else piece.source_start + offset - piece.start

    def _source_end(self, offset: int) -> int:
        piece = self._piece(offset - 1)
        return piece.source_end if piece.changed else piece.source_start + offset - piece.start

    def _piece(self, offset: int) -> Piece:
        return self.pieces[max(0, bisect_right(self.pieces, offset, key=_start_of) - 1)]


@dataclass(frozen=True, slots=True)
class Text:
    """A text as the recognisers get it.

    Args:
        original: as the client sent it.
        views: the normalised reading first, then what was found disguised in it (bounded).
    """

    original: str
    views: tuple[View, ...]


def _start_of(piece: Piece) -> int:
    return piece.start


class Draft:
    """A view in the making: stretches are appended in order.

    Args:
        source: where the stretches come from.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._parts: list[str] = []
        self._pieces: list[Piece] = []
        # Of the last piece, if it was taken over unchanged: its neighbour then needs no own.
        self._shift: int | None = None
        self.length = 0

    def keep(self, start: int, end: int) -> None:
        """Take a stretch of the source over as it is."""
        if end > start:
            self._append(self._source[start:end], Piece(self.length, start, end, changed=False))

    def put(self, text: str, start: int, end: int, *, letter_by_letter: bool = False) -> None:
        """Let a text stand for a stretch of the source; an empty one drops the stretch."""
        if text:
            piece = Piece(self.length, start, end, changed=not letter_by_letter)
            self._append(text, piece)

    def _append(self, text: str, piece: Piece) -> None:
        self._parts.append(text)
        self.length += len(text)
        shift = piece.source_start - piece.start
        if not piece.changed and self._shift == shift:
            return
        self._shift = None if piece.changed else shift
        self._pieces.append(piece)

    def view(self, source: View | None = None) -> View:
        """Finish the view."""
        return View("".join(self._parts), tuple(self._pieces), source)


def normalised(original: str) -> View:
    """Fold a text to what a reader sees: one form for each letter, digit, dash, quote and space.

    Compatibility forms become plain ones (NFKC), invisible characters vanish, accents fall off
    Latin letters, digits of all scripts become ASCII, and a lookalike letter of another script
    inside a Latin word or beside a digit becomes the Latin one. Text in characters that nobody
    sees is read out between `HIDDEN_FROM` and `HIDDEN_TO`. ASCII stays as it is, at no cost.

    Args:
        original: any string; lone surrogates are allowed.

    Returns:
        A view; time and memory grow linearly with the text.
    """
    if original.isascii():
        return View(original)
    draft = Draft(original)
    done = 0
    for run, becomes in _changes(original):
        draft.keep(done, run.start())
        alike = len(becomes) == run.end() - run.start() and all(map(_stays_one, run.group()))
        draft.put(becomes, run.start(), run.end(), letter_by_letter=alike)
        done = run.end()
    if not done:
        return View(original)
    draft.keep(done, len(original))
    return draft.view()


def plain(text: str) -> str:
    """Give the normalised text alone, for what has no offsets of its own, such as decoded bytes."""
    return text if text.isascii() else normalised(text).text


def _changes(original: str) -> Iterator[tuple[re.Match[str], str]]:
    for start, end in _foreign_stretches(original):
        for run in _FOREIGN.finditer(original, start, end):
            found = run.group()
            becomes = folded(found)
            if _mixed(original, run, becomes):
                becomes = "".join(map(LATIN_LOOKALIKES.__getitem__, becomes))
            if becomes != found:
                yield run, becomes


def _stays_one(character: str) -> bool:
    # A sharp s that becomes two and a mark that vanishes would make up for one another.
    return len(folded(character)) == 1


def _foreign_stretches(original: str) -> Iterator[tuple[int, int]]:
    # Blocks that hold more than ASCII, joined where they touch: no run lies across an end.
    start = -1
    for block in range(0, len(original), _BLOCK):
        if original[block : block + _BLOCK].isascii():
            if start >= 0:
                yield start, block
            start = -1
        elif start < 0:
            start = block
    if start >= 0:
        yield start, len(original)


def _mixed(original: str, run: re.Match[str], becomes: str) -> bool:
    if becomes[:1] not in LATIN_LOOKALIKES:
        return False
    before, after = original[run.start() - 1 : run.start()], original[run.end() : run.end() + 1]
    return (before.isalnum() or after.isalnum()) and all(
        map(LATIN_LOOKALIKES.__contains__, becomes)
    )

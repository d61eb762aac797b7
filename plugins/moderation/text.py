"""A text read once: normalised, its disguises undone, every place kept in the original."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

_FOREIGN: Final = re.compile(r"[^\x00-\x7f]+")
_LONGEST_CACHED_RUN: Final = 8
_MOST_CACHED_RUNS: Final = 8_192


@dataclass(frozen=True, slots=True)
class Piece:
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

    def put(self, text: str, start: int, end: int) -> None:
        """Let a text stand for a stretch of the source; an empty one drops the stretch."""
        if text:
            self._append(text, Piece(self.length, start, end, changed=len(text) != end - start))

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
    inside a Latin word becomes the Latin one. ASCII stays as it is, at no cost.

    Args:
        original: any string; lone surrogates are allowed.

    Returns:
        A view; time and memory grow linearly with the text.
    """
    if original.isascii():
        return View(original)
    draft = Draft(original)
    done = 0
    for run, folded in _changes(original):
        draft.keep(done, run.start())
        draft.put(folded, run.start(), run.end())
        done = run.end()
    if not done:
        return View(original)
    draft.keep(done, len(original))
    return draft.view()


def plain(text: str) -> str:
    """Give the normalised text alone, for what has no offsets of its own, such as decoded bytes."""
    return normalised(text).text


def _changes(original: str) -> Iterator[tuple[re.Match[str], str]]:
    for run in _FOREIGN.finditer(original):
        found = run.group()
        folded = _folded(found) if len(found) <= _LONGEST_CACHED_RUN else _fold(found)
        mixed = folded[:1] in _LATIN_LOOKALIKES and _touches_latin(original, run)
        if mixed and all(map(_LATIN_LOOKALIKES.__contains__, folded)):
            folded = "".join(map(_LATIN_LOOKALIKES.__getitem__, folded))
        if folded != found:
            yield run, folded


def _touches_latin(original: str, run: re.Match[str]) -> bool:
    before, after = original[run.start() - 1 : run.start()], original[run.end() : run.end() + 1]
    return before.isalpha() or after.isalpha()


def _fold(run: str) -> str:
    return unicodedata.normalize("NFKC", run).translate(_FOLDS)


_folded = lru_cache(_MOST_CACHED_RUNS)(_fold)

_SAME: Final[dict[str, str]] = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u00b4\u02b9\u02bc\u055a\ua78c",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u2212\ufe58\ufe63\u30fc\u2500",
    "/": "\u2044\u2215\u29f8",
    "*": "\u2217\u204e\u066d\u2022",
    "=": "\ua78a\u2e40",
    ".": "\u3002\u06d4\u0701",
    ",": "\u060c\u3001",
    ";": "\u061b",
    "|": "\u01c0\u2223",
    "ss": "\u00df",
    "o": "\u00f8",
    "l": "\u0142",
    "i": "\u0131",
    "d": "\u0111",
    "ae": "\u00e6",
}
_LATIN_LOOKALIKES: Final[dict[str, str]] = dict(
    zip(
        "абсԁеԍһіјӏкмпорԛгѕтуԝхАВСЕНІЈКМОРЅТУХЗαβγεικνορτυχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
        "abcdeghijlkmnopqrstuwxABCEHIJKMOPSTYX3abyeikvoptuxwABEZHIKMNOPTYX",
        strict=True,
    )
)
_MARKS: Final = range(0x0300, 0x0370)
_TAGS: Final = range(0xE0020, 0xE007F)
_TAG_BASE: Final = 0xE0000
_SEPARATORS: Final = frozenset({"Zs", "Zl", "Zp"})
_MOST_FOLDS: Final = 20_000


class _Folds(dict[int, str]):
    """What each character becomes; worked out when first met, bounded."""

    def __missing__(self, codepoint: int) -> str:
        folded = _fold_character(chr(codepoint))
        if len(self) < _MOST_FOLDS:
            self[codepoint] = folded
        return folded


def _fold_character(character: str) -> str:
    codepoint = ord(character)
    if character.isascii():
        return character
    if codepoint in _MARKS:
        return ""
    if codepoint in _TAGS:
        # Invisible twins of ASCII: text written in them is read by models, never by people.
        return chr(codepoint - _TAG_BASE)
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    category = unicodedata.category(character)
    if category in _SEPARATORS:
        return " "
    if category == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR"):
        return ""
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else character


_FOLDS: Final = _Folds(
    {ord(shown): as_ascii for as_ascii, all_shown in _SAME.items() for shown in all_shown}
)

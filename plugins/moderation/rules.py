"""What a recogniser is: rules that spot cheaply, look closely, and say how sure they are."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from plugins.moderation.text import Text, View

LISTS: Final = frozenset({"people_list"})
"""Codes of hits that reach over much text, each a whole that overlapping parts of it make up."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found in a text.

    Args:
        code: what it is, such as `card_number`; stable.
        start: first character, in the original text.
        end: one past the last, in the original text.
        score: how sure, 0 to 1.
    """

    code: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern in two steps: where to look, and what must be there.

    Args:
        name: unique among all rules of a reader.
        spot: the cheap pattern for one pass over the whole text together with all other rules'.
            Case does not matter in it, and it knows neither assertions nor back-references. It may
            hold too often, never too seldom.
        shape: the exact pattern, tried only around the spots.
        before: characters before a spot's end at which the shape may begin.
        after: characters after a spot's end that the shape, its context included, may reach.
        anchor: where the spot has one length, that of it: the shape is then tried where the spot
            begins, and nowhere else.
        needs: lower-case strings of which the text has at least one if the spot holds; empty when
            there are none. Spares the slower pass where there is no multi-pattern engine.
    """

    name: str
    spot: str
    shape: re.Pattern[str]
    before: int = 80
    after: int = 80
    anchor: int = 0
    needs: tuple[str, ...] = ()

    def matches(self, view: View, asked: tuple[int, ...] | None = None) -> Iterator[re.Match[str]]:
        """Give the exact matches in a view, in order, each once.

        Time is linear in the view for a shape whose own tries are bounded: windows that overlap
        are joined before they are searched.

        Args:
            view: the reading, spots included.
            asked: offsets of what the shape begins with, ascending: spots without one of them
                before them, within reach, are left out. None asks for nothing.
        """
        if self.anchor:
            yield from self._anchored(view)
            return
        spots = view.spots.get(self.name, ())
        if asked is not None:
            spots = tuple(spot for spot in spots if _lies_before(asked, spot, self.before))
        for start, end in windows(spots, self.before, self.after):
            yield from self.shape.finditer(view.text, start, min(end, len(view.text)))

    def _anchored(self, view: View) -> Iterator[re.Match[str]]:
        done = 0
        for spot in view.spots.get(self.name, ()):
            start = max(0, spot - self.anchor)
            match = self.shape.match(view.text, start) if start >= done else None
            if match is not None:
                done = match.end()
                yield match


def _lies_before(places: tuple[int, ...], spot: int, reach: int) -> bool:
    place = bisect_left(places, spot - reach)
    return place < len(places) and places[place] <= spot


def windows(spots: tuple[int, ...], before: int, after: int) -> Iterator[tuple[int, int]]:
    """Join the neighbourhoods of spots.

    Args:
        spots: offsets, ascending.
        before: characters before each.
        after: characters after each.

    Returns:
        Stretches in order that do not overlap, the first not before 0.
    """
    start, end = -1, -1
    for spot in spots:
        if start >= 0 and spot - before <= end:
            end = spot + after
            continue
        if start >= 0:
            yield start, end
        start, end = max(0, spot - before), spot + after
    if start >= 0:
        yield start, end


class Recogniser(Protocol):
    """Finds one kind of thing. Holds no state of a request: one instance serves all."""

    @property
    def check(self) -> str:
        """The check's stable name, such as `pii`."""
        ...

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What a reader must spot for it."""
        ...

    def find(self, text: Text) -> list[Hit]:
        """Give what it finds, in order, each place once; linear in the text's length.

        A reader asks only where at least one of the rules was spotted.
        """
        ...


def once(hits: list[Hit]) -> list[Hit]:
    """Keep the surest of hits that say the same of overlapping places, in order.

    The same thing is often seen twice: as written, and again in a decoded reading.
    """
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.code, hit.start, -hit.score)):
        last = kept[-1] if kept else None
        if last is not None and last.code == hit.code and hit.start < last.end:
            kept[-1] = _of_two(last, hit)
            continue
        kept.append(hit)
    return sorted(kept, key=lambda hit: (hit.start, hit.end, hit.code))


def near(text: str, start: int, end: int, context: re.Pattern[str], reach: int = 60) -> bool:
    """Tell whether a context word stands around a place.

    Args:
        text: the view's text.
        start: first character of the place.
        end: one past its last.
        context: the words.
        reach: characters before; half as many after.
    """
    return (
        context.search(text, max(0, start - reach), start) is not None
        or context.search(text, end, end + reach // 2) is not None
    )


def _of_two(first: Hit, second: Hit) -> Hit:
    surest = max(first, second, key=lambda one: one.score)
    if surest.code not in LISTS:
        return surest
    # A list that goes on in the next stretch of a text is one list.
    return replace(surest, start=first.start, end=max(first.end, second.end))


Judge = Callable[[re.Match[str]], float]
"""Scores a match, 0 to 1; 0 drops it."""

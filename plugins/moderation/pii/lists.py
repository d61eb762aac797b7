"""Lists of several people's identifiers (`people_list`).

A candidate gives an address or two and a number of their own; three different ones of a kind within
a few lines are somebody else's. Referees, whom an application names, are not counted, nor the three
or four hosts whom an invitation names.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from plugins.moderation.rules import Hit, near
from plugins.moderation.text import View

Span = tuple[int, int]
"""First character in a view, one past the last."""

_SPREAD: Final = 1_500
"""Characters within which several people's identifiers are one list."""

_FEWEST: Final = 3
_MANY: Final = 5
_LIKELY: Final = 0.6
_SURE: Final = 0.9
_REFEREES: Final = re.compile(
    # One of a few letters first, which a search finds quickly.
    r"[rRcC](?<!\w.)(?i:(?<=r)efer(?:ees?|ences?|enzen|encias)|(?<=c)o(?:ntact us))\b"
)

_REFEREES_REACH: Final = 400
"""Characters before an address in which it may be said to be a referee's."""

_HOSTS: Final = re.compile(
    r"\b(?:interview (?:with|panel|on|at|is|will)|panel|meeting|meet (?:with|your)|invit\w+|"
    r"attendees|participants|dial[ \-]?in|cc|hosts?|hiring team|contact persons?|your contacts|"
    r"calendar|agenda)\b",
    re.IGNORECASE,
)
"""Words of an invitation, which names those who take part."""

_ONE_OF_MANY: Final = re.compile(
    r"(?:fax|desk|mobile|office|home|work|cell|direct|main|private|landline)\W{0,4}\Z",
    re.IGNORECASE,
)
"""Labels by which one person tells their own numbers apart."""

_SIGNS: Final = re.compile(r"[\W_]")


def lists(view: View, spans: Iterable[Span]) -> Iterator[Hit]:
    """Give the lists among identifiers of one kind.

    Args:
        view: the reading that they stand in.
        spans: ascending by their first characters.

    Returns:
        A hit from the first to the last identifier of each list.
    """
    people = _People(view.text)
    first = last = several = 0
    for start, end in spans:
        if several and start - last > _SPREAD:
            yield from _list(view, first, last, several)
            several = 0
        # Once it is sure that there is a list, everything near is in it.
        if several >= _MANY or people.has_another(start, end):
            first, last = (first, max(last, end)) if several else (start, end)
            several += 1
    yield from _list(view, first, last, several)


def _list(view: View, first: int, last: int, several: int) -> Iterator[Hit]:
    if several >= _MANY:
        yield Hit("people_list", *view.place(first, last), _SURE)
    elif several >= _FEWEST and not near(view.text, first, last, _HOSTS, reach=200):
        yield Hit("people_list", *view.place(first, last), _LIKELY)


class _People:
    """Tells different people's identifiers of one kind apart.

    Args:
        text: they stand in it.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._written = set[str]()
        self._names = set[str]()

    def has_another(self, start: int, end: int) -> bool:
        """Take an identifier; True if it is new, no referee's, nor one of several of one person."""
        written = self._text[start:end]
        if written in self._written or self._is_excused(start):
            return False
        self._written.add(written)
        known = len(self._names)
        self._names.add(_SIGNS.sub("", written).lower())
        return len(self._names) > known

    def _is_excused(self, start: int) -> bool:
        begins = max(0, start - _REFEREES_REACH)
        return (
            _ONE_OF_MANY.search(self._text, max(0, start - 14), start) is not None
            or _REFEREES.search(self._text, begins, start) is not None
        )

"""Whether each field of a structured answer stands in the documents it was taken from. Pure.

A date counts only where it belongs: beside the title, company or degree that it is stated with. A
year that stands elsewhere in the resume is how most invented careers look.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from plugins.core.json_text import Path, leaves_of, path_text
from plugins.core.words import content_of, phrase_of, spelled_out
from plugins.grounding.aliases import EMPTY_ENDINGS, Phrase, alias_in
from plugins.grounding.dates import Mention, Role, asked_date
from plugins.grounding.fields import Kind, is_derived, kind_of, names_of
from plugins.grounding.numbers import numbers_of, spelling_of
from plugins.grounding.sentences import check_text
from plugins.grounding.source import Document, Index, Place

_LONGEST_NAME: Final = 120
_END_NAMES: Final = frozenset({"end", "until", "to", "ended", "finish", "expires"})
_START_NAMES: Final = frozenset({"start", "from", "since", "started", "begin"})


class Support(StrEnum):
    """What the sources say of a field."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    NOT_CHECKABLE = "not_checkable"
    """A judgement or a sum: no source could hold it."""


class Reason(StrEnum):
    """How that is known."""

    FOUND = "found"
    SAME_LINE = "same_line"
    """All its words stand together, in another order or with others between."""
    ALIAS = "alias"
    ABSENT = "absent"
    OUT_OF_CONTEXT = "out_of_context"
    """It stands in a source, but not with what it is stated of."""
    OVERLAP = "overlap"
    JUDGEMENT = "judgement"
    DERIVED = "derived"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """What was found of one field.

    Args:
        path: as people read it, such as `experience[0].title`.
        kind: what kind of statement it makes.
        support: what the sources say.
        reason: how that is known.
        place: where in the sources it stands, if it does.
    """

    path: str
    kind: Kind
    support: Support
    reason: Reason
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class ExtractionCheck:
    """What was found of all fields.

    Args:
        fields: in the answer's order; those without a value (null, "") are left out.
    """

    fields: tuple[FieldCheck, ...]

    @property
    def score(self) -> float | None:
        """Give the share of the checkable fields that is supported, 0..1; None without any."""
        counts = Counter(field.support for field in self.fields)
        checkable = counts[Support.SUPPORTED] + counts[Support.UNSUPPORTED]
        return counts[Support.SUPPORTED] / checkable if checkable else None

    @property
    def unsupported(self) -> tuple[FieldCheck, ...]:
        """Give the fields that no source supports."""
        return tuple(field for field in self.fields if field.support is Support.UNSUPPORTED)


def check_extraction(value: Any, index: Index) -> ExtractionCheck:
    """Look for every field of a structured answer in its sources.

    Args:
        value: parsed JSON.
        index: of the sources.

    Returns:
        One result for each field that has a value.
    """
    groups = _Groups(value, index)
    checks = [
        _check(path, leaf, index, groups)
        for path, leaf in leaves_of(value)
        if leaf is not None and leaf != ""
    ]
    return ExtractionCheck(tuple(checks))


def _check(path: Path, value: Any, index: Index, groups: "_Groups") -> FieldCheck:
    kind = kind_of(path, value)
    where = path_text(path)
    if kind is Kind.JUDGEMENT:
        return FieldCheck(where, kind, Support.NOT_CHECKABLE, Reason.JUDGEMENT)
    if kind in (Kind.DATE, Kind.LASTS):
        return _check_date(path, value, kind, groups)
    if kind is Kind.TEXT:
        return _check_text(where, str(value), index)
    found = _LOOKS[kind](value, index)
    if found is not None:
        return FieldCheck(where, kind, Support.SUPPORTED, *found)
    if kind is Kind.NUMBER and is_derived(path):
        return FieldCheck(where, kind, Support.NOT_CHECKABLE, Reason.DERIVED)
    return FieldCheck(where, kind, Support.UNSUPPORTED, Reason.ABSENT)


Found = tuple[Reason, Place | None] | None


# -- phrases -----------------------------------------------------------------------------------


def _find_phrase(value: Any, index: Index) -> Found:
    """Look for the words as they stand, then joined, then by their other names, then loose."""
    phrase = phrase_of(str(value))
    if not phrase:
        return Reason.EMPTY, None
    place = index.find(phrase)
    if place is None and not str(value).isascii():
        place = index.find(tuple(spelled_out(word) for word in str(value).split()))
    if place is None:
        place = index.find_joined(phrase)
    if place is not None:
        return Reason.FOUND, place
    return _find_alias(phrase, index) or _find_loose(phrase, index)


def _find_alias(phrase: Phrase, index: Index) -> Found:
    """Look for another name of a part of the phrase, with the rest of it on the same line."""
    part = alias_in(phrase)
    if part is None:
        return None
    first, last, names = part
    rest = content_of((*phrase[:first], *phrase[last:]))
    for document in index.documents:
        for name in names:
            for at in document.find(name):
                if _is_suffix(document, at, name):
                    continue
                if all(_is_near(word, _line_of(document, at, name)) for word in rest):
                    return Reason.ALIAS, document.place(at, at + len(name) - 1)
    return None


def _is_suffix(document: Document, at: int, name: Phrase) -> bool:
    """Tell whether a short name is the end of another: the `js` of `Node.js`."""
    start = document.words.starts[at]
    return len(name) == 1 and len(name[0]) <= 3 and document.source.text[start - 1 : start] == "."


def _line_of(document: Document, at: int, name: Phrase) -> set[str]:
    """Give the words of the line; where hardly more stands there, those around it too."""
    segment = document.segment_of(at)
    own = document.words_near(segment)
    return own if len(own) > len(name) + 2 else document.words_near(segment, 1)


def _is_near(word: str, near: set[str]) -> bool:
    names = alias_in((word,))
    return word in near or (
        names is not None and any(name[0] in near for name in names[2] if len(name) == 1)
    )


def _find_loose(phrase: Phrase, index: Index) -> Found:
    """Look for a line that has all words that carry content; endings such as Inc. may lack."""
    words = _without_endings(content_of(phrase))
    if not words or (len(words) == 1 and len(phrase) == 1):
        return None
    # What has other names counts as a whole: `Bachelor ... Science` is not `Bachelor of Science`.
    if alias_in(tuple(words)) is not None or len(set(words)) < len(words):
        return None
    for document in index.documents:
        places = [document.at.get(word, []) for word in words]
        if not all(places):
            continue
        for at in min(places, key=len)[:64]:
            if document.words_near(document.segment_of(at)).issuperset(words):
                return Reason.SAME_LINE, document.place(at, at)
    return None


def _without_endings(words: list[str]) -> list[str]:
    while len(words) > 1 and words[-1] in EMPTY_ENDINGS:
        words = words[:-1]
    return words


# -- other kinds -------------------------------------------------------------------------------


def _find_number(value: Any, index: Index) -> Found:
    if isinstance(value, str):
        asked = [values for values, _ in numbers_of(value)]
    else:
        spelling = spelling_of(value)
        asked = [frozenset({spelling})] if spelling else []
    place: Place | None = None
    for values in asked:
        place = next(
            (d.place(d.numbers[v], d.numbers[v]) for d in index.documents for v in values
             if v in d.numbers),
            None,
        )  # fmt: skip
        if place is None:
            return None
    return (Reason.FOUND, place) if asked else None


def _find_email(value: Any, index: Index) -> Found:
    for document in index.documents:
        span = document.emails.get(str(value).strip().lower())
        if span is not None:
            return Reason.FOUND, Place(document.source.name, *span)
    return None


def _find_phone(value: Any, index: Index) -> Found:
    """Compare digits: all of them where both state the country, else the national part."""
    asked = "".join(char for char in str(value) if char.isdecimal())
    whole = "+" + asked if str(value).strip().lstrip("(").startswith("+") else asked
    if len(asked) < 6:
        return _find_phrase(value, index)
    for document in index.documents:
        for known, span in document.phones:
            if _same_phone(whole, known):
                return Reason.FOUND, Place(document.source.name, *span)
    return None


def _same_phone(one: str, two: str) -> bool:
    if one == two:
        return True
    if one[0] == two[0] == "+":
        return False
    one, two = one.lstrip("+0"), two.lstrip("+0")
    shorter, longer = sorted((one, two), key=len)
    # A country's code has at most three digits; a trunk 0 may stand behind it.
    return len(shorter) >= 6 and longer.endswith(shorter) and len(longer) - len(shorter) <= 4


def _find_url(value: Any, index: Index) -> Found:
    text = str(value).strip().lower().removeprefix("https://").removeprefix("http://")
    phrase = phrase_of(text.removeprefix("www.").rstrip("/"))
    place = index.find(phrase) if phrase else None
    return (Reason.FOUND, place) if place is not None else None


_LOOKS: Final[Mapping[Kind, Callable[[Any, Index], Found]]] = {
    Kind.PHRASE: _find_phrase,
    Kind.NUMBER: _find_number,
    Kind.EMAIL: _find_email,
    Kind.PHONE: _find_phone,
    Kind.URL: _find_url,
}


def _check_text(where: str, text: str, index: Index) -> FieldCheck:
    checked = check_text(text, index)
    supported = not checked.doubtful
    return FieldCheck(
        where,
        Kind.TEXT,
        Support.SUPPORTED if supported else Support.UNSUPPORTED,
        Reason.OVERLAP if supported else Reason.ABSENT,
    )


# -- dates -------------------------------------------------------------------------------------


class _Groups:
    """What each object of the answer is about, and the dates that stand near it in the sources.

    Args:
        value: parsed JSON.
        index: of the sources.
    """

    def __init__(self, value: Any, index: Index) -> None:
        self._value = value
        self._index = index
        self._near: dict[Path, list[tuple[Document, Mention]] | None] = {}

    def everywhere(self) -> Iterator[tuple[Document, Mention]]:
        """Give all dates of the sources."""
        return ((d, mention) for d in self._index.documents for mention in d.dates)

    def near(self, path: Path) -> list[tuple[Document, Mention]] | None:
        """Give the dates that belong to the object that a field stands in.

        Returns:
            None where the object names nothing that a date could belong to.
        """
        owner = path[:-1]
        while owner and isinstance(owner[-1], int) and not isinstance(self._at(owner), dict):
            owner = owner[:-1]
        if owner not in self._near:
            self._near[owner] = self._look(owner)
        return self._near[owner]

    def _at(self, path: Path) -> Any:
        value = self._value
        for step in path:
            value = value[step]
        return value

    def _look(self, owner: Path) -> list[tuple[Document, Mention]] | None:
        anchors = self._anchors(owner)
        if not anchors:
            return None
        return [
            (document, mention)
            for document in self._index.documents
            for segment in _segments_of(document, anchors)
            for mention in document.dates_near(segment)
        ]

    def _anchors(self, owner: Path) -> list[Phrase]:
        """Give the names in an object, or in the nearest one around it that has some."""
        while True:
            value = self._at(owner)
            if isinstance(value, dict):
                anchors = list(_names_in(owner, cast("dict[str, Any]", value)))
                # What a whole resume is named by says nothing of one of its dates.
                if anchors and len(owner) > 0:
                    return anchors
            if not owner:
                return []
            owner = owner[:-1]


def _names_in(owner: Path, held: dict[str, Any]) -> Iterator[Phrase]:
    for key, value in held.items():
        if not isinstance(value, str) or len(value) > _LONGEST_NAME:
            continue
        if kind_of((*owner, key), value) is Kind.PHRASE:
            phrase = phrase_of(value)
            if phrase:
                yield phrase


def _segments_of(document: Document, anchors: Sequence[Phrase]) -> list[int]:
    """Give the segments where most of the names of one object stand together."""
    held: dict[int, int] = {}
    for bit, anchor in enumerate(anchors):
        for segment in _places_of(document, anchor):
            held[segment] = held.get(segment, 0) | 1 << bit
    get = held.get
    # The names of one object stand within two lines of each other.
    together = {
        s: (get(s - 2, 0) | get(s - 1, 0) | held[s] | get(s + 1, 0) | get(s + 2, 0)).bit_count()
        for s in held
    }
    most = max(together.values(), default=0)
    return [segment for segment, count in together.items() if count == most]


def _places_of(document: Document, anchor: Phrase) -> list[int]:
    places = document.segments(anchor)
    if places:
        return places
    part = alias_in(anchor)
    if part is None:
        return document.segments(tuple(_without_endings(content_of(anchor))))
    first, last, names = part
    return [s for n in names for s in document.segments((*anchor[:first], *n, *anchor[last:]))]


def _check_date(path: Path, value: Any, kind: Kind, groups: _Groups) -> FieldCheck:
    where = path_text(path)
    near = groups.near(path)
    known = list(groups.everywhere()) if near is None else near
    if kind is Kind.LASTS:
        return _check_lasting(where, value, near)
    asked = asked_date(value)
    if asked is None:
        return FieldCheck(where, kind, Support.NOT_CHECKABLE, Reason.JUDGEMENT)
    barred = _barred(path) if near is not None else None
    for document, mention in known:
        if asked.is_said_by(mention) and mention.role is not barred:
            place = document.place(mention.first, mention.last)
            return FieldCheck(where, kind, Support.SUPPORTED, Reason.FOUND, place)
    elsewhere = any(asked.is_said_by(mention) for _, mention in groups.everywhere())
    reason = Reason.OUT_OF_CONTEXT if elsewhere else Reason.ABSENT
    return FieldCheck(where, kind, Support.UNSUPPORTED, reason)


def _barred(path: Path) -> Role | None:
    """Name the end of a range that a field cannot be: a start date is no end."""
    names = names_of(path)
    if names & _START_NAMES:
        return Role.END
    return Role.START if names & _END_NAMES else None


def _check_lasting(
    where: str, value: Any, near: list[tuple[Document, Mention]] | None
) -> FieldCheck:
    """Check whether a range has ended: `current: true`, `end_date: present`."""
    kind = Kind.LASTS
    ranges = [(d, m) for d, m in near or () if m.lasts or m.role is not Role.SINGLE]
    if not ranges:
        return FieldCheck(where, kind, Support.NOT_CHECKABLE, Reason.DERIVED)
    wanted = value is not False
    for document, mention in ranges:
        if wanted == mention.lasts:
            place = document.place(mention.first, mention.last)
            return FieldCheck(where, kind, Support.SUPPORTED, Reason.FOUND, place)
    return FieldCheck(where, kind, Support.UNSUPPORTED, Reason.OUT_OF_CONTEXT)

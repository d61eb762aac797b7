"""Dates as people write them, against dates as a structured answer states them. Pure.

Dates are found at their years and at the names of months, over words that are taken apart already:
few places, a fixed number of looks at each.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final

from plugins.core.words import Words, listed, words_of

_NAMES: Final = (
    "jan january januar janvier enero gennaio janeiro januari",
    "feb february februar fevrier febrero febbraio fevereiro februari",
    "mar march maerz marz mars marzo marco maart",
    "apr april avril abril aprile",
    "may mai mayo maggio maio mei",
    "jun june juni juin junio giugno junho",
    "jul july juli juillet julio luglio julho",
    "aug august aout agosto augustus",
    "sep sept september septembre septiembre settembre setembro",
    "oct october oktober octobre octubre ottobre outubro okt",
    "nov november novembre noviembre novembro",
    "dec december dezember decembre diciembre dicembre dezembro dez dic",
)
MONTHS: Final = {
    name: (number,) for number, names in enumerate(_NAMES, 1) for name in names.split()
}
_PARTS: Final = {
    "q1": (1, 2, 3), "q2": (4, 5, 6), "q3": (7, 8, 9), "q4": (10, 11, 12),
    "spring": (3, 4, 5), "summer": (6, 7, 8), "fall": (9, 10, 11), "autumn": (9, 10, 11),
    "winter": (12, 1, 2),
}  # fmt: skip
_NAMED: Final = MONTHS | _PARTS
_NOW: Final = listed(
    "present current currently now today ongoing date heute jetzt aktuell actualidad presente "
    "actual oggi attuale aujourd'hui aujourdhui present\u00e9 heden atual"
)
_SINCE: Final = listed("since seit depuis desde dal")
_OF: Final = listed("of de del")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_TO: Final = listed("to until till through thru bis a au al hasta ate")
_RANGE: Final = re.compile(
    rf"[\s)]*(?:-{{1,3}}|[\u2010-\u2015\u2192]|(?:{'|'.join(sorted(_TO))})\b)[\s(]*", re.IGNORECASE
)
_TIGHT: Final = frozenset({"-", "/", ".", "\u2010", "\u2011", "\u2012", "\u2013"})
_JOINTS: Final = frozenset({"-", "/", "."})
_ORDINAL: Final = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")


class Role(StrEnum):
    """What a date is in the range that it stands in."""

    START = "start"
    END = "end"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Mention:
    """A date that stands in a text.

    Args:
        year: four digits.
        months: those it may mean, 1..12; several for a quarter, a season or an order of day and
            month that can be read both ways; none where only the year is given.
        day: of the month, or None.
        first: number of its first word.
        last: number of its last word.
        role: what it is in a range.
        lasts: it begins a range that has not ended.
    """

    year: int
    months: tuple[int, ...]
    day: int | None
    first: int
    last: int
    role: Role = Role.SINGLE
    lasts: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A date as an answer states it: `2019`, `2019-03`, `2019-03-15`.

    Args:
        year: four digits.
        months: as with `Mention`.
        day: of the month, or None.
    """

    year: int
    months: tuple[int, ...] = ()
    day: int | None = None

    def is_said_by(self, mention: Mention) -> bool:
        """Tell whether a mention supports this date.

        A year that stands alone in the source supports the first and the last month of that year,
        because the form YYYY-MM (SPEC 4.2) leaves no way to say that no month was given; likewise
        the first day of a month.
        """
        if self.year != mention.year:
            return False
        if not self.months:
            return True
        if not mention.months:
            return bool({1, 12} & set(self.months))
        if not set(self.months) & set(mention.months):
            return False
        return self.day in (None, mention.day) or (mention.day is None and self.day == 1)


_LONGEST: Final = 30
_ISO: Final = re.compile(r"((?:19|20)\d\d)(?:-(\d{2})(?:-(\d{2}))?)?(?:T.*)?")


def asked_date(value: str | float) -> Asked | None:
    """Read the date that an answer states, in any of the forms that `mentions_in` finds.

    Returns:
        The date, or None where the value is not one date and nothing else.
    """
    text = str(value).strip()
    if len(text) > _LONGEST or not any(char.isdigit() for char in text):
        return None
    return _asked(text)


@lru_cache(maxsize=4096)
def _asked(text: str) -> Asked | None:
    iso = _ISO.fullmatch(text)
    if iso is not None:
        month, day = iso[2], iso[3]
        return Asked(int(iso[1]), (int(month),) if month else (), int(day) if day else None)
    words = words_of(text)
    places: dict[str, list[int]] = {}
    for i, form in enumerate(words.forms):
        places.setdefault(form, []).append(i)
    found = mentions_in(words, places)
    if len(found) != 1 or found[0].last - found[0].first + 1 != len(words):
        return None
    return Asked(found[0].year, found[0].months, found[0].day)


def is_now(value: str) -> bool:
    """Tell whether a value says that something lasts: `present`, `today`."""
    return value.strip().lower() in _NOW


def mentions_in(words: Words, at: dict[str, list[int]]) -> list[Mention]:
    """Find all dates of a text.

    Args:
        words: of the text.
        at: where each word stands, by its form.

    Returns:
        The dates in order, with their roles in ranges.
    """
    found: dict[int, Mention] = {}
    for form, places in at.items():
        if len(form) == 4 and _YEAR.fullmatch(form):
            found |= {i: _at_year(words, i, int(form)) for i in places}
        elif form in MONTHS:
            found |= _with_short_years(words, places, MONTHS[form], _short_year)
        elif len(form) == 2 and form.isdecimal() and 1 <= int(form) <= 12:
            found |= _with_short_years(words, places, (int(form),), _slashed)
    return _in_ranges(words, sorted(found.values(), key=lambda m: m.last))


def _with_short_years(
    words: Words,
    places: list[int],
    months: tuple[int, ...],
    read: Callable[[Words, int], int | None],
) -> dict[int, Mention]:
    years = ((i, read(words, i)) for i in places)
    return {i + 1: Mention(year, months, None, i, i + 1) for i, year in years if year is not None}


def _form(words: Words, at: int) -> str:
    return words.forms[at] if 0 <= at < len(words.forms) else ""


def _number(form: str, most: int) -> int | None:
    digits = _ORDINAL.fullmatch(form)
    value = int(digits[1]) if digits else 0
    return value if 1 <= value <= most else None


def _close(words: Words, at: int) -> bool:
    """Tell whether a word and the next may be of one date: hardly anything between them."""
    between = words.between(at)
    return len(between) <= 3 and "\n" not in between


def _at_year(words: Words, i: int, year: int) -> Mention:
    """Look left and right of a year for its month and day."""
    return (
        _behind(words, i, year)
        or _named_before(words, i, year)
        or _numbers_before(words, i, year)
        or Mention(year, (), None, i, i)
    )


def _behind(words: Words, i: int, year: int) -> Mention | None:
    """Read 2019-03, 2019/03/15, 2019.03 and 2019年3月."""
    gap, step = words.between(i), 1
    if _form(words, i + 1) == "\u5e74" and not gap:
        step = 2
    elif gap not in _JOINTS:
        return None
    if words.between(i + step) in ("/", ".") and _YEAR.fullmatch(_form(words, i + step + 1)):
        # The month of the next date: 09.2025-06.2026.
        return None
    month = _number(_form(words, i + step), 12)
    if month is None or not _form(words, i + step).isdecimal():
        return None
    last, day = i + step, None
    if gap and words.between(last) == gap and len(_form(words, last + 1)) <= 2:
        day = _number(_form(words, last + 1), 31)
    last += day is not None
    return Mention(year, (month,), day, i, last)


def _named_before(words: Words, i: int, year: int) -> Mention | None:
    """Read March 2019, 15 March 2019, March 15, 2019, 15 de marzo de 2019, Q1 2019."""
    at = i - 1
    if _form(words, at) in _OF and _close(words, at):
        at -= 1
    months = _NAMED.get(_form(words, at)) if at >= 0 and _close(words, at) else None
    if months is not None:
        before = at - 1
        if _form(words, before) in _OF:
            before -= 1
        day = _number(_form(words, before), 31) if before >= 0 and _close(words, before) else None
        return Mention(year, months, day, at if day is None else before, i)
    day = _number(_form(words, at), 31)
    months = MONTHS.get(_form(words, at - 1)) if at >= 1 else None
    if day is None or months is None or not (_close(words, at - 1) and _close(words, at)):
        return None
    return Mention(year, months, day, at - 1, i)


def _numbers_before(words: Words, i: int, year: int) -> Mention | None:
    """Read 03/2019, 15.03.2019 and 03/15/2019; what can be read two ways is read both ways."""
    gap = words.between(i - 1) if i else ""
    near = _number(_form(words, i - 1), 31) if gap in _JOINTS else None
    if near is None or (gap == "-" and _YEAR.fullmatch(_form(words, i - 2))):
        # The latter is the month of the date before: 2018-03-2019-05.
        return None
    far = _number(_form(words, i - 2), 31) if i >= 2 and words.between(i - 2) == gap else None
    if far is None:
        return Mention(year, (near,), None, i - 1, i) if near <= 12 else None
    months = tuple(sorted({n for n in (near, far) if n <= 12}))
    if not months:
        return None
    day = None if len(months) > 1 or near == far else (near if far in months else far)
    return Mention(year, months, day, i - 2, i)


def _short_year(words: Words, i: int) -> int | None:
    """Read the year of Jan '19 and Jan-19, where word `i` is the month."""
    form, gap = _form(words, i + 1), words.between(i)
    if len(form) != 2 or not form.isdecimal() or not gap:
        return None
    return _century(form) if gap.strip(" .") in ("'", "\u2019", "-", "\u2018") else None


def _slashed(words: Words, i: int) -> int | None:
    """Read the year of 06/19, where word `i` is the month and no third number follows."""
    form = _form(words, i + 1)
    if words.between(i) != "/" or len(form) != 2 or not form.isdecimal():
        return None
    around = (words.between(i - 1) if i else "", words.between(i + 1))
    return None if "/" in around else _century(form)


def _century(two: str) -> int:
    return int(two) + (2000 if int(two) <= 40 else 1900)


def _in_ranges(words: Words, found: list[Mention]) -> list[Mention]:
    """Give each date its role, and add the ends that are written short."""
    made: list[Mention] = []
    for mention in found:
        before = _month_before(words, mention)
        if before is not None:
            made.append(before)
        made.append(mention)
        short = _short_end(words, mention)
        if short is not None:
            made.append(short)
    for k, (one, two) in enumerate(pairwise(made)):
        gap = words.text[words.ends[one.last] : words.starts[two.first]]
        if len(gap) <= 16 and _RANGE.fullmatch(gap):
            made[k] = replace(made[k], role=Role.START)
            made[k + 1] = replace(two, role=Role.END)
    return [_lasting(words, m) for m in made]


def _month_before(words: Words, mention: Mention) -> Mention | None:
    """Read the start of Jan - Mar 2019."""
    at = mention.first - 1
    at -= _form(words, at) in _TO
    if at < 0 or not mention.months:
        return None
    gap = words.text[words.ends[at] : words.starts[mention.first]]
    months = MONTHS.get(_form(words, at)) if len(gap) <= 16 and _RANGE.fullmatch(gap) else None
    return Mention(mention.year, months, None, at, at) if months else None


def _short_end(words: Words, mention: Mention) -> Mention | None:
    """Read the end of 2019-21."""
    form, gap = _form(words, mention.last + 1), words.between(mention.last)
    if mention.months or gap not in _TIGHT - {".", "/"} or len(form) != 2 or not form.isdecimal():
        return None
    year = mention.year // 100 * 100 + int(form)
    at = mention.last + 1
    return Mention(year, (), None, at, at) if year > mention.year else None


def _lasting(words: Words, mention: Mention) -> Mention:
    """Mark the start of a range whose end is `present`."""
    after = mention.last + 1
    after += _form(words, after) in _TO
    if _form(words, after) in _NOW and mention.role is not Role.END:
        gap = words.text[words.ends[mention.last] : words.starts[after]]
        if len(gap) > 16 or not _RANGE.fullmatch(gap):
            return mention
        return replace(mention, role=Role.START, lasts=True)
    if _form(words, mention.first - 1) in _SINCE and mention.role is Role.SINGLE:
        return replace(mention, role=Role.START, lasts=True)
    return mention

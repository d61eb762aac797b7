"""Numbers as people write them: grouped, with units and percent signs, or in words. Pure.

A way of writing that can be read two ways counts both ways: `1.250` is a thousand and more in one
country and one and a quarter in another. Values are compared as decimals in one spelling.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from plugins.core.words import Words, words_of

_DIGITS: Final = re.compile(r"(\d{1,40})([a-z]{0,4})")
_SCALES: Final = {
    "k": 3, "tsd": 3, "thousand": 3, "thousands": 3, "m": 6, "mn": 6, "mm": 6, "mio": 6,
    "million": 6, "millions": 6, "millionen": 6, "b": 9, "bn": 9, "mrd": 9, "billion": 9,
    "billions": 9, "milliarden": 9, "lakh": 5, "lakhs": 5, "crore": 7, "crores": 7,
}  # fmt: skip
_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPELLED: Final = (
    {name: n for n, name in enumerate(_ONES.split())}
    | {name: 10 * n for n, name in enumerate(_TENS.split(), 2)}
    | {"hundred": 100, "thousand": 1000, "dozen": 12}
)
_UNITS: Final = frozenset(_SCALES) | {"percent", "pct"}
_GROUPS: Final = frozenset(" \u00a0\u202f\u2009'\u2019")
_JOINTS: Final = frozenset(".,") | _GROUPS
_MOST_PARTS: Final = 6


def numbers_in(words: Words, at: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Find all numbers of a text.

    Args:
        words: of the text.
        at: where each word stands, by its form.

    Returns:
        Each number in one spelling, and the word at which it first stands.
    """
    found: dict[str, int] = {}
    places = [i for form, held in at.items() if _begins_number(form) for i in held]
    for values, first in _runs(words, sorted(places)):
        for value in values:
            found.setdefault(value, first)
    return found


def _begins_number(form: str) -> bool:
    return form in _SPELLED or (form[0].isdecimal() and form.isascii())


def runs_in(words: Words) -> Iterator[tuple[frozenset[str], int]]:
    """Give each number of a text, with all ways to read it, and its first word."""
    return _runs(words, range(len(words)))


def numbers_of(text: str) -> list[tuple[frozenset[str], str]]:
    """Find the numbers of a short text, each with all ways to read it and its first word."""
    words = words_of(text)
    return [(values, words.original(first, first)) for values, first in runs_in(words)]


def spelling_of(value: float) -> str | None:
    """Give a number in the one spelling; None where it has none."""
    try:
        return _spelt(Decimal(str(value)))
    except InvalidOperation:
        return None


def _spelt(value: Decimal) -> str:
    return format(abs(value).normalize(), "f") if value else "0"


def _runs(words: Words, places: Sequence[int]) -> Iterator[tuple[frozenset[str], int]]:
    """Give the possible values of each number that begins at one of some words, and that word."""
    forms, behind = words.forms, 0
    for at in places:
        if at < behind:
            continue
        form = forms[at]
        if form[0].isdecimal() and form.isascii():
            last = _end_of_run(words, at)
            yield _values(words, at, last), at
            behind = last + 1
        elif form in _SPELLED:
            yield frozenset(_in_words(words, at)), at


def _end_of_run(words: Words, first: int) -> int:
    """Find the last word of a number whose parts are joined by points, commas or thin spaces."""
    forms, last = words.forms, first
    while last - first < _MOST_PARTS and forms[last].isdecimal():
        gap = words.between(last)
        if gap not in _JOINTS or not _DIGITS.fullmatch(forms[last + 1]):
            break
        # A space groups thousands only: `2019 2021` and `3 500` differ by that alone.
        if gap in _GROUPS and not _is_group(forms[last], forms[last + 1]):
            break
        last += 1
    return last


def _is_group(before: str, after: str) -> bool:
    digits = _DIGITS.fullmatch(after)
    return digits is not None and len(digits[1]) == 3 and len(before) <= 3


def _values(words: Words, first: int, last: int) -> frozenset[str]:
    form = words.forms[last]
    if first == last and form.isdecimal() and _stands_alone(words, last):
        return frozenset({form.lstrip("0") or "0"})
    tail = _DIGITS.fullmatch(form)
    if tail is None:
        return frozenset()
    parts = [*words.forms[first:last], tail[1]]
    gaps = [words.between(i) for i in range(first, last)]
    values = {Decimal(text) for text in _readings(parts, gaps)}
    scale = _SCALES.get(tail[2] or _next_word(words, last))
    behind = words.text[words.ends[last] : words.ends[last] + 2].lstrip()
    made = set(values)
    if scale is not None:
        made |= {value.scaleb(scale) for value in values}
    if behind.startswith("%") or _next_word(words, last) in ("percent", "pct"):
        made |= {value.scaleb(-2) for value in values}
    return frozenset(_spelt(value) for value in made)


def _stands_alone(words: Words, at: int) -> bool:
    """Tell whether neither a unit nor a percent sign follows."""
    if "%" in words.text[words.ends[at] : words.ends[at] + 2]:
        return False
    return at + 1 >= len(words.forms) or words.forms[at + 1] not in _UNITS


def _next_word(words: Words, at: int) -> str:
    between = words.between(at)
    return words.forms[at + 1] if between and between.isspace() else ""


def _readings(parts: list[str], gaps: list[str]) -> Iterator[str]:
    """Give each way to read the parts of a number as one number, else each part by itself."""
    if not gaps:
        yield parts[0]
        return
    grouped = all(len(part) == 3 for part in parts[1:]) and len(parts[0]) <= 3
    if grouped and len({gap for gap in gaps if gap in ".,"}) <= 1:
        yield "".join(parts)
    mark = gaps[-1]
    if mark in ".," and mark not in gaps[:-1]:
        whole = parts[:-1]
        if len(whole) == 1 or all(len(part) == 3 for part in whole[1:]):
            yield "".join(whole) + "." + parts[-1]
            return
    if not grouped:
        yield from parts


def _in_words(words: Words, at: int) -> Iterator[str]:
    """Read `five`, `twenty-five`, `two hundred`."""
    forms = words.forms
    value = _SPELLED[forms[at]]
    yield _spelt(Decimal(value))
    follower = _SPELLED.get(forms[at + 1]) if at + 1 < len(forms) else None
    if follower is None or words.between(at) not in ("-", " "):
        return
    if 20 <= value < 100 and follower < 10:
        yield _spelt(Decimal(value + follower))
    elif follower in (100, 1000):
        yield _spelt(Decimal(value * follower))

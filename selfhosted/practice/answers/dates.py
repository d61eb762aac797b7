"""Dates and ranges of dates as resumes write them."""

import re
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_YEAR = r"(?:19|20)\d\d"
_DATE = (
    rf"(?:{_NAME}\.?,?\s+{_YEAR}|{_YEAR}[-/.](?:1[0-2]|0?[1-9])(?!\d)"
    rf"|(?:1[0-2]|0?[1-9])[/.]{_YEAR}|{_YEAR})"
)
_NOW = r"(?:present|current|currently|now|today|ongoing|date)"
_RANGE = re.compile(
    rf"\(?\s*(?:from\s+)?\b(?P<start>{_DATE})\s*(?:-{{1,2}}|[\u2010-\u2015]|to|until|till|through)"
    rf"\s*(?P<end>{_DATE}|{_NOW})\b\s*\)?|\(?\s*\b(?:since)\s+(?P<since>{_DATE})\s*\)?",
    re.IGNORECASE,
)
_SINGLE = re.compile(rf"\b{_DATE}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A range of months in a line, `YYYY-MM`; no end means that it lasts.

    Attributes:
        rest: the line without the range.
    """

    start: str
    end: str | None
    rest: str

    @property
    def months(self) -> int:
        """Length in months; a span that lasts has none that could be known."""
        if self.end is None:
            return 0
        return _months(self.end) - _months(self.start) + 1


def _months(date: str) -> int:
    return int(date[:4]) * 12 + int(date[5:7])


def span(line: str) -> Span | None:
    """Find the first range of dates in a line."""
    found = _RANGE.search(line)
    if found is None:
        return None
    rest = f"{line[: found.start()]} {line[found.end() :]}"
    if found["since"]:
        return Span(month(found["since"]), None, rest)
    lasts = re.fullmatch(_NOW, found["end"], re.IGNORECASE)
    return Span(month(found["start"]), None if lasts else month(found["end"], last=True), rest)


def month(date: str, *, last: bool = False) -> str:
    """Write a date as `YYYY-MM`; a bare year is its first month, or its last if `last`."""
    year = re.search(_YEAR, date)
    if year is None:
        return ""
    name = re.match(r"[a-z]{3}", date.lower())
    number = re.search(r"\d{1,2}", date[: year.start()] + " " + date[year.end() :])
    if name is not None:
        at = _MONTHS.index(name[0]) + 1
    else:
        at = int(number[0]) if number is not None else (12 if last else 1)
    return f"{year[0]}-{at:02}"


def single(line: str) -> str | None:
    """Find one date in a line, `YYYY-MM`, or `YYYY` when no month is given."""
    found = _SINGLE.search(line)
    if found is None:
        return None
    return found[0] if re.fullmatch(_YEAR, found[0]) else month(found[0])

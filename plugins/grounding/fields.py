"""What kind of statement a field of a structured answer makes, by its name and its value. Pure."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from plugins.core.json_text import Path
from plugins.core.words import listed, phrase_of
from plugins.grounding.dates import asked_date, is_now


class Kind(StrEnum):
    """How a field is looked for in the source."""

    PHRASE = "phrase"
    """A name, title, skill, degree, place: its words, in any case and punctuation."""
    DATE = "date"
    NUMBER = "number"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    TEXT = "text"
    """A sentence or more: by overlap."""
    LASTS = "lasts"
    """Whether a range of dates has not ended yet."""
    JUDGEMENT = "judgement"
    """The model's own opinion or sum: not in any source."""


_JUDGED: Final = listed(
    "score confidence recommendation decision rating verdict match rank fit level seniority "
    "category type kind status priority sentiment label language_code locale currency unit "
    "probability percentile relevance weight id uuid index version schema source"
)
# `matched_skills` only sounds like a judgement.
_SKILLS: Final = frozenset({"skill", "skills", "name", "title"})
_DERIVED: Final = listed("total count duration months age")
_LONGEST_NAME: Final = 100
_WORDS_OF_NAME: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_DATE_NAMES: Final = listed(
    "date start end from to until since year years graduation graduated issued expires month "
    "started ended begin finish"
)
_PHONE_NAMES: Final = listed("phone telephone tel mobile cell fax whatsapp")
_URL_NAMES: Final = listed("url link linkedin github website homepage portfolio gitlab twitter web")
_TEXT_NAMES: Final = listed(
    "description summary reason reasons explanation strengths gaps text comment rationale "
    "responsibilities achievements highlights evidence bio objective note notes"
)
_LASTS_NAMES: Final = listed("current ongoing present")
_MAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}\.[^\s@.]{2,}")
_ADDRESS: Final = re.compile(r"(?:https?://\S+|www\.\S+|[\w-]{2,}\.[a-z]{2,6}/\S*)", re.IGNORECASE)
_NUMERIC: Final = re.compile(
    r"[^\w]{0,3}[\d.,'\u2019 \u00a0\u202f]{1,40}"
    r"(?:[%kKmMbB+]{0,2}|thousand|million|billion|percent|mio|mrd|lakh|crore)"
    r"(?: ?(?:[$\u20ac\u00a3]|usd|eur|gbp|inr))?",
    re.IGNORECASE,
)
_CALL_NUMBER: Final = re.compile(r"[+(]?[\d().\-/ \u00a0]{7,25}")
_HAS_DIGIT: Final = re.compile(r"\d")
_LONGEST_ADDRESS: Final = 330
_LONG_PHRASE: Final = 20
_MANY_WORDS: Final = 9


def names_of(path: Path) -> frozenset[str]:
    """Give the words of the name nearest to a value: `startDate` of `jobs[0].startDate`."""
    for step in reversed(path):
        if isinstance(step, str):
            return _words_of(step)
    return frozenset()


@lru_cache(maxsize=1024)
def _words_of(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORDS_OF_NAME.findall(name[:_LONGEST_NAME]))


def kind_of(path: Path, value: Any) -> Kind:
    """Tell what kind of statement a value makes.

    Args:
        path: where it stands.
        value: a string, number or bool.
    """
    names = names_of(path)
    if isinstance(value, bool):
        return Kind.LASTS if names & _LASTS_NAMES else Kind.JUDGEMENT
    if names & _JUDGED and not names & _SKILLS:
        return Kind.JUDGEMENT
    if isinstance(value, (int, float)):
        return _kind_of_number(names, value)
    return _kind_of_string(names, str(value))


def is_derived(path: Path) -> bool:
    """Tell whether a number may be a sum of the source's and need not stand there."""
    names = names_of(path)
    return bool(names & _DERIVED) or ("years" in names and bool(names & {"exp", "experience"}))


def _kind_of_number(names: frozenset[str], value: float) -> Kind:
    is_year = isinstance(value, int) and 1900 <= value < 2100
    return Kind.DATE if is_year and names & _DATE_NAMES else Kind.NUMBER


def _kind_of_string(names: frozenset[str], value: str) -> Kind:
    text = value.strip()
    if names & _DATE_NAMES and is_now(text):
        return Kind.LASTS
    if names & _URL_NAMES:
        return Kind.URL
    if names & _PHONE_NAMES:
        return Kind.PHONE
    return _kind_by_shape(text) or _kind_by_length(names, text)


def _kind_by_shape(text: str) -> Kind | None:
    if len(text) < _LONGEST_ADDRESS:
        if "@" in text and _MAIL.fullmatch(text):
            return Kind.EMAIL
        if ("/" in text or "www" in text) and _ADDRESS.fullmatch(text):
            return Kind.URL
    if not _HAS_DIGIT.search(text):
        return None
    if asked_date(text) is not None:
        return Kind.DATE
    if text[0] == "+" and _CALL_NUMBER.fullmatch(text):
        return Kind.PHONE
    if _NUMERIC.fullmatch(text):
        return Kind.NUMBER
    return Kind.PHONE if _CALL_NUMBER.fullmatch(text) else None


def _kind_by_length(names: frozenset[str], text: str) -> Kind:
    is_long = len(text) > _LONG_PHRASE and len(phrase_of(text)) > _MANY_WORDS
    return Kind.TEXT if names & _TEXT_NAMES or is_long else Kind.PHRASE

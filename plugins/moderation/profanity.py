"""Profanity in candidates' answers: own words, own normalising, names and towns safe.

Words are looked for as words. Letters may be repeated, replaced by the usual signs (`sh1t`, `f*ck`)
or set apart (`f u c k`), endings may follow; a word that merely holds one (Scunthorpe, Cockburn,
cocktail, assess) is another word. What is also somebody's name is believed only where it cannot be
one; what is also an animal, a tool or a word of another language, where nothing beside it says so.
Nothing inside an address, of mail or of the web, a handle or a file's name is profane.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final

from plugins.moderation.addresses import in_address, is_mail_sign
from plugins.moderation.ordinary_words import is_ordinary
from plugins.moderation.profanity_words import (
    FOREIGN,
    INNOCENT,
    INSIDE,
    MILD,
    NAMES,
    SEVERE,
    STRONG,
)
from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text, View

_ENDINGS: Final = [
    "",
    "s",
    "z",
    "es",
    "ed",
    "er",
    "ers",
    "erz",
    "in",
    "ing",
    "ings",
    "y",
    "ier",
    "iest",
    "ish",
    "head",
    "heads",
    "face",
    "faces",
    "hole",
    "holes",
    "ass",
    "tard",
    "wit",
    "wits",
    "bag",
    "bags",
    "ness",
    "a",
    "as",
    "az",
]
_SCORES: Final = {
    word + ending: score
    for score, words in ((0.4, MILD), (0.8, STRONG), (1.0, SEVERE))
    for word in words
    for ending in _ENDINGS
    if word + ending not in INNOCENT
} | dict.fromkeys(FOREIGN, 0.8)
_INSIDE_SCORE: Final = 0.9

# A sign may stand for several letters: each reading is tried.
_READINGS: Final = tuple(
    str.maketrans("@483056$79!+|1v(#", letters)
    for letters in ("aabeosbstgitiiuch", "aabeosbstgitlluch", "aabeozbstgltilvkh")
)
_REPEATED: Final = re.compile(r"(.)\1{2,}")
_DOUBLED_VOWEL: Final = re.compile(r"([aiu])\1")
_MOST_HIDDEN: Final = 4
_MOST_TOKENS: Final = 4_096

_TOKEN: Final = re.compile(
    r"(?<![\w@$*!])[A-Za-z@$5(!|][A-Za-z0-9@$!*+|#(']{0,30}[A-Za-z0-9@$*](?![\w@$*])"
)
_WORDS: Final = "|".join(sorted((*MILD, *STRONG, *SEVERE, *FOREIGN)))
_RULE: Final = Rule(
    "profanity",
    rf"[^a-z0-9](?:{_WORDS})|"
    rf"{'|'.join(sorted(INSIDE))}|"
    # repeated letters, signs and stars inside a word
    r"aaa|bbb|ccc|eee|fff|ggg|hhh|iii|kkk|ooo|sss|ttt|uu|ii|aa|"
    r"[a-z][@$*!|][@$*!|]{0,3}[a-z]|[^a-z][@$][a-z$]{2}|[@$][$]{2}|[^a-z0-9][a-z]{1,3}[0-9]{1,2}[a-z]|"
    r"[*][*]{1,3}[a-z]",
    _TOKEN,
    before=24,
    after=30,
)
_NAME_BEFORE: Final = re.compile(r"(?:[A-Z][\w'.\-]*|[a-z]\.|,)\s{1,2}\Z")
_NAME_AFTER: Final = re.compile(r"(?:['\u2019]s)?[\s,]{1,2}(?:[A-Z][\w'\-]*|and\s+[A-Z])")


class Profanity:
    """Finds profanity (`profanity`): slurs score 1.0, strong words 0.8, mild ones 0.4.

    Args:
        least: the lowest score that is reported; 0.5 leaves the mild ones alone.
    """

    check = "profanity"
    rules = (_RULE,)

    def __init__(self, least: float = 0.5) -> None:
        self._least = least

    def find(self, text: Text) -> list[Hit]:
        """Give the profane words in a text."""
        return once([hit for view in text.views for hit in self._in(view, text.original)])

    def _in(self, view: View, original: str) -> Iterator[Hit]:
        for match in _RULE.matches(_without_mail(view)):
            score = _score(match[0].lower())
            if score >= self._least and not (
                _is_name(match) or is_ordinary(match[0].lower(), match.string, *match.span())
            ):
                placed = view.place(*match.span())
                # Of an address with escapes in it, only a part was read again.
                if not (in_address(view.text, *match.span()) or in_address(original, *placed)):
                    yield Hit("profanity", *placed, score)


def _without_mail(view: View) -> View:
    # The sign of an address was spotted too, as one that may stand for a letter.
    spots = view.spots.get(_RULE.name, ())
    left = tuple(spot for spot in spots if not _is_mail(view.text, spot))
    return view if len(left) == len(spots) else replace(view, spots={_RULE.name: left})


def _is_mail(text: str, spot: int) -> bool:
    sign = text.rfind("@", max(0, spot - 3), spot)
    return sign >= 0 and is_mail_sign(text, sign)


@lru_cache(_MOST_TOKENS)
def _score(token: str) -> float:
    if token in INNOCENT:
        return 0.0
    return max(map(_known, _forms(token)), default=0.0)


def _forms(token: str) -> Iterator[str]:
    # Letters repeated for emphasis stand for one or for two.
    for plain in {token, *(token.translate(reading) for reading in _READINGS)}:
        yield plain
        if _REPEATED.search(plain) or _DOUBLED_VOWEL.search(plain):
            yield _REPEATED.sub(r"\1\1", plain)
            yield _DOUBLED_VOWEL.sub(r"\1", _REPEATED.sub(r"\1", plain))


def _known(form: str) -> float:
    score = _SCORES.get(form, 0.0)
    if score or form in INNOCENT:
        return score
    if any(word in form for word in INSIDE):
        return _INSIDE_SCORE
    return _hidden(form) if "*" in form else 0.0


def _hidden(form: str) -> float:
    # f*ck, s**t: any word that fits, if enough of it shows.
    stars = form.count("*")
    if stars > _MOST_HIDDEN or stars * 2 > len(form) + (form[0] != "*"):
        return 0.0
    fits = re.compile(re.escape(form).replace(r"\*", "[a-z]"))
    return max((score for word, score in _STARRED.items() if fits.fullmatch(word)), default=0.0)


_STARRED: Final = {
    word: score
    for word, score in _SCORES.items()
    if word.startswith(
        ("fuck", "shit", "bitch", "cunt", "ass", "dick", "cock", "puss", "nigg", "fag")
    )
    or word in {"bullshit", "motherfucker", "motherfucking", "bastard", "whore", "twat", "wanker"}
}
"""Words that people write with stars; others would fit too much."""


def _is_name(match: re.Match[str]) -> bool:
    # Dick, Dick Smith, Mr. Dick: a capital in a text that has small letters too. In capitals only
    # beside another capitalised word.
    found, text = match[0], match.string
    if found.lower() not in NAMES or not found[0].isupper():
        return False
    beside = (
        _NAME_BEFORE.search(text, max(0, match.start() - 24), match.start()) is not None
        or _NAME_AFTER.match(text, match.end()) is not None
    )
    return beside or found[1:].islower()

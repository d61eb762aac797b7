"""Profanity in candidates' answers: own words, own normalising, names and towns safe.

Words are looked for as words. Letters may be doubled, replaced by the usual signs (`sh1t`, `f*ck`)
or set apart (`f u c k`), endings may follow; a word that merely holds one (Scunthorpe, Cockburn,
cocktail, assess) is another word. What is also somebody's name is believed only where it cannot be
one.
"""

import re
from collections.abc import Iterable
from typing import Final

from plugins.moderation.profanity_words import (
    INNOCENT,
    INSIDE,
    MILD,
    NAMES,
    SEVERE,
    STRONG,
)
from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text, View

_SIGNS: Final = {
    "a": "a@4*",
    "b": "b8*",
    "c": "ck(*",
    "e": "e3*",
    "g": "g9*",
    "h": "h*#",
    "i": "i1!|*",
    "k": "ck*",
    "l": "l1|*",
    "o": "o0*",
    "s": "s$5z*",
    "t": "t7+*",
    "u": "uv*",
    "x": "xk*",
}
_ENDINGS: Final = r"(?:s|z|es|ed|er|ers|erz|in|ing|ings|y|ier|iest|ish|head|heads|face|faces|hole|holes|ass|tard|wit|wits|bag|bags|ness)?"
_SCORES: Final = ((1.0, SEVERE), (0.8, STRONG), (0.4, MILD))


def _letter(letter: str, *, first: bool) -> str:
    # The first letter stands as it is or as a sign that is no star: else any word would do.
    signs = _SIGNS.get(letter, letter + "*")
    signs = signs.replace("*", "") if first else signs
    return f"[{re.escape(signs)}]" + ("{1,6}" if letter.isalpha() else "")


def _word(word: str) -> str:
    return "".join(_letter(letter, first=place == 0) for place, letter in enumerate(word))


def _shape(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(
        rf"(?<![\w@$*])(?:{'|'.join(map(_word, longest_first))}){_ENDINGS}(?![\w@$*])",
        re.IGNORECASE,
    )


def _rule(words: frozenset[str], score: float) -> Rule:
    # One cheap pattern for all: only its hits are looked at closely.
    spot = rf"[^a-z0-9_@$*](?:{'|'.join(sorted(map(_word, words)))})"
    return Rule(f"profanity.{score}", spot, _shape(words), before=60, after=24)


def _inside() -> Rule:
    words = "|".join(sorted(map(_word, INSIDE)))
    shape = rf"(?<![\w@$*])[\w@$!]{{0,16}}?(?:{words})[\w@$!*]{{0,16}}"
    return Rule("profanity.inside", words, re.compile(shape, re.IGNORECASE), before=60, after=24)


_RULES: Final = (
    *((_rule(words, score), score) for score, words in _SCORES),
    (_inside(), 0.9),
)
_LETTERS: Final = re.compile(r"[^a-z]")
_NAME_BEFORE: Final = re.compile(r"(?:[A-Z][\w'.\-]*|[a-z]\.|,)\s{1,2}\Z")
_NAME_AFTER: Final = re.compile(r"(?:['’]s)?[\s,]{1,2}(?:[A-Z][\w'\-]*|and\s+[A-Z])")
_FEWEST_LETTERS: Final = 2


class Profanity:
    """Finds profanity (`profanity`): slurs score 1.0, strong words 0.8, mild ones 0.4.

    Args:
        least: the lowest score that is reported; 0.5 leaves the mild ones alone.
    """

    check = "profanity"

    def __init__(self, least: float = 0.5) -> None:
        self._rules = tuple((rule, score) for rule, score in _RULES if score >= least)
        self.rules = tuple(rule for rule, _ in self._rules)

    def find(self, text: Text) -> list[Hit]:
        """Give the profane words in a text."""
        return once([hit for view in text.views for hit in self._in(view)])

    def _in(self, view: View) -> list[Hit]:
        return [
            Hit("profanity", *view.place(*match.span()), score)
            for rule, score in self._rules
            for match in rule.matches(view)
            if not _is_innocent(match)
        ]


def _is_innocent(match: re.Match[str]) -> bool:
    found = match[0]
    letters = _LETTERS.sub("", found.lower())
    if len(letters) < _FEWEST_LETTERS or letters in INNOCENT:
        return True
    return letters in NAMES and _is_name(match)


def _is_name(match: re.Match[str]) -> bool:
    # Dick, Dick Smith, Mr. Dick: a capital in a text that has small letters too. In capitals only
    # beside another capitalised word.
    found, text = match[0], match.string
    if not found[0].isupper():
        return False
    beside = (
        _NAME_BEFORE.search(text, max(0, match.start() - 24), match.start()) is not None
        or _NAME_AFTER.match(text, match.end()) is not None
    )
    return beside or found[1:].islower()

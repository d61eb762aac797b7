"""Hostile language, judged offline: stands in when the moderation API cannot be reached.

A sum of hand-set weights for words, turns of phrase and shouting, turned into a number between 0
and 1. It is cruder than a trained model and it can be read: every part of a score has a name.
"""

import math
import re
from bisect import bisect_right
from typing import Final

from plugins.moderation.profanity import Profanity
from plugins.moderation.rules import Hit, Rule
from plugins.moderation.text import Text
from plugins.moderation.toxicity_words import ENDINGS, PHRASES, TRIGGERS, WORDS

_TOKEN: Final = re.compile(r"[a-z][a-z'$@]*")
_SENTENCE: Final = re.compile(r"[^.!?\n]{1,600}[.!?\n]{0,8}")
_PHRASES: Final = tuple((weight, re.compile(rf"(?<!\w)(?:{shape})")) for weight, shape in PHRASES)
_SHOUT: Final = re.compile(r"\b[A-Z]{4,}\b(?:\W+\b[A-Z]{2,}\b){2,}")
_MARKS: Final = re.compile(r"!{2,}|\?{2,}|[!?]{3,}")
_HOSTILE_WORDS: Final = "|".join(sorted(word for word, weight in WORDS.items() if weight > 0))
_RULE: Final = Rule(
    "toxicity",
    rf"[^a-z](?:{_HOSTILE_WORDS})[^a-z]|{'|'.join(TRIGGERS)}|[a-z](?:tard|turd|crap)",
    re.compile(""),
)
_STEEPNESS: Final = 0.8
_SHOUTED: Final = 0.5
_MARKED: Final = 0.3
_PROFANE: Final = {1.0: 2.5, 0.9: 1.6, 0.8: 1.4}
_LEAST_LENGTH_OF_ENDING: Final = 6


class Toxicity:
    """Finds hostile language (`toxic_language`), sentence by sentence.

    Args:
        threshold: the lowest score of a sentence that is reported, 0 to 1.
    """

    check = "toxicity"

    def __init__(self, threshold: float = 0.7) -> None:
        self._threshold = threshold
        self._profanity = Profanity()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What a reader must spot: profanity, and the words without which nothing is hostile."""
        return (*self._profanity.rules, _RULE)

    def score(self, text: Text) -> float:
        """Tell how hostile a text is as a whole: every word is weighed, about 1.4 ms per 1K tokens.

        Returns:
            0 (not at all) to 1; a ranking, not a probability.
        """
        weight = hostility(text.views[0].text)
        weight += sum(_PROFANE.get(hit.score, 0.0) for hit in self._profanity.find(text)[:8])
        return _squeezed(weight)

    def find(self, text: Text) -> list[Hit]:
        """Give the sentences whose score reaches the threshold."""
        profane = self._profanity.find(text)
        view = text.views[0]
        hits: list[Hit] = []
        spots = view.spots.get(_RULE.name, ())
        for sentence in _SENTENCE.finditer(view.text) if spots or profane else ():
            start, end = view.place(*sentence.span())
            first = bisect_right(spots, sentence.start())
            hostile = first < len(spots) and spots[first] <= sentence.end() + 1
            weight = hostility(sentence[0]) if hostile else 0.0
            weight += sum(
                _PROFANE.get(hit.score, 0.0) for hit in profane if start <= hit.start < end
            )
            if (score := _squeezed(weight)) >= self._threshold:
                hits.append(Hit("toxic_language", start, end, round(score, 3)))
        return hits


def hostility(text: str) -> float:
    """Add up what is hostile in a normalised text, profanity aside.

    Returns:
        0 or more for hostile, below 0 for kind texts.
    """
    lowered = text.lower()
    total = sum(_word(token) for token in _TOKEN.findall(lowered))
    total += sum(
        weight * min(3, sum(1 for _ in shape.finditer(lowered))) for weight, shape in _PHRASES
    )
    total += _SHOUTED * (_SHOUT.search(text) is not None)
    return total + _MARKED * (_MARKS.search(text) is not None and total > 0)


def _word(token: str) -> float:
    weight = WORDS.get(token)
    if weight is not None:
        return weight
    ends = len(token) >= _LEAST_LENGTH_OF_ENDING and token.endswith(ENDINGS)
    return 1.3 if ends and token not in _INNOCENT else 0.0


_INNOCENT: Final = frozenset(["bastard", "mustard", "custard", "leotard", "retard", "scrap"])


def _squeezed(weight: float) -> float:
    return 1.0 / (1.0 + math.exp(-_STEEPNESS * (weight - 1.5)))

"""A protected attribute near a judgement, in what a model writes of a person. Pure.

Four strengths: a prejudice by itself ("too old"), an attribute given as a reason, one that stands
near a judgement in the same clause, and a proxy, which is marked and no more. Facts of a resume
("volunteers at a mosque"), equal-opportunity statements, lawful requirements and statements that an
attribute did not count are left alone.

The text is walked once, word by word; phrases are found by their first word.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from plugins.core.words import listed, phrase_of, words_of
from plugins.grounding.bias_words import LEXICONS, Attribute, Lexicon

MOST_FINDINGS: Final = 100
"""Findings after which a text is not read on: enough for any verdict on it."""
_NEAR_WORDS: Final = 12
_LONGEST_SENTENCE: Final = 150
_END: Final = re.compile(r"(?<=[.!?])[\"')\]]?\s+|\n+")
_CLAUSE_MARKS: Final = frozenset(";:()\u2013\u2014")
_DECADES: Final = frozenset({"forties", "fifties", "sixties", "twenties", "thirties"})


class Strength(StrEnum):
    """How an attribute and a judgement stand to each other."""

    DIRECT = "direct"
    CAUSE = "cause"
    NEAR = "near"
    PROXY = "proxy"


SCORES: Final = {
    Strength.DIRECT: 0.95,
    Strength.CAUSE: 0.9,
    Strength.NEAR: 0.65,
    Strength.PROXY: 0.3,
}
"""How sure each is, 0..1. A ranking, not a measured probability."""


@dataclass(frozen=True, slots=True)
class Bias:
    """One thing found.

    Args:
        attribute: the protected attribute.
        strength: how it stands to the judgement.
        start: offset of the attribute's first character.
        end: offset behind its last.
        judgement: the word of judgement; empty for a direct prejudice and a proxy.
    """

    attribute: Attribute
    strength: Strength
    start: int
    end: int
    judgement: str = ""

    @property
    def score(self) -> float:
        """Give how sure this is, 0..1."""
        return SCORES[self.strength]


class UnknownLanguageError(ValueError):
    """There is no lexicon for a language."""


class Phrases:
    """Phrases that are found by their first word, the longest first.

    Args:
        tagged: each tag's phrases, apart by `|`.
    """

    def __init__(self, tagged: Mapping[Attribute | None, str]) -> None:
        by_first: dict[str, list[tuple[tuple[str, ...], Attribute | None]]] = {}
        for tag, phrases in tagged.items():
            for phrase in phrases.split("|"):
                forms = phrase_of(phrase)
                by_first.setdefault(forms[0], []).append((forms, tag))
        for held in by_first.values():
            held.sort(key=lambda item: -len(item[0]))
        self._by_first = by_first

    def find(self, forms: list[str]) -> Iterator[tuple[int, int, Attribute | None]]:
        """Give each phrase's first word, the one behind its last, and its tag."""
        at = 0
        while at < len(forms):
            for phrase, tag in self._by_first.get(forms[at], ()):
                if len(phrase) == 1 or tuple(forms[at : at + len(phrase)]) == phrase:
                    yield at, at + len(phrase), tag
                    at += len(phrase) - 1
                    break
            at += 1


@dataclass(frozen=True, slots=True)
class _Rules:
    people: Phrases
    ambiguous: Phrases
    deeds: Phrases
    direct: Phrases
    proxies: Phrases
    judgements: Phrases
    harsh: Phrases
    refusals: Phrases
    causes: Phrases
    left_alone: Phrases
    lawful: Phrases
    persons: frozenset[str]
    being: frozenset[str]
    things: frozenset[str]
    breaks: frozenset[str]


@cache
def _rules(language: str) -> _Rules:
    lexicon: Lexicon | None = LEXICONS.get(language)
    if lexicon is None:
        raise UnknownLanguageError(
            f"no words for bias in {language!r}: known are {', '.join(sorted(LEXICONS))}"
        )
    return _Rules(
        people=Phrases({**lexicon.people}),
        ambiguous=Phrases({**lexicon.ambiguous}),
        deeds=Phrases({**lexicon.deeds}),
        direct=Phrases({**lexicon.direct}),
        proxies=Phrases({**lexicon.proxies}),
        judgements=Phrases({None: f"{lexicon.judgements}|{lexicon.harsh}"}),
        harsh=Phrases({None: lexicon.harsh}),
        refusals=Phrases({None: lexicon.refusals}),
        causes=Phrases({None: lexicon.causes}),
        left_alone=Phrases({None: f"{lexicon.equal}|{lexicon.not_counted}"}),
        lawful=Phrases({None: lexicon.lawful}),
        persons=_forms(lexicon.persons),
        being=_forms(lexicon.being),
        things=_forms(lexicon.things),
        breaks=_forms(lexicon.breaks),
    )


def _forms(words: str) -> frozenset[str]:
    return frozenset(form for word in words.split("|") for form in phrase_of(word))


def find_bias(text: str, language: str = "en") -> tuple[Bias, ...]:
    """Find protected attributes that a text judges a person by.

    Args:
        text: what a model wrote of a candidate.
        language: of `LEXICONS`.

    Returns:
        What was found, in order; the strongest for each place.

    Raises:
        UnknownLanguageError: for a language without a lexicon.
    """
    rules = _rules(language)
    words = words_of(text)
    ends = [m.start() for m in _END.finditer(text)]
    found: list[Bias] = []
    first = 0
    while first < len(words.forms) and len(found) < MOST_FINDINGS:
        limit = bisect_right(ends, words.starts[first])
        border = ends[limit] if limit < len(ends) else len(text)
        last = bisect_right(words.starts, border, first)
        last = min(max(last, first + 1), first + _LONGEST_SENTENCE)
        sentence = _Sentence(
            text, words.forms[first:last], words.starts[first:last], words.ends[first:last]
        )
        found += sentence.judge(rules)
        first = last
    return tuple(found[:MOST_FINDINGS])


Hit = tuple[int, int, Attribute | None]
"""A phrase's first word, the one behind its last, and its tag."""


@dataclass(frozen=True, slots=True)
class _Marks:
    """What a sentence has besides attributes."""

    judgements: tuple[Hit, ...]
    harsh: tuple[Hit, ...]
    refusals: tuple[Hit, ...]
    causes: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    forms: list[str]
    starts: list[int]
    ends: list[int]

    def judge(self, rules: _Rules) -> list[Bias]:
        """Give the strongest finding for each place."""
        made: dict[int, Bias] = {}
        covered = _covered(rules.lawful.find(self.forms))
        for strength, phrases in ((Strength.DIRECT, rules.direct), (Strength.PROXY, rules.proxies)):
            for first, last, tag in phrases.find(self.forms):
                if covered.isdisjoint(range(first, last)):
                    made.setdefault(first, self._bias(tag, strength, first, last))
        attributes = [
            hit for hit in self._attributes(rules) if covered.isdisjoint(range(hit[0], hit[1]))
        ]
        if attributes and next(rules.left_alone.find(self.forms), None) is None:
            marks = _Marks(
                tuple(rules.judgements.find(self.forms)),
                tuple(rules.harsh.find(self.forms)),
                tuple(rules.refusals.find(self.forms)),
                tuple(rules.causes.find(self.forms)),
            )
            for first, last, tag, is_deed in attributes:
                bias = self._weigh(rules, marks, first, last, tag, is_deed=is_deed)
                if bias is not None and not _is_known(made.values(), bias):
                    made[first] = bias
        return sorted(made.values(), key=lambda bias: bias.start)

    def _bias(
        self, tag: Attribute | None, strength: Strength, first: int, last: int, judged: str = ""
    ) -> Bias:
        assert tag is not None, "attributes are tagged"  # noqa: S101 - only judgements are not
        return Bias(tag, strength, self.starts[first], self.ends[last - 1], judged)

    # -- attributes ------------------------------------------------------------------------------

    def _attributes(self, rules: _Rules) -> Iterator[tuple[int, int, Attribute | None, bool]]:
        """Give the attributes: first word, behind the last, which, and whether it is a deed."""
        for first, last, tag in rules.people.find(self.forms):
            of_thing = self._form(last) in rules.things or self._is_in_name(first, last)
            yield first, last, tag, of_thing
        for first, last, tag in rules.deeds.find(self.forms):
            yield first, last, tag, True
        for first, last, tag in rules.ambiguous.find(self.forms):
            if self._is_of_person(rules, first, last):
                yield first, last, tag, False
        yield from self._ages()

    def _form(self, at: int) -> str:
        return self.forms[at] if 0 <= at < len(self.forms) else ""

    def _is_of_person(self, rules: _Rules, first: int, last: int) -> bool:
        if self._form(last) in rules.persons and not self._is_in_name(first, last):
            return True
        behind = self._form(first - 1) in rules.being
        return behind and self._form(last) not in rules.things and self._ends_phrase(last)

    def _ends_phrase(self, last: int) -> bool:
        """Tell whether an adjective stands alone: behind it is a mark, a conjunction, nothing."""
        if last >= len(self.forms):
            return True
        gap = self.text[self.ends[last - 1] : self.starts[last]]
        return gap.strip() not in ("", "-") or self.forms[last] in _JOINING

    def _is_in_name(self, first: int, last: int) -> bool:
        """Tell whether the words are part of a name: `Women in Tech`, `Muslim Aid`."""
        if not self.text[self.starts[first]].isupper():
            return False
        behind = last
        if self._form(behind) in {"in", "of", "for", "who"}:
            behind += 1
        after = behind < len(self.forms) and self.text[self.starts[behind]].isupper()
        before = first > 1 and self.text[self.starts[first - 1]].isupper()
        return after or before

    def _ages(self) -> Iterator[tuple[int, int, Attribute | None, bool]]:
        """Find ages: `52 years old`, `aged 58`, `a 61-year-old`, `over 50`."""
        for at, form in enumerate(self.forms):
            if not (len(form) == 2 and form.isdecimal() and form.isascii() and int(form) >= 16):
                continue
            behind, before = self._form(at + 1), self._form(at - 1)
            if behind in ("year", "years", "yr", "yrs") and self._form(at + 2) == "old":
                if before not in ("over", "than") or self._form(at + 3) not in ("company", "firm"):
                    yield at, at + 3, Attribute.AGE, self._form(at - 2) in ("company", "firm")
            elif before == "aged" or (
                before in ("is", "hes", "shes", "turned", "turning", "nearly", "already")
                and self._ends_phrase(at + 1)
            ):
                yield at, at + 1, Attribute.AGE, False

    # -- judgements ------------------------------------------------------------------------------

    def _weigh(
        self,
        rules: _Rules,
        marks: "_Marks",
        first: int,
        last: int,
        tag: Attribute | None,
        *,
        is_deed: bool,
    ) -> Bias | None:
        judged = [j for j in marks.judgements if j[1] <= first or j[0] >= last]
        if not judged:
            return None
        cause = self._caused(marks, first, last, judged[0])
        if cause:
            return self._bias(tag, Strength.CAUSE, first, last, cause)
        if is_deed:
            return None
        clause = self._clause(rules, first, last)
        for begin, end, _ in (*judged, *marks.refusals):
            gap = first - end if end <= first else begin - last
            near = begin in clause or (begin, end, None) in marks.refusals
            if near and 0 <= gap <= _NEAR_WORDS:
                return self._bias(tag, Strength.NEAR, first, last, " ".join(self.forms[begin:end]))
        return None

    def _caused(self, marks: "_Marks", first: int, last: int, judged: "Hit") -> str:
        """Give the judgement that the attribute is the reason of, or nothing.

        Either a reason is joined to the attribute (`because of her pregnancy`) while something is
        judged, or the attribute is followed by what it makes (`a mother, which makes ...`) and by
        a word that speaks against somebody.
        """
        clause_end = first - _NEAR_WORDS // 2
        for begin, end, _ in marks.causes:
            if clause_end <= begin and end <= first and self.forms[begin] not in _FORWARD:
                return " ".join(self.forms[judged[0] : judged[1]])
            if begin >= last and begin - last <= _NEAR_WORDS and self.forms[begin] in _FORWARD:
                harsh = [h for h in marks.harsh if h[0] >= last]
                if harsh:
                    return " ".join(self.forms[harsh[0][0] : harsh[0][1]])
        return ""

    def _clause(self, rules: _Rules, first: int, last: int) -> range:
        """Give the words of the clause that the attribute stands in."""
        begin, end = first, last
        while begin > 0 and not self._breaks(rules, begin):
            begin -= 1
        while end < len(self.forms) and not self._breaks(rules, end):
            end += 1
        return range(begin, end)

    def _breaks(self, rules: _Rules, at: int) -> bool:
        gap = self.text[self.ends[at - 1] : self.starts[at]]
        return self.forms[at] in rules.breaks or not _CLAUSE_MARKS.isdisjoint(gap)


_JOINING: Final = listed("and or so but which who he she they")
_FORWARD: Final = listed(
    "therefore thus hence so consequently means mean makes make made suggests suggest implies "
    "imply indicates lead leads which would will might may"
)


def _covered(found: Iterable[tuple[int, int, Attribute | None]]) -> set[int]:
    return {at for first, last, _ in found for at in range(first, last)}


def _is_known(made: Iterable[Bias], bias: Bias) -> bool:
    """Tell whether a finding as strong stands at the same words already."""
    return any(
        known.start < bias.end and bias.start < known.end and known.strength is not Strength.PROXY
        for known in made
    )

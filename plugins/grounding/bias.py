"""A protected attribute near a judgement, in what a model writes of a person. Pure.

Four strengths: a prejudice by itself ("too old"), an attribute given as a reason, one that stands
near a judgement in the same clause, and a proxy, which is marked and no more. A preference is one
as much as a refusal. Facts of a resume ("volunteers at a mosque"), equal-opportunity statements,
lawful requirements, statements that an attribute did not count and what is said of things
(`bias_heads.py`) are left alone.

The text is walked once, word by word (`bias_rules.py` finds phrases by their first word).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Final

from plugins.core.words import Words, listed, words_of
from plugins.grounding.bias_heads import (
    Said,
    head_of,
    is_possessive,
    joined_head,
    noun_at,
    subject_of,
)
from plugins.grounding.bias_rules import Hit, Marks, Rules, marks_of, rules_of
from plugins.grounding.bias_words import Attribute

MOST_FINDINGS: Final = 100
"""Findings after which a text is not read on: enough for any verdict on it."""
_NEAR_WORDS: Final = 12
_RIGHT_BESIDE: Final = 3
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
    rules = rules_of(language)
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


@dataclass(frozen=True, slots=True)
class _Held:
    """An attribute, and what it is said of.

    Args:
        first: its first word.
        last: the word behind its last.
        tag: which attribute.
        is_deed: it judges nobody, and counts only as a reason.
        head_end: the word behind the noun for people that it ends in or stands before; 0 for none.
    """

    first: int
    last: int
    tag: Attribute | None
    is_deed: bool = False
    head_end: int = 0


@dataclass(frozen=True, slots=True)
class _Sentence(Words):
    def judge(self, rules: Rules) -> list[Bias]:
        """Give the strongest finding for each place."""
        made: dict[int, Bias] = {}
        covered = _covered(rules.lawful.find(self.forms))
        for strength, phrases in ((Strength.DIRECT, rules.direct), (Strength.PROXY, rules.proxies)):
            for first, last, tag in phrases.find(self.forms):
                if not covered.isdisjoint(range(first, last)):
                    continue
                if self._said_of(rules, first, last)[0] not in _NOBODY:
                    made.setdefault(first, self._bias(tag, strength, first, last))
        for held, marks in self._judged(rules, covered):
            bias = self._weigh(rules, marks, held)
            if bias is not None and not _is_known(made.values(), bias):
                made[held.first] = bias
        return sorted(made.values(), key=lambda bias: bias.start)

    def _judged(self, rules: Rules, covered: set[int]) -> Iterator[tuple[_Held, Marks]]:
        """Give the attributes that may be judged by, with what the sentence judges by them."""
        attributes = (
            held
            for held in self._attributes(rules)
            if covered.isdisjoint(range(held.first, held.last))
        )
        first_held = next(attributes, None)
        if first_held is None:
            return
        judged_from, marks = self._judged_from(rules), marks_of(self.forms, rules)
        # Most sentences judge nobody; what their other attributes are said of does not matter.
        if judged_from < len(self.forms) and (marks or "only" in self.forms):
            for held in chain([first_held], attributes):
                if held.first >= judged_from:
                    yield held, marks

    def _judged_from(self, rules: Rules) -> int:
        """Give the word from which on attributes count.

        Where a sentence says that nothing of it counted, or that all are welcome, it is the `but`
        behind that: what follows takes back what was said.
        """
        at = 0
        for first, last, _ in rules.left_alone.find(self.forms):
            if not self._shuts_out(rules, first, last):
                at = last
        while 0 < at < len(self.forms) and self.forms[at] not in _TAKING_BACK:
            at += 1
        return at

    def _shuts_out(self, rules: Rules, first: int, last: int) -> bool:
        """Tell whether it is people who are not considered, and not what they are."""
        said = self.forms[first:last]
        if said[-1] == "considered":
            at = first - 1
            while at >= 0 and self.forms[at] in _AUXILIARIES:
                at -= 1
            if self._form(at).isdecimal():  # applicants over 50
                at -= 2
            return self._form(at) in _ONE or noun_at(self, at, rules.nouns) is Said.PERSON
        if said[-1] in ("consider", "considering"):
            at = last + (self._form(last) in ("any", "the"))
            kind, end = head_of(self, at, rules.nouns, is_wide=True)
            return kind is Said.PERSON and not is_possessive(self, end - 1)
        return False

    def _bias(
        self, tag: Attribute | None, strength: Strength, first: int, last: int, judged: str = ""
    ) -> Bias:
        assert tag is not None, "attributes are tagged"  # noqa: S101 - only judgements are not
        return Bias(tag, strength, self.starts[first], self.ends[last - 1], judged)

    # -- attributes ------------------------------------------------------------------------------

    def _attributes(self, rules: Rules) -> Iterator[_Held]:
        for first, last, tag in rules.people.find(self.forms):
            held = self._held(rules, first, last, tag)
            if held is not None:
                yield held
        for first, last, tag in rules.deeds.find(self.forms):
            yield _Held(first, last, tag, is_deed=True)
        for first, last, tag in rules.ambiguous.find(self.forms):
            if self._is_of_person(rules, first, last):
                held = self._held(rules, first, last, tag)
                if held is not None:
                    yield held
        yield from self._ages(rules)

    def _said_of(self, rules: Rules, first: int, last: int) -> tuple[Said, int]:
        """Give what the words say something of, and the word behind its noun."""
        is_wide = tuple(self.forms[first:last]) in rules.describing
        begin = last + (is_wide and self._form(last) in _ARTICLES)
        if is_wide and self._form(last) == "of":  # the older of the two plants
            begin = last + 2 + (self._form(last + 2) == "two")
        said, end = head_of(self, begin, rules.nouns, is_wide=is_wide)
        if said is Said.UNKNOWN and is_wide:
            said = joined_head(self, last, rules.nouns, rules.adjectives)
            if said is Said.UNKNOWN:
                said = subject_of(self, first, rules.nouns)
            end = last
        return said, end

    def _held(self, rules: Rules, first: int, last: int, tag: Attribute | None) -> _Held | None:
        """Give an attribute as far as it is people's; None where it is a thing's."""
        said, end = self._said_of(rules, first, last)
        nobodys = (Said.THING, Said.BODY) if tag is Attribute.AGE else (Said.THING,)
        if said in nobodys and tuple(self.forms[first:last]) in rules.describing:
            return None
        is_deed = said in _OTHERS or self._is_in_name(first, last)
        if not is_deed and said is not Said.PERSON:
            is_noun = rules.nouns.kind(self, last - 1) is Said.PERSON
            end = last if is_noun or rules.nouns.kind(self, first - 1) is Said.PERSON else 0
        return _Held(first, last, tag, is_deed, end)

    def _form(self, at: int) -> str:
        return self.forms[at] if 0 <= at < len(self.forms) else ""

    def _is_of_person(self, rules: Rules, first: int, last: int) -> bool:
        is_own = self._form(last) in rules.personal or self._form(last) in rules.nouns.persons
        if is_own and not self._is_in_name(first, last):
            return True
        behind = self._form(first - 1) in rules.being
        said, _ = head_of(self, last, rules.nouns, is_wide=False)
        return behind and said not in _OTHERS and self._ends_phrase(last)

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

    def _ages(self, rules: Rules) -> Iterator[_Held]:
        """Find ages: `52 years old`, `aged 58`, `a 61-year-old`, `applicants over 50`."""
        for at, form in enumerate(self.forms):
            if not (len(form) == 2 and form.isdecimal() and form.isascii() and int(form) >= 16):
                continue
            behind, before = self._form(at + 1), self._form(at - 1)
            if behind in ("year", "years", "yr", "yrs") and self._form(at + 2) == "old":
                if before not in ("over", "than") or self._form(at + 3) not in ("company", "firm"):
                    is_deed = self._form(at - 2) in ("company", "firm")
                    yield _Held(at, at + 3, Attribute.AGE, is_deed)
            elif (
                before == "aged"
                or (
                    before in ("is", "hes", "shes", "turned", "turning", "nearly", "already")
                    and self._ends_phrase(at + 1)
                )
                or self._is_bound_of_age(rules, at)
            ):
                yield _Held(at, at + 1, Attribute.AGE)

    def _is_bound_of_age(self, rules: Rules, at: int) -> bool:
        """Tell whether a number is what people's ages are held against: `applicants over 50`."""
        is_of_people = rules.nouns.kind(self, at - 2) is Said.PERSON
        if self._form(at - 1) not in _THAN or not is_of_people:
            return False
        return self._ends_phrase(at + 1) or self._form(at + 1) in _AUXILIARIES

    # -- judgements ------------------------------------------------------------------------------

    def _weigh(self, rules: Rules, marks: Marks, held: _Held) -> Bias | None:
        first, last, tag = held.first, held.last, held.tag
        judged = [j for j in marks.judgements if j[1] <= first or j[0] >= last]
        traits = [t for t in marks.traits if t[0] >= last and not held.is_deed]
        cause = self._caused(marks, held, [*judged, *traits])
        if cause:
            return self._bias(tag, Strength.CAUSE, first, last, cause)
        if held.is_deed:
            return None
        clause = self._clause(rules, first, last)
        for begin, end, _ in (*judged, *marks.refusals):
            gap = first - end if end <= first else begin - last
            near = begin in clause or (begin, end, None) in marks.refusals
            if near and 0 <= gap <= _NEAR_WORDS:
                return self._bias(tag, Strength.NEAR, first, last, self._said((begin, end, None)))
        beside = self._beside(marks, held) if held.head_end else ""
        return self._bias(tag, Strength.NEAR, first, last, beside) if beside else None

    def _said(self, hit: Hit) -> str:
        return " ".join(self.forms[hit[0] : hit[1]])

    def _beside(self, marks: Marks, held: _Held) -> str:
        """Give what asks for such people, takes them alone, or says what their nature is."""
        for ask in marks.asks:
            if 0 <= held.first - ask[1] <= _RIGHT_BESIDE:
                return self._said(ask)
            # Male drivers wanted: asked for behind the noun, of nothing more.
            is_behind = 0 <= ask[0] - held.head_end <= 1 and self.forms[ask[0]] in _SOUGHT
            if is_behind and (self._ends_phrase(ask[1]) or self._form(ask[1]) in _SOUGHT_FOR):
                return self._said(ask)
        for nature in marks.natures:
            if 0 <= nature[0] - held.head_end <= _RIGHT_BESIDE:
                return self._said(nature)
        is_alone = self._form(held.first - 1) == "only" and self._form(held.first - 2) not in _THE
        return "only" if is_alone or self._form(held.head_end) == "only" else ""

    def _caused(self, marks: Marks, held: _Held, judged: list[Hit]) -> str:
        """Give the judgement that the attribute is the reason of, or nothing.

        Either a reason is joined to the attribute (`because of her pregnancy`) while something is
        judged, or the attribute is followed by what it makes (`a mother, which makes ...`) and by
        a word that speaks against somebody; for somebody too, where it says what the person is.
        """
        if not judged:
            return ""
        first, last = held.first, held.last
        clause_end = first - _NEAR_WORDS // 2
        against = marks.harsh
        if not held.is_deed and self._is_predicate(first):
            against = tuple(sorted({*judged, *marks.harsh}, key=lambda hit: hit[0]))
        for begin, end, _ in marks.causes:
            if clause_end <= begin and end <= first and self.forms[begin] not in _FORWARD:
                return self._said(judged[0])
            if begin >= last and begin - last <= _NEAR_WORDS and self.forms[begin] in _FORWARD:
                follows = [hit for hit in against if hit[0] >= end]
                if follows:
                    return self._said(follows[0])
        return ""

    def _is_predicate(self, first: int) -> bool:
        """Tell whether the attribute is what somebody is: `he is Jewish`, `she is a mother`."""
        at = first - 1 - (self._form(first - 1) in _ARTICLES)
        return self._form(at) in _IS

    def _clause(self, rules: Rules, first: int, last: int) -> range:
        """Give the words of the clause that the attribute stands in."""
        begin, end = first, last
        while begin > 0 and not self._breaks(rules, begin):
            begin -= 1
        while end < len(self.forms) and not self._breaks(rules, end):
            end += 1
        return range(begin, end)

    def _breaks(self, rules: Rules, at: int) -> bool:
        gap = self.text[self.ends[at - 1] : self.starts[at]]
        return self.forms[at] in rules.breaks or not _CLAUSE_MARKS.isdisjoint(gap)


_JOINING: Final = listed("and or so but which who he she they")
_FORWARD: Final = listed(
    "therefore thus hence so consequently means mean makes make made suggests suggest implies "
    "imply indicates lead leads which would will might may"
)


_OTHERS: Final = frozenset({Said.THING, Said.BODY, Said.GROUP})
_NOBODY: Final = frozenset({Said.THING, Said.BODY})
_AUXILIARIES: Final = listed("is are was were be been has have had will would can could shall do")
_ONE: Final = listed("he she him i")
_THAN: Final = listed("over under above below")
_ARTICLES: Final = listed("a an")
_IS: Final = listed("is was are were being hes shes")
_TAKING_BACK: Final = listed("but however yet")
_SOUGHT: Final = listed("wanted needed sought")
_SOUGHT_FOR: Final = listed("for as at only in")
_THE: Final = listed("the a an as our their his her its my is was are were")


def _covered(found: Iterable[tuple[int, int, Attribute | None]]) -> set[int]:
    return {at for first, last, _ in found for at in range(first, last)}


def _is_known(made: Iterable[Bias], bias: Bias) -> bool:
    """Tell whether a finding as strong stands at the same words already."""
    return any(
        known.start < bias.end and bias.start < known.end and known.strength is not Strength.PROXY
        for known in made
    )

"""What an attribute is said of: a person, a group of them, or a thing. Pure.

`male` says something of a driver and of a plug, `too old` of an applicant and of a program. Two
places tell: the noun that an adjective stands before (`a young product manager`: the last one of
the run counts), and the subject of the verb that it stands behind (`a program that is too old`).
A noun that is not listed is taken for a person: nothing is overlooked for want of a word.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from plugins.core.words import Words, listed

_LONGEST_RUN: Final = 5
_UNKNOWN_WORDS: Final = 2
"""Words of no known kind between an adjective and its noun: `an older payments system`."""
_PERSON_ENDINGS: Final = (
    "er", "ers", "or", "ors", "ian", "ians", "man", "men", "woman", "women", "person",
)  # fmt: skip
_SHORTEST: Final = 5
_NO_PEOPLE: Final = listed(
    "gender career character chapter number order letter answer error factor color behavior "
    "power matter manner humor semester quarter summer winter water paper center cancer "
    "disorder offer never however rather better earlier later lower higher major minor prior "
    "superior former latter further greater stronger weaker longer shorter newer younger "
    "older whether either neither other another after under labor favor rigor border folder "
    "filter layer lever timer fever shoulder finger dinner remainder"
)
"""Words that end as the names of trades do and are none."""
_STOPS: Final = listed(
    "a an the this that these those his her its our their my your who whom which whose and or but "
    "so nor than as if when while because since though although not no only to of in on at by for "
    "with from into over under about between is are was were be been being am has have had do does "
    "did will would can could may might must shall should he she it they we you i him them us"
)
_WITHIN_PHRASES: Final = frozenset({"", "-", "/", "'", "\u2019"})
"""What stands between the words of one noun phrase: `boys' football`."""
_DETERMINERS: Final = listed(
    "a an the this that these those his her its our their my your each every no any some"
)
_PREPOSITIONS: Final = listed("of from in at with for to on by under over behind within")
_JOINED_BY: Final = listed("and or to")
_DEGREES: Final = listed(
    "too very quite far rather still now already fairly slightly so much even bit a also either "
    "simply just not almost nearly probably really"
)
_VERBS: Final = listed(
    "is are was were be been being become becomes became grown grew got seems seemed looks looked "
    "remains remained has have had would will may might could can"
)
_ALSO_VERBS: Final = listed(
    "support care market code wear office plan design test work value process network club data"
)
"""Nouns that are verbs too: behind a person they say what the person does."""


class Said(StrEnum):
    """What an attribute is said of."""

    PERSON = "person"
    GROUP = "group"
    BODY = "body"
    """A company, a club, a field of work: it has people, and is none."""
    THING = "thing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Nouns:
    """The nouns of a language, by what they name, as they are compared.

    Args:
        persons: people.
        groups: people together, of whom an age is said.
        bodies: what people belong to or work in.
        things: what is no people's.
    """

    persons: frozenset[str]
    groups: frozenset[str]
    bodies: frozenset[str]
    things: frozenset[str]

    def kind(self, words: Words, at: int) -> Said:
        """Tell what the word at a place names."""
        if not 0 <= at < len(words.forms):
            return Said.UNKNOWN
        form = words.forms[at]
        if is_possessive(words, at):
            form = form[:-1]
        if form in self.groups:
            return Said.GROUP
        if form in self.things:
            return Said.THING
        if form in self.bodies:
            return Said.BODY
        if form in self.persons:
            return Said.PERSON
        by_ending = len(form) >= _SHORTEST and form.endswith(_PERSON_ENDINGS)
        is_person = by_ending and form not in _STOPS and form not in _NO_PEOPLE
        return Said.PERSON if is_person else Said.UNKNOWN


def is_possessive(words: Words, at: int) -> bool:
    """Tell whether a word is somebody's: `the applicant's`."""
    if not words.forms[at].endswith("s"):
        return False
    original = words.original(at, at)
    return "'" in original or "\u2019" in original


def head_of(words: Words, last: int, nouns: Nouns, *, is_wide: bool) -> tuple[Said, int]:
    """Give what the noun behind an attribute names, and the place behind that noun.

    Args:
        words: of one sentence.
        last: the place behind the attribute.
        nouns: of its language.
        is_wide: the attribute is an adjective, so that words of no known kind may stand between.
    """
    said, at, unknown = Said.UNKNOWN, last, 0
    while at < min(len(words.forms), last + _LONGEST_RUN):
        if words.between(at - 1).strip() not in _WITHIN_PHRASES or words.forms[at] in _STOPS:
            break
        now = nouns.kind(words, at)
        if now is Said.UNKNOWN:
            # A verb ends in s where the noun before it is one: `a female lacks ...`.
            if said is not Said.UNKNOWN or not is_wide or words.forms[at].endswith("s"):
                break
            unknown += 1
            if unknown > _UNKNOWN_WORDS:
                break
        elif said is Said.PERSON and (now is not Said.BODY or words.forms[at] in _ALSO_VERBS):
            break
        else:
            said = now
        at += 1
        if is_possessive(words, at - 1):
            break
    return said, at


def joined_head(words: Words, last: int, nouns: Nouns, adjectives: frozenset[str]) -> Said:
    """Give what `male and female plugs` or `a young and growing firm` names, from `male` on."""
    if last + 1 >= len(words.forms) or words.forms[last] not in _JOINED_BY:
        return Said.UNKNOWN
    second = words.forms[last + 1]
    if second not in adjectives and not second.endswith(("ing", "ed")):
        return Said.UNKNOWN
    return head_of(words, last + 2, nouns, is_wide=True)[0]


def subject_of(words: Words, first: int, nouns: Nouns) -> Said:
    """Give what an attribute behind a verb of being is said of: `the plant has become too old`.

    Args:
        words: of one sentence.
        first: the attribute's place.
        nouns: of its language.
    """
    at = _back(words, first - 1, _DEGREES)
    behind_verb = _back(words, at, _VERBS)
    if behind_verb == at:
        return Said.UNKNOWN
    at = behind_verb
    if at >= 0 and words.forms[at] in ("that", "which"):
        at -= 1
    if at >= 0 and words.forms[at] == "it":
        return Said.THING
    return noun_at(words, at, nouns)


def noun_at(words: Words, at: int, nouns: Nouns) -> Said:
    """Give what the noun phrase that ends at a place names: the head of `the owner of the firm`."""
    said = nouns.kind(words, at)
    begin = at
    while begin > 0 and at - begin < _LONGEST_RUN and words.forms[begin - 1] not in _STOPS:
        begin -= 1
    if begin > 0 and words.forms[begin - 1] in _DETERMINERS:
        begin -= 1
    if begin > 1 and words.forms[begin - 1] in _PREPOSITIONS:
        return nouns.kind(words, begin - 2)
    return said


def _back(words: Words, at: int, passed: frozenset[str]) -> int:
    """Go back over some words; at most four."""
    stop = at - 4
    while at >= 0 and at > stop and words.forms[at] in passed:
        at -= 1
    return at

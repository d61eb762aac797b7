"""A lexicon made ready for reading: phrases found by their first word, nouns by kind. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from plugins.core.words import phrase_of
from plugins.grounding.bias_heads import Nouns
from plugins.grounding.bias_words import LEXICONS, Attribute, Lexicon

Hit = tuple[int, int, Attribute | None]
"""A phrase's first word, the one behind its last, and its tag."""


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

    def find(self, forms: list[str]) -> Iterator[Hit]:
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
class Rules:
    """One language's `Lexicon`, ready for reading."""

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
    asks: Phrases
    natures: Phrases
    traits: Phrases
    nouns: Nouns
    describing: frozenset[tuple[str, ...]]
    adjectives: frozenset[str]
    being: frozenset[str]
    personal: frozenset[str]
    breaks: frozenset[str]


@cache
def rules_of(language: str) -> Rules:
    """Give the rules of a language.

    Raises:
        UnknownLanguageError: for a language without a lexicon.
    """
    lexicon: Lexicon | None = LEXICONS.get(language)
    if lexicon is None:
        raise UnknownLanguageError(
            f"no words for bias in {language!r}: known are {', '.join(sorted(LEXICONS))}"
        )
    describing = frozenset(phrase_of(phrase) for phrase in lexicon.describing.split("|"))
    return Rules(
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
        asks=Phrases({None: lexicon.asks}),
        natures=Phrases({None: lexicon.natures}),
        traits=Phrases({None: lexicon.traits}),
        nouns=Nouns(
            _forms(lexicon.persons),
            _forms(lexicon.groups),
            _forms(lexicon.bodies),
            _forms(lexicon.things),
        ),
        describing=describing,
        adjectives=frozenset(phrase[0] for phrase in describing if len(phrase) == 1),
        being=_forms(lexicon.being),
        personal=_forms(lexicon.personal),
        breaks=_forms(lexicon.breaks),
    )


def _forms(words: str) -> frozenset[str]:
    return frozenset(form for word in words.split("|") for form in phrase_of(word))


@dataclass(frozen=True, slots=True)
class Marks:
    """What a sentence has besides attributes."""

    judgements: tuple[Hit, ...]
    harsh: tuple[Hit, ...]
    refusals: tuple[Hit, ...]
    causes: tuple[Hit, ...]
    traits: tuple[Hit, ...]
    asks: tuple[Hit, ...]
    natures: tuple[Hit, ...]

    def __bool__(self) -> bool:
        """Tell whether anything is judged, asked for or laid into people's nature."""
        return bool(self.judgements or self.traits or self.asks or self.natures)


def marks_of(forms: list[str], rules: Rules) -> Marks:
    """Find them.

    Args:
        forms: the sentence's words.
        rules: of its language.
    """
    return Marks(
        tuple(rules.judgements.find(forms)),
        tuple(rules.harsh.find(forms)),
        tuple(rules.refusals.find(forms)),
        tuple(rules.causes.find(forms)),
        tuple(rules.traits.find(forms)),
        tuple(rules.asks.find(forms)),
        tuple(rules.natures.find(forms)),
    )

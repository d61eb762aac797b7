"""How far several answers to the same question say the same. Pure.

An invention is seldom invented twice in the same way: where samples differ, the model did not know
(Wang et al., "Self-consistency improves chain of thought reasoning", ICLR 2023; Manakul et al.,
"SelfCheckGPT", EMNLP 2023).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from plugins.core.json_text import Path, leaves_of
from plugins.core.words import content_of, phrase_of, stem_of

Fields = dict[Path, Counter[tuple[str, ...]]]


def structured_agreement(answer: Any, samples: Sequence[Any]) -> float | None:
    """Compare a structured answer with further samples.

    Each field that the answer or a sample has counts the same. Values are compared without case,
    accents and punctuation; lists of plain values as sets, because their order says nothing.

    Args:
        answer: parsed JSON.
        samples: parsed JSON of the others; at least one.

    Returns:
        Mean share of agreement, 0..1; None without samples or fields.
    """
    own = _fields(answer)
    others = [_fields(sample) for sample in samples]
    paths = set(own).union(*others)
    if not others or not paths:
        return None
    shares = [
        sum(_overlap(own.get(path), other.get(path)) for other in others) / len(others)
        for path in sorted(paths, key=str)
    ]
    return sum(shares) / len(shares)


def field_agreement(answer: Any, samples: Sequence[Any]) -> Mapping[Path, float]:
    """Give the share of agreement of each field, to say which one is doubtful."""
    own, others = _fields(answer), [_fields(sample) for sample in samples]
    return {
        path: sum(_overlap(held, other.get(path)) for other in others) / max(1, len(others))
        for path, held in own.items()
    }


def _fields(value: Any) -> Fields:
    """Collect the values by path; those of one list of plain values under the list's path."""
    made: Fields = {}
    for path, leaf in leaves_of(value):
        where = path[:-1] if path and isinstance(path[-1], int) else path
        made.setdefault(where, Counter())[_compared(leaf)] += 1
    return made


def _compared(leaf: Any) -> tuple[str, ...]:
    if isinstance(leaf, bool) or leaf is None:
        return (str(leaf).lower(),)
    if isinstance(leaf, (int, float)):
        return (f"{float(leaf):.6g}",)
    return phrase_of(cast("str", leaf)) or (cast("str", leaf).strip(),)


def _overlap(one: Counter[tuple[str, ...]] | None, two: Counter[tuple[str, ...]] | None) -> float:
    if not one or not two:
        return 0.0
    return (one & two).total() / max(one.total(), two.total())


def text_agreement(answer: str, samples: Sequence[str]) -> float | None:
    """Compare a text with further samples, by the words that carry content.

    Numbers weigh as much as all words together: two texts that differ in a number do not agree
    much.

    Args:
        answer: the text.
        samples: the others; at least one.

    Returns:
        Mean similarity, 0..1; None without samples or words.
    """
    own = _words_and_numbers(answer)
    if not samples or not (own[0] or own[1]):
        return None
    others = [_words_and_numbers(sample) for sample in samples]
    return sum(_similarity(own, other) for other in others) / len(others)


def _words_and_numbers(text: str) -> tuple[frozenset[str], frozenset[str]]:
    forms = content_of(phrase_of(text))
    numbers = frozenset(form for form in forms if form[0].isdecimal())
    return frozenset(stem_of(form) for form in forms if not form[0].isdecimal()), numbers


def _similarity(
    one: tuple[frozenset[str], frozenset[str]], two: tuple[frozenset[str], frozenset[str]]
) -> float:
    shares = [len(a & b) / len(a | b) for a, b in zip(one, two, strict=True) if a or b]
    return sum(shares) / len(shares) if shares else 1.0

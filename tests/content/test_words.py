"""Words as they are compared, and where they stand."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.words import form_of, phrase_of, spelled_out, stem_of, words_of


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("C++, C# and C", ("c++", "c#", "and", "c")),
        ("5+ years, 10,000+", ("5", "years", "10", "000")),
        ("O'Brien O\u2019Brien", ("obrien", "obrien")),
        ("M\u00fcller M\u00dcLLER Mu\u0308ller", ("muller",) * 3),
        ("\u0141\u00f3d\u017a \u0130stanbul S\u00f8ren Wei\u00df",
         ("lodz", "istanbul", "soren", "weiss")),
        ("Py\u200bthon soft\u00adware", ("python", "software")),
        ("\uff30\uff59\uff54\uff48\uff4f\uff4e \uff12\uff10\uff11\uff19", ("python", "2019")),
        ("\u5c71\u7530\u592a\u90ce 2019\u5e74",
         ("\u5c71", "\u7530", "\u592a", "\u90ce", "2019", "\u5e74")),
        ("Node.js CI/CD scikit-learn", ("node", "js", "ci", "cd", "scikit", "learn")),
        ("", ()),
        ("---", ()),
        ("a \u00aa\u0345 \u02b0", ("a", "a\u03b9", "h")),
    ],
)  # fmt: skip
def test_words_are_compared_without_case_accents_and_marks(
    text: str, forms: tuple[str, ...]
) -> None:
    assert phrase_of(text) == forms
    assert tuple(words_of(text).forms) == forms


def test_umlauts_can_be_spelled_out() -> None:
    assert spelled_out("M\u00fcller") == "mueller"
    assert spelled_out("Mu\u0308ller") == "mueller"


@pytest.mark.parametrize(
    "family",
    ["managed manages managing management manager", "skill skills", "company companies",
     "develop developer developers developed development", "engineer engineers engineering"],
)  # fmt: skip
def test_forms_of_a_word_have_one_stem(family: str) -> None:
    assert len({stem_of(form) for form in family.split()}) == 1


@given(st.text())
def test_each_word_stands_where_it_says(text: str) -> None:
    words = words_of(text)
    assert len(words.starts) == len(words.ends) == len(words)
    last = 0
    for i, form in enumerate(words.forms):
        assert last <= words.starts[i] < words.ends[i] <= len(text)
        last = words.ends[i]
        assert form == form_of(text[words.starts[i] : words.ends[i]])


@pytest.mark.parametrize("piece", ["a", "'a", "a\u0301", "a+", "\u200b", "\u5c71", "#"])
def test_a_megabyte_of_one_thing_takes_bounded_time(piece: str) -> None:
    began = time.process_time()
    words_of(piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 4.0

"""The same prompt for another person, and what two answers have in common."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.grounding.counterfactual import (
    GROUPS,
    Difference,
    Outcome,
    Persona,
    Pronouns,
    compare,
    outcome_of,
    personas,
    swapped,
)

JANE = Persona("", "Jane", "M\u00fcller", Pronouns.SHE)
OMAR = Persona("arab", "Omar", "Hassan", Pronouns.HE)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("JANE M\u00dcLLER", "OMAR HASSAN"),
        ("Jane Mueller, jane.mueller@x.example", "Omar Hassan, omar.hassan@x.example"),
        ("linkedin.com/in/jmuller and janemuller", "linkedin.com/in/ohassan and omarhassan"),
        ("Janet of Janesville", "Janet of Janesville"),
        ("She led her team.", "He led his team."),
        ("I recommend her.", "I recommend him."),
        ("I told her that she is hired.", "I told him that he is hired."),
        ("The merit is hers; she did it herself.", "The merit is his; he did it himself."),
        ("Ms. M\u00fcller, a woman of ideas", "Mr. Hassan, a man of ideas"),
        ("SHE shows there is nothing here.", "HE shows there is nothing here."),
        ("Worked with Python since 2019.", "Worked with Python since 2019."),
    ],
)  # fmt: skip
def test_names_and_pronouns_are_swapped_and_nothing_else(text: str, other: str) -> None:
    assert swapped(text, JANE, OMAR) == other


def test_pronouns_stay_for_somebody_of_the_same() -> None:
    other = Persona("slavic", "Zuzana", "Novak", Pronouns.SHE)
    assert swapped("Jane led her team.", JANE, other) == "Zuzana led her team."


def test_there_is_a_woman_and_a_man_of_each_group_and_a_seed_decides_them() -> None:
    chosen = list(personas(7))
    assert len(chosen) == 2 * len(GROUPS) == len({(p.group, p.pronouns) for p in chosen})
    assert chosen == list(personas(7)) != list(personas(8))


@given(st.sampled_from(list(personas(1))), st.sampled_from(list(personas(1))))
def test_nothing_of_the_first_person_is_left(one: Persona, two: Persona) -> None:
    text = f"{one.first} {one.last} <{one.first}.{one.last}@x.example> {one.last.upper()}"
    changed = swapped(text, one, two).casefold()
    if one.last != two.last:
        assert one.last.casefold() not in changed
    if one.first != two.first:
        assert one.first.casefold() not in changed.split()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ('{"decision": "Advance", "score": 80}', Outcome("advance", 80.0)),
        ('```json\n{"recommendation": "no",}\n```', Outcome("no", None)),
        ("Recommendation: **Yes**, with a score of 82.5", Outcome("yes", 82.5)),
        ("She scores 70 of 100.\nDecision: hold", Outcome("hold", 70.0)),
        ('{"score": true, "decision": 3}', Outcome(None, None)),
        ("No idea.", Outcome(None, None)),
    ],
)
def test_decision_and_score_are_read_from_json_and_prose(answer: str, outcome: Outcome) -> None:
    assert outcome_of(answer) == outcome


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        ("Decision: yes, score 80", "Decision: no, score 62", Difference(True, -18.0, True)),
        ("Decision: yes", "Decision: Yes", Difference(False, None, True)),
        ("score: 80", "Decision: yes", Difference(False, None, False)),
        ("", "", Difference(False, None, False)),
    ],
)
def test_answers_are_compared_by_what_both_say(
    first: str, second: str, difference: Difference
) -> None:
    assert compare(first, second) == difference


@pytest.mark.parametrize("piece", ["a", "her ", "jane", "decision: ", "score "])
def test_a_megabyte_of_one_thing_takes_bounded_time(piece: str) -> None:
    began = time.process_time()
    text = piece * (1_000_000 // len(piece))
    swapped(text, JANE, OMAR)
    outcome_of(text)
    assert time.process_time() - began < 8.0

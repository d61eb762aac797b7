"""The rules over the two tables, which were written without sight of them: line by line.

What a platform's default policy does is held to: personal data and SQL are blocked, profanity is
masked in candidates' answers, steering phrases are flagged, hostile language is looked for in what
models write. Ordinary text must not so much as be flagged; an attack must be found by the check
that the table names, and as the kind that it names.
"""

from collections.abc import Iterable
from typing import Final

import pytest

from plugins.moderation.checks import input_checks
from plugins.moderation.reader import Reader
from plugins.moderation.rules import Hit, once
from plugins.moderation.sql import Field
from plugins.moderation.toxicity import Toxicity
from tests.content.tables import Attack, Check, Code, Kind, Passing, attacks, passing

PROSE: Final = Reader(input_checks(Field.PROSE))
SHORT: Final = Reader(input_checks(Field.SHORT))
OUTPUT: Final = Reader([*input_checks(Field.PROSE), Toxicity()])

KINDS: Final[dict[str, Code]] = {
    "card_number": Code.CARD_NUMBER,
    "iban": Code.IBAN,
    "us_ssn": Code.US_SSN,
    "passport": Code.PASSPORT,
    "api_key": Code.CREDENTIAL,
    "private_key": Code.CREDENTIAL,
    "password": Code.CREDENTIAL,
    "people_list": Code.IDENTIFIER_LIST,
    "request_for_others": Code.REQUEST_FOR_OTHERS_DATA,
}
"""The table's kind by the rules' code. The rules tell the states' numbers apart, as `es_dni` or
`pl_pesel`: all that are not listed here are national ones."""

KNOWN_MISSES: Final[dict[str, str]] = {}
"""Attacks that are not found, by id, each with the reason. One that is found must leave."""

MOST_MISSED: Final = 0.03

INPUTS: Final = [attack for attack in attacks() if attack.check not in {Check.TOXICITY, Check.BIAS}]
"""Bias is judged beside the answer's grounding, and tested there."""
HOSTILE: Final = [attack for attack in attacks() if attack.check is Check.TOXICITY]
FILLER: Final = "I have led teams of twelve for many years. "


def reader_of(entry: Passing | Attack) -> Reader:
    return {Kind.SHORT_FIELD: SHORT, Kind.OUTPUT: OUTPUT}.get(entry.kind, PROSE)


def told(hits: Iterable[tuple[str, Hit]], kind: Kind) -> set[tuple[str, str]]:
    return {
        (check, hit.code) for check, hit in hits if check != Check.PROFANITY or kind is Kind.ANSWER
    }


def kind_of(check: str, code: str) -> Code | None:
    return KINDS.get(code, Code.NATIONAL_ID) if check == Check.PII else None


def found_at_once(entry: Passing | Attack) -> set[tuple[str, str]]:
    by_check = reader_of(entry).found(entry.text)
    return told(((check, hit) for check, hits in by_check.items() for hit in hits), entry.kind)


def found_in_steps(text: str, entry: Passing | Attack) -> set[tuple[str, str]]:
    steps = reader_of(entry).steps(text)
    return told((each for step in steps for each in step), entry.kind)


def is_right(found: set[tuple[str, str]], attack: Attack) -> bool:
    return (attack.check, attack.code) in {(check, kind_of(check, code)) for check, code in found}


def name(entry: Passing | Attack) -> str:
    return entry.id


@pytest.mark.spec("10.5")
@pytest.mark.parametrize("entry", passing(), ids=name)
def test_ordinary_text_passes_without_a_flag(entry: Passing) -> None:
    assert found_at_once(entry) == set(), entry.why


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("attack", INPUTS, ids=name)
def test_an_attack_is_found_by_its_check_as_its_kind(attack: Attack) -> None:
    found = found_at_once(attack)
    assert is_right(found, attack) == (attack.id not in KNOWN_MISSES), (attack.why, found)


@pytest.mark.spec("10.2")
@pytest.mark.parametrize("attack", HOSTILE, ids=name)
def test_hostile_language_in_an_answer_is_found(attack: Attack) -> None:
    assert is_right(found_at_once(attack), attack)


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("entry", [*INPUTS, *passing()], ids=name)
def test_steps_find_what_one_reading_finds(entry: Passing | Attack) -> None:
    assert found_in_steps(entry.text, entry) == found_at_once(entry)


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("attack", INPUTS, ids=name)
def test_steps_find_an_attack_in_the_middle_of_a_long_prompt(attack: Attack) -> None:
    text = f"{FILLER * 500}\n\n{attack.text}\n\n{FILLER * 400}"
    found = found_in_steps(text, attack)
    assert is_right(found, attack) == (attack.id not in KNOWN_MISSES), (attack.why, found)


def test_few_are_missed_and_each_that_is_has_a_reason() -> None:
    assert KNOWN_MISSES.keys() <= {attack.id for attack in INPUTS}
    assert all(KNOWN_MISSES.values())
    assert len(KNOWN_MISSES) <= MOST_MISSED * len(INPUTS)


def test_the_rules_tell_every_kind_that_the_table_has() -> None:
    codes = {(check, code) for attack in INPUTS for check, code in found_at_once(attack)}
    assert {kind_of(check, code) for check, code in codes} == {None, *Code}


def test_a_hit_in_a_later_part_keeps_its_place() -> None:
    text = FILLER * 600 + "card 4111 1111 1111 1111"
    hits = [hit for step in PROSE.steps(text) for check, hit in step if check == "pii"]
    assert [text[hit.start : hit.end] for hit in once(hits)] == ["4111 1111 1111 1111"]

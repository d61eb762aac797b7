"""The tables of moderation hold what they say: the rules are run over them elsewhere."""

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.content import checksums, tables, undoing
from tests.content.tables import Attack, Check, Code, Kind
from tests.content.undoing import Obfuscation

# What scanners for leaked secrets look for; the files must not set them off.
KEYS = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_\w{36}|github_pat_\w{22}|[sr]k_live_\w|sk-(?:proj|ant)-\w"
    r"|xox[bp]-\d|AIza[\w-]{35}|eyJ[\w-]{10,}\.eyJ|-----BEGIN [A-Z ]*PRIVATE KEY|://\w+:[^@{]+@"
)
CARD = Attack(
    id="made-up",
    kind=Kind.CHAT,
    text="card 4111 1111 1111 1111",
    why="a sound entry",
    check=Check.PII,
    code=Code.CARD_NUMBER,
    plain="4111111111111111",
)


def test_every_entry_holds_what_it_says() -> None:
    both = tables.passing() + tables.attacks()
    assert [fault for entry in both for fault in tables.faults_of(entry)] == []


def test_no_id_and_no_text_stands_twice() -> None:
    both = tables.passing() + tables.attacks()
    assert tables.repeated(entry.id for entry in both) == []
    assert tables.repeated(" ".join(entry.text.casefold().split()) for entry in both) == []


def test_both_tables_are_long_enough_to_mean_something() -> None:
    assert len(tables.passing()) >= 180
    assert len(tables.attacks()) >= 180


def test_passing_text_comes_from_every_place_that_text_comes_from() -> None:
    places = Counter(entry.kind for entry in tables.passing())
    assert min(places[kind] for kind in Kind) >= 10


def test_every_check_code_place_and_obfuscation_has_its_attacks() -> None:
    every = tables.attacks()
    checks = Counter(attack.check for attack in every)
    codes = Counter(attack.code for attack in every)
    hidden = Counter(each for attack in every for each in attack.obfuscation)
    assert min(checks[check] for check in Check) >= 8
    assert min(codes[code] for code in Code) >= 6
    assert {attack.kind for attack in every} == set(Kind)
    assert set(hidden) == set(Obfuscation)


@pytest.mark.parametrize("name", ["passing.yaml", "attacks.yaml"])
def test_a_reader_of_the_files_sees_every_letter_and_a_scanner_no_key(name: str) -> None:
    raw = (tables.FOLDER / name).read_text(encoding="utf-8")
    unseen = [hex(ord(each)) for each in raw if unicodedata.category(each) in {"Cf", "Cn", "Co"}]
    assert unseen == []
    assert KEYS.search(raw) is None


def test_loaded_keys_are_whole() -> None:
    texts = [entry.text for entry in tables.passing() + tables.attacks()]
    assert not [text for text in texts if tables.JOINER in text]
    assert len([text for text in texts if KEYS.search(text)]) >= 10


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": "Made_up"}, "an id is made of"),
        ({"why": " "}, "must not be empty"),
        ({"code": None}, "a code belongs to"),
        ({"check": Check.SQL_INJECTION}, "a code belongs to"),
        ({"check": Check.PROFANITY, "code": None}, "alone"),
        ({"check": Check.BIAS, "code": None}, "not what is looked for"),
        ({"kind": Kind.OUTPUT}, "not what is looked for"),
        ({"plain": "4111111111111112", "text": "4111111111111112"}, "not a valid card_number"),
        ({"plain": "4242424242424242"}, "not what comes out"),
        ({"plain": "", "obfuscation": (Obfuscation.BASE64,)}, "does not say what"),
        ({"obfuscation": (Obfuscation.FULL_WIDTH,)}, "hides nothing"),
        ({"obfuscation": (Obfuscation.LINES,)}, "hides nothing"),
    ],
)
def test_a_wrong_entry_is_found_out(change: dict[str, Any], complaint: str) -> None:
    assert list(tables.faults_of(CARD)) == []
    faults = list(tables.faults_of(dataclasses.replace(CARD, **change)))
    assert any(complaint in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("is_valid", "number", "expected"),
    [
        (checksums.is_card_number, "4111111111111111", True),
        (checksums.is_card_number, "4111111111111112", False),
        (checksums.is_card_number, "378282246310005", True),
        (checksums.is_card_number, "378282246310006", False),
        (checksums.is_card_number, "000000000000", False),  # 12 digits
        (checksums.is_card_number, "٤١١١١١١١١١١١١١١١", False),  # to be turned into ASCII before
        (checksums.is_iban, "DE89370400440532013000", True),
        (checksums.is_iban, "DE88370400440532013000", False),
        (checksums.is_iban, "de89370400440532013000", False),
        (checksums.is_us_ssn, "512447093", True),
        (checksums.is_us_ssn, "899010001", True),
        (checksums.is_us_ssn, "900010001", False),
        (checksums.is_us_ssn, "666010001", False),
        (checksums.is_us_ssn, "000010001", False),
        (checksums.is_us_ssn, "512007093", False),
        (checksums.is_us_ssn, "512440000", False),
    ],
)
def test_a_check_digit_tells_right_from_wrong(
    is_valid: Callable[[str], bool], number: str, expected: bool
) -> None:
    assert is_valid(number) is expected


@pytest.mark.parametrize(
    ("hidden_by", "text"),
    [
        (Obfuscation.PROSE, "well, union select it is"),
        (Obfuscation.TOOL_ARGUMENTS, '{"a": [{"b": "\\u0075nion select"}]}'),
        (Obfuscation.SPACING, "u n-i.o n s e l e c t"),
        (Obfuscation.LINES, "union\nselect"),
        (Obfuscation.CASE, "uNiOn SeLeCt"),
        (Obfuscation.REPETITION, "unniooon selecttt"),
        (Obfuscation.COMMENTS, "union/* x */select"),
        (Obfuscation.COMMENTS, "/*!50000union*/ select"),
        (Obfuscation.ZERO_WIDTH, "un\u200bion sel\u2060ect"),
        (Obfuscation.TAG_CHARACTERS, "\U000e0075\U000e006eion select"),
        (Obfuscation.FULL_WIDTH, "\uff55\uff4e\uff49\uff4f\uff4e select"),
        (Obfuscation.HOMOGLYPH, "uni\u043en s\u0435l\u0435\u0441t"),
        (Obfuscation.ACCENTS, "u\u0308nion s\u00e9lect"),
        (Obfuscation.LEET, "un10n s3l3ct"),
        (Obfuscation.PERCENT, "%75nion+%2573elect"),
        (Obfuscation.PERCENT, "%u0075nion%20select"),
        (Obfuscation.ENTITIES, "&#117;nion&#x20;select"),
        (Obfuscation.BASE64, "dW5pb24gc2VsZWN0"),
    ],
)
def test_each_obfuscation_is_undone(hidden_by: Obfuscation, text: str) -> None:
    assert undoing.is_beneath("union select", text, [hidden_by])
    assert not undoing.is_beneath("drop table", text, [hidden_by])


@pytest.mark.parametrize(
    ("hidden_by", "text"),
    [
        (Obfuscation.SPELLED_DIGITS, "it is four one two, Nine oh"),
        (Obfuscation.DIGITS, "\u0664\u0661\u0662 \u0669"),
    ],
)
def test_each_writing_of_digits_is_undone(hidden_by: Obfuscation, text: str) -> None:
    assert undoing.is_beneath("4129", text, [hidden_by])
    assert not undoing.is_beneath("4120", text, [hidden_by])

"""Reads the two tables of moderation: hiring text that must pass, and attacks that must not.

The tables were written from the SPEC and from literature, without a look at the rules that they
test. `passing()` and `attacks()` give them as typed entries; `faults_of` tells what is wrong with
an entry, so that a table which says more than is true fails its own test.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.content import checksums, undoing

FOLDER = Path(__file__).parent
JOINER = "{+}"
"""Stands within made-up keys, so that scanners for leaked ones leave the files alone."""

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Kind(StrEnum):
    """Where a text stands."""

    RESUME = "resume"
    ANSWER = "answer"
    """A candidate's answer; the only kind in which profanity is looked for (SPEC 10.1)."""
    JOB_DESCRIPTION = "job_description"
    CHAT = "chat"
    """What a user writes to an agent, a platform's own instructions among it."""
    SHORT_FIELD = "short_field"
    TOOL_ARGUMENTS = "tool_arguments"
    OUTPUT = "output"
    """What a model answered; toxicity and bias are looked for here (SPEC 10.2)."""


class Check(StrEnum):
    """The check that has to find an attack."""

    SQL_INJECTION = "sql_injection"
    PII = "pii"
    PROFANITY = "profanity"
    PROMPT_INJECTION = "prompt_injection"
    TOXICITY = "toxicity"
    BIAS = "bias"


class Code(StrEnum):
    """The kind of personal data that an attack carries or asks for."""

    CARD_NUMBER = "card_number"
    IBAN = "iban"
    US_SSN = "us_ssn"
    PASSPORT = "passport"
    NATIONAL_ID = "national_id"
    CREDENTIAL = "credential"
    IDENTIFIER_LIST = "identifier_list"
    REQUEST_FOR_OTHERS_DATA = "request_for_others_data"


@dataclass(frozen=True, slots=True)
class Passing:
    """Ordinary hiring text that every check lets pass, without so much as a flag.

    Args:
        id: unique in its table, kebab-case.
        kind: where it stands.
        text: what a person, a platform or a model wrote.
        why: what a careless rule would take it for.
        source: where the case is known from; empty if it was thought up.
    """

    id: str
    kind: Kind
    text: str
    why: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Attack:
    """A text that must not pass unseen.

    Args:
        id: unique in its table, kebab-case.
        kind: where it stands.
        text: the attack as it comes in.
        why: what it does, or what makes it hard to see.
        check: the check that has to find it; others may find it as well.
        code: for personal data, which kind; one of the findings has it.
        obfuscation: how it is hidden, outermost first; empty for plain text.
        plain: what is beneath the obfuscation; for cards, IBANs and SSNs always the number.
        source: the family it belongs to, and who described it.
    """

    id: str
    kind: Kind
    text: str
    why: str
    check: Check
    code: Code | None = None
    obfuscation: tuple[undoing.Obfuscation, ...] = ()
    plain: str = ""
    source: str = ""


@cache
def passing() -> tuple[Passing, ...]:
    """Read the texts that must pass, in the order of the file.

    Raises:
        KeyError, TypeError, ValueError: an entry has a missing, unknown or wrong field.
    """
    return tuple(
        Passing(**{**row, "kind": Kind(row["kind"])})
        for row in _rows(FOLDER / "passing.yaml", "passing")
    )


@cache
def attacks() -> tuple[Attack, ...]:
    """Read the attacks, in the order of the file.

    Raises:
        KeyError, TypeError, ValueError: an entry has a missing, unknown or wrong field.
    """
    return tuple(_attack(row) for row in _rows(FOLDER / "attacks.yaml", "attacks"))


def faults_of(entry: Passing | Attack) -> Iterator[str]:
    """Tell what is wrong with one entry; nothing, if it holds what it says."""
    if not _ID.fullmatch(entry.id):
        yield f"{entry.id}: an id is made of small letters, digits and single dashes"
    if not entry.text.strip() or not entry.why.strip():
        yield f"{entry.id}: text and why must not be empty"
    if isinstance(entry, Attack):
        yield from _misplaced(entry)
        yield from _not_beneath(entry)
        yield from _not_valid(entry)


def repeated(values: Iterable[str]) -> list[str]:
    """Name the values that occur more than once."""
    return [value for value, times in Counter(values).items() if times > 1]


def _rows(path: Path, key: str) -> list[dict[str, Any]]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))[key]


def _attack(row: dict[str, Any]) -> Attack:
    hidden_by = [undoing.Obfuscation(each) for each in row.get("obfuscation", [])]
    read: dict[str, Any] = {
        "kind": Kind(row["kind"]),
        "check": Check(row["check"]),
        "code": Code(row["code"]) if "code" in row else None,
        "obfuscation": tuple(hidden_by),
        "text": row["text"].replace(JOINER, ""),
        "plain": row.get("plain", "").replace(JOINER, ""),
    }
    return Attack(**{**row, **read})


def _misplaced(attack: Attack) -> Iterator[str]:
    if (attack.check is Check.PII) != (attack.code is not None):
        yield f"{attack.id}: a code belongs to {Check.PII}, and to nothing else"
    if attack.check is Check.PROFANITY and attack.kind is not Kind.ANSWER:
        yield f"{attack.id}: profanity is filtered in a candidate's {Kind.ANSWER} alone"
    if (attack.check in {Check.TOXICITY, Check.BIAS}) != (attack.kind is Kind.OUTPUT):
        yield f"{attack.id}: {attack.check} is not what is looked for in {attack.kind}"


def _not_beneath(attack: Attack) -> Iterator[str]:
    if attack.obfuscation and not attack.plain:
        yield f"{attack.id}: hidden, but plain does not say what"
    elif not undoing.is_beneath(attack.plain, attack.text, attack.obfuscation):
        yield f"{attack.id}: {attack.plain!r} is not what comes out of the text"
    for each in undoing.idle(attack.plain, attack.text, attack.obfuscation):
        yield f"{attack.id}: {each} hides nothing"


def _not_valid(attack: Attack) -> Iterator[str]:
    valid: dict[Code | None, Callable[[str], bool]] = {
        Code.CARD_NUMBER: checksums.is_card_number,
        Code.IBAN: checksums.is_iban,
        Code.US_SSN: checksums.is_us_ssn,
    }
    if attack.code in valid and not valid[attack.code](attack.plain):
        yield f"{attack.id}: {attack.plain!r} is not a valid {attack.code}"

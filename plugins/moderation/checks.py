"""The recognisers by check, and how a hit is told without giving away what was found."""

import re
from typing import Final

from plugins.core.verdict import Action, Finding
from plugins.moderation.injection import PromptInjection
from plugins.moderation.pii.accounts import Accounts
from plugins.moderation.pii.cards import Cards
from plugins.moderation.pii.contacts import PeopleLists
from plugins.moderation.pii.credentials import Credentials
from plugins.moderation.pii.documents import Passports
from plugins.moderation.pii.national import NationalIdentifiers
from plugins.moderation.pii.requests import Requests
from plugins.moderation.profanity import Profanity
from plugins.moderation.rules import Hit, Recogniser
from plugins.moderation.sql import Field, SqlInjection


def pii() -> tuple[Recogniser, ...]:
    """Give what finds personal data and secrets that do not belong into a prompt.

    A person's own e-mail address and telephone number are not among them (SPEC 10.5); `Contacts`
    finds those where they must be masked.
    """
    return (
        Cards(),
        Accounts(),
        NationalIdentifiers(with_lists=True),
        Passports(),
        Credentials(),
        PeopleLists(),
        Requests(),
    )


def input_checks(field: Field = Field.PROSE) -> tuple[Recogniser, ...]:
    """Give every input check of SPEC 10.1 but length, and steering phrases."""
    return (*pii(), SqlInjection(field), Profanity(), PromptInjection())


_AROUND: Final = 24
_MASKED: Final = re.compile(r"[^\W_]")
_DIGIT_OR_ADDRESS: Final = re.compile(r"\S*[\d@]\S*")


def finding(check: str, hit: Hit, original: str, action: Action, message: str = "") -> Finding:
    """Turn a hit into what is reported.

    Args:
        check: the check's name.
        hit: placed in `original`.
        original: the text it was found in.
        action: what is done about it.
        message: where the text came from, such as `messages[2]`; empty when there is one text.

    Returns:
        A finding whose excerpt shows a few characters around the hit, the hit itself as stars, and
        anything with a digit or an at sign beside it as stars too: secrets keep company.
    """
    before = original[max(0, hit.start - _AROUND) : hit.start]
    after = original[hit.end : hit.end + _AROUND]
    found = _MASKED.sub("*", original[hit.start : min(hit.end, hit.start + _AROUND)])
    excerpt = f"{_hushed(before)}{found}{_hushed(after)}"
    place = f"{hit.start}-{hit.end}"
    where = f"{message}:{place}" if message else place
    return Finding(check, hit.code, action, where, excerpt, hit.score)


def _hushed(text: str) -> str:
    return _DIGIT_OR_ADDRESS.sub(lambda match: "*" * len(match[0]), text)


def masked(original: str, hits: list[Hit]) -> str:
    """Put a placeholder that names its kind in the place of each hit.

    Args:
        original: the text.
        hits: placed in it; overlapping ones become one placeholder.
    """
    parts: list[str] = []
    done = 0
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if hit.start >= done:
            parts += [original[done : hit.start], f"[{hit.code}]"]
        done = max(done, hit.end)
    return "".join([*parts, original[done:]])

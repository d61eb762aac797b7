"""Payment cards: issuer's range, length, Luhn, and how the digits stand."""

import re
from typing import Final

from plugins.moderation.pii.checksums import luhn
from plugins.moderation.rules import Hit, Rule, near, once
from plugins.moderation.text import Text, View

# First digits, lengths. Sources: ISO/IEC 7812 registry as published by the networks (2026-11).
_ISSUERS: Final = (
    (r"4", (13, 16, 19)),  # Visa
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
    (r"3[47]", (15,)),  # American Express
    (r"6011|64[4-9]|65", (16, 17, 18, 19)),  # Discover
    (r"62", (16, 17, 18, 19)),  # UnionPay
    (r"35(?:2[89]|[3-8])", (16, 17, 18, 19)),  # JCB
    (r"2131|1800", (15,)),  # JCB, older
    (r"30[0-59]|3[689]", (14, 16, 17, 18, 19)),  # Diners Club
    (r"220[0-4]", (16,)),  # Mir
    (r"60|65|81|82|508", (16,)),  # RuPay
)
_FIRST_BY_LENGTH: Final = {
    length: re.compile("|".join(first for first, lengths in _ISSUERS if length in lengths))
    for length in {length for _, lengths in _ISSUERS for length in lengths}
}
# Maestro has so many first digits and lengths that any number may look like one: context decides.
# So it does for 35, of which JCB issues a part.
_LOOSE: Final = re.compile(r"50|5[6-9]|6|35")
_LOOSE_LENGTHS: Final = range(12, 20)

_CONTEXT: Final = re.compile(
    r"\b(?:cards?|credit|debit|visa|master ?card|amex|american express|maestro|discover|cc|pan|"
    r"cvv|cvc|kreditkarten?\w*|karten?nummer|tarjeta|carte|carta|cart[aã]o|kaart)\b",
    re.IGNORECASE,
)
# A digit first, which a search finds quickly, and only then what may not stand before it.
_RUN: Final = re.compile(r"\d(?<!\w.)(?:[ .\-_/]{0,2}\d){11,80}+(?!\w)")
_GROUP: Final = re.compile(r"\d+")
_USUAL_GROUPS: Final = frozenset({(4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3)})
_WHOLE_GROUP: Final = 4
_SURE_LENGTH: Final = 15
_LONGEST: Final = 19
_SHORTEST: Final = 12
_FEW_GROUPS: Final = 32
_REAL_GROUP: Final = 3

_RULE: Final = Rule(
    "pii.card",
    r"[^0-9a-z][0-9](?:[ .\-_/]{0,2}[0-9]){11}",
    _RUN,
    before=28,
    after=240,
)


class Cards:
    """Finds payment card numbers (`card_number`)."""

    check = "pii"
    rules = (_RULE,)

    def find(self, text: Text) -> list[Hit]:
        """Give the card numbers in a text."""
        return once([hit for view in text.views for hit in self._in(view, text.original)])

    def _in(self, view: View, original: str) -> list[Hit]:
        hits: list[Hit] = []
        for run in _RULE.matches(view):
            groups = [
                (group.start() + run.start(), group.group()) for group in _GROUP.finditer(run[0])
            ]
            for start, end, score in _cards(view.text, groups):
                placed = view.place(start, end)
                # Over two lines may stand two numbers, if nobody says that it is a card.
                if score == 1.0 or "\n" not in original[slice(*placed)]:
                    hits.append(Hit("card_number", *placed, score))
        return hits


def _cards(text: str, groups: list[tuple[int, str]]) -> list[tuple[int, int, float]]:
    found: list[tuple[int, int, float]] = []
    first = 0
    # In a long run of single digits a card could begin anywhere: only its two ends are tried.
    scattered = len(groups) > _FEW_GROUPS
    left = sum(len(digits) for _, digits in groups)
    while left >= _SHORTEST:
        if scattered and len(groups[first][1]) < _REAL_GROUP and 0 < first < len(groups) - _LONGEST:
            left -= len(groups[first][1])
            first += 1
            continue
        taken = 0
        digits = ""
        for last in range(first, len(groups)):
            digits += groups[last][1]
            if len(digits) < _SHORTEST:
                continue
            if len(digits) > _LONGEST:
                break
            start, end = groups[first][0], groups[last][0] + len(groups[last][1])
            shape = tuple(len(group) for _, group in groups[first : last + 1])
            score = _score(text, digits, shape, start, end)
            if score:
                found.append((start, end, score))
                taken = last - first + 1
        following = first + max(1, taken)
        left -= sum(len(digits) for _, digits in groups[first:following])
        first = following
    return found


def _score(text: str, digits: str, shape: tuple[int, ...], start: int, end: int) -> float:
    first = _FIRST_BY_LENGTH.get(len(digits))
    issued = first is not None and first.match(digits) is not None
    loose = len(digits) in _LOOSE_LENGTHS and _LOOSE.match(digits) is not None
    if not (issued or loose) or not _checks(digits):
        return 0.0
    if near(text, start, end, _CONTEXT):
        return 1.0
    # A plus sign makes it a telephone number; short ones may be anything.
    if text[max(0, start - 1) : start] == "+" or not issued or len(digits) < _SURE_LENGTH:
        return 0.0
    return 0.9 if _usual(shape) else 0.0


def _checks(digits: str) -> bool:
    return len(set(digits)) > 1 and luhn(digits)


def _usual(shape: tuple[int, ...]) -> bool:
    return shape in _USUAL_GROUPS or min(shape) >= _WHOLE_GROUP or set(shape) == {1}

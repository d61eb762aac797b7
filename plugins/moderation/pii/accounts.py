"""Bank accounts: IBANs by country's length and check digits."""

import re
from typing import Final

from plugins.moderation.pii.checksums import mod97
from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text, View

# Source: SWIFT, IBAN registry release 99 (read 2026-11).
_LENGTHS: Final[dict[str, int]] = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}

_RULE: Final = Rule(
    "pii.iban",
    r"[a-z]{2}[0-9]{2}[ .\-]{0,2}[a-z0-9]{4}[ .\-]{0,2}[a-z0-9]{4}",
    re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ .\-]{0,2}[A-Za-z0-9]){11,30}"),
    before=18,
    after=100,
)
_SEPARATORS: Final = re.compile(r"[ .\-]+")
_LONGEST_GAP: Final = 2


class Accounts:
    """Finds bank accounts (`iban`)."""

    check = "pii"
    rules = (_RULE,)

    def find(self, text: Text) -> list[Hit]:
        """Give the IBANs in a text."""
        return once([hit for view in text.views for hit in self._in(view)])

    def _in(self, view: View) -> list[Hit]:
        hits: list[Hit] = []
        for match in _RULE.matches(view):
            end = _end(view.text, match.start())
            if end:
                hits.append(Hit("iban", *view.place(match.start(), end), 1.0))
        return hits


def _end(text: str, start: int) -> int:
    # A country's length says where the number ends: the words after it may look like more of it.
    wanted = _LENGTHS.get(text[start : start + 2].upper(), 0)
    account, at, gap = "", start, 0
    while len(account) < wanted and at < len(text) and gap <= _LONGEST_GAP:
        if text[at].isascii() and text[at].isalnum():
            account, gap = account + text[at], 0
        elif _SEPARATORS.match(text[at]):
            gap += 1
        else:
            return 0
        at += 1
    complete = len(account) == wanted > 0
    follows = text[at : at + 1]
    return at if complete and not follows.isalnum() and mod97(account.upper()) else 0

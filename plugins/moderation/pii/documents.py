"""Passports: by the words around them, or by their machine-readable line."""

import re
from typing import Final

from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text

_PASSPORT: Final = Rule(
    "pii.passport",
    r"reisepass|pas(?:sport|snum|s-?nr|aporte|seport|saporte|zport|ipor)",
    re.compile(
        r"\b(?:pass|reisepass|passport|pasaporte|passeport|passaporto?|passaporte|paspoort)\w*"
        r"(?:[\s.:#\-=()\"']|\b(?:no|nr|num(?:ber|ero|éro)?|nummer|n|is|was|de|id|ist|lautet|es|"
        r"est|e)\b\.?){1,8}"
        r"(?P<number>(?=[A-Z0-9]{0,8}\d{5}|[A-Z]{1,2}\d[A-Z0-9]{2,3}\d)[A-Z0-9]{7,9})\b",
        re.IGNORECASE,
    ),
    before=24,
    after=60,
    needs=("pass", "pasap", "pasz", "pasip"),
)
# ICAO 9303: two lines of 44 characters, the first beginning with P, type and issuing state.
_MACHINE_READABLE: Final = Rule(
    "pii.passport_mrz",
    r"p[a-z<][a-z<]{3}[a-z]{1,30}<<[a-z]",
    re.compile(r"(?<!\w)(?P<number>P[A-Z<][A-Z<]{3}[A-Z<]{20,39}\s{1,3}[A-Z0-9<]{28,44})"),
    before=45,
    after=120,
    needs=("<<",),
)


class Passports:
    """Finds passport numbers (`passport`)."""

    check = "pii"
    rules = (_PASSPORT, _MACHINE_READABLE)

    def find(self, text: Text) -> list[Hit]:
        """Give the passport numbers in a text."""
        return once(
            [
                Hit("passport", *view.place(*match.span("number")), 0.9)
                for view in text.views
                for rule in self.rules
                for match in rule.matches(view)
            ]
        )

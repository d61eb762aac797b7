"""Numbers by which states know people, each with its own rules."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from plugins.moderation.pii import checksums
from plugins.moderation.rules import Hit, Rule, near, once
from plugins.moderation.text import Text, View

_NOT_WORD: Final = re.compile(r"[^0-9A-Z]")


@dataclass(frozen=True, slots=True)
class Identifier:
    """One country's number.

    Args:
        code: the finding's code.
        spot: the cheap pattern; see `Rule`.
        shape: the exact form, separators included.
        context: words that make it likely, joined by `|`.
        alone: score without such a word; 0 when form and checksum are shared by ordinary numbers.
        right: tells whether the number, bare and in capitals, obeys its rules.
    """

    code: str
    spot: str
    shape: str
    context: str
    alone: float
    right: Callable[[str], bool]


def _any(_bare: str) -> bool:
    return True


def _ssn(bare: str) -> bool:
    # Source: SSA, randomised since 2011: areas 000, 666 and 900-999 are never issued.
    area, group, serial = bare[:3], bare[3:5], bare[5:]
    issued = area not in {"000", "666"} and area[0] != "9"
    return issued and group != "00" and serial != "0000" and len(set(bare)) > 1


def _nino(bare: str) -> bool:
    # Source: HMRC, National Insurance Manual NIM39110.
    return bare[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def _aadhaar(bare: str) -> bool:
    return len(set(bare)) > 1 and checksums.verhoeff(bare)


def _luhn(bare: str) -> bool:
    return len(set(bare)) > 1 and checksums.luhn(bare)


_SOCIAL: Final = r"ssn|social[ -]?security(?: n\w+)?|social insurance|tax[ -]?id\w*|itin"
_ID: Final = r"id(?:entity|entification)?[ -]?(?:card|n[ou]\w*|#)|national id\w*|identity"

_IDENTIFIERS: Final = (
    Identifier(
        "us_ssn",
        r"[0-9]{3}-[0-9]{2}-[0-9]{4}",
        r"(?<![\w\-.])\d{3}-\d{2}-\d{4}(?![\w\-])",
        _SOCIAL,
        0.8,
        _ssn,
    ),
    Identifier(
        "us_ssn",
        r"[0-9]{3}[ ._/]?[0-9]{2}[ ._/]?[0-9]{4}",
        r"(?<![\w\-.+])\d{3}([ ._/]?)\d{2}\1\d{4}(?![\w\-])",
        _SOCIAL,
        0.0,
        _ssn,
    ),
    Identifier(
        "us_itin",
        r"9[0-9]{2}-?[0-9]{2}-?[0-9]{4}",
        r"(?<![\w\-.])9\d\d-?(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])-?\d{4}(?![\w\-])",
        _SOCIAL,
        0.0,
        _any,
    ),
    Identifier(
        "es_dni",
        r"(?:[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}|[xyz]-?[0-9]{7})[ \-]?[a-z]",
        r"(?<![\w.\-])(?:\d{2}\.?\d{3}\.?\d{3}|[XYZ]-?\d{7})[ \-]?[A-Z](?![\w\-])",
        rf"dni|nie|nif|documento(?: nacional)?|{_ID}",
        0.6,
        checksums.dni,
    ),
    Identifier(
        "fr_nir",
        r"[12][ .]?[0-9]{2}[ .]?[0-9]{2}[ .]?[0-9][0-9ab][ .]?[0-9]{3}[ .]?[0-9]{3}[ .]?[0-9]{2}",
        r"(?<![\w.+])[12][ .]?\d\d[ .]?(?:0[1-9]|1[0-2]|[2-9]\d)[ .]?(?:\d\d|2[AB])[ .]?\d{3}"
        r"[ .]?\d{3}[ .]?\d{2}(?!\w)",
        r"nir|s[eé]cu\w*|insee|num[eé]ro",
        0.8,
        checksums.nir,
    ),
    Identifier(
        "it_codice_fiscale",
        r"[a-z]{6}[0-9a-z]{2}[a-ehlmprst][0-9a-z]{2}[a-z][0-9a-z]{3}[a-z]",
        r"(?<!\w)[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z](?!\w)",
        r"codice fiscale|c\.?f\.?",
        0.95,
        checksums.codice_fiscale,
    ),
    Identifier(
        "uk_nino",
        r"[a-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[a-d]",
        r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)",
        r"nino?|national insurance|ni n\w+",
        0.6,
        _nino,
    ),
    Identifier(
        "de_steuer_id",
        r"[1-9][0-9][ /]?[0-9]{3}[ /]?[0-9]{3}[ /]?[0-9]{3}",
        r"(?<![\w+.\-])[1-9]\d[ /]?\d{3}[ /]?\d{3}[ /]?\d{3}(?![\w\-])",
        r"steuer\w*(?:[ -]?id\w*)?|idnr|tax[ -]?id\w*|tin",
        0.0,
        checksums.steuer_id,
    ),
    Identifier(
        "in_aadhaar",
        r"[2-9][0-9]{3}[ \-]?[0-9]{4}[ \-]?[0-9]{4}",
        r"(?<![\w+.\-])(?<!\d )[2-9]\d{3}([ \-]?)\d{4}\1\d{4}(?![\w\-])(?! \d)",
        r"aadhaa?r|uidai|uid",
        0.0,
        _aadhaar,
    ),
    Identifier(
        "in_pan",
        r"[a-z]{3}[pchfatbljg][a-z][0-9]{4}[a-z]",
        r"(?<!\w)[A-Z]{3}[PCHFATBLJG][A-Z]\d{4}[A-Z](?!\w)",
        r"pan|permanent account|income tax",
        0.0,
        _any,
    ),
    Identifier(
        "pl_pesel",
        r"[0-9]{11}",
        r"(?<![\w+])\d{11}(?!\w)",
        r"pesel",
        0.0,
        checksums.pesel,
    ),
    Identifier(
        "br_cpf",
        r"[0-9]{3}[ .]?[0-9]{3}[ .]?[0-9]{3}[ \-]?[0-9]{2}",
        r"(?<![\w+])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)",
        r"cpf|cadastro",
        0.9,
        checksums.cpf,
    ),
    Identifier(
        "br_cpf",
        r"[0-9]{3} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        r"(?<![\w+])\d{3} ?\d{3} ?\d{3}[ \-]?\d{2}(?!\w)",
        r"cpf|cadastro",
        0.0,
        checksums.cpf,
    ),
    Identifier(
        "cn_resident_id",
        r"[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9x]",
        r"(?<!\w)[1-8]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?!\w)",
        _ID,
        0.9,
        checksums.resident_id,
    ),
    Identifier(
        "nl_bsn",
        r"[0-9]{9}",
        r"(?<![\w+])\d{9}(?!\w)",
        r"bsn|burgerservicenummer|sofinummer",
        0.0,
        checksums.bsn,
    ),
    Identifier(
        "ca_sin",
        r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}",
        r"(?<![\w+\-])\d{3}[ \-]?\d{3}[ \-]?\d{3}(?![\w\-])",
        r"sin|social insurance",
        0.0,
        _luhn,
    ),
    Identifier(
        "se_personnummer",
        r"[0-9]{6}[\-+][0-9]{4}",
        r"(?<![\w+\-])\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[\-+]\d{4}(?![\w\-])",
        r"person(?:al identity )?n(?:umme)?r|personnummer|samordningsnummer",
        0.0,
        _luhn,
    ),
)


_ALONE: Final = "[^0-9a-z]"
"""What stands before a number: asked for in the spot, so that a long run of digits is one spot."""


class NationalIdentifiers:
    """Finds numbers by which states know people, such as `us_ssn` or `pl_pesel`."""

    check = "pii"

    def __init__(self) -> None:
        self._kinds = [
            (
                each,
                Rule(
                    f"pii.national.{place}.{each.code}",
                    _ALONE + each.spot,
                    re.compile(each.shape),
                    30,
                    40,
                ),
                re.compile(rf"(?<![A-Za-z])(?:{each.context})(?![A-Za-z])", re.IGNORECASE),
            )
            for place, each in enumerate(_IDENTIFIERS)
        ]
        self.rules = tuple(rule for _, rule, _ in self._kinds)

    def find(self, text: Text) -> list[Hit]:
        """Give the identifiers in a text."""
        return once([hit for view in text.views for hit in self._in(view)])

    def _in(self, view: View) -> list[Hit]:
        hits: list[Hit] = []
        for kind, rule, context in self._kinds:
            for match in rule.matches(view):
                if not kind.right(_NOT_WORD.sub("", match[0].upper())):
                    continue
                named = near(view.text, match.start(), match.end(), context)
                score = 1.0 if named else kind.alone
                if score:
                    hits.append(Hit(kind.code, *view.place(*match.span()), score))
        return hits

"""The forms of the numbers by which states know people, and what makes each likely."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from plugins.moderation.pii import checksums


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


def _dated(bare: str) -> bool:
    """Tell whether six digits are a day of some century: year, month, day."""
    return 1 <= int(bare[2:4]) <= _MONTHS and 1 <= int(bare[4:6]) <= _DAYS


_MONTHS: Final = 12
_DAYS: Final = 31


def _rrn(bare: str) -> bool:
    return _dated(bare) and checksums.rrn(bare)


def _za_id(bare: str) -> bool:
    return _dated(bare) and _luhn(bare)


def _cpr(bare: str) -> bool:
    # Denmark has given numbers without a check digit since 2007: the date is all there is.
    return 1 <= int(bare[:2]) <= _DAYS and 1 <= int(bare[2:4]) <= _MONTHS


_SOCIAL: Final = (
    r"ssn|soc(?:ial|\.)?[ -]?sec(?:urity|\.)?(?: n\w+)?|social(?: (?:is|number|no|num)| ?[:#])|"
    r"social insurance|tax[ -]?id\w*|itin"
)
_ID: Final = r"id(?:entity|entification)?[ -]?(?:card|n[ou]\w*|#)|national id\w*|identity"

IDENTIFIERS: Final = (
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
    Identifier(
        "tr_tckn",
        r"[1-9][0-9]{10}",
        r"(?<![\w+])[1-9]\d{10}(?!\w)",
        r"t\.?c\.? ?kimlik\w*|tckn|kimlik n\w+",
        0.0,
        checksums.tckn,
    ),
    Identifier(
        "fi_hetu",
        r"[0-9]{6}[\-+a-fu-y][0-9]{3}[0-9a-y]",
        r"(?<![\w+\-])\d{6}[\-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y](?![\w\-])",
        r"henkil\w*tunnus\w*|hetu|personbeteckning",
        0.6,
        checksums.hetu,
    ),
    Identifier(
        "mx_curp",
        r"[a-z]{4}[0-9]{6}[hmx][a-z]{5}[0-9a-z][0-9]",
        r"(?<!\w)[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z]\d(?!\w)",
        r"curp|clave unica",
        0.9,
        checksums.curp,
    ),
    Identifier(
        "kr_rrn",
        r"[0-9]{6}-[0-9]{7}",
        r"(?<![\w+\-])\d{6}-\d{7}(?![\w\-])",
        r"주민등록번호|주민번호|외국인등록번호|rrn|resident registration",
        0.6,
        _rrn,
    ),
    Identifier(
        "be_national_number",
        r"[0-9]{2}[.]?[0-9]{2}[.]?[0-9]{2}[ \-]?[0-9]{3}[. ]?[0-9]{2}",
        r"(?<![\w+.\-])\d{2}\.?\d{2}\.?\d{2}[ \-]?\d{3}[. ]?\d{2}(?![\w\-])",
        r"rijksregister\w*|registre national|num[eé]ro national|nationaal nummer|insz|niss",
        0.0,
        checksums.belgian,
    ),
    Identifier(
        "ch_ahv",
        r"756[. ]?[0-9]{4}[. ]?[0-9]{4}[. ]?[0-9]{2}",
        r"(?<![\w+.\-])756([. ]?)\d{4}\1\d{4}\1\d{2}(?![\w\-])",
        r"ahv\w*(?:[ \-]?n\w+)?|avs|oasi|sozialversicherung\w*",
        0.6,
        checksums.ean13,
    ),
    Identifier(
        "dk_cpr",
        r"[0-9]{6}[ \-]?[0-9]{4}",
        r"(?<![\w+.\-])\d{6}[ \-]?\d{4}(?![\w\-])",
        r"cpr(?:[ \-]?n\w+)?|personnummer",
        0.0,
        _cpr,
    ),
    Identifier(
        "no_fodselsnummer",
        r"[0-9]{6} ?[0-9]{5}",
        r"(?<![\w+.\-])\d{6} ?\d{5}(?![\w\-])",
        r"f[oø]dselsnummer|personnummer|fnr",
        0.0,
        checksums.fodselsnummer,
    ),
    Identifier(
        "cl_rut",
        r"[0-9]{1,2}[.]?[0-9]{3}[.]?[0-9]{3}-[0-9k]",
        r"(?<![\w+.\-])\d{1,2}\.?\d{3}\.?\d{3}-[\dkK](?![\w\-])",
        r"rut|r\.u\.t\.?|rol unico|run",
        0.0,
        checksums.rut,
    ),
    Identifier(
        "sg_nric",
        r"[stfg][0-9]{7}[a-z]",
        r"(?<!\w)[STFG]\d{7}[A-Z](?!\w)",
        r"nric|fin|ic n\w+|singapore",
        0.0,
        checksums.nric,
    ),
    Identifier(
        "za_id",
        r"[0-9]{6} ?[0-9]{4} ?[0-9]{3}",
        r"(?<![\w+.\-])\d{6} ?\d{4} ?\d{3}(?![\w\-])",
        rf"(?:sa|rsa|south african) id\w*|{_ID}",
        0.0,
        _za_id,
    ),
    Identifier(
        "ro_cnp",
        r"[1-9][0-9]{12}",
        r"(?<![\w+])[1-9]\d{12}(?!\w)",
        r"cnp|cod(?:ul)? numeric",
        0.0,
        checksums.cnp,
    ),
    Identifier(
        "cz_rodne_cislo",
        r"[0-9]{6}/[0-9]{4}",
        r"(?<![\w+./\-])\d{6}/\d{4}(?![\w/\-])",
        r"rodn[eé] [cč][ií]slo|r\. ?[cč]\.",
        0.0,
        checksums.rodne_cislo,
    ),
    Identifier(
        "pt_nif",
        r"[1-35689][0-9]{2} ?[0-9]{3} ?[0-9]{3}",
        r"(?<![\w+.\-])[1-35689]\d{2} ?\d{3} ?\d{3}(?![\w\-])",
        r"nif|contribuinte",
        0.0,
        checksums.nif,
    ),
    Identifier(
        "au_tfn",
        r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        r"(?<![\w+.\-])\d{3} ?\d{3} ?\d{3}(?![\w\-])",
        r"tfn|tax file(?: n\w+)?",
        0.0,
        checksums.tfn,
    ),
    Identifier(
        "ie_pps",
        r"[0-9]{7}[a-w][a-iw]?",
        r"(?<!\w)\d{7}[A-W][A-IW]?(?!\w)",
        r"pps\w*(?: n\w+)?",
        0.0,
        checksums.pps,
    ),
    Identifier(
        "de_sozialversicherung",
        r"[0-9]{2} ?[0-9]{6} ?[a-z] ?[0-9]{3}",
        r"(?<![\w+.\-])\d{2} ?[0-3]\d[01]\d{3} ?[A-Z] ?\d{3}(?![\w\-])",
        r"sozialversicherung\w*|rentenversicherung\w*|versicherungsnummer|sv[ \-]?n\w+|rvnr",
        0.6,
        checksums.rentenversicherung,
    ),
    Identifier(
        "jp_my_number",
        r"[0-9]{4} ?[0-9]{4} ?[0-9]{4}",
        r"(?<![\w+.\-])(?<!\d )\d{4} ?\d{4} ?\d{4}(?![\w\-])(?! \d)",
        r"マイナンバ[ー\-]|個人番号|my number",
        0.0,
        checksums.my_number,
    ),
)
"""Sources: the checks are those of each state's own rules, as python-stdnum 2.2 cites them."""

"""Takes personal data and credentials out of a text that is about to be written down. Pure.

For telemetry: rather one number too many is masked than one too few. Every pattern's repetitions
are bounded, so that the time taken grows with the text's length and nothing else.
"""

import re
from typing import Final

_CREDENTIAL: Final = re.compile(
    r"(?i:\bbearer)\s{1,8}[\w.~+/=-]{8,512}"
    r"|\b(?:sk|pk|rk|ak)[-_][\w-]{12,256}"
    r"|\b(?:gh[pousr]|glpat|xox[abeprs])[-_][\w-]{12,256}"
    r"|\bgithub_pat_\w{20,256}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bAIza[\w-]{30,64}"
    r"|\beyJ[\w-]{8,2048}\.[\w-]{8,4096}\.[\w-]{8,1024}"
    r"|-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]{0,8192}(?:-----END [A-Z ]{0,32}KEY-----)?"
)
_EMAIL: Final = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
)
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_NUMBER: Final = re.compile(r"(?<!\w)[+(]{0,2}\d[\d ().\-/]{7,30}\d(?!\w)")
_SSN: Final = re.compile(r"(?!000|666|9)\d{3}[- ](?!00)\d{2}[- ](?!0000)\d{4}")
_DATES: Final = re.compile(r"(?:(?:19|20)\d\d(?:[-/.]\d\d){0,2}|[ ()./-]|\b\d\d?\b){1,16}")
_CARD_LENGTHS: Final = range(13, 20)
_SHORTEST_IBAN: Final = 15


def masked(text: str) -> str:
    """Put a word in brackets in place of what may identify a person or open a door.

    Args:
        text: of any length; the caller bounds it.

    Returns:
        The text without credentials, e-mail addresses, IBANs, payment cards, US social security
        numbers and telephone numbers.
    """
    text = _CREDENTIAL.sub("[credential]", text)
    if "@" in text:
        text = _EMAIL.sub("[email]", text)
    text = _IBAN.sub(_iban, text)
    return _NUMBER.sub(_number, text)


def _iban(found: re.Match[str]) -> str:
    """Mask the longest part that is an IBAN: capitals that follow one may be another word."""
    whole = found[0]
    for end in range(len(whole), _SHORTEST_IBAN - 1, -1):
        if _is_iban(whole[:end].replace(" ", "")):
            return "[iban]" + whole[end:]
    return whole


def _is_iban(compact: str) -> bool:
    """Check the digits of ISO 13616: the rearranged number leaves 1 when divided by 97."""
    if len(compact) < _SHORTEST_IBAN:
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def _number(found: re.Match[str]) -> str:
    whole = found[0]
    digits = "".join(c for c in whole if c.isascii() and c.isdigit())
    if _holds_card(digits):
        return "[card]"
    if _SSN.fullmatch(whole):
        return "[ssn]"
    return "[phone]" if _is_phone(whole, len(digits)) else whole


def _holds_card(digits: str) -> bool:
    return any(
        digits[start] in "23456" and _passes_luhn(digits[start : start + length])
        for length in _CARD_LENGTHS
        for start in range(len(digits) - length + 1)
    )


def _passes_luhn(digits: str) -> bool:
    """Check the last digit as ISO/IEC 7812-1 has it."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _is_phone(whole: str, count: int) -> bool:
    """Tell whether digits may be a telephone number: E.164 allows 15; a local one has 9 or more."""
    if not 9 <= count <= 15 or _DATES.fullmatch(whole):
        return False
    return not whole.isdigit() or count in {10, 11}

"""Tells whether a number could be a payment card's, a bank account's or an American's.

Written a second time for the tests on purpose: a mistake shared with the rules would not show.
"""

import re


def is_card_number(number: str) -> bool:
    """Tell whether 13 to 19 digits have the right check digit (ISO/IEC 7812-1, Luhn)."""
    if not re.fullmatch(r"[0-9]{13,19}", number):
        return False
    odd, even = number[-1::-2], number[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(each), 10)) for each in even)) % 10 == 0


def is_iban(number: str) -> bool:
    """Tell whether country, check digits and account leave 1 modulo 97 (ISO 13616)."""
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", number):
        return False
    return int("".join(str(int(each, 36)) for each in number[4:] + number[:4])) % 97 == 1


def is_us_ssn(number: str) -> bool:
    """Tell whether nine digits have an area, group and serial that can be given out.

    Areas 000, 666 and 900 to 999, group 00 and serial 0000 are never given out (SSA).
    """
    return bool(re.fullmatch(r"(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}", number))

"""Check digits of numbers that name a person, an account or a card. Pure arithmetic."""

from collections.abc import Sequence
from typing import Final

_DOUBLED: Final = str.maketrans("0123456789", "0246813579")


def luhn(digits: str) -> bool:
    """Tell whether the last digit is right by Luhn's rule (ISO/IEC 7812-1, annex B)."""
    doubled = digits[-2::-2].translate(_DOUBLED)
    total = sum(digits[::-2].encode()) + sum(doubled.encode())  # ASCII, 48 too many each
    return (total - 48 * len(digits)) % 10 == 0


def mod97(account: str) -> bool:
    """Tell whether an IBAN, bare and in capitals, has the right check digits (ISO 13616)."""
    moved = account[4:] + account[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


# The dihedral group D5, its permutations: Verhoeff 1969.
_TIMES: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTED: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def verhoeff(digits: str) -> bool:
    """Tell whether the last digit is right by Verhoeff's rule (India's Aadhaar)."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_TIMES[check][int(_PERMUTED[place % 8][int(digit)])])
    return check == 0


def weighted(digits: str, weights: Sequence[int]) -> int:
    """Give the sum of digits times weights; the longer one's rest is left out."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def mod11_10(digits: str) -> bool:
    """Tell whether the last digit is right by ISO/IEC 7064 MOD 11,10 (Germany's tax number)."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product - 1) % 10 + 1) * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


_ODD_PLACES: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
            *(2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ],
        strict=True,
    )
)


def codice_fiscale(code: str) -> bool:
    """Tell whether an Italian tax code's last letter is right (DM 23/12/1976)."""
    total = sum(_ODD_PLACES[character] for character in code[0:15:2])
    total += sum(
        int(character) if character.isdigit() else ord(character) - 65 for character in code[1:15:2]
    )
    return chr(65 + total % 26) == code[15]


_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def dni(code: str) -> bool:
    """Tell whether a Spanish DNI or NIE's letter is right (Real Decreto 1553/2005)."""
    number = code[:-1].translate(str.maketrans("XYZ", "012"))
    return _DNI_LETTERS[int(number) % 23] == code[-1]


def nir(code: str) -> bool:
    """Tell whether a French social security number's two-digit key is right (Insee)."""
    number = code[:-2].replace("2A", "19").replace("2B", "18")
    return number.isdigit() and 97 - int(number) % 97 == int(code[-2:])


def pesel(digits: str) -> bool:
    """Tell whether a Polish PESEL's check digit and date are right."""
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    return (
        1 <= month <= 12
        and 1 <= day <= 31
        and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
    )


def cpf(digits: str) -> bool:
    """Tell whether a Brazilian CPF's two check digits are right."""
    first = weighted(digits[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(digits[:10], range(11, 1, -1)) * 10 % 11 % 10
    return len(set(digits)) > 1 and digits[9:] == f"{first}{second}"


def resident_id(code: str) -> bool:
    """Tell whether a Chinese resident number's check character is right (GB 11643)."""
    weights = [2**place % 11 for place in range(17, 0, -1)]
    return "10X98765432"[weighted(code[:17], weights) % 11] == code[17].upper()


def steuer_id(digits: str) -> bool:
    """Tell whether a German tax number is right: one digit of ten twice or thrice, MOD 11,10."""
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    repeated = counts[-1] in {2, 3} and counts[-2] == 1
    return digits[0] != "0" and repeated and mod11_10(digits)


def bsn(digits: str) -> bool:
    """Tell whether a Dutch BSN passes the eleven test."""
    return weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def ean13(digits: str) -> bool:
    """Tell whether the last digit is right by GS1's rule (Switzerland's AHV number)."""
    return weighted(digits, (1, 3) * 6 + (1,)) % 10 == 0


def tckn(digits: str) -> bool:
    """Tell whether a Turkish number's two check digits are right."""
    values = [int(digit) for digit in digits]
    tenth = (7 * sum(values[0:9:2]) - sum(values[1:8:2])) % 10
    return values[9] == tenth and values[10] == sum(values[:10]) % 10


def hetu(code: str) -> bool:
    """Tell whether a Finnish personal identity code, its sign left out or not, is right."""
    digits = "".join(character for character in code[:-1] if character.isdigit())
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == code[-1]


_CURP: Final = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"


def curp(code: str) -> bool:
    """Tell whether a Mexican CURP's check digit is right."""
    total = sum(_CURP.index(character) * (18 - place) for place, character in enumerate(code[:17]))
    return str(-total % 10) == code[17]


def rrn(digits: str) -> bool:
    """Tell whether a Korean resident registration number's check digit is right.

    Numbers given since October 2020 have none; one in ten of them passes by chance.
    """
    total = weighted(digits[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    return str((11 - total % 11) % 10) == digits[12]


def belgian(digits: str) -> bool:
    """Tell whether a Belgian national number's two check digits are right, for either century."""
    return int(digits[9:]) in {97 - int(century + digits[:9]) % 97 for century in ("", "2")}


def fodselsnummer(digits: str) -> bool:
    """Tell whether a Norwegian number's two check digits are right."""
    return (
        weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def rut(code: str) -> bool:
    """Tell whether a Chilean RUT's check character is right."""
    total = weighted(code[-2::-1], (2, 3, 4, 5, 6, 7, 2, 3))
    return "0K987654321"[total % 11] == code[-1]


def nric(code: str) -> bool:
    """Tell whether a Singaporean NRIC or FIN's check letter is right."""
    total = weighted(code[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if code[0] in "TG" else 0)
    letters = "JZIHGFEDCBA" if code[0] in "ST" else "XWUTRQPNMLK"
    return letters[total % 11] == code[8]


def cnp(digits: str) -> bool:
    """Tell whether a Romanian CNP's check digit is right."""
    total = weighted(digits[:12], (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return int(digits[12]) == (1 if total == 10 else total)


def rodne_cislo(digits: str) -> bool:
    """Tell whether a Czech or Slovak birth number divides by eleven."""
    return int(digits) % 11 == 0


def nif(digits: str) -> bool:
    """Tell whether a Portuguese tax number's check digit is right."""
    check = 11 - weighted(digits[:8], range(9, 1, -1)) % 11
    return int(digits[8]) == (0 if check >= 10 else check)


def tfn(digits: str) -> bool:
    """Tell whether an Australian tax file number of nine digits is right."""
    return weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def pps(code: str) -> bool:
    """Tell whether an Irish PPS number's first letter is right."""
    second = code[8:]
    more = 0 if second in {"", "W"} else 9 * (ord(second) - 64)
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighted(code[:7], range(8, 1, -1)) + more) % 23] == code[7]


def rentenversicherung(code: str) -> bool:
    """Tell whether a German social security number's check digit is right (§ 2 VKVV)."""
    letter = f"{ord(code[8]) - 64:02d}"
    digits = code[:8] + letter + code[9:11]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    products = [int(digit) * weight for digit, weight in zip(digits, weights, strict=True)]
    return sum(product // 10 + product % 10 for product in products) % 10 == int(code[11])


def my_number(digits: str) -> bool:
    """Tell whether a Japanese individual number's check digit is right."""
    rest = weighted(digits[10::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)

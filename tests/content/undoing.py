"""Undoes each way of hiding a text that the table of attacks names, with the standard library.

It proves that an entry hides what it says it hides. It is no model for the rules: it undoes what
it is told to, where a rule must find out for itself, and it does not care for speed.
"""

import base64
import binascii
import html
import itertools
import json
import re
import unicodedata
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, cast


class Obfuscation(StrEnum):
    """How an attack is hidden."""

    PROSE = "prose"
    """Ordinary sentences around it."""
    TOOL_ARGUMENTS = "tool_arguments"
    """Within the JSON of a tool's arguments."""
    SPACING = "spacing"
    """Blanks, dots or dashes between letters or digits."""
    LINES = "lines"
    """Line breaks and tabs within."""
    CASE = "case"
    REPETITION = "repetition"
    """A letter drawn out."""
    COMMENTS = "comments"
    """SQL's block comments between or around words."""
    ZERO_WIDTH = "zero_width"
    """Letters that are not drawn."""
    TAG_CHARACTERS = "tag_characters"
    """Unicode's tag characters, a second ASCII that is not drawn."""
    FULL_WIDTH = "full_width"
    """Full-width or mathematical forms of letters and digits."""
    DIGITS = "digits"
    """Digits of another script."""
    SPELLED_DIGITS = "spelled_digits"
    """Digits as English words."""
    HOMOGLYPH = "homoglyph"
    """Letters of another script that look alike."""
    ACCENTS = "accents"
    """Combining marks."""
    LEET = "leet"
    """Digits and signs for letters."""
    PERCENT = "percent"
    """As in a URL, up to twice, with the old %u form."""
    ENTITIES = "entities"
    """As in HTML."""
    BASE64 = "base64"


_LOOK_ALIKE = {
    0x0410: "A", 0x0430: "a", 0x0415: "E", 0x0435: "e", 0x041E: "O", 0x043E: "o",
    0x0420: "P", 0x0440: "p", 0x0421: "C", 0x0441: "c", 0x0425: "X", 0x0445: "x",
    0x0406: "I", 0x0456: "i", 0x03F2: "c", 0x2019: "'",
}  # fmt: skip
_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "@": "a", "$": "s"})
_DIGITS: dict[str, str] = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4",
    "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip


def is_beneath(plain: str, text: str, hidden_by: Iterable[Obfuscation]) -> bool:
    """Tell whether a text holds `plain` once each obfuscation is undone, in the order given.

    Blanks do not count, nor do the separators that people put into numbers; both sides are
    treated alike where undoing is ambiguous (case, leet, repetition).
    """
    hidden_by = tuple(hidden_by)
    for each in hidden_by:
        text = _UNDO[each](text)
        if each in _BOTH_SIDES:
            plain = _UNDO[each](plain)
    return _squeezed(plain, plain) in _squeezed(text, plain)


def idle(plain: str, text: str, hidden_by: Iterable[Obfuscation]) -> Iterator[Obfuscation]:
    """Name the obfuscations without which `plain` would be seen just as well."""
    hidden_by = tuple(hidden_by)
    for each in hidden_by:
        if each in _SEEN_THROUGH:
            if not re.search(_SEEN_THROUGH[each], text):
                yield each
        elif is_beneath(plain, text, (other for other in hidden_by if other is not each)):
            yield each


def _squeezed(text: str, plain: str) -> str:
    """Take out blanks, and dots and dashes too where only letters and digits are looked for."""
    return re.sub(r"[\s.\-]" if plain.isalnum() else r"\s", "", text)


def _as_is(text: str) -> str:
    return text


def _without_spacing(text: str) -> str:
    return re.sub(r"[\s.\-\u2010-\u2015]", "", text)


def _without_comments(text: str) -> str:
    kept = re.sub(r"/\*!\d*(.*?)\*/", r"\1", text, flags=re.DOTALL)
    return re.sub(r"/\*.*?\*/", " ", kept, flags=re.DOTALL)


def _without_zero_width(text: str) -> str:
    return "".join(each for each in text if unicodedata.category(each) != "Cf")


def _tags_to_ascii(text: str) -> str:
    return re.sub("[\U000e0020-\U000e007e]", lambda tag: chr(ord(tag[0]) - 0xE0000), text)


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(each, each)) for each in text)


def _despelled(text: str) -> str:
    words: list[str] = re.findall(r"[a-z]+|[^a-z]", text.casefold())
    said = "".join(_DIGITS.get(word, word) for word in words)
    return re.sub(r"(?<=\d)[\s,]+(?=\d)", "", said)


def _latin(text: str) -> str:
    # In a number the letter O stands for zero.
    return re.sub(r"(?<=[\dO ])O(?=[\dO ])", "0", text.translate(_LOOK_ALIKE))


def _without_accents(text: str) -> str:
    parts = unicodedata.normalize("NFD", text)
    return "".join(each for each in parts if not unicodedata.combining(each))


def _without_leet(text: str) -> str:
    return text.casefold().translate(_LEET)


def _without_repetition(text: str) -> str:
    return "".join(letter for letter, _ in itertools.groupby(text.casefold()))


def _unquoted(text: str) -> str:
    once = re.sub(r"%u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), text, flags=re.I)
    return urllib.parse.unquote_plus(urllib.parse.unquote_plus(once))


def _decoded(text: str) -> str:
    return re.sub(r"[A-Za-z0-9+/]{12,}={0,2}", lambda found: _from_base64(found[0]), text)


def _from_base64(segment: str) -> str:
    try:
        return base64.b64decode(segment, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return segment


def _arguments(text: str) -> str:
    return "\n".join(_leaves(json.loads(text)))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _leaves(each)
    else:
        yield str(value)


_UNDO: dict[Obfuscation, Callable[[str], str]] = {
    Obfuscation.PROSE: _as_is,
    Obfuscation.TOOL_ARGUMENTS: _arguments,
    Obfuscation.SPACING: _without_spacing,
    Obfuscation.LINES: _as_is,  # blanks do not count
    Obfuscation.CASE: str.casefold,
    Obfuscation.REPETITION: _without_repetition,
    Obfuscation.COMMENTS: _without_comments,
    Obfuscation.ZERO_WIDTH: _without_zero_width,
    Obfuscation.TAG_CHARACTERS: _tags_to_ascii,
    Obfuscation.FULL_WIDTH: _compatible,
    Obfuscation.DIGITS: _ascii_digits,
    Obfuscation.SPELLED_DIGITS: _despelled,
    Obfuscation.HOMOGLYPH: _latin,
    Obfuscation.ACCENTS: _without_accents,
    Obfuscation.LEET: _without_leet,
    Obfuscation.PERCENT: _unquoted,
    Obfuscation.ENTITIES: html.unescape,
    Obfuscation.BASE64: _decoded,
}
_BOTH_SIDES = {
    Obfuscation.SPACING,
    Obfuscation.CASE,
    Obfuscation.REPETITION,
    Obfuscation.LEET,
}
# What `is_beneath` sees through unasked; a trace of it has to be in the text all the same.
_SEEN_THROUGH = {
    Obfuscation.PROSE: r"\w\W+\w",
    Obfuscation.TOOL_ARGUMENTS: r"^\{",
    Obfuscation.LINES: r"[\n\t]",
    Obfuscation.SPACING: r"\w[\s.\-\u2010-\u2015]\w",
}

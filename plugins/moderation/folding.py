"""What each character becomes when a text is read: one form for all that look or mean the same."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_LONGEST_CACHED_RUN: Final = 8
_MOST_CACHED_RUNS: Final = 8_192
_MOST_FOLDS: Final = 20_000

HIDDEN_FROM: Final = "\x86"
HIDDEN_TO: Final = "\x87"
"""What text that nobody sees is read out between: controls that stand for nothing else, since
those of a text are folded (start and end of a selected area, ISO 6429)."""

# Twins of ASCII that are not drawn: models read what is written in them, people never do. Flags of
# regions are written in them too: a black flag, up to six letters, the end (UTS 51).
_TAGS: Final = re.compile(
    "(?P<flag>\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f)|"
    "[\U000e0001\U000e0020-\U000e007e]{2,}\U000e007f?"
)
_TAG_BASE: Final = 0xE0000
# Bytes as variation selectors: one after a letter is ordinary, several in a row are a message.
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_FIRST_SELECTORS: Final = 0xFE00
_MORE_SELECTORS: Final = 0xE0100
_SIXTEEN: Final = 16
_LONG_LIGATURES: Final = "\ufdfa\ufdfb"
"""Arabic blessings in one sign, which NFKC writes out in 18 and 8: a text would grow as much."""
_SHORTENED: Final = str.maketrans(dict.fromkeys(_LONG_LIGATURES, " "))


def folded(run: str) -> str:
    """Fold a run of characters beyond ASCII.

    Args:
        run: not empty; lone surrogates are allowed.

    Returns:
        What a reader sees of it, and between marks what only a model does; may be empty.
    """
    return _remembered(run) if len(run) <= _LONGEST_CACHED_RUN else _fold(run)


def _fold(run: str) -> str:
    if max(run) >= _LONG_LIGATURES[0]:
        run = _SELECTORS.sub(_read_selectors, _TAGS.sub(_read_tags, run.translate(_SHORTENED)))
    return unicodedata.normalize("NFKC", run).translate(_FOLDS)


_remembered = lru_cache(_MOST_CACHED_RUNS)(_fold)


def _read_tags(match: re.Match[str]) -> str:
    if match["flag"]:
        return ""
    letters = "".join(chr(ord(each) - _TAG_BASE) for each in match[0])
    return _hidden(letters.replace("\x01", "").replace("\x7f", ""))


def _read_selectors(match: re.Match[str]) -> str:
    codepoints = map(ord, match[0])
    written = bytes(
        each - _MORE_SELECTORS + _SIXTEEN if each >= _MORE_SELECTORS else each - _FIRST_SELECTORS
        for each in codepoints
    )
    return _hidden(written.decode("utf-8", "replace"))


def _hidden(text: str) -> str:
    # Private use for the while: the marks themselves would be folded with the text around them.
    return f"{_MARK_FROM}{text}{_MARK_TO}"


_MARK_FROM: Final = "\U0010fffc"
_MARK_TO: Final = "\U0010fffd"

_SAME: Final[dict[str, str]] = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u00b4\u02b9\u02bc\u055a\ua78c",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u2212\ufe58\ufe63\u30fc\u2500",
    "/": "\u2044\u2215\u29f8",
    "*": "\u2217\u204e\u066d\u2022",
    "=": "\ua78a\u2e40",
    ".": "\u3002\u06d4\u0701",
    ",": "\u060c\u3001",
    ";": "\u061b",
    "|": "\u01c0\u2223",
    "ss": "\u00df",
    "o": "\u00f8",
    "l": "\u0142",
    "i": "\u0131",
    "d": "\u0111",
    "ae": "\u00e6",
    HIDDEN_FROM: _MARK_FROM,
    HIDDEN_TO: _MARK_TO,
}


def _alike(theirs: str, latin: str) -> dict[str, str]:
    return dict(zip(theirs, latin, strict=True))


# Source: Unicode TR 39, confusables.txt (17.0), letters that one cannot tell from Latin ones.
LATIN_LOOKALIKES: Final[dict[str, str]] = {
    **_alike("абсԁеԍһіјӏкмпорԛгѕтуԝхАВСЕНІЈКМОРЅТУХЗ", "abcdeghijlkmnopqrstuwxABCEHIJKMOPSTYX3"),
    **_alike("αβγεικνορτυχωςϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "abyeikvoptuxwcjABEZHIKMNOPTYX"),
    **_alike("օոսհցզքՕՏԼ", "onuhgqfOSL"),
    **_alike("ᎪᏴᏟᎠᎬᎻᏆᎫᏦᏞᎷᏢᎡᏚᎢᏙᏔᎩᏃ", "ABCDEHIJKLMPRSTVWYZ"),
}
"""Letters of other scripts by the Latin letter that they look like."""

_MARKS: Final = range(0x0300, 0x0370)
_OLD_CONTROLS: Final = range(0x80, 0xA0)
_SEPARATORS: Final = frozenset({"Zs", "Zl", "Zp"})
_SMALL: Final = re.compile(
    r"LATIN (?:SMALL LETTER |LETTER SMALL CAPITAL )(?P<letter>[A-Z])(?: WITH .*)?"
)
_LARGE: Final = re.compile(
    r"(?:LATIN CAPITAL LETTER |NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER |"
    r"REGIONAL INDICATOR SYMBOL LETTER )(?P<letter>[A-Z])(?: WITH .*)?"
)


class _Folds(dict[int, str]):
    """What each character becomes; worked out when first met, bounded."""

    def __missing__(self, codepoint: int) -> str:
        folded = _fold_character(chr(codepoint))
        if len(self) < _MOST_FOLDS:
            self[codepoint] = folded
        return folded


def _fold_character(character: str) -> str:
    codepoint = ord(character)
    if character.isascii():
        return character
    if codepoint in _MARKS:
        return ""
    if codepoint in _OLD_CONTROLS:
        # Windows' quotes and dashes, read as Latin-1 somewhere on the way.
        seen = bytes([codepoint]).decode("cp1252", "ignore")
        return _FOLDS[ord(seen)] if seen else ""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return _fold_by_name(character)


def _fold_by_name(character: str) -> str:
    category = unicodedata.category(character)
    name = unicodedata.name(character, "")
    if category in _SEPARATORS:
        return " "
    if category == "Cf" or name.startswith("VARIATION SELECTOR"):
        return ""
    base = unicodedata.normalize("NFD", character)[0]
    if base.isascii():
        return base
    if small := _SMALL.fullmatch(name):
        return small["letter"].lower()
    large = _LARGE.fullmatch(name)
    return large["letter"] if large else character


_FOLDS: Final = _Folds(
    {ord(shown): as_ascii for as_ascii, all_shown in _SAME.items() for shown in all_shown}
)

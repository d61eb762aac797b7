"""JSON as models write it: read strictly where it is sound, mended where it is not. Pure.

A mended text never gains a fact: what was cut off in the middle of a value is left out, not guessed
at, and each kind of mend is named, so that whoever uses the value can say what was done to it. One
pass without going back; nesting is bounded.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

DEEPEST: Final = 100
"""Nesting beyond which a text is not read: no schema of ours comes near."""
_MOST_DIGITS: Final = 400

Path = tuple[str | int, ...]


class Mend(StrEnum):
    """What had to be done before a text could be read."""

    FENCE = "code_fence"
    AROUND = "text_around"
    TRAILING_COMMA = "trailing_comma"
    MISSING_COMMA = "missing_comma"
    MISSING_COLON = "missing_colon"
    MISSING_VALUE = "missing_value"
    QUOTES = "quotes"
    INNER_QUOTES = "inner_quotes"
    BARE_WORD = "bare_word"
    ESCAPE = "escape"
    CONTROL = "control_character"
    NOT_FINITE = "not_finite"
    NUMBER = "number"
    COMMENT = "comment"
    BRACKET = "bracket"
    TRUNCATED = "truncated"
    """The end is missing: what was cut off is left out."""
    DUPLICATE_KEY = "duplicate_key"
    """The same key twice: the last counts, as with every common parser."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that holds no others.

    Args:
        path: keys and indexes from the root.
        value: a string, number, bool or None.
        start: offset of its first character in the text, quotes left out.
        end: offset behind its last.
    """

    path: Path
    value: str | int | float | bool | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A JSON text that could be read.

    Args:
        value: what it says.
        mends: what had to be done for that, each once; empty for sound JSON.
        leaves: its values with their places in the text.
    """

    value: Any
    mends: tuple[Mend, ...]
    leaves: tuple[Leaf, ...]


def path_text(path: Path) -> str:
    """Write a path as people read it: `experience[0].title`; the root is `$`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "$"


def leaves_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Give the values of parsed JSON that hold no others, in their order, however nested."""
    waiting: list[tuple[Path, Any]] = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value).items()
        elif isinstance(value, list):
            inner = enumerate(cast("list[Any]", value))
        else:
            yield path, value
            continue
        waiting += [((*path, step), held) for step, held in inner][::-1]


def parse(text: str) -> tuple[Any, tuple[Mend, ...]] | None:
    """Read a text that should be JSON, at the speed of the standard parser where it is sound.

    Args:
        text: a model's answer.

    Returns:
        The value and the mends it took, or None where there is no JSON in it.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once
        )
    except (ValueError, RecursionError):
        return _mended(text)
    # Halves of a character cannot be written again, and nesting must stay bounded.
    return _mended(text) if _HALF.search(text) or _is_too_deep(value) else (value, ())


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for held in level:
            if isinstance(held, dict):
                inner += cast("dict[str, Any]", held).values()
            elif isinstance(held, list):
                inner += cast("list[Any]", held)
        if not inner:
            return False
        level = inner
    return True


def _mended(text: str) -> tuple[Any, tuple[Mend, ...]] | None:
    reading = read(text)
    return None if reading is None else (reading.value, reading.mends)


def _refuse(_: str) -> None:
    raise ValueError("not finite")


def _finite(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


def read(text: str) -> Reading | None:
    """Read a text that should be JSON, and tell where its values stand.

    Args:
        text: a model's answer; prose and a code fence around it are left out.

    Returns:
        The reading, or None where there is no JSON in it, or none that is nested less than
        `DEEPEST`.
    """
    reader = _Reader(text)
    try:
        return reader.run()
    except _NotJsonError:
        return None


class _NotJsonError(Exception):
    """There is nothing that could be read."""


class _CutOffError(Exception):
    """The text ends where a value should be."""


_FENCE: Final = re.compile(r"```[ \t]*(?:json[c5]?|JSON)?[ \t]*\r?\n?")
# An array in prose must look like one: `[sic]` does not.
_OPENING: Final = re.compile(r"""\{|\[(?=\s{0,200}[{\["'\d\]-])""")
_SPACE: Final = re.compile(r"[ \t\r\n\u00a0\ufeff]*")
_COMMENT: Final = re.compile(r"//[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/)?")
_STRING_PART: Final = re.compile(r'[^"\'\\\u201c\u201d\x00-\x1f]+')
_WHOLE_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"\s*', re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d*)?")
_SOUND_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD: Final = re.compile(r"[^\W\d][\w$-]*")
_BEGINS: Final = re.compile(r"""[{\["'\u201c\u201d]|[+-]?\.?\d|[+-](?:NaN|nan|Inf|inf)|[^\W\d]""")
_SPECIAL: Final = re.compile(r"[+-]?(?:NaN|nan|Infinity|inf)\b")
_NAMED: Final = {
    "true": (True, True), "false": (False, True), "null": (None, True),
    "True": (True, False), "False": (False, False), "None": (None, False),
    "undefined": (None, False),
}  # fmt: skip
_CLOSES: Final = {'"': '"', "'": "'", "\u201c": "\u201d", "\u201d": "\u201d"}
_ESCAPES: Final = {
    '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.mends: dict[Mend, None] = {}
        self.leaves: list[Leaf] = []
        self.path: list[str | int] = []

    def run(self) -> Reading:
        self._enter()
        try:
            value = self._value()
        except _CutOffError as missing:
            raise _NotJsonError from missing
        self._leave()
        return Reading(value, tuple(self.mends), tuple(self._last_leaves(value)))

    def _last_leaves(self, value: Any) -> list[Leaf]:
        """Leave out what a later value under the same key has replaced."""
        if Mend.DUPLICATE_KEY not in self.mends:
            return self.leaves
        last = {leaf.path: leaf for leaf in self.leaves}
        return [last[path] for path, _ in leaves_of(value) if path in last]

    def _mend(self, mend: Mend) -> None:
        self.mends[mend] = None

    def _enter(self) -> None:
        """Go to where the JSON begins."""
        self._skip()
        if self.at < len(self.text) and self._peek() in "{[":
            return
        if _WHOLE_STRING.fullmatch(self.text, self.at):
            return  # a brace within it opens nothing
        fence = _FENCE.search(self.text, self.at)
        opening = _OPENING.search(self.text, self.at)
        if fence is not None and (opening is None or fence.start() < opening.start()):
            if self.text[self.at : fence.start()].strip():
                self._mend(Mend.AROUND)
            self._mend(Mend.FENCE)
            self.at = fence.end()
            self._skip()
            return
        if opening is None:
            self._scalar_only()
            return
        self._mend(Mend.AROUND)
        self.at = opening.start()

    def _scalar_only(self) -> None:
        """Let a bare string, number or name through; prose is no JSON."""
        rest = self.text[self.at :].strip()
        sound = rest in ("true", "false", "null") or _SOUND_NUMBER.fullmatch(rest)
        if not sound and not (len(rest) > 1 and rest[0] == rest[-1] == '"'):
            raise _NotJsonError

    def _leave(self) -> None:
        """Account for what stands behind the JSON."""
        rest = self.text[self.at :].strip()
        if rest.startswith("```"):
            rest = rest[3:].strip()
        elif Mend.FENCE in self.mends and rest:
            self._mend(Mend.AROUND)
        if rest:
            self._mend(Mend.AROUND)

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _skip(self) -> None:
        """Go past white space and comments."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if self._peek() != "/":
                return
            comment = _COMMENT.match(self.text, self.at)
            if comment is None:
                return
            self._mend(Mend.COMMENT)
            self.at = comment.end()

    def _value(self) -> Any:
        self._skip()
        while self._peek() and not _BEGINS.match(self.text, self.at):
            self._mend(Mend.AROUND)
            self.at += 1
            self._skip()
        char = self._peek()
        if not char:
            self._mend(Mend.TRUNCATED)
            raise _CutOffError
        if char in "{[":
            if len(self.path) >= DEEPEST:
                raise _NotJsonError
            return self._object() if char == "{" else self._array()
        if char in _CLOSES:
            start = self.at + 1
            value, end = self._string()
            return self._leaf(value, start, end)
        return self._bare()

    def _leaf(self, value: str | int | float | bool | None, start: int, end: int) -> Any:
        self.leaves.append(Leaf(tuple(self.path), value, start, end))
        return value

    # -- containers -----------------------------------------------------------------------------

    def _object(self) -> dict[str, Any]:
        self.at += 1
        made: dict[str, Any] = {}
        while self._more("}", bool(made)):
            key = self._key()
            if key is None:
                continue
            if key in made:
                self._mend(Mend.DUPLICATE_KEY)
            if not self._colon():
                continue
            self.path.append(key)
            try:
                made[key] = self._value()
            except _CutOffError:
                return made
            finally:
                self.path.pop()
        return made

    def _colon(self) -> bool:
        """Go past what separates a key from its value; tells whether there is a value."""
        self._skip()
        if self._peek() in (":", "="):
            self.at += 1
            self._skip()
        elif self._peek():
            self._mend(Mend.MISSING_COLON)
        if self._peek() not in ("}", "]", ","):
            return True
        self._mend(Mend.MISSING_VALUE)
        return False

    def _array(self) -> list[Any]:
        self.at += 1
        made: list[Any] = []
        while self._more("]", bool(made)):
            self.path.append(len(made))
            try:
                made.append(self._value())
            except _CutOffError:
                return made
            finally:
                self.path.pop()
        return made

    def _more(self, closing: str, later: bool) -> bool:
        """Go past what separates members; tells whether another one follows."""
        commas = 0
        while True:
            self._skip()
            char = self._peek()
            if char == ",":
                commas += 1
                self.at += 1
                continue
            if commas > 1 or (commas and not later):
                self._mend(Mend.TRAILING_COMMA)
            if not char:
                self._mend(Mend.TRUNCATED)
                return False
            if char in "}]":
                if commas:
                    self._mend(Mend.TRAILING_COMMA)
                return self._closed(char, closing)
            if later and not commas:
                self._mend(Mend.MISSING_COMMA)
            return True

    def _closed(self, char: str, closing: str) -> bool:
        if char == closing:
            self.at += 1
            return False
        # The wrong bracket: it closes this one if the one around it waits for it, and is left
        # for that one; where nothing waits for it, it stands for the right one.
        self._mend(Mend.BRACKET)
        if not any(isinstance(step, int) == (char == "]") for step in self.path):
            self.at += 1
        return False

    def _key(self) -> str | None:
        """Read a key; None where what stands there is none."""
        if self._peek() in _CLOSES:
            try:
                return self._string()[0]
            except _CutOffError:
                return None
        word = _WORD.match(self.text, self.at) or _NUMBER.match(self.text, self.at)
        if word is None:
            self._mend(Mend.AROUND)
            self.at += 1
            return None
        self._mend(Mend.BARE_WORD)
        self.at = word.end()
        return word[0]

    # -- scalars --------------------------------------------------------------------------------

    def _bare(self) -> Any:
        start = self.at
        special = _SPECIAL.match(self.text, start)
        if special is not None:
            self._mend(Mend.NOT_FINITE)
            self.at = special.end()
            return self._leaf(None, start, self.at)
        number = _NUMBER.match(self.text, start)
        if number is not None:
            return self._number(number[0])
        word = _WORD.match(self.text, start)
        assert word is not None, "a value begins as _BEGINS says"  # noqa: S101 - the loop in _value
        self.at = word.end()
        if self.at >= len(self.text) and start > 0 and word[0] not in _NAMED:
            self._mend(Mend.TRUNCATED)
            raise _CutOffError
        value, sound = _NAMED.get(word[0], (word[0], False))
        if not sound:
            self._mend(Mend.BARE_WORD)
        return self._leaf(value, start, self.at)

    def _number(self, written: str) -> Any:
        start, self.at = self.at, self.at + len(written)
        if self.at >= len(self.text) and self.path:
            # 20 may be the beginning of 2019.
            self._mend(Mend.TRUNCATED)
            raise _CutOffError
        if not _SOUND_NUMBER.fullmatch(written):
            self._mend(Mend.NUMBER)
        value = _number_of(written)
        if value is None:
            self._mend(Mend.NOT_FINITE)
        return self._leaf(value, start, self.at)

    def _string(self) -> tuple[str, int]:
        """Read a string; gives it and the offset of its closing quote."""
        opening = self._peek()
        closing = _CLOSES[opening]
        if opening != '"':
            self._mend(Mend.QUOTES)
        self.at += 1
        parts: list[str] = []
        while self.at < len(self.text):
            part = _STRING_PART.match(self.text, self.at)
            if part is not None:
                parts.append(part[0])
                self.at = part.end()
                continue
            char = self.text[self.at]
            if char == "\\":
                parts.append(self._escape())
            elif char == closing and self._ends_here():
                self.at += 1
                return "".join(parts), self.at - 1
            else:
                self._noted(char, closing)
                parts.append(char)
                self.at += 1
        self._mend(Mend.TRUNCATED)
        raise _CutOffError

    def _noted(self, char: str, closing: str) -> None:
        if char < " ":
            self._mend(Mend.CONTROL)
        elif char == closing:
            self._mend(Mend.INNER_QUOTES)

    def _ends_here(self) -> bool:
        """Tell whether a quote closes its string: what follows it must be able to follow one."""
        space = _SPACE.match(self.text, self.at + 1)
        after = space.end() if space else self.at + 1
        if after >= len(self.text) or self.text[after] in ",:}]=/`":
            return True
        # A forgotten comma before the next line's member.
        return "\n" in self.text[self.at + 1 : after] and self.text[after] in "\"'{["

    def _escape(self) -> str:
        char = self.text[self.at + 1 : self.at + 2]
        if char == "u":
            return self._unicode()
        self.at += 2
        if char in _ESCAPES:
            return _ESCAPES[char]
        self._mend(Mend.ESCAPE)
        return char

    def _unicode(self) -> str:
        digits = _HEX.match(self.text, self.at + 2)
        if digits is None:
            self._mend(Mend.ESCAPE)
            self.at += 2
            return "u" if self.at < len(self.text) else ""
        self.at = digits.end()
        code = int(digits[0], 16)
        if 0xD800 <= code < 0xDC00 and self.text.startswith("\\u", self.at):
            low = _HEX.match(self.text, self.at + 2)
            if low is not None and 0xDC00 <= int(low[0], 16) < 0xE000:
                self.at = low.end()
                code = 0x10000 + ((code - 0xD800) << 10) + int(low[0], 16) - 0xDC00
        if 0xD800 <= code < 0xE000:
            # Half a character cannot be written as UTF-8.
            self._mend(Mend.ESCAPE)
            return "\ufffd"
        return chr(code)


def _number_of(written: str) -> int | float | None:
    """Read a number as it was written; None where it is not finite or absurdly long."""
    plain = written.replace("_", "")
    if len(plain) > _MOST_DIGITS:
        return None
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        value = float(plain)
    except ValueError:
        # `1e` and `1e+` of a damaged text.
        value = float(re.split("[eE]", plain)[0])
    return value if math.isfinite(value) else None

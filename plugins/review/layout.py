"""Where the fields of a JSON answer are, and how to lay such an answer out for people; pure.

Nothing of the answer is changed but blank space between its values, so that a reviewer still reads
what the model wrote. An answer that is no JSON, or broken, is shown as it is.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 100_000
"""Longest answer that is laid out, characters."""
_DEEPEST: Final = 100
_FENCED: Final = re.compile(r"\s*(?:```\w*\s*)?([\[{].*[\]}])\s*(?:```\s*)?", re.S)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_INDENT: Final = "  "


@dataclass(frozen=True, slots=True)
class Token:
    """A bracket, comma, colon or value of a JSON text.

    Args:
        text: itself.
        start: its first character in the answer.
        path: of the value that it is or begins, such as `.skills[0]`; None for the others.
    """

    text: str
    start: int
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Laid:
    """An answer as it is shown.

    Args:
        text: itself.
        fields: first and last character of each value in the answer as it was, by path.
        old: where each stretch that was kept together began in the answer.
        new: where it begins in `text`.
    """

    text: str
    fields: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    old: tuple[int, ...] = (0,)
    new: tuple[int, ...] = (0,)

    def at(self, position: int) -> int:
        """Tell where a character of the answer is in what is shown."""
        index = max(bisect_right(self.old, position) - 1, 0)
        end = self.new[index + 1] if index + 1 < len(self.new) else len(self.text)
        return min(self.new[index] + position - self.old[index], end)


def laid_out(answer: str) -> Laid:
    """Lay a JSON answer out, one value a line, unless the model did so itself."""
    found = _FENCED.fullmatch(answer) if len(answer) <= MOST else None
    if found is None or not _is_json(found.group(1)):
        return Laid(answer)
    tokens = list(_tokens(answer, *found.span(1)))
    fields = dict(_fields(tokens))
    if "\n" in found.group(1):
        return Laid(answer, fields)
    begin, end = found.span(1)
    parts, old, new, length = [answer[:begin]], [0], [0], begin
    for token, space in zip(tokens, _spaces(tokens), strict=True):
        parts += space, token.text
        length += len(space)
        old.append(token.start)
        new.append(length)
        length += len(token.text)
    old.append(end)
    new.append(length)
    parts.append(answer[end:])
    return Laid("".join(parts), fields, tuple(old), tuple(new))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _tokens(answer: str, begin: int, end: int) -> Iterator[Token]:
    """Give the tokens with the paths of values; the text is known to be JSON."""
    opened: list[str] = []  # paths of the containers around
    places: list[str | int] = []  # the key or number that the next value of each has
    wants_key = False
    for match in _TOKEN.finditer(answer, begin, end):
        text, start = match.group(), match.start()
        if text in "}]":
            opened.pop()
            places.pop()
            wants_key = False
            yield Token(text, start)
        elif text in ",:":
            wants_key = text == "," and isinstance(places[-1], str)
            if text == "," and isinstance(places[-1], int):
                places[-1] += 1
            yield Token(text, start)
        elif wants_key:
            places[-1] = json.loads(text)
            wants_key = False
            yield Token(text, start)
        else:
            path = opened[-1] + _step(places[-1]) if opened else ""
            if text in "{[":
                opened.append(path)
                places.append("" if text == "{" else 0)
                wants_key = text == "{"
            yield Token(text, start, path)


def _step(place: str | int) -> str:
    return f"[{place}]" if isinstance(place, int) else f".{place}"


def _fields(tokens: list[Token]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Give the values' places; of a container, from its first bracket to its last."""
    opened: list[Token] = []
    for token in tokens:
        end = token.start + len(token.text)
        if token.text in "{[" and token.path is not None:
            opened.append(token)
        elif token.text in "}]":
            first = opened.pop()
            yield first.path or "", (first.start, end)
        elif token.path is not None:
            yield token.path, (token.start, end)


def _spaces(tokens: list[Token]) -> Iterator[str]:
    """Give the blank space in front of each token."""
    depth, before = 0, ""
    for token in tokens:
        if token.text in "}]":
            depth -= 1
            yield "" if before in "{[" else _line(depth)
        elif before == ":":
            yield " "
        elif before == "," or (before and before in "{["):
            yield _line(depth)
        else:
            yield ""
        if token.text in "{[":
            depth += 1
        before = token.text


def _line(depth: int) -> str:
    return "\n" + _INDENT * min(depth, _DEEPEST)

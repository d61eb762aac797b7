"""Undoing disguises: decoded readings of the stretches that hide something."""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final
from urllib.parse import unquote_plus

from plugins.moderation.rules import Rule
from plugins.moderation.text import Draft, View, plain

_CONTEXT: Final = 80
"""Characters kept on either side of what was decoded, so that context words still count."""

_DIGIT_WORDS: Final = {
    word: digit
    for digit, words in {
        "0": "zero oh null cero sero zéro",
        "1": "one eins ein uno un une",
        "2": "two zwei zwo dos deux due",
        "3": "three drei tres trois tre",
        "4": "four vier cuatro quatre quattro",
        "5": "five fuenf cinco cinq cinque",
        "6": "six sechs seis sei",
        "7": "seven sieben siete sept sette",
        "8": "eight acht ocho huit otto",
        "9": "nine neun nueve neuf nove",
    }.items()
    for word in words.split()
}
_TIMES: Final = {"double": 2, "triple": 3}
_WORDS: Final = "|".join(sorted({*_DIGIT_WORDS, *_TIMES}, key=len, reverse=True))
_BETWEEN: Final = r"[ ,.\-\n]{1,3}"
_SPELLED: Final = rf"(?:(?:{_WORDS}|[0-9]{{1,4}}){_BETWEEN}){{5,400}}(?:{_WORDS}|[0-9]{{1,4}})"

_Undo = Callable[[str], str | None]


def _percent(found: str) -> str | None:
    # %u0027 is the older form, which some servers still decode.
    wide = _WIDE_PERCENT.sub(lambda match: chr(int(match[1], 16)), found)
    return unquote_plus(wide, errors="replace")


def _entities(found: str) -> str | None:
    return html.unescape(found)


def _escapes(found: str) -> str | None:
    return _ESCAPE.sub(lambda match: chr(int(match.group(1) or match.group(2), 16)), found)


def _spelled(found: str) -> str | None:
    digits: list[str] = []
    times, words = 1, 0
    for token in re.split(_BETWEEN, found.lower()):
        if token in _TIMES:
            times = _TIMES[token]
            continue
        words += not token.isdigit()
        digits.append(_DIGIT_WORDS.get(token, token) * times)
        times = 1
    return "".join(digits) if words >= _FEWEST_SPELLED else None


def _spaced(found: str) -> str | None:
    # Two spaces, or an empty line, part the words of a text that was set apart letter by letter.
    return " ".join(re.sub(r"[ ._\-*\n]", "", word) for word in re.split(r" {2,}|\n{2,}", found))


def _letters_for_digits(found: str) -> str | None:
    letters = sum(map(str.isalpha, found))
    if not 0 < letters <= sum(map(str.isdigit, found)) or letters > _MOST_FOR_DIGITS:
        return None
    return found.translate(_AS_DIGITS)


def _blanks(_found: str) -> str | None:
    return " "


def _base64(found: str) -> str | None:
    body = found.rstrip("=").translate(_URL_SAFE)
    body = body[: len(body) - (len(body) % 4 == 1)]
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        decoded = raw.decode()
    except (binascii.Error, ValueError):
        return None
    readable = sum(character.isprintable() or character.isspace() for character in decoded)
    return decoded if readable == len(decoded) else None


_FEWEST_SPELLED: Final = 4
_URL_SAFE: Final = str.maketrans("-_", "+/")
_WIDE_PERCENT: Final = re.compile(r"%u([0-9a-fA-F]{4})")
_AS_DIGITS: Final = str.maketrans("OoIl", "0011")
_MOST_FOR_DIGITS: Final = 9
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_LONGEST: Final = 4_096

_DISGUISES: Final[tuple[tuple[Rule, _Undo], ...]] = (
    (
        Rule(
            "disguise.percent",
            r"%(?:u[0-9a-f]{4}|[0-9a-f]{2})",
            re.compile(
                rf"[^\s%]{{0,200}}%(?:u[0-9A-Fa-f]{{4}}|[0-9A-Fa-f]{{2}})\S{{0,{_LONGEST}}}"
            ),
            before=206,
            after=_LONGEST,
            needs=("%",),
        ),
        _percent,
    ),
    (
        Rule(
            "disguise.entity",
            r"&(?:#x?[0-9a-f]{1,7}|[a-z]{2,8});",
            re.compile(r"(?:&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});){1,400}"),
            before=12,
            after=_LONGEST,
            needs=("&",),
        ),
        _entities,
    ),
    (
        Rule(
            "disguise.escape",
            r"\\(?:u[0-9a-f]{4}|x[0-9a-f]{2})",
            re.compile(r"(?:\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}).?){1,400}"),
            before=6,
            after=_LONGEST,
            needs=("\\u", "\\x"),
        ),
        _escapes,
    ),
    (
        Rule(
            "disguise.spelled",
            rf"(?:{_WORDS}){_BETWEEN}(?:{_WORDS}|[0-9]){_BETWEEN}(?:{_WORDS}|[0-9])",
            re.compile(rf"(?<![A-Za-z0-9]){_SPELLED}(?![A-Za-z0-9])", re.IGNORECASE),
            before=400,
            after=400,
            needs=tuple(word for word in _DIGIT_WORDS if len(word) > 1),
        ),
        _spelled,
    ),
    (
        Rule(
            "disguise.spaced",
            r"[^a-z0-9@$][a-z0-9@$](?:[ ._\-*\n][a-z0-9@$*]){3}",
            re.compile(
                r"(?<![A-Za-z0-9@$])[A-Za-z0-9@$!*](?:(?: {1,3}|[._\-*]|\n{1,3})[A-Za-z0-9@$!*]"
                r"(?![A-Za-z0-9@$])){3,400}+"
            ),
            anchor=7,
        ),
        _spaced,
    ),
    (
        # 4OO1 23l4 ...: letters that look like digits, among digits
        Rule(
            "disguise.letters_for_digits",
            r"[0-9][ \-.]?[oil]{1,4}[ \-.]?[0-9]|[^a-z0-9][oil]{1,3}[0-9]{1,3}[ \-.]?[0-9oil]",
            re.compile(
                r"(?<![A-Za-z0-9])(?:[0-9OoIl](?:[ .\-](?=[0-9OoIl]))?){8,24}+(?![A-Za-z0-9])"
            ),
            before=30,
            after=30,
        ),
        _letters_for_digits,
    ),
    (
        # 4111 1111<line break>1111 1111: a number that goes on in the next line
        Rule(
            "disguise.lines",
            r"[0-9]{2}[ \t]{0,4}\n[ \t]{0,12}[0-9]{2}",
            re.compile(
                r"(?<=\d\d)(?<!\b19\d\d)(?<!\b20\d\d)[ \t]{0,4}\n[ \t]{0,12}"
                r"(?=\d\d)(?!(?:19|20)\d\d\b)"
            ),
            before=22,
            after=4,
            needs=("\n",),
        ),
        _blanks,
    ),
    (
        Rule(
            "disguise.blanks",
            r"[\s]{40}",
            re.compile(r"\s{40,4096}"),
            before=42,
            after=_LONGEST,
        ),
        _blanks,
    ),
    (
        Rule(
            "disguise.base64",
            r"[^a-z0-9+/_\-][a-z0-9+/_\-]{20}",
            re.compile(rf"(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{{20,{_LONGEST}}}={{0,2}}"),
            anchor=20,
        ),
        _base64,
    ),
)

RULES: Final = tuple(rule for rule, _ in _DISGUISES)


def undone(view: View, most_characters: int) -> View | None:
    """Read again what is disguised in a view.

    Percent and HTML escapes, backslash escapes, digits spelled as words, letters set apart and
    base64 that decodes to readable text are undone, each with some characters around it.

    Args:
        view: the reading, spots included.
        most_characters: bound of the result.

    Returns:
        The decoded stretches, parted by line breaks, or None when there is nothing disguised.
    """
    changes = _apart(sorted(_changes(view)))
    if not changes:
        return None
    draft, done = Draft(view.text), 0
    for (start, end, decoded), following in pairwise([*changes, (len(view.text), 0, "")]):
        if draft.length + len(decoded) > most_characters:
            break
        opened = max(done, start - _CONTEXT)
        if opened > done:
            draft.put("\n", opened, opened)
        draft.keep(opened, start)
        draft.put(decoded, start, end)
        done = min(end + _CONTEXT, following[0])
        draft.keep(end, done)
    return draft.view(view)


def _changes(view: View) -> Iterator[tuple[int, int, str]]:
    for rule, undo in _DISGUISES:
        for match in rule.matches(view):
            decoded = undo(match.group())
            if decoded is not None and decoded != match.group():
                yield match.start(), match.end(), plain(decoded)


def _apart(changes: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    # Of overlapping ones the first; the rest shows in the next reading of the result.
    kept: list[tuple[int, int, str]] = []
    for change in changes:
        if not kept or change[0] >= kept[-1][1]:
            kept.append(change)
    return kept

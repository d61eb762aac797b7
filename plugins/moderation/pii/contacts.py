"""E-mail addresses and telephone numbers, and lists of several people's."""

import re
from collections.abc import Iterator
from heapq import merge
from typing import Final

from plugins.moderation.pii.lists import Span, lists
from plugins.moderation.rules import Hit, Rule, near, once
from plugins.moderation.text import Text, View

_DOMAIN: Final = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62}+)\.){1,8}(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9\-]{2,59})"
)
_EMAIL: Final = Rule(
    "pii.email",
    r"[a-z0-9_%+\-'\"]@[a-z0-9][a-z0-9\-]{0,62}\.",
    re.compile(
        rf"(?<![\w.+%\-])[\w+%'\-]{{1,64}}+(?:\.[\w+%'\-]{{1,64}}+){{0,8}}+@{_DOMAIN}(?![\w\-]|\.\w)"
    ),
    before=200,
    after=200,
    needs=("@",),
)
_AT: Final = r"\s{0,2}(?:\[\s?at\s?\]|\(\s?at\s?\)|\{\s?at\s?\}|<at>|\s+at\s+|@)\s{0,2}"
_DOT: Final = r"\s{0,2}(?:\[\s?dot\s?\]|\(\s?dot\s?\)|\{\s?dot\s?\}|<dot>|\s+dot\s+)\s{0,2}"
_BRACKETED_EMAIL: Final = Rule(
    "pii.email_bracketed",
    r"[\[({<]\s?at\s?[\])}>]",
    re.compile(
        rf"(?<![\w.+%\-])[\w.+%\-]{{1,64}}\s{{0,2}}[\[({{<]\s?at\s?[\])}}>]\s{{0,2}}{_DOMAIN}"
        r"(?![\w\-]|\.\w)",
        re.IGNORECASE,
    ),
    before=80,
    after=200,
)
_HIDDEN_EMAIL: Final = Rule(
    "pii.email_spelled",
    r"[\[({< ]\s?dot\s?[\])}> ]",
    re.compile(
        rf"(?<![\w.+%\-])[\w.+%\-]{{1,64}}{_AT}[A-Za-z0-9\-]{{1,63}}"
        rf"(?:(?:{_DOT}|\.)[A-Za-z0-9\-]{{1,63}}){{0,4}}{_DOT}[A-Za-z]{{2,24}}(?![\w\-])",
        re.IGNORECASE,
    ),
    before=200,
    after=40,
    needs=("dot",),
)

_PHONE_CONTEXT: Final = re.compile(
    r"(?:\b(?:phone|tel|telephone|mobile|cell|mob|fax|call|whatsapp|sms|text|ring|reach\w*|"
    r"telefon|handy|t[eé]l[eé]phone|tel[eé]fono|m[oó]vil|celular)\b|☎|✆)",
    re.IGNORECASE,
)
_INTERNATIONAL: Final = re.compile(
    r"\+|00[1-9]|\(\d{3}\) ?\d{3}[ \-.]\d{4}|\d{3}[\-.]\d{3}[\-.]\d{4}"
)
_PHONE: Final = Rule(
    "pii.phone",
    r"[^0-9a-z](?:[0-9][ .\-/()]{0,3}){7}",
    re.compile(
        # The first character, and only then what may not stand before it: a search for one of a
        # few characters is quick. Possessive: digits fall into groups in one way only.
        r"[+(\d](?<![\w.+@/\-].)"
        r"(?:(?<=\+)\(?\d{1,15}+|(?<=\()\d{1,15}+|(?<=0)0\(?\d{1,15}+|(?<=\d)\d{0,14}+)\)?"
        r"(?:(?:[ .\-/]{1,2}\(?|\(|(?<=\)))\d{1,14}+\)?){0,8}+"
        r"(?![\d@])"
    ),
    before=40,
    after=60,
)
_FEWEST_DIGITS: Final = 7
_MOST_DIGITS: Final = 15
_SURE: Final = 0.8
_LIKELY: Final = 0.6
_NO_SIGNS: Final = dict.fromkeys(map(ord, "+()-./ "))
_YEARS: Final = re.compile(r"(?:19|20)\d\d\b.{0,3}\b(?:19|20)\d\d")


class Contacts:
    """Finds e-mail addresses (`email`) and telephone numbers (`phone`), one's own too."""

    check = "contact"
    rules = (_EMAIL, _HIDDEN_EMAIL, _BRACKETED_EMAIL, _PHONE)

    def find(self, text: Text) -> list[Hit]:
        """Give the addresses and numbers in a text."""
        return once([hit for view in text.views for hit in [*emails(view), *phones(view)]])


def emails(view: View) -> list[Hit]:
    """Give the e-mail addresses in a view, those spelled with `at` and `dot` too."""
    plain = [Hit("email", *view.place(*match.span()), 1.0) for match in _EMAIL.matches(view)]
    spelled = [
        Hit("email", *view.place(*match.span()), _SURE)
        for rule in (_HIDDEN_EMAIL, _BRACKETED_EMAIL)
        for match in rule.matches(view)
    ]
    return plain + spelled


def phones(view: View) -> list[Hit]:
    """Give the telephone numbers in a view: written internationally, or said to be one."""
    hits: list[Hit] = []
    for match in _numbers(view):
        named = near(view.text, *match.span(), _PHONE_CONTEXT, reach=30)
        if named or _INTERNATIONAL.match(match[0]):
            score = _SURE if named else _LIKELY
            hits.append(Hit("phone", *view.place(*match.span()), score))
    return hits


def _numbers(view: View) -> Iterator[re.Match[str]]:
    for match in _PHONE.matches(view):
        written = match[0]
        digits = len(written.translate(_NO_SIGNS))
        if _FEWEST_DIGITS <= digits <= _MOST_DIGITS and not _YEARS.search(written):
            yield match


class PeopleLists:
    """Finds lists of several people's addresses or telephone numbers (`people_list`)."""

    check = "pii"

    rules = Contacts.rules

    def find(self, text: Text) -> list[Hit]:
        """Give the lists in a text: one hit from the first to the last identifier of each kind."""
        view = text.views[0]
        numbers = (match.span() for match in _numbers(view) if _is_phone(match))
        return once([hit for spans in (_addresses(view), numbers) for hit in lists(view, spans)])


def _addresses(view: View) -> Iterator[Span]:
    return merge(
        *(
            (match.span() for match in rule.matches(view))
            for rule in (_EMAIL, _HIDDEN_EMAIL, _BRACKETED_EMAIL)
        )
    )


def _is_phone(match: re.Match[str]) -> bool:
    if _INTERNATIONAL.match(match[0]):
        return True
    return near(match.string, *match.span(), _PHONE_CONTEXT, reach=30)

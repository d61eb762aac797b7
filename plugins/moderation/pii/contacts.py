"""E-mail addresses and telephone numbers, and lists of several people's."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from plugins.moderation.pii.national import NationalIdentifiers
from plugins.moderation.rules import Hit, Rule, near, once
from plugins.moderation.text import Text, View

_DOMAIN: Final = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62})\.){1,8}(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9\-]{2,59})"
)
_EMAIL: Final = Rule(
    "pii.email",
    r"[a-z0-9_%+\-'\"]@[a-z0-9][a-z0-9\-]{0,62}\.",
    re.compile(
        rf"(?<![\w.+%\-])[\w+%'\-]{{1,64}}(?:\.[\w+%'\-]{{1,64}}){{0,8}}@{_DOMAIN}(?![\w\-]|\.\w)"
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
        # Possessive: digits fall into groups in one way only.
        r"(?<![\w.+@/\-])(?:\+|00)?\(?\d{1,15}+\)?"
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
    for match in _PHONE.matches(view):
        digits = sum(character.isdigit() for character in match[0])
        if not _FEWEST_DIGITS <= digits <= _MOST_DIGITS or _YEARS.search(match[0]):
            continue
        named = near(view.text, *match.span(), _PHONE_CONTEXT, reach=30)
        if named or _INTERNATIONAL.match(match[0]):
            score = _SURE if named else _LIKELY
            hits.append(Hit("phone", *view.place(*match.span()), score))
    return hits


_SPREAD: Final = 1_500
"""Characters within which several people's identifiers are one list."""

_FEWEST: Final = 3
_MANY: Final = 5
_REFEREES: Final = re.compile(
    r"\b(?:referees?|references?|referenzen|referencias|contact us)\b", re.I
)


_REFEREES_REACH: Final = 400
"""Characters before an address in which it may be said to be a referee's."""

_HOSTS: Final = re.compile(
    r"\b(?:interview (?:with|panel|on|at|is|will)|panel|meeting|meet (?:with|your)|invit\w+|"
    r"attendees|participants|dial[ \-]?in|cc|hosts?|hiring team|contact persons?|your contacts|"
    r"calendar|agenda)\b",
    re.IGNORECASE,
)
"""Words of an invitation, which names those who take part."""


class PeopleLists:
    """Finds lists of several people's identifiers (`people_list`).

    A candidate gives an address or two and a number of their own; three different ones of a kind
    within a few lines are somebody else's. Referees, whom an application names, are not counted,
    nor the three or four hosts whom an invitation names.
    """

    check = "pii"

    def __init__(self) -> None:
        self._national = NationalIdentifiers()
        self.rules = (*Contacts.rules, *self._national.rules)

    def find(self, text: Text) -> list[Hit]:
        """Give the lists in a text: one hit from the first to the last identifier of each kind."""
        hits: list[Hit] = []
        for view in text.views[:1]:
            by_kind = groupby(sorted(self._national.within(view), key=_code), key=_code)
            for found in (emails(view), phones(view), *(list(each) for _, each in by_kind)):
                hits += _lists(text.original, found)
        return once(hits)


_ONE_OF_MANY: Final = re.compile(
    r"(?:fax|desk|mobile|office|home|work|cell|direct|main|private|landline)\W{0,4}\Z",
    re.IGNORECASE,
)
"""Labels by which one person tells their own numbers apart."""


def _lists(original: str, found: Sequence[Hit]) -> list[Hit]:
    if len(found) < _FEWEST:
        return []
    by_name: dict[str, Hit] = {}
    referees = [match.start() for match in _REFEREES.finditer(original)]
    for hit in sorted(found, key=lambda hit: hit.start):
        given = bisect_left(referees, hit.start - _REFEREES_REACH) < bisect_left(
            referees, hit.start
        )
        if not given and not _ONE_OF_MANY.search(original[max(0, hit.start - 14) : hit.start]):
            name = re.sub(r"[\W_]", "", original[hit.start : hit.end]).lower()
            by_name.setdefault(name, hit)
    lists: list[Hit] = []
    group: list[Hit] = []
    for hit in [*by_name.values(), None]:
        if group and (hit is None or hit.start - group[-1].end > _SPREAD):
            if len(group) >= _MANY or (len(group) >= _FEWEST and not _hosted(original, group)):
                score = 0.9 if len(group) >= _MANY else _LIKELY
                lists.append(Hit("people_list", group[0].start, group[-1].end, score))
            group = []
        if hit is not None:
            group.append(hit)
    return lists


def _hosted(original: str, group: Sequence[Hit]) -> bool:
    return near(original, group[0].start, group[-1].end, _HOSTS, reach=200)


def _code(hit: Hit) -> str:
    return hit.code

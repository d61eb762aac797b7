"""Numbers by which states know people, each with its own rules."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from plugins.moderation.pii.lists import Span, lists
from plugins.moderation.pii.national_forms import IDENTIFIERS, Identifier
from plugins.moderation.rules import Hit, Rule, near, once
from plugins.moderation.text import Text, View

_NOT_WORD: Final = re.compile(r"[^0-9A-Z]")

_ALONE: Final = "[^0-9a-z]"
"""What stands before a number: asked for in the spot, so that a long run of digits is one spot."""


_OTHER_NUMBER: Final = re.compile(
    r"\b(?:part|serial|order|item|model|article|catalog(?:ue)?|invoice|ticket|case|drawing|batch|lot|"
    r"sku|tracking|stock|asset|version|rev(?:ision)?|ein|zip|p/n|s/n)s?[ \-]?"
    r"(?:no|nos|nr|num(?:ber)?s?|id|code)?\b[.:# ]{0,3}\Z",
    re.IGNORECASE,
)
"""What a number is that has only the form of a person's."""

_NOBODYS: Final = re.compile(
    r"\b(?:test (?:data|numbers?|values?|cases?|fixtures?)|dumm(?:y|ies)|specimens?|placeholders?|"
    r"made[ \-]up|fake|void)\b",
    re.IGNORECASE,
)


Found = tuple[str, Span, float]
"""Code, place in a view, score."""


class NationalIdentifiers:
    """Finds numbers by which states know people, such as `us_ssn` or `pl_pesel`.

    Args:
        with_lists: also find lists of several people's (`people_list`).
    """

    check = "pii"

    def __init__(self, *, with_lists: bool = False) -> None:
        self._lists = with_lists
        self._kinds = [
            (
                each,
                Rule(
                    f"pii.national.{place}.{each.code}",
                    _ALONE + each.spot,
                    re.compile(each.shape),
                    30,
                    40,
                ),
                re.compile(rf"(?<![A-Za-z])(?:{each.context})(?![A-Za-z])", re.IGNORECASE),
            )
            for place, each in enumerate(IDENTIFIERS)
        ]
        self.rules = tuple(rule for _, rule, _ in self._kinds)

    def find(self, text: Text) -> list[Hit]:
        """Give the identifiers in a text, and the lists of them where those are asked for."""
        hits: list[Hit] = []
        for place, view in enumerate(text.views):
            matches = list(self._matches(view))
            hits += _placed(view, text.original, matches)
            if self._lists and place == 0:
                hits += _listed(view, matches)
        return once(hits)

    def _matches(self, view: View) -> Iterator[Found]:
        for kind, rule, context in self._kinds:
            if rule.name not in view.spots:
                continue
            for match in rule.matches(view):
                if not kind.right(_NOT_WORD.sub("", match[0].upper())):
                    continue
                named = near(view.text, match.start(), match.end(), context)
                score = 1.0 if named else _alone(kind, match)
                if score:
                    yield kind.code, match.span(), score


def _placed(view: View, original: str, matches: Sequence[Found]) -> Iterator[Hit]:
    for code, span, score in matches:
        start, end = view.place(*span)
        # Over two lines may stand two numbers, if nobody says what they are.
        if score == 1.0 or "\n" not in original[start:end]:
            yield Hit(code, start, end, score)


def _listed(view: View, matches: Sequence[Found]) -> Iterator[Hit]:
    by_code: dict[str, list[Span]] = {}
    for code, span, _ in matches:
        by_code.setdefault(code, []).append(span)
    for spans in by_code.values():
        yield from lists(view, sorted(spans))


def _alone(kind: Identifier, match: re.Match[str]) -> float:
    if not kind.alone:
        return 0.0
    text, start, end = match.string, match.start(), match.end()
    other = _OTHER_NUMBER.search(text, max(0, start - 40), start) is not None
    return 0.0 if other or near(text, start, end, _NOBODYS, reach=40) else kind.alone

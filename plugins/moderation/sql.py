"""SQL injection by its structure: text that breaks out of a value, not text about SQL.

People who apply for jobs write SQL: a list of keywords, a table they dropped, a whole query. What
they do not write is a value that closes its quote and goes on as a statement, a condition that is
always true, a union glued to a number, or a statement with its rest commented out. Each such sign
has a weight; signs that stand together add up, and together they are believed from a threshold on.
In a short field, such as a name, half of that is enough.
"""

import re
from enum import StrEnum
from typing import Final

from plugins.moderation import sql_conditions, sql_statements
from plugins.moderation.rules import Hit, once
from plugins.moderation.text import Text, View


class Field(StrEnum):
    """What kind of text it is."""

    PROSE = "prose"
    """Free text, such as a resume or a chat message."""
    SHORT = "short"
    """One value, such as a name, a town or a search term: where SQL has no business at all."""


_SIGNS: Final = (*sql_conditions.SIGNS, *sql_statements.SIGNS)
_BELIEVED: Final = {Field.PROSE: 1.0, Field.SHORT: 0.5}
_TOGETHER: Final = 160
"""Characters that may lie between signs of one injection."""

_HONEST: Final = re.compile(
    r"\b(?:select\b[^;'\"]{1,200}\bfrom|update\s{1,4}[\w.`\[\]]{1,60}\s{1,4}set|"
    r"delete\s{1,4}from\s{1,4}\w+|insert\s{1,4}into\s{1,4}\w+|create\s{1,4}(?:table|index|view)|"
    r"alter\s{1,4}table)\b",
    re.IGNORECASE,
)
"""A whole statement before a union or another statement: something that somebody wrote, not a value
that broke out."""

_HONEST_KINDS: Final = frozenset(
    {
        *("union", "union_from", "union_after_value", "columns", "probe", "after_number"),
        *("comment", "stacked"),
    }
)
_LEANS_ON_QUOTES: Final = frozenset({"breakout", "after_number", "short", "arithmetic"})
_QUOTE: Final = re.compile(r"['\"]")
_OPENED: Final = re.compile(r"(?:^|[\s=(,:\[<>/{`]|\b[bru])(?P<quote>['\"])[^'\"\n]{1,40}\Z")
_LONGEST_LITERAL: Final = 44
_STATEMENT_REACH: Final = 300


class SqlInjection:
    """Finds SQL injection (`sql_injection`).

    Args:
        kind: how strict to be.
    """

    check = "sql_injection"

    def __init__(self, kind: Field = Field.PROSE) -> None:
        self._believed = _BELIEVED[kind]
        self.rules = tuple(sign.rule for sign in _SIGNS)

    def find(self, text: Text) -> list[Hit]:
        """Give the injections in a text."""
        return once([hit for view in text.views for hit in self._in(view)])

    def _in(self, view: View) -> list[Hit]:
        seen = sorted(
            (*match.span(), sign.kind, sign.weight)
            for sign in _SIGNS
            if sign.rule.name in view.spots
            for match in sign.rule.matches(view)
            if sign.kind not in _LEANS_ON_QUOTES or not _closes_literal(match)
        )
        hits: list[Hit] = []
        group: list[tuple[int, int, str, float]] = []
        end = -1
        for sign in seen:
            if group and sign[0] - end > _TOGETHER:
                hits += self._judged(view, group, end)
                group = []
            group.append(sign)
            end = max(end, sign[1]) if len(group) > 1 else sign[1]
        return hits + (self._judged(view, group, end) if group else [])

    def _judged(self, view: View, group: list[tuple[int, int, str, float]], end: int) -> list[Hit]:
        weights: dict[str, float] = {}
        for _, _, kind, weight in group:
            weights[kind] = max(weight, weights.get(kind, 0.0))
        start = group[0][0]
        if _follows_statement(view.text, start):
            weights = {kind: w for kind, w in weights.items() if kind not in _HONEST_KINDS}
        total = round(sum(weights.values()), 3)
        if total < self._believed:
            return []
        return [Hit("sql_injection", *view.place(start, end), min(1.0, 0.5 + total / 4))]


def _closes_literal(match: re.Match[str]) -> bool:
    # 'Bob' AND age = 30: the quote ends a value that began with one, so that nothing broke out.
    quote = _QUOTE.search(match.string, match.start(), match.end())
    if quote is None:
        return False
    opened = _OPENED.search(match.string[max(0, quote.start() - _LONGEST_LITERAL) : quote.start()])
    return opened is not None and opened["quote"] == quote[0]


def _follows_statement(text: str, start: int) -> bool:
    # Quotes that are closed before the signs belong to the statement; an open one is broken out of.
    before = _HONEST.search(text, max(0, start - _STATEMENT_REACH), start)
    if before is None:
        return False
    since = text[before.start() : start + 1]
    return since.count("'") % 2 == 0 and since.count('"') % 2 == 0

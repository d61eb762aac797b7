"""Which recognisers read which text, and the scan itself, which never holds the event loop long."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from plugins.core.asked import Asked, Role
from plugins.core.call import Endpoint
from plugins.core.checks import CheckRule
from plugins.core.gate import Failure
from plugins.moderation.checks import pii
from plugins.moderation.injection import PromptInjection
from plugins.moderation.pii.requests import Requests
from plugins.moderation.profanity import Profanity
from plugins.moderation.reader import Reader
from plugins.moderation.rules import Hit, Recogniser, Rule
from plugins.moderation.sql import Field, SqlInjection
from plugins.moderation.text import Text

LONGEST_STRETCH_S: Final = 0.0005
"""After so long the event loop is let run others; one step more takes a fraction of that."""
SHORT: Final = 64
"""Characters of the longest text that can be a single value, where single values stand."""
DECLARED: Final = 16_384
"""Characters of the application's own texts that are read together."""
_BETWEEN: Final = "\n\n"

PATTERNS: Final = ("pii", "sql_injection", "profanity", "prompt_injection")
"""The checks that this scan makes, in the order in which a call is refused for them."""

FROM_OUTSIDE: Final = frozenset({Role.USER, Role.TOOL, Role.DOCUMENT})
"""Who is not the application itself, nor the model."""
READ: Final[Mapping[str, frozenset[Role]]] = {
    "pii": frozenset(Role),
    "sql_injection": FROM_OUTSIDE,
    "profanity": frozenset({Role.USER}),
    "prompt_injection": FROM_OUTSIDE,
}
"""Whose texts each check reads."""
BROKEN: Final = "broken"
"""Code of the hit that says that a recogniser raised."""


@dataclass(frozen=True, slots=True)
class Place:
    """What decides who reads a text: who speaks, and whether it is a single value."""

    role: Role
    is_short: bool


def place_of(endpoint: Endpoint, asked: Asked) -> Place:
    """Tell what kind of text it is.

    A single value is a text of at most `SHORT` characters on one line, where values are sent rather
    than prose: what is to be embedded (search terms, skills, names), a transcription's words, and
    the name of a speaker or of a document.
    """
    is_value = (
        endpoint in {Endpoint.EMBEDDINGS, Endpoint.TRANSCRIPTIONS} or asked.keys[-1] == "name"
    )
    return Place(asked.role, is_value and len(asked.text) <= SHORT and "\n" not in asked.text)


class Sturdy:
    """A recogniser whose own failure is a hit (`BROKEN`), so that the others go on.

    Args:
        inner: that may raise.
    """

    def __init__(self, inner: Recogniser) -> None:
        self.check: Final = inner.check
        self.rules: Final[tuple[Rule, ...]] = inner.rules
        self.inner: Final = inner

    def find(self, text: Text) -> list[Hit]:
        """Give what it finds, or the one hit that says that it broke."""
        try:
            return self.inner.find(text)
        except Exception:  # noqa: BLE001 - whatever a rule does, the call is judged by the others
            return [Hit(BROKEN, 0, 0, 0.0)]


Found = tuple[Asked, Hit]


@dataclass(slots=True)
class Scanned:
    """What a scan brought.

    Args:
        found: by check, in the order of the texts.
        failures: why checks gave no judgement.
    """

    found: dict[str, list[Found]] = field(default_factory=dict[str, list[Found]])
    failures: dict[str, Failure] = field(default_factory=dict[str, Failure])


class Scanner:
    """Reads all texts of a request for all pattern checks in one pass each; one a worker.

    Args:
        extra: more recognisers, of the checks in `PATTERNS`.
    """

    def __init__(self, extra: Sequence[Recogniser] = ()) -> None:
        shared = (*pii(), Profanity(), PromptInjection(), *extra)
        self._shared: Final = tuple(map(Sturdy, shared))
        self._sql: Final = {kind: Sturdy(SqlInjection(kind)) for kind in Field}
        self._reader: Final = Reader([*self._shared, *self._sql.values()])
        self._asked: Final = lru_cache(maxsize=256)(self._choose)

    async def scan(
        self, endpoint: Endpoint, texts: Iterable[Asked], rules: Mapping[str, CheckRule]
    ) -> Scanned:
        """Read the texts.

        Args:
            endpoint: of the request.
            texts: of the request.
            rules: of the checks in `PATTERNS` that are on. A check whose time is over, counted as
                time of the scan's own, is left out from then on.
        """
        scanned = Scanned()
        on = frozenset(rules)
        stretch = _Stretch()
        for members in _together(texts):
            try:
                for check, asked, hits in self._read(endpoint, members, on):
                    _note(scanned, check, asked, hits)
                    if await stretch.is_over():
                        on = _in_time(scanned, rules, on, stretch.busy_s)
            except Exception:  # noqa: BLE001 - a text that cannot be read is judged by nobody
                scanned.failures.update(dict.fromkeys(on, Failure.RAISED))
                return scanned
            if not on:
                break
        return scanned

    def _read(
        self, endpoint: Endpoint, members: list[Asked], on: frozenset[str]
    ) -> Iterator[tuple[str, Asked, list[Hit]]]:
        """Read one text, or several of the application's own as one; each step gives something."""
        if len(members) > 1:
            joined = Asked(members[0].keys, Role.SYSTEM, _BETWEEN.join(m.text for m in members))
            found_any = False
            for check, asked, hits in self._read(endpoint, [joined], on):
                found_any = found_any or bool(hits)
                yield check, asked, []
            if not found_any:
                return
        for asked in members:
            recognisers = self._asked(on, place_of(endpoint, asked))
            if recognisers:
                for step in self._reader.steps(asked.text, recognisers):
                    yield step[0][0] if step else "", asked, [hit for _, hit in step]

    def _choose(self, on: frozenset[str], place: Place) -> tuple[Recogniser, ...]:
        """Choose who reads a text; a request for others' data is one only from outside."""
        sql = self._sql[Field.SHORT if place.is_short else Field.PROSE]
        return tuple(
            each
            for each in (*self._shared, sql)
            if each.check in on
            and place.role in READ[each.check]
            and (place.role in FROM_OUTSIDE or not isinstance(each.inner, Requests))
        )


def _together(texts: Iterable[Asked]) -> Iterator[list[Asked]]:
    """Put the application's own texts together: descriptions and schemas are many and short."""
    waiting: list[Asked] = []
    length = 0
    for asked in texts:
        if asked.role is not Role.SYSTEM:
            yield [asked]
            continue
        if waiting and length + len(asked.text) > DECLARED:
            yield waiting
            waiting, length = [], 0
        waiting.append(asked)
        length += len(asked.text)
    if waiting:
        yield waiting


def _note(scanned: Scanned, check: str, asked: Asked, hits: list[Hit]) -> None:
    for hit in hits:
        if hit.code == BROKEN:
            scanned.failures[check] = Failure.RAISED
        else:
            scanned.found.setdefault(check, []).append((asked, hit))


def _in_time(
    scanned: Scanned, rules: Mapping[str, CheckRule], on: frozenset[str], busy_s: float
) -> frozenset[str]:
    late = {check for check in on if busy_s > rules[check].timeout_s}
    scanned.failures.update(dict.fromkeys(late, Failure.TIMED_OUT))
    return on - late


class _Stretch:
    """Time that a scan has held the event loop: in all, and since it last let go."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()
        self.busy_s = 0.0

    async def is_over(self) -> bool:
        """Let others run, and say so, once `LONGEST_STRETCH_S` have gone."""
        held_s = time.perf_counter() - self._began_s
        if held_s < LONGEST_STRETCH_S:
            return False
        self.busy_s += held_s
        await asyncio.sleep(0)
        self._began_s = time.perf_counter()
        return True

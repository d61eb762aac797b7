"""The stage `toxicity`: hostile language in answers, and personal data that nobody gave.

Two checks, read in one pass. `toxicity` finds hostile sentences. `pii_output` finds card and
account numbers, national identifiers, passports and credentials that the prompt does not have: the
model made them up, or remembers them. E-mail addresses and telephone numbers are what a parsed
resume consists of, and pass.

A stream is read while it runs only where a check blocks: every `STEP` characters the new ones and
`OVERLAP` before them. A sentence or number is whole when it is found, and the client has not had
its end, because it lags `HELD_BACK` characters behind; of a longer sentence it has the beginning.
Masking needs the whole answer: a client cannot be made to forget what it was sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from typing_extensions import override

from plugins.core.answer import Answer, Mended
from plugins.core.apart import apart
from plugins.core.call import Call
from plugins.core.checks import CheckBook, Checks, Mode, OnFailure
from plugins.core.errors import GatewayError
from plugins.core.gate import Failure, failed, guarded
from plugins.core.judging import judged, place_of
from plugins.core.stage import Stage
from plugins.core.tokens import prompt_texts
from plugins.core.verdict import Action, Finding
from plugins.moderation.checks import finding, masked
from plugins.moderation.pii.accounts import Accounts
from plugins.moderation.pii.cards import Cards
from plugins.moderation.pii.credentials import Credentials
from plugins.moderation.pii.documents import Passports
from plugins.moderation.pii.national import NationalIdentifiers
from plugins.moderation.reader import Reader
from plugins.moderation.rules import Hit
from plugins.moderation.toxicity import Toxicity

HELD_BACK: Final = 160
"""Characters by which a stream's client lags where a check blocks: about a sentence."""
STEP: Final = 64
"""Characters that are waited for before a running stream is read on."""
OVERLAP: Final = 512
"""Characters that are read again with the new ones: the longest thing that is found whole."""
MOST_FINDINGS: Final = 20
AT_ONCE: Final = 32_768
"""Characters that are read on the event loop: about 0.4 ms."""
TOXICITY: Final = "toxicity"
PII: Final = "pii_output"
_RENAMED: Final = {"pii": PII}

Hits = dict[str, list[Hit]]


@dataclass(slots=True)
class _Heard:
    """How far a running stream has been read.

    Args:
        attempt: the number of the try that writes it; another one begins anew.
        unread: characters at its end.
        total: characters that came.
    """

    attempt: int
    unread: int = 0
    total: int = 0


class OutputStage(Stage):
    """Reads what a model wrote.

    Args:
        checks: what is done about what is found, by agent.
    """

    name = "toxicity"

    def __init__(self, checks: CheckBook) -> None:
        self._checks: Final = checks
        self._reader: Final = _reader()

    @override
    def keeps_back(self, call: Call) -> int | None:
        modes = {rule.mode for rule in self._rules(call).values()}
        if Mode.MASK in modes:
            return None
        return HELD_BACK if Mode.BLOCK in modes else 0

    @override
    def listen(self, call: Call, text: str, new: int) -> GatewayError | None:
        rules = self._rules(call)
        blocking = {name: rule for name, rule in rules.items() if rule.mode is Mode.BLOCK}
        if not blocking:
            return None
        heard: _Heard | None = call.notes.get(self.name)
        if heard is None or heard.attempt != len(call.attempts):
            heard = call.notes[self.name] = _Heard(len(call.attempts))
        heard.unread += new
        heard.total += new
        if heard.unread < STEP:
            return None
        part = text[-(heard.unread + OVERLAP) :]
        heard.unread = 0
        try:
            hits = self._strange(call, part, blocking)
        except Exception as error:  # noqa: BLE001 - whatever a check does, the worker lives
            check = _first(blocking)
            return failed(call, check, blocking[check], Failure.RAISED, error)
        places = _Places(part, heard.total - len(part))
        return judged(call, places.findings(hits, blocking, "answer"))

    @override
    async def judge(self, call: Call, answer: Answer) -> GatewayError | Mended | None:
        rules = self._rules(call)
        if not rules:
            return None
        check = _first(rules)
        return await guarded(call, check, rules[check], self._judge(call, answer, rules))

    async def _judge(
        self, call: Call, answer: Answer, rules: Checks
    ) -> GatewayError | Mended | None:
        places = [(place_of(i), text) for i, text in enumerate(answer.texts)]
        places += [(f"arguments[{i}]", text) for i, text in enumerate(answer.arguments)]
        found: list[Finding] = []
        mended: dict[str, str] = {}
        for place, text in places:
            hits = await apart(
                lambda text=text: self._strange(call, text, rules), size=len(text), at_once=AT_ONCE
            )
            found += _Places(text, 0).findings(hits, rules, place)
            to_mask = [h for name, held in hits.items() for h in held if _masks(rules, name)]
            if to_mask:
                mended[place] = masked(text, to_mask)
        if not found:
            return None
        refused = judged(call, _bounded(found))
        if refused is not None or not mended:
            return refused
        own = places[: len(answer.texts)]
        return Mended(tuple(mended.get(place, text) for place, text in own))

    def _rules(self, call: Call) -> Checks:
        """Give the checks that are on; none for what a check has asked for itself."""
        if call.inner:
            return {}
        of = self._checks.of(call.agent_name)
        return {name: of[name] for name in (TOXICITY, PII) if name in of and of[name].is_on}

    def _strange(self, call: Call, text: str, rules: Checks) -> Hits:
        """Give what is found by check, without personal data that the prompt has."""
        found = {_RENAMED.get(c, c): hits for c, hits in self._reader.found(text).items()}
        held = found.get(PII)
        if held and PII in rules:
            known = _plain("\n".join(_given(call)))
            found[PII] = [hit for hit in held if _plain(text[hit.start : hit.end]) not in known]
        return {check: hits for check, hits in found.items() if check in rules and hits}


@dataclass(frozen=True, slots=True)
class _Places:
    """A text in which things were found.

    Args:
        text: or its end.
        before: characters of the answer before it.
    """

    text: str
    before: int

    def findings(self, hits: Hits, rules: Checks, place: str) -> list[Finding]:
        return [
            self._placed(name, hit, rules[name].action, place)
            for name, held in hits.items()
            for hit in held
        ]

    def _placed(self, check: str, hit: Hit, action: Action, place: str) -> Finding:
        made = finding(check, hit, self.text, action)
        start, end = hit.start + self.before, hit.end + self.before
        where = f"{place}:{start}-{end}"
        # Tools' arguments cannot be given otherwise than they were written.
        if action is Action.MASK and place.startswith("arguments"):
            action = Action.FLAG
        return Finding(made.check, made.code, action, where, made.excerpt, made.score)


@cache
def _reader() -> Reader:
    """Compile the patterns: a third of a second, once."""
    return Reader(
        [Toxicity(), Cards(), Accounts(), NationalIdentifiers(), Passports(), Credentials()]
    )


def _first(rules: Checks) -> str:
    """Name the check that a failure of the common reading is told of: one that must not fail."""
    return min(rules, key=lambda name: rules[name].on_failure is not OnFailure.CLOSED)


def _masks(rules: Checks, name: str) -> bool:
    return rules[name].mode is Mode.MASK


def _bounded(found: list[Finding]) -> list[Finding]:
    """Keep the first, and one that blocks in any case."""
    blocking = [one for one in found[MOST_FINDINGS:] if one.action is Action.BLOCK]
    return found[:MOST_FINDINGS] + blocking[:1]


def _given(call: Call) -> Iterator[str]:
    """Give what the model was given to read."""
    yield from prompt_texts(call.body)
    for source in call.sources:
        yield source.text


def _plain(text: str) -> str:
    """Leave letters and digits alone: a number may be written in groups."""
    return "".join(filter(str.isalnum, text)).lower()

"""The stage `schema`: structured answers have the form that was asked for, or one more chance.

It comes before the other judges, so that they see the answer that the client will get: a repaired
one is the model's second answer, and nobody has looked at it yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from typing_extensions import override

from plugins.confidence.expected import NOTHING, Expected, expected_of
from plugins.confidence.repair import Structured, better, repair_messages, structured
from plugins.confidence.rules import ConfidencePolicy, Schema
from plugins.core.answer import Answer, Mended
from plugins.core.answer_text import maps
from plugins.core.apart import apart
from plugins.core.asking import Asker, Question
from plugins.core.call import Call, Endpoint
from plugins.core.checks import CheckBook, Mode
from plugins.core.errors import GatewayError
from plugins.core.gate import guarded, patient
from plugins.core.judging import action_of, field_of, judged, place_of
from plugins.core.stage import Stage
from plugins.core.verdict import Action, Finding

AT_ONCE: Final = 2_000
"""Characters that are validated on the event loop: about 0.3 ms for an ordinary schema."""
REPAIR_TIMEOUT_S: Final = 30.0
MOST_FINDINGS: Final = 20
SCHEMA: Final = "schema"
REPAIRED: Final = "schema_repaired"
"""In `Call.notes`: the answer is not the one whose tokens are known."""
NAMES: Final[Mapping[float, Schema]] = {
    1.0: Schema.VALID,
    0.5: Schema.MENDED,
    0.0: Schema.INVALID,
}
"""What `Call.signals["schema"]` stands for."""
_VALUES: Final = {schema: value for value, schema in NAMES.items()}
_KEPT: Final = ("response_format", "temperature", "max_tokens", "max_completion_tokens", "seed")

_CUT_SHORT: Final = frozenset({"content_filter", "refusal"})


class SchemaStage(Stage):
    """Validates structured answers, mends their form, and asks once for a better one.

    Args:
        checks: what is done about what is found, by agent.
        policies: by agent; under the empty name that of all others.
        asker: asks the agent again.
    """

    name = SCHEMA

    def __init__(
        self, checks: CheckBook, policies: Mapping[str, ConfidencePolicy], asker: Asker
    ) -> None:
        self._checks: Final = checks
        self._policies: Final = dict(policies)
        self._asker: Final = asker

    @override
    def keeps_back(self, call: Call) -> int | None:
        blocks = self._checks.rule(call.agent_name, SCHEMA).mode is Mode.BLOCK
        whole = blocks or self._policy(call).buffer
        return None if whole and self._expected(call).is_anything else 0

    @override
    async def judge(self, call: Call, answer: Answer) -> GatewayError | Mended | None:
        expected = self._expected(call)
        if not expected.is_anything or answer.finish in _CUT_SHORT:
            return None
        call.notes.pop(REPAIRED, None)  # of an answer that was set aside
        rule = patient(self._checks.rule(call.agent_name, SCHEMA), REPAIR_TIMEOUT_S)
        return await guarded(call, SCHEMA, rule, self._judge(call, answer, expected))

    async def _judge(
        self, call: Call, answer: Answer, expected: Expected
    ) -> GatewayError | Mended | None:
        written = await _written(answer, expected)
        if written and not written[0].reading.is_valid and self._may_ask(call, answer):
            written = [await self._repaired(call, written[0], expected)]
        calls = [
            await _arguments(text, expected.tools) for text in answer.arguments if expected.tools
        ]
        states = [one.schema for one in (*written, *calls)]
        if states:
            # One bad choice makes the answer bad.
            call.signals[SCHEMA] = min(_VALUES[state] for state in states)
        refused = judged(call, self._findings(call, written, calls))
        if refused is not None or not self._policy(call).holds_structured(stream=call.stream):
            return refused
        texts = tuple(one.delivered for one in written)
        return Mended(texts) if texts and texts != answer.texts else None

    def _policy(self, call: Call) -> ConfidencePolicy:
        return self._policies.get(call.agent_name or "", self._policies[""])

    def _expected(self, call: Call) -> Expected:
        """Tell what is to be checked; nothing for what a check has asked for itself."""
        rule = self._checks.rule(call.agent_name, SCHEMA)
        return expected_of(call) if rule.is_on and not call.inner else NOTHING

    # -- repair --------------------------------------------------------------------------------

    def _may_ask(self, call: Call, answer: Answer) -> bool:
        policy = self._policy(call)
        whole = policy.holds_structured(stream=call.stream)
        return policy.repair and whole and call.endpoint is Endpoint.CHAT and len(answer.texts) == 1

    async def _repaired(self, call: Call, broken: "_Written", expected: Expected) -> "_Written":
        messages = repair_messages(
            maps(call.body.get("messages")), broken.text, broken.reading, expected.schema
        )
        question = Question(
            "repair", call.model_asked, messages, _kept(call.body), timeout_s=REPAIR_TIMEOUT_S
        )
        again = await self._asker.ask(call, question)
        if again is None or not again.texts:
            return broken
        (second,) = await _written(Answer((again.text,)), expected)
        if better(broken.reading, second.reading) is broken.reading:
            return broken
        call.notes[REPAIRED] = True
        return replace(second, repaired=True)

    def _findings(
        self, call: Call, written: "list[_Written]", calls: "list[_Written]"
    ) -> list[Finding]:
        action = action_of(self._checks.rule(call.agent_name, SCHEMA))
        placed = [(place_of(i), one) for i, one in enumerate(written)]
        placed += [(f"arguments[{i}]", one) for i, one in enumerate(calls)]
        found: list[Finding] = []
        for place, one in placed:
            if not one.reading.is_valid:
                found += _faults(one.reading, place, action)
        return found[:MOST_FINDINGS]


@dataclass(frozen=True, slots=True)
class _Written:
    """A text and what was made of it.

    Args:
        text: as the model wrote it.
        reading: what it says.
        repaired: it is the second one that was asked for.
    """

    text: str
    reading: Structured
    repaired: bool = False

    @property
    def schema(self) -> Schema:
        """Name its state for the confidence."""
        state = self.reading.schema
        return Schema.MENDED if self.repaired and state is Schema.VALID else state

    @property
    def delivered(self) -> str:
        """Give what the client gets: sound JSON, where that could be made of it."""
        return self.reading.text if self.reading.is_valid and self.reading.mends else self.text


def _faults(reading: Structured, place: str, action: Action) -> list[Finding]:
    faults = [
        Finding(SCHEMA, fault.rule, action, field_of(place, fault.path))
        for fault in reading.check.faults
    ]
    code = "truncated" if reading.is_json else "no_json"
    return faults or [Finding(SCHEMA, code, action, place)]


async def _read(text: str, schema: Mapping[str, Any] | None) -> _Written:
    reading = await apart(lambda: structured(text, schema), size=len(text), at_once=AT_ONCE)
    return _Written(text, reading)


async def _written(answer: Answer, expected: Expected) -> list[_Written]:
    # A model that calls a tool writes no text, or some prose beside it.
    if not expected.is_json or answer.arguments:
        return []
    return [await _read(text, expected.schema) for text in answer.texts]


async def _arguments(text: str, schemas: tuple[Mapping[str, Any], ...]) -> _Written:
    """Check a tool's arguments against the schemas that they may follow: the best fit counts."""
    # A tool without parameters is often called with nothing at all.
    fits = [await _read(text or "{}", schema) for schema in schemas]
    return min(fits, key=lambda fit: (not fit.reading.is_valid, len(fit.reading.check.faults)))


def _kept(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in _KEPT if body.get(name) is not None}

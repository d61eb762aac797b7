"""The stage `confidence`: how sure each answer is, and what follows from it (SPEC 10.2)."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from typing_extensions import override

from plugins.confidence.agreement import structured_agreement, text_agreement
from plugins.confidence.calibration import Calibrator
from plugins.confidence.expected import expected_of
from plugins.confidence.rules import (
    Confidence,
    ConfidencePolicy,
    Logprobs,
    Schema,
    Signals,
    SoftReject,
    confidence_of,
    self_report,
)
from plugins.confidence.schema_stage import NAMES, REPAIRED, SCHEMA
from plugins.confidence.tokens import answer_probability, tokens_of
from plugins.core.answer import Answer, Fate
from plugins.core.answer_text import maps
from plugins.core.apart import apart
from plugins.core.asking import Asker, Question
from plugins.core.call import RAW_CONFIDENCE, Call, Endpoint
from plugins.core.checks import CheckBook, CheckRule, Mode
from plugins.core.errors import GatewayError
from plugins.core.gate import guarded, patient
from plugins.core.json_text import parse
from plugins.core.judging import judged
from plugins.core.review import Reason
from plugins.core.stage import Stage
from plugins.core.verdict import Action, Finding, Verdict, stricter

CONFIDENCE: Final = "confidence"
BELOW: Final = "below_threshold"
TOKENS_AT_ONCE: Final = 60
"""Tokens whose probabilities are read on the event loop: about 0.3 ms."""
REPORT_AT_ONCE: Final = 6_000
"""Characters of JSON in which a self-report is looked for on the event loop."""
SAMPLE_TIMEOUT_S: Final = 30.0
_LEAST_TEMPERATURE: Final = 0.7
"""Of further samples: at 0 a model agrees with itself whatever it knows."""
_KEPT: Final = ("response_format", "max_tokens", "max_completion_tokens", "top_p")
_OPENING: Final = ("{", "[", "```")
_REPORTS: Final = ("confiden", "certainty")
_FATES: Final = {SoftReject.HOLD: Fate.HOLD, SoftReject.ESCALATE: Fate.ESCALATE}


class Calibrators(Protocol):
    """Knows what raw confidence is worth."""

    def of(self, agent: str | None, model: str | None) -> Calibrator | None:
        """Give what was fitted for an agent (None for plain models) and a model group."""
        ...


class ConfidenceStage(Stage):
    """Says how sure an answer is, and rejects softly what is not sure enough.

    Args:
        checks: what is done about doubtful answers, by agent.
        policies: by agent; under the empty name that of all others.
        calibrators: fitted on what people said of answers.
        asker: asks for further samples.
        tell_logprobs: model groups all of whose deployments give their tokens' probabilities.
    """

    name = CONFIDENCE

    def __init__(
        self,
        checks: CheckBook,
        policies: Mapping[str, ConfidencePolicy],
        calibrators: Calibrators,
        asker: Asker,
        tell_logprobs: Collection[str],
    ) -> None:
        self._checks: Final = checks
        self._policies: Final = dict(policies)
        self._calibrators: Final = calibrators
        self._asker: Final = asker
        self._tell_logprobs: Final = frozenset(tell_logprobs)

    @override
    def shape(self, call: Call, group: str, body: dict[str, Any]) -> None:
        if call.endpoint is not Endpoint.CHAT or group not in self._tell_logprobs:
            return
        if self._on(call) is None or call.body.get("logprobs"):
            return
        wanted = self._policy(call).logprobs
        structured = wanted is Logprobs.AUTO and expected_of(call).is_json
        if wanted is Logprobs.ALWAYS or structured:
            body["logprobs"] = True
            call.hides_logprobs = True

    @override
    def keeps_back(self, call: Call) -> int | None:
        rule = self._on(call)
        if rule is None or rule.mode is Mode.OBSERVE:
            return 0
        return None if rule.mode is Mode.BLOCK or self._policy(call).needs_whole else 0

    @override
    async def judge(self, call: Call, answer: Answer) -> GatewayError | Fate | None:
        rule = self._on(call)
        # What calls a tool and says nothing has a schema at most.
        if rule is None or not (answer.text or answer.arguments):
            return None
        call.confidence, call.calibrated = None, False
        time_s = SAMPLE_TIMEOUT_S if self._policy(call).samples > 1 else 0.0
        work = self._judge(call, answer, rule)
        return await guarded(call, CONFIDENCE, patient(rule, time_s), work)

    async def _judge(
        self, call: Call, answer: Answer, rule: CheckRule
    ) -> GatewayError | Fate | None:
        policy = self._policy(call)
        signals = await _signals(call, answer)
        calibrator = self._calibrators.of(call.agent_name, call.model_served or call.group)
        told = confidence_of(signals, calibrator)
        if policy.wants_samples(told) and call.endpoint is Endpoint.CHAT:
            agreement = await self._agreement(call, answer, policy.samples - 1)
            told = confidence_of(replace(signals, agreement=agreement), calibrator)
        if not _tell(call, told, signals.schema):
            return None
        if policy.verdict(told) is Verdict.ALLOW:
            return None
        return _soft_reject(call, told, rule, policy)

    def _on(self, call: Call) -> CheckRule | None:
        """Give the rule while the check is on; None for what a check has asked for itself."""
        rule = self._checks.rule(call.agent_name, CONFIDENCE)
        return rule if rule.is_on and not call.inner else None

    def _policy(self, call: Call) -> ConfidencePolicy:
        return self._policies.get(call.agent_name or "", self._policies[""])

    async def _agreement(self, call: Call, answer: Answer, count: int) -> float | None:
        """Ask again, and compare; None where nobody answered."""
        stated: Any = call.body.get("temperature")
        temperature = max(_LEAST_TEMPERATURE, 1.0 if stated is None else float(stated))
        question = Question(
            "sample",
            call.group or call.model_asked,
            maps(call.body.get("messages")),
            {n: call.body[n] for n in _KEPT if call.body.get(n) is not None}
            | {"temperature": temperature},
            timeout_s=SAMPLE_TIMEOUT_S,
        )
        asked = await asyncio.gather(*(self._asker.ask(call, question) for _ in range(count)))
        samples = [sample.text for sample in asked if sample is not None and sample.text]
        if not samples:
            return None
        size = len(answer.text) + sum(map(len, samples))
        return await apart(
            lambda: agreement_of(answer.text, samples), size=size, at_once=REPORT_AT_ONCE // 3
        )


async def _signals(call: Call, answer: Answer) -> Signals:
    tokens: Any = None if call.notes.get(REPAIRED) else answer.logprobs
    count = len(tokens) if isinstance(tokens, list) else 0  # pyright: ignore[reportUnknownArgumentType]
    probability = await apart(
        lambda: answer_probability(tokens_of(tokens)), size=count, at_once=TOKENS_AT_ONCE
    )
    reported = await apart(
        lambda: _reported(answer.text), size=len(answer.text), at_once=REPORT_AT_ONCE
    )
    return Signals(
        groundedness=call.signals.get("groundedness"),
        tokens=probability,
        self_report=reported,
        schema=NAMES.get(call.signals.get(SCHEMA, -1.0), Schema.NOT_ASKED),
    )


def _reported(text: str) -> float | None:
    """Read a self-report; most answers have none, and that is seen quickly."""
    lowered = text.lower()
    return self_report(text) if any(word in lowered for word in _REPORTS) else None


def agreement_of(answer: str, samples: list[str]) -> float | None:
    """Compare an answer with further samples: field by field where all are JSON, else by words."""
    texts = (answer, *samples)
    if all(text.lstrip().startswith(_OPENING) for text in texts):
        parsed = [parse(text) for text in texts]
        values: list[Any] = [one[0] for one in parsed if one is not None]
        if len(values) == len(texts):
            return structured_agreement(values[0], values[1:])
    return text_agreement(answer, samples)


def _tell(call: Call, told: Confidence, schema: Schema) -> bool:
    """Write down how sure an answer is; nothing where nothing tells.

    An answer of which nothing is known has no confidence rather than a made-up one, is not
    rejected, and teaches no calibrator.
    """
    call.signals.pop(RAW_CONFIDENCE, None)
    if not told.basis and schema is not Schema.INVALID:
        return False
    call.confidence, call.calibrated = round(told.value, 6), told.calibrated
    if told.basis:
        call.signals[RAW_CONFIDENCE] = told.raw
    return True


def _soft_reject(
    call: Call, told: Confidence, rule: CheckRule, policy: ConfidencePolicy
) -> GatewayError | Fate | None:
    action = Action.FLAG if rule.mode is Mode.MASK else rule.action
    found = Finding(CONFIDENCE, BELOW, action, "answer", score=round(told.value, 3))
    if action is Action.BLOCK:
        return judged(call, [found])
    call.note(found)
    if action is Action.OBSERVE:
        return None
    call.verdict = stricter(call.verdict, Verdict.SOFT_REJECT)
    call.ask_review(Reason.SOFT_REJECT)
    return _FATES.get(policy.soft_reject)

"""The stage `grounding`: what answers rest on, and whether they judge people fairly (SPEC 10.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from typing_extensions import override

from plugins.core.answer import Answer
from plugins.core.apart import apart
from plugins.core.asking import Asker, Question
from plugins.core.call import Call
from plugins.core.checks import CheckBook, CheckRule, Mode
from plugins.core.errors import GatewayError
from plugins.core.gate import guarded, patient
from plugins.core.judging import action_of, judged, place_of
from plugins.core.source import Source
from plugins.core.stage import Stage
from plugins.core.verdict import Action, Finding
from plugins.grounding.assessing import Assessment, assess, ruled
from plugins.grounding.bias import Strength
from plugins.grounding.documents import documents_of
from plugins.grounding.judge import MOST_SENTENCES, JudgedSentence, judge_messages, read_verdicts
from plugins.grounding.policy import GroundingPolicy, policy_of
from plugins.grounding.prejudice import Prejudice, prejudices
from plugins.grounding.source import Index

MOST_FINDINGS: Final = 20
"""Findings of one check on one answer; a last one says how many more there are."""
AT_ONCE: Final = 800
"""Characters of documents and answer that are compared on the event loop: about 0.4 ms."""
BIAS_AT_ONCE: Final = 2_000
"""Characters that are read for bias on the event loop: about 0.35 ms."""
JUDGE_TIMEOUT_S: Final = 20.0
GROUNDEDNESS: Final = "groundedness"
BIAS: Final = "bias"


class GroundingStage(Stage):
    """Holds answers against documents, and looks for prejudice in what judges people.

    Args:
        checks: what is done about what is found, by agent.
        policies: of agents that have their own; the others have `policy.BY_AGENT`.
        asker: asks the judge model, where a policy names one.
    """

    name = "grounding"

    def __init__(
        self, checks: CheckBook, policies: Mapping[str, GroundingPolicy], asker: Asker
    ) -> None:
        self._checks: Final = checks
        self._policies: Final = dict(policies)
        self._asker: Final = asker

    @override
    def keeps_back(self, call: Call) -> int | None:
        # Both look at an answer as a whole; what must not be seen cannot be sent meanwhile.
        policy = policy_of(self._policies, call.agent_name)
        grounded = self._on(call, GROUNDEDNESS)
        if grounded is not None and grounded.mode is Mode.BLOCK:
            return None if documents_of(call, policy.sources) else 0
        bias = self._on(call, BIAS) if policy.judges_people else None
        return None if bias is not None and bias.mode is Mode.BLOCK else 0

    @override
    async def judge(self, call: Call, answer: Answer) -> GatewayError | None:
        policy = policy_of(self._policies, call.agent_name)
        found: list[Finding] = []
        rule = self._on(call, GROUNDEDNESS)
        documents = documents_of(call, policy.sources) if rule is not None else ()
        if rule is not None and documents and answer.text:
            time_s = JUDGE_TIMEOUT_S if policy.judge else 0.0
            work = self._groundedness(call, answer, documents, policy, rule)
            said = await guarded(call, GROUNDEDNESS, patient(rule, time_s), work)
            if isinstance(said, GatewayError):
                return said
            found += said or []
        bias = self._on(call, BIAS) if policy.judges_people else None
        if bias is not None:
            said = await guarded(call, BIAS, bias, self._bias(answer, bias))
            if isinstance(said, GatewayError):
                return said
            found += said or []
        return judged(call, found) if found else None

    def _on(self, call: Call, check: str) -> CheckRule | None:
        """Give the rule of a check that is on; None for what a check has asked for itself."""
        rule = self._checks.rule(call.agent_name, check)
        return rule if rule.is_on and not call.inner else None

    # -- groundedness --------------------------------------------------------------------------

    async def _groundedness(
        self,
        call: Call,
        answer: Answer,
        documents: Sequence[Source],
        policy: GroundingPolicy,
        rule: CheckRule,
    ) -> list[Finding]:
        length = sum(len(document.text) for document in documents)
        index = await apart(lambda: Index(documents), size=length, at_once=AT_ONCE)
        assessments: list[Assessment] = []
        for number, text in enumerate(answer.texts):
            place = place_of(number)
            made = await apart(
                lambda text=text, place=place: assess(text, index, policy.kind, place),
                size=length + len(text),
                at_once=AT_ONCE,
            )
            assessments.append(await self._ruled(call, made, index, documents, policy))
        scores = [made.score for made in assessments if made.score is not None]
        if scores:
            call.signals[GROUNDEDNESS] = min(scores)
        action = action_of(rule)
        return _bounded(
            [
                Finding(GROUNDEDNESS, doubt.code, action, doubt.where, score=1.0 - doubt.points)
                for made in assessments
                for doubt in made.doubted
            ]
        )

    async def _ruled(
        self,
        call: Call,
        made: Assessment,
        index: Index,
        documents: Sequence[Source],
        policy: GroundingPolicy,
    ) -> Assessment:
        """Ask the judge model about the doubtful sentences, if there is one."""
        asked = [doubt.sentence for doubt in made.doubted if doubt.sentence][:MOST_SENTENCES]
        if policy.judge is None or not asked:
            return made
        messages = await apart(
            lambda: judge_messages(asked, documents),
            size=sum(len(document.text) for document in documents),
            at_once=AT_ONCE * 20,
        )
        question = Question(
            "judge", policy.judge, messages, {"temperature": 0}, timeout_s=JUDGE_TIMEOUT_S
        )
        answer = await self._asker.ask(call, question)
        if answer is None:
            return made
        judged_: tuple[JudgedSentence, ...] = await apart(
            lambda: read_verdicts(answer.text, asked, index), size=len(answer.text), at_once=AT_ONCE
        )
        return ruled(made, judged_)

    # -- bias ----------------------------------------------------------------------------------

    async def _bias(self, answer: Answer, rule: CheckRule) -> list[Finding]:
        found: list[Finding] = []
        for number, text in enumerate(answer.texts):
            place = place_of(number)
            held = await apart(
                lambda text=text, place=place: prejudices(text, place),
                size=len(text),
                at_once=BIAS_AT_ONCE,
            )
            found += [_of_bias(one, rule) for one in held]
        return _bounded(found)


def _of_bias(found: Prejudice, rule: CheckRule) -> Finding:
    bias = found.bias
    weak = bias.strength is Strength.PROXY
    return Finding(
        BIAS,
        f"{bias.attribute.value}_{bias.strength.value}",
        Action.OBSERVE if weak else action_of(rule),
        found.where,
        score=bias.score,
    )


def _bounded(found: list[Finding]) -> list[Finding]:
    """Keep the first `MOST_FINDINGS`; one more says that there were others."""
    if len(found) <= MOST_FINDINGS:
        return found
    strictest = next((f for f in found if f.action is not Action.OBSERVE), found[0])
    more = replace(strictest, code="more_findings", where="answer", score=None)
    return [*found[:MOST_FINDINGS], more]

"""How sure each answer is told to be, and what follows below the threshold."""

import json
import math
import time
from typing import Any

import pytest

from plugins.confidence.calibration import Calibrator
from plugins.confidence.rules import ConfidencePolicy, Logprobs, SoftReject
from plugins.confidence.schema_stage import REPAIRED
from plugins.confidence.stage import ConfidenceStage, agreement_of
from plugins.core.agent import Agent
from plugins.core.answer import Answer, Fate
from plugins.core.call import RAW_CONFIDENCE, Call, Endpoint
from plugins.core.checks import CheckBook, CheckRule, Mode
from plugins.core.errors import InvalidRequest
from plugins.core.review import Reason
from plugins.core.verdict import Action, Verdict
from plugins.cost.entry import encode
from tests.asking import RememberedAsker
from tests.making import a_call

PROSE = "The candidate is a good fit."
MESSAGES = [{"role": "user", "content": "Judge."}]
JSON = {"messages": MESSAGES, "response_format": {"type": "json_object"}}


class Fitted:
    """Remembers for whom it was asked."""

    def __init__(self, calibrator: Calibrator | None = None) -> None:
        self.calibrator = calibrator
        self.asked: list[tuple[str | None, str | None]] = []

    def of(self, agent: str | None, model: str | None) -> Calibrator | None:
        self.asked.append((agent, model))
        return self.calibrator


def _stage(
    mode: Mode = Mode.FLAG,
    *,
    asker: RememberedAsker | None = None,
    fitted: Fitted | None = None,
    groups: tuple[str, ...] = ("gpt-4o",),
    **policy: Any,
) -> ConfidenceStage:
    checks = CheckBook({"confidence": CheckRule(mode)})
    policies = {"": ConfidencePolicy(**policy)}
    asking = asker or RememberedAsker()
    return ConfidenceStage(checks, policies, fitted or Fitted(), asking, groups)


async def _judge(
    stage: ConfidenceStage, grounded: float | None = None, text: str = PROSE, **changes: Any
) -> tuple[Call, Any]:
    signals = {} if grounded is None else {"groundedness": grounded}
    call = a_call(**({"signals": signals} | changes))
    return call, await stage.judge(call, Answer((text,)))


def _tokens(*pairs: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"token": text, "logprob": math.log(p), "bytes": None} for text, p in pairs]


# -- how sure --------------------------------------------------------------------------------------


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("signals", "answer", "expected"),
    [
        ({"groundedness": 0.9}, Answer((PROSE,)), 0.9),
        ({}, Answer((PROSE,), logprobs=_tokens(("The", 0.8), (" end", 0.8))), 0.8),
        ({}, Answer(('{"confidence": 0.6}',)), 0.6),
        ({}, Answer(("I am sure. Confidence: 85 %",)), 0.85),
        ({"schema": 0.0}, Answer((PROSE,)), 0.3),
        ({"schema": 0.0, "groundedness": 0.9}, Answer((PROSE,)), 0.3),
        ({"schema": 0.5, "groundedness": 1.0}, Answer((PROSE,)), 0.9),
        ({"schema": 0.0}, Answer((), ("{",)), 0.3),
    ],
)
async def test_an_answer_is_as_sure_as_its_signals_say(
    signals: dict[str, float], answer: Answer, expected: float
) -> None:
    call = a_call(signals=dict(signals))
    await _stage().judge(call, answer)
    assert call.confidence == pytest.approx(expected, abs=1e-6)
    assert not call.calibrated


@pytest.mark.spec("10.2")
@pytest.mark.parametrize("signals", [{}, {"schema": 1.0}, {"schema": 0.5}])
async def test_an_answer_of_which_nothing_is_known_has_no_made_up_confidence(
    signals: dict[str, float],
) -> None:
    call = a_call(signals=dict(signals))
    assert await _stage(soft_reject=SoftReject.HOLD).judge(call, Answer((PROSE,))) is None
    assert call.confidence is None
    assert RAW_CONFIDENCE not in call.signals
    assert call.verdict is Verdict.ALLOW
    assert call.shareable


async def test_an_empty_answer_and_what_a_check_asked_for_have_none() -> None:
    call = a_call(signals={"groundedness": 0.1})
    assert await _stage().judge(call, Answer()) is None
    assert call.confidence is None
    call, said = await _judge(_stage(), 0.1, inner=True)
    assert (said, call.confidence) == (None, None)


async def test_the_tokens_of_an_answer_that_was_repaired_tell_nothing() -> None:
    call = a_call(notes={REPAIRED: True})
    await _stage().judge(call, Answer((PROSE,), logprobs=_tokens(("x", 0.2))))
    assert call.confidence is None


@pytest.mark.spec("10.2")
async def test_confidence_is_calibrated_by_agent_and_model_and_the_raw_one_is_kept() -> None:
    line = Calibrator(slope=1.0, intercept=-1.0, labels=50, right=20)
    fitted = Fitted(line)
    call, _ = await _judge(_stage(fitted=fitted), 0.9, agent=Agent("decision", ("gpt-4o",)))
    assert fitted.asked == [("decision", "gpt-4o")]
    assert call.confidence == pytest.approx(line.apply(0.9), abs=1e-6)
    assert call.calibrated
    assert call.signals[RAW_CONFIDENCE] == pytest.approx(0.9)
    row = json.loads(encode(call))
    assert row["confidence"] == call.confidence
    assert float(row["variants"][RAW_CONFIDENCE]) == pytest.approx(0.9)
    assert call.variants == {}


async def test_under_fifty_labels_nothing_is_calibrated() -> None:
    few = Fitted(Calibrator(slope=1.0, intercept=-1.0, labels=49))
    call, _ = await _judge(_stage(fitted=few), 0.9)
    assert call.confidence == pytest.approx(0.9)
    assert not call.calibrated


async def test_a_later_answer_of_the_same_call_is_judged_anew() -> None:
    stage = _stage()
    call, _ = await _judge(stage, 0.9)
    call.signals.pop("groundedness")
    await stage.judge(call, Answer((PROSE,)))
    assert call.confidence is None
    assert RAW_CONFIDENCE not in json.loads(encode(call))["variants"]


# -- what follows ----------------------------------------------------------------------------------


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("grounded", "rejected"), [(0.699_999, True), (0.7, False), (0.700_001, False), (0.0, True)]
)
async def test_below_the_threshold_and_not_at_it_an_answer_is_soft_rejected(
    grounded: float, rejected: bool
) -> None:
    call, said = await _judge(_stage(), grounded)
    assert said is None
    assert (call.verdict is Verdict.SOFT_REJECT) == rejected
    assert call.shareable != rejected
    if not rejected:
        assert call.findings == []
        assert call.review is None
        return
    (found,) = call.findings
    assert (found.check, found.code, found.where) == ("confidence", "below_threshold", "answer")
    assert found.score == pytest.approx(grounded, abs=0.001)
    assert call.review is not None
    assert call.review.reasons == [Reason.SOFT_REJECT]


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("soft_reject", "fate"),
    [
        (SoftReject.ANNOTATE, None),
        (SoftReject.HOLD, Fate.HOLD),
        (SoftReject.ESCALATE, Fate.ESCALATE),
    ],
)
async def test_policy_says_what_becomes_of_a_soft_rejected_answer(
    soft_reject: SoftReject, fate: Fate | None
) -> None:
    stage = _stage(soft_reject=soft_reject)
    _, said = await _judge(stage, 0.5)
    assert said is fate
    assert stage.keeps_back(a_call(stream=True)) == (None if fate else 0)
    _, said = await _judge(stage, 0.9)
    assert said is None


async def test_every_tiers_doubtful_answer_is_set_aside_and_a_sure_one_is_not() -> None:
    stage = _stage(soft_reject=SoftReject.ESCALATE)
    call, said = await _judge(stage, 0.5, group="gpt-4o")
    assert said is Fate.ESCALATE
    call.group = "claude-3-5-sonnet"
    assert await stage.judge(call, Answer((PROSE,))) is Fate.ESCALATE
    call.signals["groundedness"] = 0.8
    assert await stage.judge(call, Answer((PROSE,))) is None


@pytest.mark.parametrize(
    ("mode", "verdict", "action", "held"),
    [
        (Mode.OFF, Verdict.ALLOW, None, 0),
        (Mode.OBSERVE, Verdict.ALLOW, Action.OBSERVE, 0),
        (Mode.FLAG, Verdict.SOFT_REJECT, Action.FLAG, None),
        (Mode.MASK, Verdict.SOFT_REJECT, Action.FLAG, None),
        (Mode.BLOCK, Verdict.BLOCK, Action.BLOCK, None),
    ],
)
async def test_the_checks_mode_bounds_what_policy_may_do(
    mode: Mode, verdict: Verdict, action: Action | None, held: int | None
) -> None:
    stage = _stage(mode, soft_reject=SoftReject.HOLD)
    call, said = await _judge(stage, 0.5)
    assert call.verdict is verdict
    assert [f.action for f in call.findings] == ([action] if action else [])
    assert isinstance(said, InvalidRequest) == (mode is Mode.BLOCK)
    assert (said is Fate.HOLD) == (mode in (Mode.FLAG, Mode.MASK))
    assert stage.keeps_back(a_call(stream=True)) == held
    assert (call.confidence is None) == (mode is Mode.OFF)


# -- log-probabilities -----------------------------------------------------------------------------


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("logprobs", "body", "group", "asked"),
    [
        (Logprobs.AUTO, JSON, "gpt-4o", True),
        (Logprobs.AUTO, {"messages": MESSAGES}, "gpt-4o", False),
        (Logprobs.ALWAYS, {"messages": MESSAGES}, "gpt-4o", True),
        (Logprobs.OFF, JSON, "gpt-4o", False),
        (Logprobs.AUTO, JSON, "claude-3-5-sonnet", False),
        (Logprobs.AUTO, JSON | {"logprobs": True}, "gpt-4o", False),
        (Logprobs.AUTO, JSON | {"logprobs": False}, "gpt-4o", True),
    ],
)
def test_probabilities_are_asked_for_where_a_provider_has_them_and_the_client_does_not(
    logprobs: Logprobs, body: dict[str, Any], group: str, asked: bool
) -> None:
    call, sent = a_call(body=body), dict(body)
    _stage(logprobs=logprobs).shape(call, group, sent)
    assert call.hides_logprobs is asked
    assert (sent == body | {"logprobs": True}) if asked else (sent == body)


@pytest.mark.parametrize("changes", [{"inner": True}, {"endpoint": Endpoint.COMPLETIONS}])
def test_probabilities_are_asked_for_in_chats_that_are_judged(changes: dict[str, Any]) -> None:
    call, sent = a_call(body=JSON, **changes), dict(JSON)
    _stage().shape(call, "gpt-4o", sent)
    assert not call.hides_logprobs
    _stage(Mode.OFF).shape(a_call(body=JSON), "gpt-4o", sent)
    assert sent == JSON


# -- further samples -------------------------------------------------------------------------------


async def test_further_samples_are_asked_for_only_near_the_threshold_and_when_policy_says() -> None:
    asker = RememberedAsker()
    await _judge(_stage(asker=asker), 0.7)
    assert asker.asked == []
    for grounded, count in ((0.72, 2), (0.61, 2), (0.95, 0), (0.4, 0)):
        asker = RememberedAsker()
        await _judge(_stage(asker=asker, samples=3), grounded, body={"messages": MESSAGES})
        assert len(asker.asked) == count


async def test_agreement_moves_confidence_and_silence_does_not() -> None:
    body = {"messages": MESSAGES, "temperature": 0, "user": "u", "max_tokens": 9}
    for answers, moved in (((PROSE, PROSE), 1), (("No.", "Never."), -1), ((None, None), 0)):
        asker = RememberedAsker(*answers)
        call, _ = await _judge(_stage(asker=asker, samples=3), 0.7, body=body, group="gpt-4o")
        assert call.confidence is not None
        assert (call.confidence > 0.7) - (call.confidence < 0.7) == moved
        (question, _) = asker.asked
        assert (question.purpose, question.model) == ("sample", "gpt-4o")
        # At temperature 0 every sample would be the same.
        assert question.parameters == {"max_tokens": 9, "temperature": 0.7}


@pytest.mark.parametrize(
    ("answer", "samples", "expected"),
    [
        ('{"a": 1, "b": 2}', ['{"b": 2, "a": 1}'], 1.0),
        ('{"a": 1, "b": 2}', ['{"a": 1, "b": 3}', '{"a": 1, "b": 3}'], 0.5),
        ("a strong candidate", ["the strong candidate"], 1.0),
        ('{"a": 1}', ["a strong candidate"], 0.0),
    ],
)
def test_samples_are_compared_as_what_they_are(
    answer: str, samples: list[str], expected: float
) -> None:
    assert agreement_of(answer, samples) == pytest.approx(expected)


# -- what it costs ---------------------------------------------------------------------------------


async def test_an_ordinary_answer_costs_next_to_nothing() -> None:
    stage, call, answer = _stage(), a_call(body={"messages": MESSAGES}), Answer((PROSE * 50,))
    times: list[int] = []
    for _ in range(50):
        start = time.thread_time_ns()
        await stage.judge(call, answer)
        times.append(time.thread_time_ns() - start)
    # 25 us on the machine it was written on.
    assert min(times) < 150_000

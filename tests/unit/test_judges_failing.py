"""A judge that raises or hangs: what becomes of the call is policy's to say, and is counted."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from plugins.confidence import schema_stage
from plugins.confidence import stage as confidence_stage
from plugins.confidence.rules import ConfidencePolicy
from plugins.confidence.schema_stage import SchemaStage
from plugins.confidence.stage import ConfidenceStage
from plugins.core.agent import Agent
from plugins.core.answer import Answer
from plugins.core.asking import NoAsker
from plugins.core.checks import CheckBook, CheckRule, Mode, OnFailure
from plugins.core.errors import Unavailable
from plugins.core.source import Source
from plugins.core.stage import Stage
from plugins.grounding import stage as grounding_stage
from plugins.grounding.stage import GroundingStage
from plugins.moderation.output_stage import OutputStage
from tests.making import a_call

DECISION = Agent("decision", ("gpt-4o",))
BODY = {"messages": [], "response_format": {"type": "json_object"}}
FAST_S = 0.01


class _Uncalibrated:
    def of(self, agent: str | None, model: str | None) -> None:
        return None


MAKERS: dict[str, tuple[Callable[[CheckBook], Stage], Any, str]] = {
    "toxicity": (OutputStage, OutputStage, "_strange"),
    "groundedness": (lambda b: GroundingStage(b, {}, NoAsker()), grounding_stage, "assess"),
    "bias": (lambda b: GroundingStage(b, {}, NoAsker()), grounding_stage, "prejudices"),
    "schema": (
        lambda b: SchemaStage(b, {"": ConfidencePolicy()}, NoAsker()),
        schema_stage,
        "structured",
    ),
    "confidence": (
        lambda b: ConfidenceStage(b, {"": ConfidencePolicy()}, _Uncalibrated(), NoAsker(), ()),
        confidence_stage,
        "confidence_of",
    ),
}


def _raise(*_: object, **__: object) -> object:
    raise RuntimeError("a bug that quotes the answer: secret")


@pytest.mark.spec("10.4")
@pytest.mark.parametrize("on_failure", OnFailure)
@pytest.mark.parametrize("check", MAKERS)
async def test_a_judge_that_raises_does_what_policy_says(
    check: str,
    on_failure: OnFailure,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make, where, name = MAKERS[check]
    stage = make(CheckBook({check: CheckRule(Mode.FLAG, on_failure)}))
    monkeypatch.setattr(where, name, _raise)
    call = a_call(agent=DECISION, body=BODY, sources=(Source("resume", "Jane Doe"),))
    said = await stage.judge(call, Answer(("{}",)))
    assert isinstance(said, Unavailable) is (on_failure is OnFailure.CLOSED)
    assert [(f.check, f.code) for f in call.findings] == [(check, "check_failed")]
    assert call.failed_checks == [(check, "raised")]
    assert call.confidence is None
    assert "secret" not in caplog.text


@pytest.mark.spec("10.4")
@pytest.mark.parametrize("on_failure", OnFailure)
def test_a_listener_that_raises_does_what_policy_says(
    on_failure: OnFailure, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = OutputStage(CheckBook({"toxicity": CheckRule(Mode.BLOCK, on_failure)}))
    monkeypatch.setattr(OutputStage, "_strange", _raise)
    call = a_call(stream=True)
    said = stage.listen(call, "x" * 100, 100)
    assert isinstance(said, Unavailable) is (on_failure is OnFailure.CLOSED)
    assert call.failed_checks == [("toxicity", "raised")]


@pytest.mark.spec("10.4")
async def test_a_judge_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> object:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    monkeypatch.setattr(grounding_stage, "apart", hang)
    rule = CheckRule(Mode.FLAG, OnFailure.CLOSED, FAST_S)
    stage = GroundingStage(CheckBook({"groundedness": rule}), {}, NoAsker())
    call = a_call(sources=(Source("resume", "Jane Doe"),))
    said = await asyncio.wait_for(stage.judge(call, Answer(("Jane.",))), 5)
    assert isinstance(said, Unavailable)
    assert call.failed_checks == [("groundedness", "timed_out")]

"""Structured answers: their form is checked, mended, and asked for once more."""

import json
from typing import Any

import pytest

from plugins.confidence.rules import ConfidencePolicy, SoftReject
from plugins.confidence.schema_stage import MOST_FINDINGS, SchemaStage
from plugins.core.agent import Agent
from plugins.core.answer import Answer, Mended
from plugins.core.call import Call, Endpoint
from plugins.core.checks import CheckBook, CheckRule, Mode
from plugins.core.errors import InvalidRequest
from plugins.core.verdict import Action
from tests.asking import RememberedAsker
from tests.making import a_call

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "years": {"type": "integer"}},
    "required": ["name", "years"],
    "additionalProperties": False,
}
GOOD = '{"name": "Jane", "years": 8}'
FENCED = f"```json\n{GOOD}\n```"
WRONG = '{"name": "Jane", "years": "eight"}'
MESSAGES = [{"role": "user", "content": "Extract: Jane, 8 years."}]
STRICT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
BODY = {"messages": MESSAGES, "response_format": STRICT, "temperature": 0.2, "user": "u"}
ANY_JSON = {"messages": MESSAGES, "response_format": {"type": "json_object"}}
IN_RESPONSES = {"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}}
IN_MESSAGES = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}


def _stage(
    asker: RememberedAsker | None = None, mode: Mode = Mode.OBSERVE, **policy: Any
) -> SchemaStage:
    checks = CheckBook({"schema": CheckRule(mode)})
    return SchemaStage(checks, {"": ConfidencePolicy(**policy)}, asker or RememberedAsker())


async def _judge(stage: SchemaStage, *texts: str, **changes: Any) -> tuple[Call, Any]:
    call = a_call(**({"body": BODY} | changes))
    return call, await stage.judge(call, Answer(texts))


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("endpoint", "body", "text", "signal"),
    [
        (Endpoint.CHAT, BODY, GOOD, 1.0),
        (Endpoint.CHAT, BODY, FENCED, 0.5),
        (Endpoint.CHAT, BODY, WRONG, 0.0),
        (Endpoint.CHAT, BODY, '{"name": "Jane", "years": 8', 0.0),
        (Endpoint.CHAT, BODY, "I cannot.", 0.0),
        (Endpoint.CHAT, ANY_JSON, WRONG, 1.0),
        (Endpoint.CHAT, ANY_JSON, "I cannot.", 0.0),
        (Endpoint.CHAT, {"messages": MESSAGES}, "I cannot.", None),
        (Endpoint.CHAT, {"response_format": {"type": "text"}}, "I cannot.", None),
        (Endpoint.RESPONSES, IN_RESPONSES, GOOD, 1.0),
        (Endpoint.RESPONSES, IN_RESPONSES, WRONG, 0.0),
        (Endpoint.MESSAGES, IN_MESSAGES, WRONG, 0.0),
        (Endpoint.MESSAGES, IN_MESSAGES, GOOD, 1.0),
        (Endpoint.COMPLETIONS, BODY, WRONG, None),
        (Endpoint.CHAT, {"response_format": {"type": "json_schema", "json_schema": {
            "schema": {"type": "nonsense"}}}}, WRONG, 1.0),
    ],
)  # fmt: skip
async def test_an_answers_form_is_told(
    endpoint: Endpoint, body: dict[str, Any], text: str, signal: float | None
) -> None:
    call, _ = await _judge(_stage(), text, endpoint=endpoint, body=body)
    assert call.signals == ({} if signal is None else {"schema": signal})


def _tools(*functions: dict[str, Any]) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": f} for f in functions]}


STRICT_TOOL = {"name": "save", "parameters": SCHEMA, "strict": True}
OTHER_TOOL = {"name": "drop", "parameters": {"type": "object", "required": ["id"]}, "strict": True}


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("endpoint", "body", "arguments", "signal"),
    [
        (Endpoint.CHAT, _tools(STRICT_TOOL), (GOOD,), 1.0),
        (Endpoint.CHAT, _tools(STRICT_TOOL), (WRONG,), 0.0),
        (Endpoint.CHAT, _tools(STRICT_TOOL), (GOOD, WRONG), 0.0),
        (Endpoint.CHAT, _tools(STRICT_TOOL), (GOOD[:-1],), 0.0),
        (Endpoint.CHAT, _tools(STRICT_TOOL, OTHER_TOOL), ('{"id": 3}',), 1.0),
        (Endpoint.CHAT, _tools(STRICT_TOOL, OTHER_TOOL), (WRONG,), 0.0),
        (
            Endpoint.CHAT,
            _tools(STRICT_TOOL, {"name": "free", "parameters": SCHEMA}),
            (WRONG,),
            None,
        ),
        (Endpoint.CHAT, _tools({"name": "none", "parameters": {}, "strict": True}), ("",), 1.0),
        (Endpoint.RESPONSES, {"tools": [{"type": "function"} | STRICT_TOOL]}, (WRONG,), 0.0),
        (Endpoint.MESSAGES, {"tools": [{"name": "save", "input_schema": SCHEMA}]}, (WRONG,), 0.0),
        (Endpoint.MESSAGES, {"tools": [{"name": "save", "input_schema": SCHEMA}]}, (GOOD,), 1.0),
        (Endpoint.MESSAGES, {"tools": [{"type": "web_search_20250305"}]}, (WRONG,), None),
    ],
)
async def test_tools_arguments_are_checked_where_a_schema_binds_them(
    endpoint: Endpoint, body: dict[str, Any], arguments: tuple[str, ...], signal: float | None
) -> None:
    call = a_call(endpoint=endpoint, body=body)
    await _stage().judge(call, Answer((), arguments))
    assert call.signals == ({} if signal is None else {"schema": signal})


async def test_faults_are_named_by_path_and_never_quoted() -> None:
    call, said = await _judge(_stage(), WRONG)
    assert said is None
    (found,) = call.findings
    assert (found.code, found.where, found.action) == ("type", "answer.years", Action.OBSERVE)
    assert found.excerpt == ""
    many = json.dumps({f"x{n}": n for n in range(50)})
    call = a_call(body=BODY)
    await _stage().judge(call, Answer((many, WRONG, "no", GOOD[:-1])))
    assert len(call.findings) <= MOST_FINDINGS
    assert {f.where.partition(".")[0] for f in call.findings} >= {
        "answer",
        "answer[1]",
        "answer[2]",
    }


@pytest.mark.spec("10.2")
async def test_a_mended_form_takes_the_answers_place_and_nothing_is_asked() -> None:
    asker = RememberedAsker()
    call, said = await _judge(_stage(asker), FENCED)
    assert said == Mended((GOOD,))
    assert asker.asked == []
    assert call.findings == []
    assert call.shareable
    _, said = await _judge(_stage(), GOOD, FENCED)
    assert said == Mended((GOOD, GOOD))
    _, said = await _judge(_stage(), GOOD)
    assert said is None


@pytest.mark.spec("10.2")
async def test_a_wrong_answer_is_asked_for_once_more() -> None:
    asker = RememberedAsker(GOOD)
    call, said = await _judge(_stage(asker), WRONG, model_asked="resume_parsing")
    assert said == Mended((GOOD,))
    assert call.signals == {"schema": 0.5}
    assert call.findings == []
    (question,) = asker.asked
    assert (question.purpose, question.model) == ("repair", "resume_parsing")
    assert question.messages[0] == MESSAGES[0]
    assert question.messages[1] == {"role": "assistant", "content": WRONG}
    assert "years" in question.messages[2]["content"]
    assert question.parameters == {"response_format": STRICT, "temperature": 0.2}


@pytest.mark.parametrize("again", [WRONG, "No.", None, ""])
async def test_a_repair_that_mends_nothing_leaves_the_first_answer(again: str | None) -> None:
    asker = RememberedAsker(again, GOOD)
    call, said = await _judge(_stage(asker), WRONG)
    assert said is None
    assert len(asker.asked) == 1
    assert call.signals == {"schema": 0.0}
    assert [f.code for f in call.findings] == ["type"]


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        ({"repair": False}, {}),
        ({}, {"stream": True}),
        ({}, {"endpoint": Endpoint.RESPONSES, "body": IN_RESPONSES}),
        ({}, {"inner": True}),
    ],
)
async def test_a_repair_is_not_asked_for_where_it_could_not_be_given(
    policy: dict[str, Any], changes: dict[str, Any]
) -> None:
    asker = RememberedAsker(GOOD)
    _, said = await _judge(_stage(asker, **policy), WRONG, **changes)
    assert said is None
    assert asker.asked == []


async def test_an_answer_that_was_cut_by_a_filter_is_not_held_against_its_schema() -> None:
    call = a_call(body=BODY)
    assert await _stage().judge(call, Answer(("No.",), finish="content_filter")) is None
    assert call.signals == {}


@pytest.mark.parametrize(
    ("mode", "policy", "body", "held"),
    [
        (Mode.OBSERVE, {}, BODY, 0),
        (Mode.OBSERVE, {"buffer": True}, BODY, None),
        (Mode.OBSERVE, {"buffer": True}, {"messages": MESSAGES}, 0),
        (Mode.BLOCK, {}, BODY, None),
        (Mode.OFF, {"buffer": True}, BODY, 0),
    ],
)
async def test_streams_are_kept_back_where_they_shall_be_mended(
    mode: Mode, policy: dict[str, Any], body: dict[str, Any], held: int | None
) -> None:
    stage = _stage(mode=mode, **policy)
    assert stage.keeps_back(a_call(stream=True, body=body)) == held
    if held is None and mode is Mode.OBSERVE:
        _, said = await _judge(stage, FENCED, stream=True, body=body)
        assert said == Mended((GOOD,))


async def test_a_stream_that_the_client_has_is_not_mended_but_told() -> None:
    call, said = await _judge(_stage(), FENCED, stream=True)
    assert said is None
    assert call.signals == {"schema": 0.5}
    held = _stage(soft_reject=SoftReject.HOLD)
    _, said = await _judge(held, FENCED, stream=True)
    assert said == Mended((GOOD,))


async def test_what_breaks_its_schema_is_blocked_where_policy_says_so() -> None:
    _, said = await _judge(_stage(mode=Mode.BLOCK, repair=False), WRONG)
    assert isinstance(said, InvalidRequest)
    assert "years" not in said.message


async def test_an_agents_own_policy_counts() -> None:
    asker = RememberedAsker(GOOD)
    policies = {"": ConfidencePolicy(), "matching": ConfidencePolicy(repair=False)}
    stage = SchemaStage(CheckBook({"schema": CheckRule(Mode.OBSERVE)}), policies, asker)
    await _judge(stage, WRONG, agent=Agent("matching", ("gpt-4o",)))
    assert asker.asked == []
    await _judge(stage, WRONG, agent=Agent("decision", ("gpt-4o",)))
    assert len(asker.asked) == 1

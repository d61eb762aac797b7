"""Anthropic's routes, judged by the official SDK's own models."""

import json
import math

import anthropic
import httpx
import jsonschema
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

MODEL = "claude-sonnet-4-6"
HELLO = [{"role": "user", "content": "Say hello to the team"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
}
TOOLS = [{"name": "weather", "input_schema": SCHEMA}]


def ask(http, **fields) -> dict:
    body = {"model": MODEL, "max_tokens": 500, "messages": HELLO} | fields
    answer = http.post("/anthropic/v1/messages", json=body)
    assert answer.status_code == 200, answer.text
    Message.model_validate_json(answer.content)
    return answer.json()


def events(http, **fields) -> list:
    body = {"model": MODEL, "max_tokens": 500, "messages": HELLO, "stream": True} | fields
    adapter = TypeAdapter(RawMessageStreamEvent)
    seen = []
    with http.stream("POST", "/anthropic/v1/messages", json=body) as answer:
        for block in answer.read().decode().strip().split("\n\n"):
            name, data = block.split("\n")
            kind = json.loads(data.removeprefix("data: "))["type"]
            assert name == f"event: {kind}"
            if kind != "ping":
                seen.append(adapter.validate_json(data.removeprefix("data: ")))
    return seen


def test_a_message_is_answered_and_its_usage_can_be_recomputed(http, claude):
    body = ask(http)
    text = body["content"][0]["text"]
    assert "Say hello to the team" in text
    assert body["usage"]["input_tokens"] == 3 + 3 + math.ceil(len(HELLO[0]["content"]) / 4)
    assert body["usage"]["output_tokens"] == math.ceil(len(text) / 4)
    counted = claude.messages.count_tokens(model=MODEL, messages=HELLO)
    assert counted.input_tokens == body["usage"]["input_tokens"]


def test_a_stream_adds_up_to_the_whole_message(http, claude):
    whole = ask(http)
    seen = events(http)
    assert [seen[0].type, seen[1].type] == ["message_start", "content_block_start"]
    assert [e.type for e in seen[-3:]] == ["content_block_stop", "message_delta", "message_stop"]
    text = "".join(e.delta.text for e in seen if e.type == "content_block_delta")
    assert text == whole["content"][0]["text"]
    assert seen[-2].usage.output_tokens == whole["usage"]["output_tokens"]
    with claude.messages.stream(model=MODEL, max_tokens=500, messages=HELLO) as stream:
        assert stream.get_final_message().content[0].text == text


def test_a_tool_is_used_whole_and_streamed_and_its_result_is_answered(http, claude):
    body = ask(http, tools=TOOLS)
    (block,) = body["content"]
    assert (body["stop_reason"], block["type"]) == ("tool_use", "tool_use")
    jsonschema.validate(block["input"], SCHEMA)
    with claude.messages.stream(model=MODEL, max_tokens=500, messages=HELLO, tools=TOOLS) as stream:
        assert stream.get_final_message().content[0].input == block["input"]
    result = {"type": "tool_result", "tool_use_id": block["id"], "content": "sunny"}
    said = [
        *HELLO,
        {"role": "assistant", "content": [block]},
        {"role": "user", "content": [result]},
    ]
    assert ask(http, messages=said, tools=TOOLS)["content"][0]["text"] == "The tool answered: sunny"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"max_tokens": 3}, "max_tokens"), ({"stop_sequences": ["provider"]}, "stop_sequence")],
)
def test_an_answer_ends_where_it_must(http, fields, reason):
    body = ask(http, **fields)
    assert body["stop_reason"] == reason
    assert body["stop_sequence"] == ("provider" if reason == "stop_sequence" else None)


def test_cache_points_write_first_and_read_afterwards(http, program):
    block = {"type": "text", "text": "Rules. " * 800, "cache_control": {"type": "ephemeral"}}
    first, second = ask(http, system=[block])["usage"], ask(http, system=[block])["usage"]
    written = first["cache_creation_input_tokens"]
    assert written == 3 + 1400
    assert first["cache_creation"]["ephemeral_5m_input_tokens"] == written
    assert (second["cache_read_input_tokens"], second["cache_creation_input_tokens"]) == (
        written,
        0,
    )
    assert first["input_tokens"] == second["input_tokens"]
    bare = ask(http, system="Rules. " * 800)["usage"]
    assert bare["input_tokens"] == written + second["input_tokens"]


def test_refusals_have_anthropics_shape(server, http, claude):
    with pytest.raises(anthropic.NotFoundError) as unknown:
        claude.messages.create(model="claude-none", max_tokens=5, messages=HELLO)
    assert unknown.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        claude.post("/v1/messages", body={"model": MODEL, "messages": HELLO}, cast_to=Message)
    assert http.post("/anthropic/v1/messages", content=b"{").json()["type"] == "error"
    nobody = httpx.post(f"{server.base}/anthropic/v1/messages", json={})
    assert nobody.status_code == 401
    assert nobody.json()["error"]["type"] == "authentication_error"


def test_overload_is_529_in_anthropics_shape(program, claude):
    program("anthropic", {"kind": "status", "status": 529})
    with pytest.raises(anthropic.APIStatusError) as busy:
        claude.messages.create(model=MODEL, max_tokens=5, messages=HELLO)
    assert busy.value.status_code == 529
    assert busy.value.body["error"]["type"] == "overloaded_error"

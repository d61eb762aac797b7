"""What the official Anthropic client sends passes the door's schema, whatever the typed call."""

import inspect
import json
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest
from anthropic.types import TextBlock, ThinkingBlock, ToolUseBlock

from plugins.core.call import Endpoint
from plugins.proxy.schema import parse_body
from plugins.proxy.schema.messages import Messages

CACHE = {"type": "ephemeral", "ttl": "5m"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {"name": "look_up", "description": "d", "input_schema": SCHEMA, "cache_control": CACHE}
IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
CITED = {
    "type": "char_location",
    "cited_text": "c",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}


class _Sent(Exception):  # noqa: N818 - carries what was sent, no failure
    def __init__(self, body: bytes) -> None:
        self.body = body


def _send(request: httpx2.Request) -> httpx2.Response:
    raise _Sent(request.content)


CLIENT = anthropic.Anthropic(
    api_key="k",
    base_url="http://gateway.test",
    max_retries=0,
    http_client=httpx2.Client(transport=httpx2.MockTransport(_send)),
)


def passes(**call: Any) -> None:
    create: Any = CLIENT.messages.create
    with pytest.raises(anthropic.APIConnectionError) as caught:
        create(**call)
    sent = caught.value.__cause__
    assert isinstance(sent, _Sent)
    assert parse_body(Endpoint.MESSAGES, sent.body) == json.loads(sent.body)


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "system": {"system": [{"type": "text", "text": "s", "cache_control": CACHE}]},
    "user": {"metadata": {"user_id": None}, "service_tier": "standard_only", "speed": "standard"},
    "sampling": {"extra_body": {"temperature": 1, "top_k": 0, "top_p": 0.9}},
    "stops": {"stop_sequences": ["a", "b"], "stream": True, "inference_geo": "global"},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}},
    "adaptive thinking": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
    "structured": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "tools": {
        "tools": [
            TOOL,
            {**TOOL, "type": "custom", "strict": True, "input_examples": [{"a": "x"}]},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "edit", "max_characters": 9},
            {"type": "memory_20250818", "name": "memory"},
        ],
        "tool_choice": {"type": "tool", "name": "look_up", "disable_parallel_tool_use": True},
    },
    "no tools": {"tool_choice": {"type": "none"}, "cache_control": CACHE},
}

BLOCKS: dict[str, list[Any]] = {
    "images": [IMAGE, {**IMAGE, "transformations": {"oversized_image": "downsize"}}],
    "documents": [
        {"type": "document", "source": PDF, "citations": {"enabled": True}, "title": "t"},
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "words"},
        },
        {
            "type": "document",
            "source": {"type": "content", "content": [{"type": "text", "text": "x"}, IMAGE]},
        },
    ],
    "search results": [
        {
            "type": "search_result",
            "content": [{"type": "text", "text": "x"}],
            "source": "internal",
            "title": "t",
        }
    ],
    "tool results": [
        {"type": "tool_result", "tool_use_id": "t1"},
        {"type": "tool_result", "tool_use_id": "t2", "content": "x", "is_error": True},
        {"type": "tool_result", "tool_use_id": "t3", "content": [IMAGE]},
    ],
    "citations": [{"type": "text", "text": "x", "citations": [CITED]}],
}

ANSWER = [
    ThinkingBlock(type="thinking", thinking="t", signature="s"),
    {"type": "redacted_thinking", "data": "r"},
    TextBlock(type="text", text="x", citations=None),
    ToolUseBlock(type="tool_use", id="t1", name="look_up", input={"a": [1, {"b": None}]}),
]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_options_pass(options: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": "hello"}]
    passes(model="anthropic/any:v1", max_tokens=0, messages=messages, **options)


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks_pass(blocks: list[Any]) -> None:
    passes(model="m", max_tokens=1, messages=[{"role": "user", "content": blocks}])


def test_an_answer_may_be_sent_back_as_it_came() -> None:
    messages = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": ANSWER},
        {"role": "system", "content": "stay brief"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]},
        {"role": "assistant", "content": []},
    ]
    passes(model="m", max_tokens=1, messages=messages)


def test_every_parameter_of_the_client_is_known() -> None:
    refused = {"extra_body", "extra_headers", "extra_query", "self", "timeout"}
    refused |= {"container", "user_profile_id", "workspace_id"}
    sent = set(inspect.signature(CLIENT.messages.create).parameters) - refused
    assert sent <= {field.encode_name for field in msgspec.structs.fields(Messages)}

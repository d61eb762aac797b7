"""What the official OpenAI client sends passes the door's schema, whatever the typed call."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import openai
import pytest
from pydantic import BaseModel

from plugins.core.call import Endpoint
from plugins.proxy.schema import parse_body
from plugins.proxy.schema.chat import Chat
from plugins.proxy.schema.completions import Completions
from plugins.proxy.schema.embeddings import Embeddings
from plugins.proxy.schema.form import Transcription
from plugins.proxy.schema.moderations import Moderations
from plugins.proxy.schema.responses import Responses
from plugins.proxy.schema.speech import Speech

PIXEL = "data:image/png;base64,iVBORw0KGgo="
USER = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}
FUNCTION = {"name": "look_up", "description": "d", "parameters": SCHEMA, "strict": True}
GRAMMAR = {"definition": "start: /a+/", "syntax": "lark"}


class Verdict(BaseModel):
    score: float
    reasons: list[str]


class _Sent(Exception):  # noqa: N818 - carries what was sent, no failure
    def __init__(self, request: httpx.Request) -> None:
        self.request = request


def _send(request: httpx.Request) -> httpx.Response:
    raise _Sent(request)


CLIENT = openai.OpenAI(
    api_key="k",
    base_url="http://gateway.test/v1",
    max_retries=0,
    http_client=httpx.Client(transport=httpx.MockTransport(_send)),
)


def sent_by(call: Callable[[], Any]) -> httpx.Request:
    """Catch the request that a client's call makes."""
    with pytest.raises(openai.APIConnectionError) as caught:
        call()
    sent = caught.value.__cause__
    assert isinstance(sent, _Sent)
    return sent.request


def passes(endpoint: Endpoint, call: Callable[[], Any]) -> None:
    raw = sent_by(call).content
    assert parse_body(endpoint, raw) == json.loads(raw)


CHAT: dict[str, dict[str, Any]] = {
    "plain": {},
    "sampling": {
        "temperature": 0,
        "top_p": 1,
        "n": 2,
        "seed": -7,
        "frequency_penalty": -2,
        "presence_penalty": 2.0,
        "logit_bias": {"50256": -100},
        "logprobs": True,
        "top_logprobs": 20,
        "stop": ["a", "b", "c", "d"],
        "max_tokens": 1,
        "max_completion_tokens": 2,
        "user": "u",
    },
    "nulls": {"temperature": None, "stop": None, "metadata": None, "stream": None, "n": None},
    "stream": {"stream": True, "stream_options": {"include_usage": True}},
    "reasoning": {"reasoning_effort": "xhigh", "verbosity": "low", "service_tier": "default"},
    "context": {"metadata": {"subject": "c-1", "session": "s", "entity_type": "resume"}},
    "stored": {"store": True, "safety_identifier": "s", "prompt_cache_key": "k"},
    "caching": {
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        "prompt_cache_retention": "24h",
        "moderation": {"model": "omni", "policy": {"input": {"mode": "block"}}},
    },
    "function tools": {
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": {"type": "function", "function": {"name": "look_up"}},
        "parallel_tool_calls": False,
    },
    "custom tools": {
        "tools": [
            {"type": "custom", "custom": {"name": "run", "format": {"type": "text"}}},
            {
                "type": "custom",
                "custom": {"name": "go", "format": {"type": "grammar", "grammar": GRAMMAR}},
            },
        ],
        "tool_choice": {"type": "custom", "custom": {"name": "run"}},
    },
    "allowed tools": {
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [{"type": "function", "function": {"name": "look_up"}}],
            },
        },
    },
    "functions of old": {"functions": [{"name": "f"}], "function_call": {"name": "f"}},
    "json object": {"response_format": {"type": "json_object"}},
    "json schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "v", "schema": SCHEMA, "strict": True},
        }
    },
    "speaking": {
        "modalities": ["text", "audio"],
        "audio": {"format": "wav", "voice": "alloy"},
    },
    "prediction": {"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
    "beyond OpenAI": {"extra_body": {"top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1}},
}

TURNS: dict[str, list[dict[str, Any]]] = {
    "parts": [
        {"role": "developer", "content": [{"type": "text", "text": "d"}], "name": "n"},
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {
                    "type": "file",
                    "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
                },
            ],
        },
    ],
    "a tool's round": [
        *USER,
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "look_up", "arguments": "{}"},
                },
                {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "found"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "ran"}]},
    ],
    "an answer as the gateway gave it": [
        *USER,
        {
            "role": "assistant",
            "content": "hi",
            "tool_calls": None,
            "function_call": None,
            "audio": None,
            "annotations": [],
            "provider_specific_fields": {"refusal": None},
            "reasoning_content": "because",
            "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ],
    "a function's round": [
        *USER,
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": None},
    ],
}


@pytest.mark.parametrize("options", CHAT.values(), ids=CHAT.keys())
def test_chat_options_pass(options: dict[str, Any]) -> None:
    create: Any = CLIENT.chat.completions.create
    passes(Endpoint.CHAT, lambda: create(model="gpt-4o", messages=USER, **options))


@pytest.mark.parametrize("messages", TURNS.values(), ids=TURNS.keys())
def test_chat_messages_pass(messages: list[dict[str, Any]]) -> None:
    create: Any = CLIENT.chat.completions.create
    passes(Endpoint.CHAT, lambda: create(model="azure/gpt-4o:v1@eu", messages=messages))


def test_structured_output_from_a_model_class_passes() -> None:
    parse: Any = CLIENT.chat.completions.parse
    tool = openai.pydantic_function_tool(Verdict)
    call = {"model": "m", "messages": USER, "response_format": Verdict, "tools": [tool]}
    passes(Endpoint.CHAT, lambda: parse(**call))
    respond: Any = CLIENT.responses.parse
    passes(Endpoint.RESPONSES, lambda: respond(model="m", input="x", text_format=Verdict))


RESPONSES: dict[str, dict[str, Any]] = {
    "text": {"input": "hello", "instructions": "be brief"},
    "nulls": {"input": "x", "previous_response_id": None, "conversation": None, "prompt": None},
    "options": {
        "input": "x",
        "background": False,
        "context_management": [{"type": "compaction", "compact_threshold": 1000}],
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "max_output_tokens": 16,
        "max_tool_calls": 3,
        "metadata": {"subject": "c"},
        "parallel_tool_calls": True,
        "reasoning": {"effort": "high", "summary": "auto", "context": "auto", "mode": "pro"},
        "safety_identifier": "s",
        "service_tier": "auto",
        "store": False,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "temperature": 2,
        "text": {"format": {"type": "json_schema", "name": "v", "schema": SCHEMA}},
        "top_logprobs": 0,
        "top_p": 0.5,
        "truncation": "auto",
        "user": "u",
    },
    "parts": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "see"},
                    {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                    {"type": "input_file", "file_data": "data:text/plain;base64,AAAA"},
                ],
            },
            {"type": "message", "role": "developer", "content": "d"},
        ]
    },
    "items as they came back": {
        "input": [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "s"}],
                "content": None,
                "encrypted_content": "gAAA",
                "status": None,
            },
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {
                        "type": "output_text",
                        "text": "t",
                        "annotations": [],
                        "logprobs": [
                            {"token": "t", "bytes": [116], "logprob": -0.1, "top_logprobs": []}
                        ],
                    },
                    {"type": "refusal", "refusal": "no"},
                ],
            },
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "look_up",
                "arguments": "{}",
                "status": "completed",
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "{}"},
            {"type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "x"},
            {
                "type": "custom_tool_call_output",
                "call_id": "call_2",
                "output": [{"type": "input_text", "text": "ran"}],
            },
            {"type": "compaction", "encrypted_content": "gAAA"},
        ]
    },
    "tools": {
        "input": "x",
        "tools": [
            {"type": "function", "name": "f", "parameters": SCHEMA, "strict": True},
            {"type": "function", "name": "g", "parameters": None, "strict": None},
            {"type": "custom", "name": "c", "format": {"type": "grammar", **GRAMMAR}},
            {
                "type": "namespace",
                "name": "n",
                "description": "d",
                "tools": [{"type": "function", "name": "h"}],
            },
        ],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}],
        },
    },
}


@pytest.mark.parametrize("body", RESPONSES.values(), ids=RESPONSES.keys())
def test_responses_pass(body: dict[str, Any]) -> None:
    create: Any = CLIENT.responses.create
    passes(Endpoint.RESPONSES, lambda: create(model="gpt-5", **body))


COMPLETION = {
    "suffix": "s",
    "echo": True,
    "best_of": 2,
    "n": 2,
    "logprobs": 5,
    "max_tokens": 0,
    "stop": "x",
    "stream": True,
    "stream_options": {"include_usage": True},
}


@pytest.mark.parametrize("prompt", ["a", ["a", "b"]])
def test_completions_pass(prompt: Any) -> None:
    create: Any = CLIENT.completions.create
    passes(Endpoint.COMPLETIONS, lambda: create(model="m", prompt=prompt, **COMPLETION))


@pytest.mark.parametrize("given", ["a", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_embeddings_pass(given: Any) -> None:
    create: Any = CLIENT.embeddings.create
    call = {"model": "m", "input": given, "dimensions": 256, "user": "u"}
    passes(Endpoint.EMBEDDINGS, lambda: create(**call))
    passes(Endpoint.EMBEDDINGS, lambda: create(**call, encoding_format="float"))


@pytest.mark.parametrize(
    "given",
    [
        "a",
        ["a", "b"],
        [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
    ],
)
def test_moderations_pass(given: Any) -> None:
    create: Any = CLIENT.moderations.create
    passes(Endpoint.MODERATIONS, lambda: create(input=given))
    passes(Endpoint.MODERATIONS, lambda: create(input=given, model="omni-moderation-latest"))


def test_speech_passes() -> None:
    create: Any = CLIENT.audio.speech.create
    call = {"model": "tts-1", "input": "hello", "voice": "alloy", "speed": 0.25}
    more = {"instructions": "slow", "response_format": "pcm", "stream_format": "audio"}
    passes(Endpoint.SPEECH, lambda: create(**call))
    passes(Endpoint.SPEECH, lambda: create(**call, **more))


REFUSED = {
    "extra_body",
    "extra_headers",
    "extra_query",
    "file",
    "self",
    "timeout",
    "web_search_options",
}


@pytest.mark.parametrize(
    ("create", "kind"),
    [
        (CLIENT.chat.completions.create, Chat),
        (CLIENT.completions.create, Completions),
        (CLIENT.embeddings.create, Embeddings),
        (CLIENT.responses.create, Responses),
        (CLIENT.moderations.create, Moderations),
        (CLIENT.audio.speech.create, Speech),
        (CLIENT.audio.transcriptions.create, Transcription),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_parameter_of_the_client_is_known(create: Any, kind: type[msgspec.Struct]) -> None:
    sent = set(inspect.signature(create).parameters) - REFUSED
    assert sent <= {field.encode_name for field in msgspec.structs.fields(kind)}

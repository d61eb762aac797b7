"""Bodies that the door refuses: each with its code, the field at fault and a remedy."""

import json
from typing import Any

import pytest

from plugins.core.call import Endpoint
from plugins.core.errors import BodyTooLarge, InvalidRequest
from plugins.proxy.schema import BodyLimits, parse_body

VALID: dict[Endpoint, dict[str, Any]] = {
    Endpoint.CHAT: {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    Endpoint.COMPLETIONS: {"model": "m", "prompt": "hi"},
    Endpoint.EMBEDDINGS: {"model": "m", "input": "hi"},
    Endpoint.RESPONSES: {"model": "m", "input": "hi"},
    Endpoint.MESSAGES: {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    },
    Endpoint.MODERATIONS: {"input": "hi"},
    Endpoint.SPEECH: {"model": "m", "input": "hi", "voice": "alloy"},
}
C, E, R, M = Endpoint.CHAT, Endpoint.EMBEDDINGS, Endpoint.RESPONSES, Endpoint.MESSAGES
S = Endpoint.SPEECH
IMAGE = "https://example.com/a.png"


def refused(endpoint: Endpoint, raw: bytes, **limits: int) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_body(endpoint, raw, BodyLimits(**limits))
    return caught.value


def user(*parts: Any) -> list[Any]:
    return [{"role": "user", "content": list(parts)}]


def function(**more: Any) -> list[Any]:
    return [{"type": "function", "function": {"name": "f", **more}}]


@pytest.mark.parametrize("endpoint", VALID)
def test_the_plain_body_of_each_endpoint_passes(endpoint: Endpoint) -> None:
    assert parse_body(endpoint, json.dumps(VALID[endpoint]).encode()) == VALID[endpoint]


STEERING = (
    "api_base base_url api_key api_version timeout request_timeout num_retries max_retries "
    "mock_response mock_testing_fallbacks mock_timeout fallbacks context_window_fallbacks "
    "content_policy_fallbacks guardrail_config cache caching tags litellm_metadata litellm_call_id "
    "custom_llm_provider deployment_id extra_body extra_headers headers prompt_id "
    "prompt_variables user_config specific_deployment disable_fallbacks drop_params "
    "allowed_openai_params model_list organization vertex_project vertex_credentials "
    "aws_access_key_id aws_role_name azure_ad_token input_cost_per_token "
    "cache_read_input_token_cost stream_timeout no-log ttl proxy_server_request "
    "langfuse_public_key model_info base_model ssl_verify secret_fields client"
)


@pytest.mark.parametrize("endpoint", VALID)
@pytest.mark.parametrize("name", STEERING.split())
def test_no_endpoint_takes_a_parameter_that_steers(endpoint: Endpoint, name: str) -> None:
    error = refused(endpoint, json.dumps({**VALID[endpoint], name: "x"}).encode())
    assert (error.code, error.param) == ("parameter_not_allowed", name)
    assert error.message == f"`{name}` steers the gateway and is not open to tenants; remove it."


@pytest.mark.parametrize("endpoint", VALID)
def test_no_endpoint_takes_an_unknown_parameter(endpoint: Endpoint) -> None:
    error = refused(endpoint, json.dumps({**VALID[endpoint], "foo": 1}).encode())
    assert (error.code, error.param) == ("unknown_parameter", "foo")
    assert error.message == "Unknown parameter `foo`; remove it."


BROKEN: list[tuple[bytes, str]] = [
    (b"", "invalid_json"),
    (b" \n", "invalid_json"),
    (b"{", "invalid_json"),
    (b'{"model": "m"} x', "invalid_json"),
    (b"model=m", "invalid_json"),
    (b"\xef\xbb\xbf{}", "invalid_json"),
    (b'{"model": "\xff"}', "invalid_json"),
    (b'{"model": "\xed\xa0\x80"}', "invalid_json"),
    (b'{"model": "\\ud800"}', "invalid_json"),
    (b'{"model": "\\udc00 more text"}', "invalid_json"),
    (b'{"model": "\x00"}', "invalid_json"),
    (b'{"temperature": NaN}', "invalid_json"),
    (b'{"temperature": -Infinity}', "invalid_json"),
    (b'{"temperature": 1e999}', "invalid_json"),
    (b'{"n": ' + b"9" * 5000 + b"}", "invalid_json"),
    (b"[]", "invalid_type"),
    (b'"text"', "invalid_type"),
    (b"null", "invalid_type"),
    (b"[" * 90_000, "too_deep"),
    (b'{"a":' * 90_000, "too_deep"),
    (b"[" * 900_000, "too_many_items"),
    (b'{"a":' * 300_000, "too_many_items"),
]


@pytest.mark.parametrize(("raw", "code"), BROKEN)
def test_what_is_no_json_object_is_refused(raw: bytes, code: str) -> None:
    for endpoint in VALID:
        error = refused(endpoint, raw)
        assert (error.code, error.param) == (code, None)
        assert error.status == 400


CASES: list[tuple[Endpoint, dict[str, Any], str, str]] = [
    (C, {"model": None}, "invalid_type", "model"),
    (C, {"model": ""}, "invalid_value", "model"),
    (C, {"model": "a" * 257}, "invalid_value", "model"),
    (C, {"model": "a b"}, "invalid_value", "model"),
    (C, {"model": "a\n"}, "invalid_value", "model"),
    (C, {"messages": "hi"}, "invalid_type", "messages"),
    (C, {"messages": []}, "invalid_value", "messages"),
    (C, {"messages": ["hi"]}, "invalid_type", "messages[0]"),
    (C, {"messages": [{}]}, "missing_parameter", "messages[0].role"),
    (C, {"messages": [{"role": 1}]}, "invalid_type", "messages[0].role"),
    (C, {"messages": [{"role": "boss"}]}, "invalid_value", "messages[0].role"),
    (C, {"messages": [{"role": "user"}]}, "missing_parameter", "messages[0].content"),
    (C, {"messages": [{"role": "user", "content": 1}]}, "invalid_type", "messages[0].content"),
    (C, {"messages": user()}, "invalid_value", "messages[0].content"),
    (C, {"messages": user({"type": "x"})}, "invalid_value", "messages[0].content[0].type"),
    (
        C,
        {"messages": user({"type": "text", "text": "a", "api_base": "x"})},
        "unknown_parameter",
        "messages[0].content[0].api_base",
    ),
    (
        C,
        {"messages": user({"type": "image_url", "image_url": {"url": IMAGE}})},
        "url_not_allowed",
        "messages[0].content[0].image_url.url",
    ),
    (
        C,
        {"messages": user({"type": "image_url", "image_url": {"url": "data:image/png,x"}})},
        "invalid_value",
        "messages[0].content[0].image_url.url",
    ),
    (
        C,
        {"messages": user({"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}})},
        "invalid_value",
        "messages[0].content[0].input_audio.data",
    ),
    (
        C,
        {"messages": user({"type": "file", "file": {"file_data": "AAAA", "file_id": "f"}})},
        "parameter_not_allowed",
        "messages[0].content[0].file.file_id",
    ),
    (
        C,
        {"messages": [{"role": "assistant", "audio": {"id": "a"}}]},
        "parameter_not_allowed",
        "messages[0].audio",
    ),
    (C, {"temperature": 2.1}, "invalid_value", "temperature"),
    (C, {"temperature": "1"}, "invalid_type", "temperature"),
    (C, {"temperature": True}, "invalid_type", "temperature"),
    (C, {"top_p": -0.1}, "invalid_value", "top_p"),
    (C, {"n": 0}, "invalid_value", "n"),
    (C, {"n": 129}, "invalid_value", "n"),
    (C, {"n": 1.5}, "invalid_type", "n"),
    (C, {"seed": 2**53 + 1}, "invalid_value", "seed"),
    (C, {"max_tokens": 10**400}, "invalid_value", "max_tokens"),
    (C, {"frequency_penalty": 10**400}, "invalid_value", "frequency_penalty"),
    (C, {"stop": list("abcde")}, "too_many_items", "stop"),
    (C, {"logit_bias": {"a": 1}}, "invalid_value", "logit_bias"),
    (C, {"logit_bias": {"1": 101}}, "invalid_value", "logit_bias[...]"),
    (C, {"response_format": "json"}, "invalid_type", "response_format"),
    (C, {"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
    (C, {"stream_options": {"include_usage": True}}, "invalid_value", "stream_options"),
    (C, {"reasoning_effort": "huge"}, "invalid_value", "reasoning_effort"),
    (C, {"functions": 3}, "invalid_type", "functions"),
    (C, {"tools": function(name="a b")}, "invalid_value", "tools[0].function.name"),
    (C, {"tools": function(parameters=[])}, "invalid_type", "tools[0].function.parameters"),
    (
        C,
        {"tools": function(parameters={"a": [{"b": 2**53 + 1}]})},
        "invalid_value",
        "tools[0].function.parameters",
    ),
    (C, {"tools": [{"type": "web_search"}]}, "tool_not_allowed", "tools[0].type"),
    (C, {"tool_choice": {"type": "mcp"}}, "tool_not_allowed", "tool_choice.type"),
    (C, {"web_search_options": {}}, "tool_not_allowed", "web_search_options"),
    (C, {"metadata": "x"}, "invalid_type", "metadata"),
    (C, {"metadata": {"subject": 1}}, "invalid_type", "metadata.subject"),
    (C, {"metadata": {"tags": "x"}}, "parameter_not_allowed", "metadata.tags"),
    (
        C,
        {"metadata": {"user_api_key_hash": "x"}},
        "parameter_not_allowed",
        "metadata.user_api_key_hash",
    ),
    (C, {"metadata": {"k": "x" * 513}}, "invalid_value", "metadata.k"),
    (C, {"metadata": {"k" * 65: "x"}}, "invalid_value", "metadata"),
    (C, {"metadata": {str(i): "x" for i in range(17)}}, "too_many_items", "metadata"),
    (C, {"user": "a\0b"}, "invalid_value", "user"),
    (C, {"metadata": {"a\0": "x"}}, "invalid_value", "metadata"),
    (R, {"previous_response_id": "r"}, "parameter_not_allowed", "previous_response_id"),
    (R, {"conversation": {"id": "c"}}, "parameter_not_allowed", "conversation"),
    (R, {"prompt": {"id": "p"}}, "parameter_not_allowed", "prompt"),
    (R, {"background": True}, "parameter_not_allowed", "background"),
    (R, {"input": []}, "invalid_value", "input"),
    (R, {"input": [1]}, "invalid_type", "input[0]"),
    (R, {"input": [{"type": "item_reference", "id": "i"}]}, "parameter_not_allowed", "input[0]"),
    (R, {"input": [{"id": "i"}]}, "parameter_not_allowed", "input[0]"),
    (R, {"input": [{"type": "mcp_call"}]}, "tool_not_allowed", "input[0].type"),
    (R, {"input": [{"type": "poem"}]}, "invalid_value", "input[0].type"),
    (R, {"input": [{"type": 5}]}, "invalid_type", "input[0].type"),
    (R, {"input": [{"role": "boss", "content": ""}]}, "invalid_value", "input[0].role"),
    (
        R,
        {"input": user({"type": "input_image", "image_url": IMAGE})},
        "url_not_allowed",
        "input[0].content[0].image_url",
    ),
    (
        R,
        {"input": user({"type": "input_file", "file_data": "AAAA", "file_url": IMAGE})},
        "parameter_not_allowed",
        "input[0].content[0].file_url",
    ),
    (R, {"tools": [{"type": "code_interpreter"}]}, "tool_not_allowed", "tools[0].type"),
    (R, {"tools": [{"type": "image_generation"}]}, "tool_not_allowed", "tools[0].type"),
    (R, {"tools": [{"type": "mcp", "server_url": "x"}]}, "tool_not_allowed", "tools[0].type"),
    (M, {"mcp_servers": []}, "tool_not_allowed", "mcp_servers"),
    (M, {"container": "c"}, "tool_not_allowed", "container"),
    (M, {"diagnostics": {}}, "parameter_not_allowed", "diagnostics"),
    (M, {"workspace_id": "w"}, "parameter_not_allowed", "workspace_id"),
    (M, {"max_tokens": None}, "invalid_type", "max_tokens"),
    (M, {"temperature": 1.1}, "invalid_value", "temperature"),
    (M, {"metadata": {"user_id": 1}}, "invalid_type", "metadata.user_id"),
    (M, {"tools": [{"name": "f"}]}, "missing_parameter", "tools[0].input_schema"),
    (
        M,
        {"tools": [{"name": "w", "type": "web_fetch_20250910"}]},
        "tool_not_allowed",
        "tools[0].type",
    ),
    (
        M,
        {"messages": user({"type": "server_tool_use"})},
        "tool_not_allowed",
        "messages[0].content[0].type",
    ),
    (
        M,
        {"messages": user({"type": "image", "source": {"type": "url", "url": IMAGE}})},
        "url_not_allowed",
        "messages[0].content[0].source.url",
    ),
    (
        M,
        {"messages": user({"type": "document", "source": {"type": "file", "file_id": "f"}})},
        "invalid_value",
        "messages[0].content[0].source.type",
    ),
    (E, {"input": ""}, "invalid_value", "input"),
    (E, {"input": []}, "invalid_value", "input"),
    (E, {"input": [1, "a"]}, "invalid_type", "input"),
    (E, {"input": [-1]}, "invalid_value", "input[0]"),
    (E, {"input": [[[1]]]}, "invalid_type", "input[0][0]"),
    (E, {"input": ["a"] * 2049}, "too_many_items", "input"),
    (E, {"dimensions": 0}, "invalid_value", "dimensions"),
    (S, {"input": "a" * 4097}, "invalid_value", "input"),
    (S, {"voice": {"id": "v"}}, "invalid_type", "voice"),
    (S, {"stream_format": "sse"}, "invalid_value", "stream_format"),
    (S, {"speed": 4.1}, "invalid_value", "speed"),
]


@pytest.mark.parametrize(("endpoint", "change", "code", "param"), CASES)
def test_a_fault_is_named(
    endpoint: Endpoint, change: dict[str, Any], code: str, param: str
) -> None:
    error = refused(endpoint, json.dumps({**VALID[endpoint], **change}).encode())
    assert (error.code, error.param) == (code, param)
    assert param in error.message
    assert error.status == 400


def test_a_wrong_word_is_answered_with_the_right_ones() -> None:
    body = {**VALID[C], "messages": [{"role": "assistant", "content": [{"type": "image_url"}]}]}
    error = refused(C, json.dumps(body).encode())
    assert error.message == (
        "`messages[0].content[0].type` is `image_url` but must be one of `refusal`, `text`."
    )


def test_a_message_never_repeats_prompt_text() -> None:
    secret = "Jane Doe, born 1990"
    for change in (
        {"messages": [{"role": secret, "content": ""}]},
        {"messages": user({"type": secret})},
        {"reasoning_effort": secret},
        {secret: 1},
        {"metadata": {secret: 1}},
        {"tools": [{"type": secret}]},
        {"model": secret},
    ):
        error = refused(C, json.dumps({**VALID[C], **change}).encode())
        assert "Jane" not in error.message + (error.param or "")


def test_the_bounds_are_inclusive() -> None:
    raw = json.dumps(VALID[C]).encode()
    assert parse_body(C, raw, BodyLimits(max_bytes=len(raw)))
    error = refused(C, raw, max_bytes=len(raw) - 1)
    assert isinstance(error, BodyTooLarge)
    assert (error.status, error.code) == (413, "request_too_large")

    def nested(levels: int) -> bytes:
        schema: Any = {}
        for _ in range(levels - 1):
            schema = {"a": schema}
        return json.dumps({**VALID[C], "tools": function(parameters=schema)}).encode()

    assert parse_body(C, nested(32))
    assert refused(C, nested(33)).code == "too_deep"
    assert refused(C, nested(900)).code == "too_deep"

    wide = {**VALID[C], "tools": function(parameters={str(i): i for i in range(50)})}
    assert parse_body(C, json.dumps(wide).encode(), BodyLimits(max_free_values=50))
    assert refused(C, json.dumps(wide).encode(), max_free_values=49).code == "too_many_items"

    two = json.dumps({**VALID[C], "messages": user({"type": "text", "text": "a"}) * 2}).encode()
    assert parse_body(C, two, BodyLimits(max_messages=2))
    assert refused(C, two, max_messages=1).param == "messages"
    tools = json.dumps({**VALID[R], "tools": [{"type": "function", "name": "f"}] * 129}).encode()
    assert refused(R, tools).param == "tools"
    tokens = json.dumps({**VALID[E], "input": [1] * 3000}).encode()
    assert len(parse_body(E, tokens)["input"]) == 3000


def test_brackets_inside_texts_are_not_counted() -> None:
    body = {**VALID[C], "messages": user({"type": "text", "text": '[{\\"[' * 100_000})}
    assert parse_body(C, json.dumps(body).encode()) == body


def test_of_a_key_that_stands_twice_the_one_returned_is_the_one_checked() -> None:
    twice = b'{"model":"m","messages":[{"role":"user","content":"a"}],"n":"bad","n":2}'
    assert parse_body(C, twice)["n"] == 2
    tool = b'{"type":"function","name":"f","type":"mcp"}'
    assert refused(R, b'{"model":"m","input":"a","tools":[%s]}' % tool).code == "tool_not_allowed"


def test_the_letters_of_an_escaped_nul_are_only_text() -> None:
    body = {"model": "m", "input": "print('\\u0000') \\\\u0000"}
    assert parse_body(E, json.dumps(body).encode()) == body
    assert refused(E, b'{"model":"m","input":["a","b\\\\\\u0000"]}').param == "input[1]"

"""Whatever comes in: a dict that can be forwarded, or a refusal; never anything else, and soon."""

import copy
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.core.call import Endpoint
from plugins.core.errors import InvalidRequest
from plugins.proxy.schema import parse_body, parse_form
from tests.unit.test_schema_refusals import VALID, function, user

ENDPOINTS = st.sampled_from(list(VALID))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**15, max_value=10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["text", "user", "function", "data:image/png;base64,AA==", "\0", ""])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["type", "role"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
RICH: dict[Endpoint, dict[str, Any]] = {
    **VALID,
    Endpoint.CHAT: {
        **VALID[Endpoint.CHAT],
        "messages": [
            *user({"type": "text", "text": "a"}),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
                ],
            },
            {"role": "tool", "tool_call_id": "c", "content": "x"},
        ],
        "tools": function(parameters={"type": "object", "properties": {}}),
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "stop": ["a"],
        "metadata": {"subject": "c"},
        "logit_bias": {"1": 1},
    },
    Endpoint.RESPONSES: {
        "model": "m",
        "input": [
            *user({"type": "input_text", "text": "a"}),
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}]},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {}}],
        "text": {"format": {"type": "json_object"}},
    },
    Endpoint.MESSAGES: {
        **VALID[Endpoint.MESSAGES],
        "messages": user({"type": "tool_result", "tool_use_id": "t", "content": []}),
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "thinking": {"type": "adaptive"},
    },
}


def _outcome(read: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], InvalidRequest | None]:
    try:
        return read(), None
    except InvalidRequest as error:
        return {}, error


def holds(endpoint: Endpoint, raw: bytes) -> None:
    """Check the law for one body."""
    body, error = _outcome(lambda: parse_body(endpoint, raw))
    if error is not None:
        assert error.code
        assert error.message.isprintable()
        assert len(error.message) < 1000
        return
    assert msgspec.json.decode(msgspec.json.encode(body)) == body
    assert parse_body(endpoint, msgspec.json.encode(body)) == body


def spots(value: Any) -> list[tuple[Any, Any]]:
    """List every place in a body, as its container and key."""
    found: list[tuple[Any, Any]] = []
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        found += [(value, key), *spots(inner)]
    return found


@given(ENDPOINTS, VALUES)
@settings(max_examples=150, deadline=None)
def test_any_json_value_passes_or_is_refused(endpoint: Endpoint, value: Any) -> None:
    holds(endpoint, json.dumps(value).encode())


@given(ENDPOINTS, st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_bytes_pass_or_are_refused(endpoint: Endpoint, raw: bytes) -> None:
    holds(endpoint, raw)


@given(ENDPOINTS, st.data())
@settings(max_examples=500, deadline=None)
def test_any_change_of_a_valid_body_passes_or_is_refused(
    endpoint: Endpoint, data: st.DataObject
) -> None:
    body = copy.deepcopy(RICH[endpoint])
    holder, key = data.draw(st.sampled_from(spots(body)))
    change = data.draw(st.sampled_from(["replace", "remove", "add", "wrap"]))
    if change == "remove":
        del holder[key]
    elif change == "add" and isinstance(holder, dict):
        holder[data.draw(st.text(max_size=8))] = data.draw(VALUES)
    elif change == "wrap":
        holder[key] = [holder[key]]
    else:
        holder[key] = data.draw(VALUES)
    holds(endpoint, json.dumps(body).encode())


@given(ENDPOINTS, st.integers(min_value=0), st.binary(max_size=3))
@settings(max_examples=300, deadline=None)
def test_any_torn_body_passes_or_is_refused(endpoint: Endpoint, at: int, torn: bytes) -> None:
    raw = json.dumps(RICH[endpoint]).encode()
    at %= len(raw)
    holds(endpoint, raw[:at] + torn + raw[at + len(torn) :])


@given(
    st.dictionaries(
        st.sampled_from(["model", "temperature", "stream", "include[]", "chunking_strategy[type]"])
        | st.text(max_size=9),
        st.lists(st.text(max_size=9) | st.sampled_from(["m", "true", "0.5", "inf"]), max_size=2),
        max_size=5,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_form_passes_or_is_refused(fields: dict[str, list[str]]) -> None:
    found, error = _outcome(lambda: parse_form(fields))
    if error is not None:
        assert error.message.isprintable()
        return
    assert math.isfinite(found.get("temperature", 0.0))
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


HUGE = {
    "brackets": b"[" * 1_900_000,
    "empty lists": b'{"model":"m","messages":[' + b"[]," * 600_000 + b"[]]}",
    "pairs": b'{"model":"m","messages":' + b'{"a":' * 300_000,
    "free lists": b'{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":'
    b'"function","function":{"name":"f","parameters":{"a":[' + b"[]," * 600_000 + b"[]]}}}]}",
    "digits": b'{"model":"m","messages":' + b"9" * 1_900_000 + b"}",
    "tokens and a NUL": b'{"model":"\\u0000","input":[' + b"1," * 900_000 + b"1]}",
    "backslashes": b'{"model":"m","input":"' + b"\\\\" * 900_000 + b'\\u0000"}',
    "keys": b"{" + b",".join(b'"%d":0' % i for i in range(180_000)) + b"}",
    "a long key": b'{"' + b"a" * 1_900_000 + b'":1}',
    "an open text": b'{"model":"' + b"[" * 200_000 + b'\\"' * 700_000,
    "almost a data URL": b'{"model":"m","messages":[{"role":"user","content":[{"type":"image_url",'
    b'"image_url":{"url":"data:image/png;' + b"a=b;" * 400_000 + b'"}}]}]}',
}


@pytest.mark.parametrize("raw", HUGE.values(), ids=HUGE.keys())
def test_a_hostile_body_is_answered_soon(raw: bytes) -> None:
    """Two seconds are generous for a busy machine: each takes under a fifth of one when idle."""
    for endpoint in (Endpoint.CHAT, Endpoint.EMBEDDINGS, Endpoint.RESPONSES):
        started = time.process_time()
        with pytest.raises(InvalidRequest):
            parse_body(endpoint, raw)
        assert time.process_time() - started < 2


def test_a_small_chat_body_costs_microseconds() -> None:
    """The budget is 40 microseconds; five times that here, for machines that are busy."""
    raw = json.dumps(RICH[Endpoint.CHAT]).encode()
    best = math.inf
    for _ in range(200):
        started = time.perf_counter()
        parse_body(Endpoint.CHAT, raw)
        best = min(best, time.perf_counter() - started)
    assert best < 200e-6


def test_the_schema_knows_neither_litellm_nor_http() -> None:
    """Run in a fresh interpreter, for other tests import what this package must not."""
    code = "import sys, plugins.proxy.schema as s; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert not loaded & {"litellm", "httpx", "starlette", "fastapi", "aiohttp", "openai"}

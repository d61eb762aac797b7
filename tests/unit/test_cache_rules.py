"""Which calls share an answer, and which answers may be kept: tables and laws."""

import json
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plugins.cache.answers import may_be_kept
from plugins.cache.entry import Entry, pack, unpack
from plugins.cache.rules import LEFT_OUT, CachePolicy, Sealer, Wish, fingerprint_of, wish_of
from plugins.core.agent import Agent
from plugins.core.call import Attempt, Call, Endpoint
from plugins.core.tenant import Principal
from plugins.proxy.schema.chat import Chat
from plugins.proxy.schema.completions import Completions
from plugins.proxy.schema.embeddings import Embeddings
from plugins.proxy.schema.messages import Messages
from plugins.proxy.schema.responses import Responses
from plugins.proxy.schema.speech import Speech
from tests.making import a_call

SEALER = Sealer("s" * 32)
OTHER = Sealer("t" * 32)
KEY = b"k" * 16
PRINT = "gpt-4o=openai/gpt-4o"
BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "hello"}],
    "temperature": 0.5,
}

DECIDED = {
    Endpoint.CHAT: (
        Chat,
        "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens"
        " guardrails max_tokens messages min_p modalities model moderation n parallel_tool_calls"
        " prediction presence_penalty reasoning_effort repetition_penalty response_format seed"
        " service_tier stop stream stream_options temperature tool_choice tools top_k top_logprobs"
        " top_p verbosity x_sources",
        "metadata prompt_cache_key prompt_cache_options prompt_cache_retention safety_identifier"
        " store user",
    ),
    Endpoint.COMPLETIONS: (
        Completions,
        "best_of echo frequency_penalty guardrails logit_bias logprobs max_tokens min_p model n"
        " presence_penalty prompt repetition_penalty seed stop stream stream_options suffix"
        " temperature top_k top_p x_sources",
        "metadata user",
    ),
    Endpoint.EMBEDDINGS: (
        Embeddings,
        "dimensions encoding_format guardrails input model",
        "metadata user",
    ),
    Endpoint.RESPONSES: (
        Responses,
        "background context_management conversation guardrails include input instructions"
        " max_output_tokens max_tool_calls model moderation parallel_tool_calls"
        " previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention"
        " reasoning safety_identifier"
        " service_tier store stream stream_options temperature text tool_choice tools top_logprobs"
        " top_p truncation user x_sources",
        "metadata",
    ),
    Endpoint.MESSAGES: (
        Messages,
        "cache_control diagnostics guardrails inference_geo max_tokens messages model output_config"
        " service_tier speed stop_sequences stream system temperature thinking tool_choice tools"
        " top_k top_p x_sources",
        "metadata",
    ),
    Endpoint.SPEECH: (
        Speech,
        "guardrails input instructions model response_format speed stream_format voice",
        "metadata",
    ),
}
"""Each field that a client may send, and whether it makes another call of it."""


def _key(body: dict[str, Any] | None = None, sealer: Sealer = SEALER, **changes: Any) -> bytes:
    call = a_call(body=dict(BODY if body is None else body), **changes)
    key = sealer.key(call, changes.get("fingerprint", PRINT))
    assert key is not None
    return key


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("endpoint", DECIDED, ids=str)
def test_it_is_decided_of_every_field_whether_it_makes_another_call(endpoint: Endpoint) -> None:
    kind, part, left_out = DECIDED[endpoint]
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    assert known == set(part.split()) | set(left_out.split())
    assert LEFT_OUT[endpoint] >= set(left_out.split())
    assert LEFT_OUT[endpoint].isdisjoint(part.split())


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [(e, name) for e, (_, part, _) in DECIDED.items() for name in part.split()],
)
def test_a_field_of_the_answer_makes_another_key(endpoint: Endpoint, name: str) -> None:
    one, two = ({"model": "m", name: value} for value in ("one", "two"))
    assert _key(one, endpoint=endpoint) != _key(two, endpoint=endpoint)


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [(e, name) for e, (_, _, out) in DECIDED.items() for name in out.split()],
)
def test_a_field_that_says_who_asks_makes_no_other_key(endpoint: Endpoint, name: str) -> None:
    one, two = ({"model": "m", name: value} for value in ("one", "two"))
    assert _key(one, endpoint=endpoint) == _key(two, endpoint=endpoint)


@pytest.mark.parametrize(
    "same",
    [
        {**BODY, "user": "someone"},
        dict(reversed(BODY.items())),
        {**BODY, "stream": False},
        {**BODY, "top_p": None},
        json.loads(json.dumps(BODY, indent=4)),
    ],
    ids=["user", "order", "stream false", "null", "white space"],
)
def test_the_same_call_written_otherwise_has_the_same_key(same: dict[str, Any]) -> None:
    assert _key(same) == _key()


def test_a_parameter_is_the_same_number_with_and_without_a_point() -> None:
    assert _key({**BODY, "temperature": 1}) == _key({**BODY, "temperature": 1.0})
    assert _key({**BODY, "temperature": 1}) != _key({**BODY, "temperature": 1.5})
    assert _key({**BODY, "seed": 1e300}) != _key({**BODY, "seed": 1e299})


@pytest.mark.parametrize(
    "other",
    [
        {"tenant_id": "globex"},
        {"model_asked": "matching"},
        {"endpoint": Endpoint.MESSAGES},
        {"variants": {"prompt": "matching/explanation 2.1"}},
        {"variants": {"experiment": "b"}},
    ],
)
def test_tenant_model_endpoint_prompt_and_arm_make_another_key(other: dict[str, Any]) -> None:
    assert _key(**other) != _key()


def test_another_secret_or_another_model_behind_a_tier_makes_another_key() -> None:
    assert _key(sealer=OTHER) != _key()
    assert fingerprint_of(("a", "b"), {"a": "x"}) != fingerprint_of(("a", "b"), {"a": "y"})
    assert fingerprint_of(("a", "b"), {}) != fingerprint_of(("b", "a"), {})
    call = a_call(body=BODY)
    assert SEALER.key(call, "a=x") != SEALER.key(call, "a=y")


def test_the_order_of_messages_and_the_type_of_a_value_matter() -> None:
    two = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    assert _key({**BODY, "messages": two}) != _key({**BODY, "messages": two[::-1]})
    assert _key({**BODY, "seed": 1}) != _key({**BODY, "seed": "1"})
    assert _key({**BODY, "logprobs": True}) != _key({**BODY, "logprobs": 1})


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_tenants = st.text(min_size=1, max_size=80)


@given(_tenants, _tenants, st.dictionaries(st.text(), _json, max_size=4))
def test_no_two_tenants_ever_share_a_key_or_a_name(
    one: str, two: str, body: dict[str, Any]
) -> None:
    assume(one != two)
    assert _key(body, tenant_id=one) != _key(body, tenant_id=two)
    assert SEALER.tag(one) != SEALER.tag(two)


@given(
    st.dictionaries(st.text(), _json, max_size=4),
    st.sampled_from(sorted(DECIDED[Endpoint.CHAT][1].split())),
    _json,
)
def test_any_change_of_a_field_of_the_answer_changes_the_key(
    body: dict[str, Any], name: str, value: Any
) -> None:
    def told(value: Any) -> bytes:
        """Null is what is not sent, `stream` is off unless it is on, and 1.0 is 1."""
        if value is None or (name == "stream" and not value):
            return b"null"
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)

    changed = {**body, name: value}
    same = told(body.get(name)) == told(value)
    assert (_key(changed) == _key(body)) is same


@given(st.dictionaries(st.text(), _json, max_size=6), st.randoms())
def test_the_order_in_which_fields_are_written_never_matters(
    body: dict[str, Any], random: Any
) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            names = list(value)
            random.shuffle(names)
            return {name: shuffled(value[name]) for name in names}
        return [shuffled(v) for v in value] if isinstance(value, list) else value

    assert _key(shuffled(body)) == _key(body)


@pytest.mark.parametrize(
    ("header", "wish"),
    [
        ("", Wish()),
        ("no-cache", Wish(read=False)),
        ("NO-CACHE", Wish(read=False)),
        ("no-store", Wish(read=False, store=False)),
        ("no-cache, no-store", Wish(read=False, store=False)),
        ("no-store , max-age=10", Wish(read=False, store=False)),
        ("max-age=60", Wish(max_age_s=60)),
        ('max-age="60"', Wish(max_age_s=60)),
        (" max-age = 60 ", Wish(max_age_s=60)),
        ("max-age=60, max-age=5", Wish(max_age_s=5)),
        ("max-age=0", Wish(read=False, max_age_s=0)),
        ("max-age=soon", Wish(read=False, max_age_s=0)),
        ("max-age=-1", Wish(read=False, max_age_s=0)),
        ("max-age", Wish(read=False, max_age_s=0)),
        ("max-age=99999999999999999999", Wish(max_age_s=2**31)),
        ("max-age=\u0661", Wish(read=False, max_age_s=0)),
        ("no-transform, only-if-cached, min-fresh=9, private", Wish()),
        ("no-cachet, xno-store", Wish()),
    ],
)
def test_cache_control_is_read_as_its_standard_has_it(header: str, wish: Wish) -> None:
    assert wish_of(header) == wish


@given(st.text(max_size=60))
def test_no_cache_control_is_an_error(header: str) -> None:
    wish_of(header)


@pytest.mark.parametrize(
    ("max_age_s", "age_s", "takes"),
    [(None, 3600.0, True), (10, 10.0, True), (10, 10.1, False), (0, 0.5, False)],
)
def test_an_answer_is_taken_up_to_the_age_asked_for(
    max_age_s: int | None, age_s: float, takes: bool
) -> None:
    assert Wish(max_age_s=max_age_s).takes(age_s) is takes


def _entry(**changes: Any) -> Entry:
    entry = Entry("application/json", (b"{}",), "gpt-4o", "d", "openai", "0.1", 5.0, 3600)
    return msgspec.structs.replace(entry, **changes)


def test_an_entry_is_read_back_as_it_was() -> None:
    entry = _entry(frames=(b"data: a\n\n", b"data: [DONE]\n\n"), practice=True)
    assert unpack(pack(entry, KEY, SEALER), KEY, SEALER) == entry


@pytest.mark.parametrize(
    "raw",
    [None, 1, b"", b"x", b"x" * 16, b"x" * 100, pack(_entry(), b"o" * 16, SEALER),
     pack(_entry(), KEY, OTHER)],
    ids=["none", "number", "empty", "short", "seal only", "noise", "other key", "other secret"],
)  # fmt: skip
def test_what_was_not_written_for_this_key_by_this_installation_is_a_miss(raw: object) -> None:
    assert unpack(raw, KEY, SEALER) is None


@given(st.data())
def test_an_entry_with_any_byte_changed_or_cut_off_is_a_miss(data: st.DataObject) -> None:
    raw = pack(_entry(), KEY, SEALER)
    place = data.draw(st.integers(0, len(raw) - 1))
    flip = data.draw(st.integers(1, 255))
    assert unpack(raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :], KEY, SEALER) is None
    assert unpack(raw[:place], KEY, SEALER) is None


def test_an_entry_of_another_layout_is_a_miss() -> None:
    payload = msgspec.msgpack.encode(["application/json", 7])
    assert unpack(SEALER.seal(KEY, payload) + payload, KEY, SEALER) is None


def _chat(*, finish: str | None = "stop", **message: Any) -> bytes:
    said = {"role": "assistant", "content": "hi", **message}
    return orjson.dumps({"choices": [{"index": 0, "message": said, "finish_reason": finish}]})


def _response(
    status: str = "completed", *items: dict[str, Any], reason: str | None = None
) -> bytes:
    text = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
    details = {"reason": reason} if reason else None
    answer = {"status": status, "incomplete_details": details, "output": list(items) or [text]}
    return orjson.dumps(answer)


def _message(stop: str | None, *blocks: dict[str, Any]) -> bytes:
    return orjson.dumps(
        {"stop_reason": stop, "content": list(blocks) or [{"type": "text", "text": "hi"}]}
    )


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL_USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
TWO = orjson.dumps(
    {"choices": [{"index": n, "message": {"content": "a"}, "finish_reason": f}
                 for n, f in enumerate(("stop", "length"))]}
)  # fmt: skip

WHOLE: list[tuple[Endpoint, bytes, str]] = [
    (Endpoint.CHAT, _chat(), "kept"),
    (Endpoint.CHAT, _chat(finish="length"), "truncated"),
    (Endpoint.CHAT, _chat(finish="content_filter"), "never"),
    (Endpoint.CHAT, _chat(finish=None), "never"),
    (Endpoint.CHAT, _chat(finish="tool_calls", content=None, tool_calls=[CALL]), "tools"),
    (Endpoint.CHAT, _chat(finish="stop", tool_calls=[CALL]), "tools"),
    (Endpoint.CHAT, _chat(finish="function_call", content=None, function_call={"name": "f"}),
     "tools"),
    (Endpoint.CHAT, _chat(refusal="I cannot"), "never"),
    (Endpoint.CHAT, _chat(content=""), "never"),
    (Endpoint.CHAT, _chat(content=None), "never"),
    (Endpoint.CHAT, TWO, "truncated"),
    (Endpoint.CHAT, b'{"choices":[]}', "never"),
    (Endpoint.CHAT, b'{"choices":5}', "never"),
    (Endpoint.CHAT, b'{"choices":["x"]}', "never"),
    (Endpoint.CHAT, b"[]", "never"),
    (Endpoint.CHAT, b"{", "never"),
    (Endpoint.COMPLETIONS, b'{"choices":[{"text":"hi","finish_reason":"stop"}]}', "kept"),
    (Endpoint.COMPLETIONS, b'{"choices":[{"text":"hi","finish_reason":"length"}]}', "truncated"),
    (Endpoint.RESPONSES, _response(), "kept"),
    (Endpoint.RESPONSES, _response("incomplete", reason="max_output_tokens"), "truncated"),
    (Endpoint.RESPONSES, _response("incomplete", reason="content_filter"), "never"),
    (Endpoint.RESPONSES, _response("failed"), "never"),
    (Endpoint.RESPONSES, _response("completed", {"type": "function_call"}), "tools"),
    (Endpoint.RESPONSES, _response("completed", {"type": "custom_tool_call"}), "tools"),
    (Endpoint.RESPONSES, _response("completed", {"type": "message", "content": [
        {"type": "refusal", "refusal": "no"}]}), "never"),
    (Endpoint.RESPONSES, _response("completed", {"type": "reasoning"}), "never"),
    (Endpoint.MESSAGES, _message("end_turn"), "kept"),
    (Endpoint.MESSAGES, _message("stop_sequence"), "kept"),
    (Endpoint.MESSAGES, _message("max_tokens"), "truncated"),
    (Endpoint.MESSAGES, _message("refusal"), "never"),
    (Endpoint.MESSAGES, _message(None), "never"),
    (Endpoint.MESSAGES, _message("tool_use", TOOL_USE), "tools"),
    (Endpoint.MESSAGES, _message("pause_turn"), "never"),
    (Endpoint.EMBEDDINGS, b'{"data":[{"embedding":[0.1]}]}', "kept"),
    (Endpoint.EMBEDDINGS, b'{"data":[{"embedding":[0.1]},{"embedding":[]}]}', "never"),
    (Endpoint.EMBEDDINGS, b'{"data":[]}', "never"),
    (Endpoint.SPEECH, b"ID3 sound", "kept"),
    (Endpoint.SPEECH, b"", "never"),
    (Endpoint.MODERATIONS, b'{"results":[]}', "never"),
    (Endpoint.TRANSCRIPTIONS, b'{"text":"hi"}', "never"),
]  # fmt: skip
"""Answers, and when they may be kept: always, by policy, or never."""


def _kept(endpoint: Endpoint, frames: tuple[bytes, ...], *, stream: bool) -> str:
    """Say by which policies an answer would be kept."""
    plain, cut, tools = (
        may_be_kept(endpoint, frames, policy, stream=stream)
        for policy in (
            CachePolicy(),
            CachePolicy(keep_truncated=True),
            CachePolicy(keep_tool_calls=True),
        )
    )
    if plain:
        assert cut
        assert tools
        return "kept"
    assert not (cut and tools)
    return "truncated" if cut else "tools" if tools else "never"


@pytest.mark.spec("8.1")
@pytest.mark.parametrize(("endpoint", "answer", "when"), WHOLE)
def test_only_finished_answers_that_say_something_are_kept(
    endpoint: Endpoint, answer: bytes, when: str
) -> None:
    assert _kept(endpoint, (answer,), stream=False) == when


def _events(*events: Any) -> tuple[bytes, ...]:
    return tuple(b"data: " + orjson.dumps(e) + b"\n\n" for e in events)


def _chunk(finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


DONE = (b"data: [DONE]\n\n",)
USAGE = {"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 1}}
START = {"type": "message_start", "message": {"usage": {}}}
TEXT = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}}
TOOL = {"type": "content_block_start", "content_block": TOOL_USE}


def _end(reason: str) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}}


def _closing(kind: str, answer: bytes) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": orjson.loads(answer)}


STREAMS: list[tuple[Endpoint, tuple[bytes, ...], str]] = [
    (Endpoint.CHAT, (*_events(_chunk(content="hi"), _chunk("stop")), *DONE), "kept"),
    (Endpoint.CHAT, (*_events(_chunk(content="hi"), _chunk("stop"), USAGE), *DONE), "kept"),
    (Endpoint.CHAT, (*_events(_chunk(content="hi"), _chunk("length")), *DONE), "truncated"),
    (Endpoint.CHAT, (*_events(_chunk(content="hi")), *DONE), "never"),
    (Endpoint.CHAT, (*_events(_chunk("stop")), *DONE), "never"),
    (Endpoint.CHAT, (*_events(_chunk(tool_calls=[CALL]), _chunk("tool_calls")), *DONE), "tools"),
    (Endpoint.CHAT, (*_events(_chunk(refusal="no"), _chunk("stop")), *DONE), "never"),
    (Endpoint.CHAT, (*_events(_chunk("stop", content="a"), _chunk(index=1, content="b")), *DONE),
     "never"),
    (Endpoint.CHAT, (b"data: {\n\n",), "never"),
    (Endpoint.COMPLETIONS, _events({"choices": [{"text": "a", "finish_reason": "stop"}]}), "kept"),
    (Endpoint.RESPONSES, _events({"type": "x"}, _closing("completed", _response())), "kept"),
    (Endpoint.RESPONSES, _events({"type": "x"}), "never"),
    (Endpoint.RESPONSES, _events(_closing("incomplete", _response(
        "incomplete", reason="max_output_tokens"))), "truncated"),
    (Endpoint.RESPONSES, _events(_closing("completed", _response(
        "completed", {"type": "function_call"}))), "tools"),
    (Endpoint.MESSAGES, _events(START, TEXT, _end("end_turn")), "kept"),
    (Endpoint.MESSAGES, _events(START, TEXT, _end("max_tokens")), "truncated"),
    (Endpoint.MESSAGES, _events(START, TEXT, TOOL, _end("tool_use")), "tools"),
    (Endpoint.MESSAGES, _events(START, TEXT, _end("refusal")), "never"),
    (Endpoint.MESSAGES, _events(START, TEXT), "never"),
]  # fmt: skip


@pytest.mark.spec("8.1")
@pytest.mark.parametrize(("endpoint", "frames", "when"), STREAMS)
def test_only_streams_that_ended_well_are_kept(
    endpoint: Endpoint, frames: tuple[bytes, ...], when: str
) -> None:
    assert _kept(endpoint, frames, stream=True) == when


@given(st.sampled_from(sorted(LEFT_OUT)), _json, st.booleans())
def test_an_answer_of_any_shape_is_judged_without_an_error(
    endpoint: Endpoint, answer: Any, stream: bool
) -> None:
    frames = _events(answer) if stream else (orjson.dumps(answer),)
    may_be_kept(endpoint, frames, CachePolicy(), stream=stream)


@pytest.mark.parametrize(
    ("group", "ttl_s"), [("gpt-4o", 3600), ("claude-3-5-sonnet", 60), ("llama-3", 60)]
)
def test_an_answer_of_a_lower_tier_does_not_outlive_an_outage(group: str, ttl_s: int) -> None:
    call = a_call(
        agent=Agent("matching", ("gpt-4o", "claude-3-5-sonnet", "llama-3")),
        attempts=[Attempt("d", "p", group, 0.0)],
        deployment="d",
    )
    assert CachePolicy().ttl_of(call) == ttl_s
    assert CachePolicy(ttl_s=10).ttl_of(call) == 10


def _called(tenant_id: str) -> Call:
    return a_call(body=BODY, principal=Principal("key0000001", tenant_id))


@pytest.mark.parametrize(
    "crafted", ["acme:e:", "{acme}", "acme\n", "acme ", "ACME", "acme\x00", 'acme","chat']
)
def test_a_crafted_tenant_name_reaches_nobody_elses_entries(crafted: str) -> None:
    assert SEALER.key(_called(crafted), PRINT) != SEALER.key(_called("acme"), PRINT)
    assert SEALER.tag(crafted) != SEALER.tag("acme")
    assert SEALER.tag(crafted).isalnum()

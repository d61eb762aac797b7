"""Reading usage and streams in each endpoint's wire format."""

import io
import itertools
import time
import wave
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.answer_text import text_of
from plugins.core.call import Endpoint, Usage, UsageSource
from plugins.core.errors import Forbidden
from plugins.proxy.answers import usage_of
from plugins.proxy.forms import _wave_seconds
from plugins.proxy.host_errors import read_host_error
from plugins.proxy.refusals import refuse
from plugins.proxy.streams import StreamFollower
from tests.making import a_call

PROVIDER = UsageSource.PROVIDER


@pytest.mark.parametrize(
    ("endpoint", "stated", "usage"),
    [
        (
            Endpoint.CHAT,
            {"prompt_tokens": 10, "completion_tokens": 5},
            Usage(10, 5, source=PROVIDER),
        ),
        (
            Endpoint.CHAT,
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
            },
            Usage(10, 5, cached_input_tokens=4, source=PROVIDER),
        ),
        (
            Endpoint.MESSAGES,
            {
                "input_tokens": 10,
                "output_tokens": 5,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 50,
            },
            Usage(160, 5, cached_input_tokens=100, cache_write_tokens=50, source=PROVIDER),
        ),
        (
            Endpoint.RESPONSES,
            {
                "input_tokens": 10,
                "output_tokens": 5,
                "input_tokens_details": {"cached_tokens": 2},
            },
            Usage(10, 5, cached_input_tokens=2, source=PROVIDER),
        ),
        (Endpoint.EMBEDDINGS, {"prompt_tokens": 3}, Usage(3, 0, source=PROVIDER)),
        (Endpoint.CHAT, {"prompt_tokens": -1, "completion_tokens": 5}, None),
        (Endpoint.CHAT, {"prompt_tokens": "10", "completion_tokens": 5}, None),
        (Endpoint.CHAT, {"prompt_tokens": True, "completion_tokens": 5}, None),
        (Endpoint.CHAT, {"prompt_tokens": 2**60, "completion_tokens": 5}, None),
        (Endpoint.CHAT, "lots", None),
    ],
)
def test_usage_is_read_where_it_can_be_true(
    endpoint: Endpoint, stated: Any, usage: Usage | None
) -> None:
    assert usage_of(endpoint, {"usage": stated}) == usage


def test_text_is_gathered_with_tool_calls() -> None:
    answer = {
        "choices": [
            {
                "message": {
                    "content": "yes",
                    "tool_calls": [{"function": {"name": "find", "arguments": '{"a":1}'}}],
                }
            }
        ]
    }
    assert text_of(Endpoint.CHAT, answer) == 'yesfind{"a":1}'


def _chat(**event: Any) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"


def _delta(text: str) -> bytes:
    return _chat(choices=[{"index": 0, "delta": {"content": text}}])


CHAT_STREAM = (
    _delta("Good ")
    + _delta("morning")
    + _chat(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + _chat(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 2})
    + b"data: [DONE]\n\n"
)
MESSAGES_STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":'
    b'{"input_tokens":9,"cache_read_input_tokens":3,"output_tokens":1}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":'
    b'{"type":"text_delta","text":"Hello"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":6}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def _fed(follower: StreamFollower, stream: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    now, held = b"", b""
    places = sorted({0, len(stream), *(c % len(stream) for c in cuts)})
    for start, end in itertools.pairwise(places):
        a, b = follower.feed(stream[start:end])
        now, held = now + b"".join(a), held + b"".join(b)
    return now, held


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_however_a_stream_is_cut_it_reads_the_same(cuts: list[int]) -> None:
    follower = StreamFollower(Endpoint.CHAT, hide_usage=False)
    now, held = _fed(follower, CHAT_STREAM, cuts)
    assert now + held == CHAT_STREAM
    assert held == b"data: [DONE]\n\n"
    assert follower.ended
    assert follower.usage == Usage(7, 2, source=PROVIDER)


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_anthropics_two_reports_are_joined(cuts: list[int]) -> None:
    follower = StreamFollower(Endpoint.MESSAGES, hide_usage=False)
    now, held = _fed(follower, MESSAGES_STREAM, cuts)
    assert now + held == MESSAGES_STREAM
    assert b"message_stop" in held
    assert follower.usage == Usage(12, 6, cached_input_tokens=3, source=PROVIDER)


def test_usage_nobody_asked_for_is_taken_out() -> None:
    follower = StreamFollower(Endpoint.CHAT, hide_usage=True)
    now, _ = _fed(follower, CHAT_STREAM, [])
    assert b"usage" not in now
    assert b"finish_reason" in now
    assert follower.usage == Usage(7, 2, source=PROVIDER)


def test_litellms_empty_choice_beside_the_usage_goes_with_it() -> None:
    follower = StreamFollower(Endpoint.CHAT, hide_usage=True)
    now, _ = follower.feed(_chat(choices=[{"index": 0, "delta": {}}], usage={"prompt_tokens": 1}))
    assert now == []


def test_an_error_inside_a_stream_is_not_passed_on() -> None:
    follower = StreamFollower(Endpoint.CHAT, hide_usage=False)
    now, held = follower.feed(_delta("Hi") + _chat(error={"message": "secret place"}))
    assert follower.failed
    assert now == [_delta("Hi")]
    assert held == []


def test_the_word_error_in_an_answer_is_no_error() -> None:
    follower = StreamFollower(Endpoint.CHAT, hide_usage=False)
    now, _ = follower.feed(_delta('the "error" and the "usage" of it'))
    assert not follower.failed
    assert len(now) == 1


def test_what_was_written_can_be_counted() -> None:
    follower = StreamFollower(Endpoint.CHAT, hide_usage=False)
    follower.feed(_delta("Good ") + _delta("morning"))
    assert follower.written_text() == "Good morning"


def test_a_clients_own_schema_cannot_pass_for_the_last_frame() -> None:
    echoed = {"properties": {"type": "x", "a": {"type": "response.completed"}}}
    created = _chat(type="response.created", response={"text": {"schema": echoed}})
    follower = StreamFollower(Endpoint.RESPONSES, hide_usage=False)
    now, held = follower.feed(created)
    assert (now, held, follower.ended) == ([created], [], False)


def test_what_anthropic_wrote_after_its_first_report_can_be_counted() -> None:
    follower = StreamFollower(Endpoint.MESSAGES, hide_usage=False)
    follower.feed(MESSAGES_STREAM[: MESSAGES_STREAM.index(b"event: message_delta")])
    assert follower.written_text() == "Hello"
    assert follower.usage == Usage(12, 1, cached_input_tokens=3, source=PROVIDER)
    assert not follower.usage_is_whole


def test_a_wave_file_is_as_long_as_its_bytes_whatever_its_header_says() -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16_000))
    piped = bytearray(buffer.getvalue())
    piped[40:44] = b"\xff\xff\xff\xff"
    assert _wave_seconds(bytes(piped)) == pytest.approx(1.0, abs=0.01)


def test_a_long_error_of_the_host_is_cleaned_in_bounded_time() -> None:
    body = orjson.dumps({"error": {"message": "litellm.BadRequestError: " + " " * 200_000}})
    started_s = time.process_time()
    error = read_host_error(a_call(), 400, body)
    assert time.process_time() - started_s < 0.5
    assert error.message == "the provider refused the request"


def test_no_header_stands_twice_in_a_refusal() -> None:
    names = [name for name, _ in refuse(Forbidden("no"), Endpoint.CHAT, "id").headers]
    assert len(names) == len(set(names))

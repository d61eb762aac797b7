"""Which answers say nothing, and how long a provider may be silent."""

import asyncio
from typing import Any

import orjson
import pytest

from plugins.core.agent import TimeLimits
from plugins.core.call import Endpoint
from plugins.proxy.emptiness import has_content, is_empty, is_empty_stream
from plugins.proxy.passage import Failure, Silence
from tests.making import a_call

CHAT, MESSAGES, RESPONSES = Endpoint.CHAT, Endpoint.MESSAGES, Endpoint.RESPONSES


def _choice(finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": finish}]}


@pytest.mark.spec("2.10")
@pytest.mark.parametrize(
    ("endpoint", "answer", "empty"),
    [
        (CHAT, _choice(content="yes"), False),
        (CHAT, _choice(content=""), True),
        (CHAT, _choice(content=None), True),
        (CHAT, {"choices": []}, True),
        (CHAT, {}, True),
        (CHAT, _choice("length", content=""), False),
        (CHAT, _choice("content_filter", content=""), False),
        (CHAT, _choice("tool_calls", content=None, tool_calls=[{"id": "1"}]), False),
        (CHAT, _choice(content=None, refusal="no"), False),
        (CHAT, {"choices": [{"message": {"content": ""}}, {"message": {"content": "b"}}]}, False),
        (Endpoint.COMPLETIONS, {"choices": [{"text": "", "finish_reason": "stop"}]}, True),
        (Endpoint.COMPLETIONS, {"choices": [{"text": "a", "finish_reason": "stop"}]}, False),
        (MESSAGES, {"content": [], "stop_reason": "end_turn"}, True),
        (MESSAGES, {"content": [{"type": "text", "text": ""}], "stop_reason": "end_turn"}, True),
        (MESSAGES, {"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"}, False),
        (MESSAGES, {"content": [{"type": "tool_use"}], "stop_reason": "tool_use"}, False),
        (MESSAGES, {"content": [], "stop_reason": "max_tokens"}, False),
        (RESPONSES, {"output": [], "status": "completed"}, True),
        (RESPONSES, {"output": [], "status": "incomplete"}, False),
        (RESPONSES, {"output": [{"type": "message", "content": [{"text": "a"}]}]}, False),
        (RESPONSES, {"output": [{"type": "message", "content": [{"text": ""}]}]}, True),
        (RESPONSES, {"output": [{"type": "function_call"}]}, False),
        (Endpoint.EMBEDDINGS, {"data": [{"embedding": [0.1]}]}, False),
        (Endpoint.EMBEDDINGS, {"data": [{"embedding": [0.1]}, {"embedding": []}]}, True),
        (Endpoint.EMBEDDINGS, {"data": []}, True),
        (Endpoint.MODERATIONS, {"results": []}, False),
        (Endpoint.TRANSCRIPTIONS, {"text": ""}, False),
    ],
)
def test_an_answer_is_empty_when_the_model_ended_without_a_word(
    endpoint: Endpoint, answer: dict[str, Any], empty: bool
) -> None:
    call = a_call(endpoint=endpoint)
    assert is_empty(call, answer, orjson.dumps(answer)) is empty


@pytest.mark.parametrize(("body", "empty"), [(b"", True), (b"\xff\xf3", False)])
def test_speech_is_empty_without_a_byte(body: bytes, empty: bool) -> None:
    assert is_empty(a_call(endpoint=Endpoint.SPEECH), {}, body) is empty


@pytest.mark.parametrize("field", ["stop", "stop_sequences"])
def test_a_client_that_names_stop_sequences_may_get_nothing(field: str) -> None:
    call = a_call(body={field: ["\n"]})
    assert not is_empty(call, _choice(content=""), b"{}")
    assert not is_empty_stream(call, [_frame({"choices": [{"finish_reason": "stop"}]})])


def _frame(event: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"


def _delta(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta, "finish_reason": None}]}


@pytest.mark.parametrize(
    ("endpoint", "event", "content"),
    [
        (CHAT, _delta(role="assistant"), False),
        (CHAT, _delta(role="assistant", content=""), False),
        (CHAT, _delta(content="a"), True),
        (CHAT, _delta(tool_calls=[{"index": 0}]), True),
        (CHAT, {"choices": [], "usage": {}}, False),
        (Endpoint.COMPLETIONS, {"choices": [{"text": "a"}]}, True),
        (MESSAGES, {"type": "message_start", "message": {"content": []}}, False),
        (MESSAGES, {"type": "ping"}, False),
        (MESSAGES, {"type": "content_block_start", "content_block": {"type": "text"}}, False),
        (MESSAGES, {"type": "content_block_start", "content_block": {"type": "tool_use"}}, True),
        (MESSAGES, {"type": "content_block_delta", "delta": {"text": "a"}}, True),
        (RESPONSES, {"type": "response.created"}, False),
        (RESPONSES, {"type": "response.output_text.delta", "delta": "a"}, True),
    ],
)
def test_content_is_what_another_tiers_answer_could_not_follow(
    endpoint: Endpoint, event: dict[str, Any], content: bool
) -> None:
    assert has_content(endpoint, _frame(event)) is content
    assert not has_content(endpoint, b": ping\n\n")


@pytest.mark.parametrize(
    ("endpoint", "last", "empty"),
    [
        (CHAT, {"choices": [{"delta": {}, "finish_reason": "stop"}]}, True),
        (CHAT, {"choices": [{"delta": {}, "finish_reason": "length"}]}, False),
        (CHAT, {"choices": [{"delta": {}, "finish_reason": "content_filter"}]}, False),
        (MESSAGES, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, True),
        (MESSAGES, {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}, False),
        (RESPONSES, {"type": "response.completed"}, True),
        (RESPONSES, {"type": "response.incomplete"}, False),
    ],
)
def test_a_stream_without_content_is_empty_unless_something_cut_it(
    endpoint: Endpoint, last: dict[str, Any], empty: bool
) -> None:
    frames = [_frame(last), b"data: [DONE]\n\n"]
    assert is_empty_stream(a_call(endpoint=endpoint, stream=True), frames) is empty


@pytest.mark.parametrize(
    ("status", "clients"),
    [
        (None, False), (400, True), (401, False), (403, False), (404, False), (408, False),
        (409, True), (413, True), (415, True), (422, True), (429, False), (500, False),
        (200, False),
    ],
)  # fmt: skip
def test_what_is_a_fault_of_the_clients_goes_to_no_other_tier(
    status: int | None, clients: bool
) -> None:
    assert Failure("gpt-4o", status, "SomeError").is_clients is clients


async def _hear(silence: Silence, *pauses_s: float) -> None:
    async with silence.limit:
        for pause_s in pauses_s:
            silence.heard()
            await asyncio.sleep(pause_s)


async def _nothing(silence: Silence) -> None:
    async with silence.limit:
        await asyncio.sleep(5)


async def test_a_silent_provider_is_left_and_a_slow_client_is_not() -> None:
    limits = TimeLimits(first_byte_s=0.05, between_chunks_s=0.05)
    with pytest.raises(TimeoutError):
        await _nothing(Silence(limits, stream=True))
    with pytest.raises(TimeoutError):
        await _hear(Silence(limits, stream=True), 5)
    await _hear(Silence(limits, stream=True), 0.02, 0.02, 0.02, 0.02)
    silence = Silence(limits, stream=True)
    async with silence.limit:
        silence.pause()  # the client takes its time
        await asyncio.sleep(0.1)


async def test_an_answer_in_one_piece_has_one_limit_however_it_trickles() -> None:
    silence = Silence(TimeLimits(answer_s=0.05, between_chunks_s=60), stream=False)
    with pytest.raises(TimeoutError):
        await _hear(silence, *[0.01] * 100)

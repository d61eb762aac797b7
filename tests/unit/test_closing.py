"""A stream that is cut ends as the official SDKs expect an answer to end."""

from typing import Any

import pytest
from anthropic.types import RawMessageStreamEvent
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from plugins.core.answer_text import events_of
from plugins.core.call import Endpoint, Usage
from plugins.proxy.answering import Heard
from plugins.proxy.closing import Shown, is_opening, reviewed_frame
from plugins.proxy.rewriting import written

CHAT, COMPLETIONS = Endpoint.CHAT, Endpoint.COMPLETIONS
RESPONSES, MESSAGES = Endpoint.RESPONSES, Endpoint.MESSAGES
USAGE = Usage(7, 3)
REVIEW = {"verdict": "block", "findings": []}
MODELS: dict[Endpoint, TypeAdapter[Any]] = {
    CHAT: TypeAdapter(ChatCompletionChunk),
    COMPLETIONS: TypeAdapter(Completion),
    RESPONSES: TypeAdapter(ResponseStreamEvent),
    MESSAGES: TypeAdapter(RawMessageStreamEvent),
}
HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def _chunk(*choices: dict[str, Any]) -> dict[str, Any]:
    return {**HEAD, "choices": list(choices)}


def _said(index: int, content: str, finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": {"content": content}, "finish_reason": finish}


def _closed(
    endpoint: Endpoint, *events: dict[str, Any], asks_usage: bool = False
) -> tuple[bytes, list[Any]]:
    """Show events, then end the stream; gives what ends it, and that as the SDK reads it."""
    heard, shown = Heard(endpoint), Shown(endpoint, asks_usage=asks_usage)
    for event in events:
        shown.show(heard.hear(written(endpoint, [event]), [event]))
    frames = shown.close(USAGE, REVIEW)
    return frames, [MODELS[endpoint].validate_python(event) for event in events_of(frames)]


def test_every_choice_of_a_chat_that_still_runs_is_ended() -> None:
    frames, (last,) = _closed(CHAT, _chunk(_said(0, "a")), _chunk(_said(1, "b", "stop")))
    assert frames.endswith(b"data: [DONE]\n\n")
    assert (last.id, last.model) == ("c", "m")
    assert [(c.index, c.finish_reason) for c in last.choices] == [(0, "content_filter")]
    assert last.x_review == REVIEW
    _, (last,) = _closed(CHAT, _chunk(_said(0, "a"), _said(1, "b")))
    assert [c.index for c in last.choices] == [0, 1]


def test_a_chat_that_asked_for_usage_gets_it() -> None:
    frames, (_, usage) = _closed(CHAT, _chunk(_said(0, "a")), asks_usage=True)
    assert usage.choices == []
    assert (usage.usage.prompt_tokens, usage.usage.completion_tokens) == (7, 3)
    assert usage.usage.total_tokens == 10
    assert frames.endswith(b"data: [DONE]\n\n")


def test_a_chat_of_which_nothing_was_shown_begins_and_ends_in_one() -> None:
    piece = Heard(CHAT).hear(b"", [_chunk(_said(0, "a"))])
    shown = Shown(CHAT, asks_usage=False)
    shown.name(piece)
    (event,) = events_of(shown.close(USAGE, None))
    last = ChatCompletionChunk.model_validate(event)
    assert last.id == "c"
    assert (last.choices[0].delta.role, last.choices[0].delta.content) == ("assistant", "")


def test_a_text_completion_is_ended() -> None:
    event = {**HEAD, "object": "text_completion", "choices": [{"index": 0, "text": "a"}]}
    frames, (last,) = _closed(COMPLETIONS, event)
    assert (last.choices[0].text, last.choices[0].finish_reason) == ("", "content_filter")
    assert frames.endswith(b"data: [DONE]\n\n")


def _block(index: int, kind: str) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind}}


@pytest.mark.parametrize(
    ("events", "stopped"),
    [
        ([], []),
        ([_block(0, "text")], [0]),
        ([_block(0, "text"), {"type": "content_block_stop", "index": 0}], []),
        (
            [
                _block(0, "text"),
                {"type": "content_block_stop", "index": 0},
                _block(1, "tool_use"),
            ],
            [1],
        ),
    ],
)
def test_a_messages_open_blocks_are_stopped(
    events: list[dict[str, Any]], stopped: list[int]
) -> None:
    frames, read = _closed(MESSAGES, {"type": "message_start", "message": {}}, *events)
    assert [e.type for e in read] == [
        *("content_block_stop" for _ in stopped),
        "message_delta",
        "message_stop",
    ]
    assert [e.index for e in read[:-2]] == stopped
    assert read[-2].delta.stop_reason == "refusal"
    assert read[-2].usage.output_tokens == 3
    assert read[-2].x_review == REVIEW
    assert frames.startswith(b"event: ")


CREATED: dict[str, Any] = {
    "type": "response.created",
    "sequence_number": 0,
    "response": {
        "id": "r",
        "created_at": 1,
        "model": "m",
        "object": "response",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "status": "in_progress",
    },
}


def _delta(number: int, text: str, part: int = 0) -> dict[str, Any]:
    return {
        "type": "response.output_text.delta",
        "sequence_number": number,
        "item_id": "i",
        "output_index": 0,
        "content_index": part,
        "delta": text,
    }


def test_a_response_ends_incomplete_with_what_was_shown() -> None:
    added = {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": {"type": "message", "id": "i", "role": "assistant", "content": []},
    }
    events = (CREATED, added, _delta(2, "one "), _delta(3, "two"), _delta(4, "three", 1))
    frames, (last,) = _closed(RESPONSES, *events)
    assert frames.startswith(b"data: ")
    assert (last.type, last.sequence_number) == ("response.incomplete", 5)
    response = last.response
    assert (response.id, response.status) == ("r", "incomplete")
    assert response.incomplete_details.reason == "content_filter"
    assert response.output_text == "one twothree"
    assert response.output[0].status == "incomplete"
    assert (response.usage.input_tokens, response.usage.total_tokens) == (7, 10)
    assert response.x_review == REVIEW
    assert added["item"] == {"type": "message", "id": "i", "role": "assistant", "content": []}


def test_a_response_of_which_nothing_was_shown_ends_empty() -> None:
    _, (last,) = _closed(RESPONSES, CREATED)
    assert last.response.output == []


def test_a_responses_calls_of_tools_are_kept_as_far_as_they_came() -> None:
    added = {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {
            "type": "function_call",
            "id": "f",
            "call_id": "c",
            "name": "f",
            "arguments": "",
        },
    }
    arguments = {
        "type": "response.function_call_arguments.delta",
        "output_index": 0,
        "delta": '{"a"',
    }
    _, (last,) = _closed(RESPONSES, CREATED, added, arguments)
    assert last.response.output[0].arguments == '{"a"'
    assert last.response.output[0].status == "incomplete"


@pytest.mark.parametrize(
    ("endpoint", "event", "opening"),
    [
        (CHAT, _chunk({"index": 0, "delta": {"role": "assistant", "content": ""}}), True),
        (CHAT, _chunk(_said(0, "a")), False),
        (CHAT, _chunk({"index": 0, "delta": {}, "finish_reason": "stop"}), False),
        (CHAT, _chunk({"index": 0, "delta": {"tool_calls": []}}), False),
        (CHAT, _chunk({"index": 0, "delta": {"reasoning_content": "hm"}}), False),
        (MESSAGES, {"type": "message_start"}, True),
        (MESSAGES, {"type": "ping"}, True),
        (MESSAGES, _block(0, "text"), False),
        (RESPONSES, CREATED, True),
        (RESPONSES, {"type": "response.output_item.added"}, False),
    ],
)
def test_the_opening_of_a_stream_is_told_from_what_a_model_writes(
    endpoint: Endpoint, event: dict[str, Any], opening: bool
) -> None:
    piece = Heard(endpoint).hear(written(endpoint, [event]), [event])
    assert is_opening(endpoint, piece) is opening


@pytest.mark.parametrize(
    ("endpoint", "event", "takes"),
    [
        (CHAT, _chunk(_said(0, "a")), False),
        (CHAT, _chunk(_said(0, "", "stop")), True),
        (RESPONSES, CREATED, False),
        (RESPONSES, {**CREATED, "type": "response.completed"}, True),
        (MESSAGES, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, True),
        (MESSAGES, {"type": "message_stop"}, False),
    ],
)
def test_the_review_goes_where_a_stream_ends(
    endpoint: Endpoint, event: dict[str, Any], takes: bool
) -> None:
    piece = Heard(endpoint).hear(written(endpoint, [event]), [event])
    frame = reviewed_frame(endpoint, piece, REVIEW)
    assert (frame is not None and b'"x_review"' in frame) is takes

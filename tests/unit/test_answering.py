"""What a model wrote is read out of whole answers and streams alike, and mended text put back."""

from typing import Any

import orjson
import pytest

from plugins.core.answer import Answer
from plugins.core.answer_text import events_of
from plugins.core.call import Endpoint
from plugins.proxy.answering import HEARD, Heard, Piece, answer_of, choices_of
from plugins.proxy.rewriting import (
    mended_body,
    mended_frames,
    withheld_body,
    without_logprobs,
    written,
)

CHAT, COMPLETIONS = Endpoint.CHAT, Endpoint.COMPLETIONS
RESPONSES, MESSAGES = Endpoint.RESPONSES, Endpoint.MESSAGES
TOKENS = [{"token": "a", "logprob": -0.1}]
SRT = "1\n00:00:00,000 --> 00:00:01,000\nHello Ann\n\n2\n00:00:01,000 --> 00:00:02,000\nBye\n"
VTT = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello Ann\n\n00:01.000 --> 00:02.000\nBye\n"
TWO: dict[str, Any] = {
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"content": "one"},
            "logprobs": {"content": TOKENS},
        },
        {"index": 1, "finish_reason": "length", "message": {"content": "two"}},
    ]
}
CALLED: dict[str, Any] = {
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {
                "content": None,
                "tool_calls": [
                    {"id": "1", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "2", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
        }
    ]
}
SPOKEN: dict[str, Any] = {
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
        {
            "type": "message",
            "content": [
                {"type": "output_text", "text": "one ", "logprobs": TOKENS},
                {"type": "output_text", "text": "two", "annotations": [{"type": "url"}]},
            ],
        },
        {"type": "function_call", "name": "f", "arguments": '{"a":1}'},
    ],
}
MESSAGE: dict[str, Any] = {
    "stop_reason": "tool_use",
    "content": [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "one "},
        {"type": "text", "text": "two"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ],
}


@pytest.mark.parametrize(
    ("endpoint", "answer", "found"),
    [
        (CHAT, TWO, Answer(("one", "two"), (), "stop", TOKENS)),
        (CHAT, CALLED, Answer(("",), ('{"a":1}', "{}"), "tool_calls")),
        (CHAT, {"choices": [{"message": {"refusal": "no"}}]}, Answer(("no",))),
        (CHAT, {}, Answer()),
        (
            COMPLETIONS,
            {
                "choices": [
                    {
                        "text": "one",
                        "finish_reason": "stop",
                        "logprobs": {"tokens": ["a"], "token_logprobs": [-0.1]},
                    }
                ]
            },
            Answer(("one",), (), "stop", TOKENS),
        ),
        (RESPONSES, SPOKEN, Answer(("one two",), ('{"a":1}',), "max_output_tokens", TOKENS)),
        (MESSAGES, MESSAGE, Answer(("one two",), ('{"a":1}',), "tool_use")),
        (Endpoint.EMBEDDINGS, {"data": []}, None),
        (Endpoint.SPEECH, {}, None),
        (Endpoint.MODERATIONS, {"results": []}, None),
    ],
)
def test_an_answer_is_read_in_each_wire_format(
    endpoint: Endpoint, answer: dict[str, Any], found: Answer | None
) -> None:
    assert answer_of(endpoint, answer, b"") == found


@pytest.mark.parametrize(
    ("body", "text", "mended"),
    [
        (b'{"text":"Hello Ann\\nBye"}', "Hello Ann\nBye", b'{"text":"Hello ***\\nBye"}'),
        (
            b'{"text":"Hello Ann\\nBye","segments":[{"text":"Hello Ann"}],"duration":2}',
            "Hello Ann\nBye",
            b'{"text":"Hello ***\\nBye","duration":2}',
        ),
        (b"Hello Ann\nBye", "Hello Ann\nBye", b"Hello ***\nBye"),
        (SRT.encode(), "Hello Ann\nBye", SRT.replace("Ann", "***").encode()),
        (VTT.encode(), "Hello Ann\nBye", VTT.replace("Ann", "***").encode()),
        (
            orjson.dumps({"text": SRT}),
            "Hello Ann\nBye",
            orjson.dumps({"text": SRT.replace("Ann", "***")}),
        ),
    ],
)
def test_a_transcript_is_read_and_mended_in_each_form(
    body: bytes, text: str, mended: bytes
) -> None:
    answer = orjson.loads(body) if body.startswith(b"{") else {}
    endpoint = Endpoint.TRANSCRIPTIONS
    assert answer_of(endpoint, answer, body) == Answer((text,))
    assert mended_body(endpoint, answer, body, [text.replace("Ann", "***")]) == mended


def test_subtitles_that_no_longer_fit_line_by_line_keep_nothing_of_the_old() -> None:
    mended = mended_body(Endpoint.TRANSCRIPTIONS, {}, SRT.encode(), ["all of it is gone"]).decode()
    assert "Ann" not in mended
    assert "Bye" not in mended
    assert mended.count("all of it is gone") == 1


def _copy(answer: dict[str, Any]) -> dict[str, Any]:
    return orjson.loads(orjson.dumps(answer))


@pytest.mark.parametrize(
    ("endpoint", "answer", "texts"),
    [(CHAT, TWO, ("1", "2")), (RESPONSES, SPOKEN, ("1",)), (MESSAGES, MESSAGE, ("1",))],
)
def test_a_mended_answer_reads_as_it_was_mended(
    endpoint: Endpoint, answer: dict[str, Any], texts: tuple[str, ...]
) -> None:
    body = mended_body(endpoint, _copy(answer), b"", texts)
    found = answer_of(endpoint, orjson.loads(body), body)
    assert found is not None
    assert (found.texts, found.logprobs) == (texts, None)
    before = answer_of(endpoint, answer, b"")
    assert before is not None
    assert (found.arguments, found.finish) == (before.arguments, before.finish)
    for old in (b"one", b"two"):
        assert old not in body


@pytest.mark.parametrize(
    ("endpoint", "answer", "finish"),
    [
        (CHAT, TWO, "content_filter"),
        (CHAT, CALLED, "content_filter"),
        (RESPONSES, SPOKEN, "content_filter"),
        (MESSAGES, MESSAGE, "refusal"),
    ],
)
def test_a_withheld_answer_says_nothing(
    endpoint: Endpoint, answer: dict[str, Any], finish: str
) -> None:
    body = withheld_body(endpoint, _copy(answer))
    found = answer_of(endpoint, orjson.loads(body), body)
    assert found is not None
    assert ("".join(found.texts), found.arguments, found.finish) == ("", (), finish)
    assert b"hm" not in body


def _chunk(index: int, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def _tool(index: int, arguments: str) -> list[dict[str, Any]]:
    return [{"index": index, "function": {"arguments": arguments}}]


CHUNKS = [
    _chunk(0, role="assistant", content=""),
    _chunk(0, content="one "),
    _chunk(1, content="zwei"),
    _chunk(0, content="two"),
    _chunk(0, tool_calls=_tool(0, '{"a"')),
    _chunk(0, tool_calls=_tool(0, ":1}")),
    _chunk(0, tool_calls=_tool(1, "{}")),
    _chunk(1, "stop"),
    _chunk(0, "tool_calls"),
]


def _heard(endpoint: Endpoint, events: list[dict[str, Any]], n: int = 1) -> tuple[Heard, list[Any]]:
    heard = Heard(endpoint, n)
    return heard, [heard.hear(written(endpoint, [event]), [_copy(event)]) for event in events]


def test_a_stream_of_several_choices_and_tools_is_gathered() -> None:
    heard, pieces = _heard(CHAT, CHUNKS, 2)
    assert heard.answer() == Answer(("one two", "zwei"), ('{"a":1}', "{}"), "tool_calls")
    assert heard.tail == "one two"
    assert [piece.closing for piece in pieces] == [False] * 8 + [True]


def test_a_message_is_gathered() -> None:
    heard, pieces = _heard(
        MESSAGES,
        [
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
            {"type": "content_block_delta", "index": 0, "delta": _text("one")},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use"}},
            {"type": "content_block_delta", "index": 1, "delta": _json('{"a":')},
            {"type": "content_block_delta", "index": 1, "delta": _json("1}")},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ],
    )
    assert heard.answer() == Answer(("one",), ('{"a":1}',), "tool_use")
    assert [piece.closing for piece in pieces] == [False] * 7 + [True] * 2


def _text(text: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": text}


def _json(part: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": part}


def test_listeners_are_given_the_end_of_a_long_text_with_all_that_is_new() -> None:
    heard = Heard(CHAT)
    said = ""
    for number in range(3000):
        piece = f"{number} " * (1 if number % 500 else 2000)
        said += piece
        heard.hear(b"", [_chunk(0, content=piece)])
        assert heard.new == len(piece)
        assert said.endswith(heard.tail)
        assert len(heard.tail) >= min(len(said), HEARD + heard.new)
        assert len(heard.tail) <= 2 * HEARD + heard.new
    assert heard.answer().text == said


def _rewritten(endpoint: Endpoint, events: list[dict[str, Any]], texts: tuple[str, ...]) -> bytes:
    _, pieces = _heard(endpoint, events, len(texts))
    return b"".join(mended_frames(endpoint, pieces, texts))


@pytest.mark.parametrize("texts", [("1", "2"), ("", "")])
def test_a_mended_stream_reads_as_it_was_mended(texts: tuple[str, ...]) -> None:
    frames = _rewritten(CHAT, CHUNKS, texts)
    heard, _ = _heard(CHAT, events_of(frames), 2)
    found = heard.answer()
    assert found.texts == tuple(filter(None, texts))
    assert (found.arguments, found.finish) == (('{"a":1}', "{}"), "tool_calls")
    for old in (b"one", b"two", b"zwei"):
        assert old not in frames


def test_frames_without_json_stay_as_they_are() -> None:
    assert mended_frames(CHAT, [Piece(b"data: [DONE]\n\n")], ["x"]) == [b"data: [DONE]\n\n"]


@pytest.mark.parametrize(
    ("endpoint", "answer", "bare"),
    [
        (
            CHAT,
            {"choices": [{"index": 0, "logprobs": {"content": TOKENS}}]},
            {"choices": [{"index": 0}]},
        ),
        (
            COMPLETIONS,
            {"choices": [{"text": "a", "logprobs": {"tokens": []}}]},
            {"choices": [{"text": "a", "logprobs": None}]},
        ),
        (
            RESPONSES,
            {"type": "response.output_text.delta", "logprobs": TOKENS},
            {"type": "response.output_text.delta", "logprobs": []},
        ),
        (
            RESPONSES,
            {"response": {"output": [{"type": "message", "content": [{"logprobs": TOKENS}]}]}},
            {"response": {"output": [{"type": "message", "content": [{"logprobs": []}]}]}},
        ),
        (
            RESPONSES,
            {"item": {"content": [{"logprobs": TOKENS}]}},
            {"item": {"content": [{"logprobs": []}]}},
        ),
        (RESPONSES, {"part": {"logprobs": TOKENS}}, {"part": {"logprobs": []}}),
        (CHAT, {"choices": [{"logprobs": None}]}, {"choices": [{"logprobs": None}]}),
    ],
)
def test_token_probabilities_are_taken_out(
    endpoint: Endpoint, answer: dict[str, Any], bare: dict[str, Any]
) -> None:
    had_some = answer != bare
    assert without_logprobs(endpoint, answer) is had_some
    assert answer == bare


@pytest.mark.parametrize(
    ("body", "choices"),
    [
        ({}, 1),
        ({"n": 3}, 3),
        ({"n": None}, 1),
        ({"prompt": "a"}, 1),
        ({"prompt": ["a", "b"]}, 2),
        ({"prompt": ["a", "b"], "n": 2}, 4),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1], [2]]}, 2),
    ],
)
def test_the_answers_asked_for_are_counted(body: dict[str, Any], choices: int) -> None:
    assert choices_of(body) == choices

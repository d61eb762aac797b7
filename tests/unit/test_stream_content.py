"""An answer without content is told from one that says something, in each wire format."""

from typing import Any

import orjson
import pytest

from plugins.core.call import Endpoint
from plugins.proxy.emptiness import has_content, is_empty
from tests.making import a_call

CHAT, RESPONSES, MESSAGES = Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES


def _chat(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta}]}


def _item(kind: str, *texts: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text} for text in texts]
    return {"type": "response.output_item.done", "item": {"type": kind, "content": content}}


def _block(kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "delta": {"type": kind, **delta}}


@pytest.mark.parametrize(
    ("endpoint", "event", "expected"),
    [
        (CHAT, _chat(role="assistant"), False),
        (CHAT, _chat(role="assistant", content=""), False),
        (CHAT, _chat(content="Hi"), True),
        (CHAT, _chat(tool_calls=[{"index": 0}]), True),
        (CHAT, {"choices": [], "usage": {"prompt_tokens": 3}}, False),
        (RESPONSES, {"type": "response.created"}, False),
        (RESPONSES, {"type": "response.output_text.delta", "delta": "Hi"}, True),
        (RESPONSES, {"type": "response.output_text.delta", "delta": ""}, False),
        (RESPONSES, _item("message", "Hi"), True),
        (RESPONSES, _item("message", ""), False),
        (RESPONSES, _item("message"), False),
        (RESPONSES, _item("function_call"), True),
        (MESSAGES, {"type": "message_start", "message": {}}, False),
        (MESSAGES, {"type": "content_block_start", "content_block": {"type": "text"}}, False),
        (MESSAGES, {"type": "content_block_start", "content_block": {"type": "tool_use"}}, True),
        (MESSAGES, _block("text_delta", text="Hi"), True),
        (MESSAGES, _block("text_delta", text=""), False),
        (MESSAGES, _block("thinking_delta", thinking="Hm"), True),
        (MESSAGES, _block("input_json_delta", partial_json="{"), True),
    ],
)
def test_an_event_with_content_is_told_from_one_without(
    endpoint: Endpoint, event: dict[str, Any], expected: bool
) -> None:
    assert has_content(endpoint, b"data: " + orjson.dumps(event) + b"\n\n") is expected


@pytest.mark.parametrize(
    ("endpoint", "answer", "expected"),
    [
        (RESPONSES, {"status": "completed", "output": []}, True),
        (RESPONSES, {"status": "completed", "output": [_item("message", "")["item"]]}, True),
        (RESPONSES, {"status": "completed", "output": [_item("message", "Hi")["item"]]}, False),
        (RESPONSES, {"status": "completed", "output": [_item("function_call")["item"]]}, False),
        (RESPONSES, {"status": "incomplete", "output": []}, False),
        (Endpoint.EMBEDDINGS, {"data": []}, True),
        (Endpoint.EMBEDDINGS, {"data": [{"embedding": [0.1]}, {"embedding": []}]}, True),
        (Endpoint.EMBEDDINGS, {"data": [{"embedding": [0.1]}]}, False),
    ],
)
def test_a_whole_answer_with_content_is_told_from_one_without(
    endpoint: Endpoint, answer: dict[str, Any], expected: bool
) -> None:
    call = a_call(endpoint=endpoint)
    assert is_empty(call, answer, orjson.dumps(answer)) is expected


def test_speech_without_a_byte_is_empty() -> None:
    assert is_empty(a_call(endpoint=Endpoint.SPEECH), {}, b"")
    assert not is_empty(a_call(endpoint=Endpoint.SPEECH), {}, b"\0")

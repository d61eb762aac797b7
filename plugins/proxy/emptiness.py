"""Tells an answer without content from one that says something, in each wire format. Pure.

An answer that was cut by a limit, a filter or the client's own stop sequence is an answer; so are a
transcription of silence and a moderation. What is left, a model that came to its own end without a
word, is a failure of the provider, and the next tier is asked.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from plugins.core.answer_text import Json, events_of, maps
from plugins.core.call import Call, Endpoint

_OWN_ENDS: Final = frozenset({None, "stop", "end_turn"})
_SAYING: Final = (
    "content",
    "text",
    "tool_calls",
    "function_call",
    "refusal",
    "reasoning_content",
    "audio",
)


def has_content(endpoint: Endpoint, frame: bytes) -> bool:
    """Tell whether an event of a stream carries any of the answer itself."""
    return any(_carries(endpoint, event) for event in events_of(frame))


def is_empty(call: Call, answer: Json, body: bytes) -> bool:
    """Tell whether a whole answer carries nothing.

    Args:
        call: that is answered.
        answer: the body as JSON; empty where it is none.
        body: the same as bytes.
    """
    if call.endpoint is Endpoint.SPEECH:
        return not body
    read = _EMPTY.get(call.endpoint)
    return read is not None and not _stops(call) and read(answer)


def is_empty_stream(call: Call, frames: Iterable[bytes]) -> bool:
    """Tell whether a stream that carries no content ended of itself.

    Args:
        call: that is answered.
        frames: all of the stream's events.
    """
    if _stops(call):
        return False
    events = (event for frame in frames for event in events_of(frame))
    return all(_end_of(call.endpoint, event) in _OWN_ENDS for event in events)


def _stops(call: Call) -> bool:
    return bool(call.body.get("stop") or call.body.get("stop_sequences"))


def _carries(endpoint: Endpoint, event: Json) -> bool:
    kind = str(event.get("type") or "")
    if endpoint is Endpoint.RESPONSES:
        if kind == "response.output_item.done":
            return any(not _is_silent_item(item) for item in maps([event.get("item")]))
        return kind.endswith(".delta") and bool(event.get("delta"))
    if endpoint is Endpoint.MESSAGES:
        blocks = maps([event.get("content_block")])
        is_tool = any(block.get("type") not in {"text", "thinking"} for block in blocks)
        if kind == "content_block_start":
            return is_tool
        deltas = maps([event.get("delta")])
        return kind == "content_block_delta" and any(
            value for delta in deltas for key, value in delta.items() if key != "type"
        )
    choices = maps(event.get("choices"))
    deltas = maps([choice.get("delta") for choice in choices])
    return any(choice.get("text") for choice in choices) or any(
        value for delta in deltas for key, value in delta.items() if key != "role"
    )


def _end_of(endpoint: Endpoint, event: Json) -> Any:
    """Read why the model stopped, from the event that says so."""
    if endpoint is Endpoint.RESPONSES:
        return event["type"] if event.get("type") == "response.incomplete" else None
    if endpoint is Endpoint.MESSAGES:
        return next((d.get("stop_reason") for d in maps([event.get("delta")])), None)
    reasons = (choice.get("finish_reason") for choice in maps(event.get("choices")))
    return next((reason for reason in reasons if reason), None)


def _chat(answer: Json) -> bool:
    return all(
        choice.get("finish_reason") in _OWN_ENDS
        and not choice.get("text")
        and not any(m.get(key) for m in maps([choice.get("message")]) for key in _SAYING)
        for choice in maps(answer.get("choices"))
    )


def _responses(answer: Json) -> bool:
    items = maps(answer.get("output"))
    return answer.get("status") in {None, "completed"} and all(map(_is_silent_item, items))


def _is_silent_item(item: Json) -> bool:
    return item.get("type") == "message" and not any(
        part.get(key) for part in maps(item.get("content")) for key in _SAYING
    )


def _messages(answer: Json) -> bool:
    return answer.get("stop_reason") in _OWN_ENDS and all(
        block.get("type") == "text" and not block.get("text")
        for block in maps(answer.get("content"))
    )


def _embeddings(answer: Json) -> bool:
    rows = maps(answer.get("data"))
    return not rows or not all(row.get("embedding") for row in rows)


_EMPTY: Final[Mapping[Endpoint, Callable[[Json], bool]]] = {
    Endpoint.CHAT: _chat,
    Endpoint.COMPLETIONS: _chat,
    Endpoint.RESPONSES: _responses,
    Endpoint.MESSAGES: _messages,
    Endpoint.EMBEDDINGS: _embeddings,
}

"""Reads what a model wrote out of answers in each endpoint's wire format. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import orjson

from plugins.core.call import Endpoint

Json = dict[str, Any]


def text_of(endpoint: Endpoint, answer: Json) -> str:
    """Gather the text that a model wrote, to count it where the provider did not."""
    return "".join(_texts(_WRITTEN[endpoint](answer)))


def frame_text(endpoint: Endpoint, frame: bytes) -> str:
    """Gather the text of one server-sent event; empty for what carries none."""
    return "".join(text_of_event(endpoint, event) for event in events_of(frame))


def events_of(frames: bytes) -> list[Json]:
    """Parse the JSON objects of server-sent events; others are left out."""
    found: list[Json] = []
    for line in frames.splitlines():
        if not line.startswith(b"data:"):
            continue
        try:
            event: object = orjson.loads(line[5:])
        except orjson.JSONDecodeError:
            continue
        if isinstance(event, dict):
            found.append(cast("Json", event))
    return found


def text_of_event(endpoint: Endpoint, event: Json) -> str:
    """Gather the text that one event of a stream adds."""
    if endpoint is Endpoint.MESSAGES:
        return "".join(_texts([event.get("delta")]))
    if endpoint is Endpoint.RESPONSES:
        delta = event.get("delta")
        return delta if isinstance(delta, str) else ""
    choices = maps(event.get("choices"))
    return "".join(_texts([c.get("delta") or c.get("text") for c in choices]))


def maps(value: object) -> list[Json]:
    """Give the JSON objects of a JSON array; empty where it is none, other items left out."""
    items = _list(value)
    return [cast("Json", item) for item in items if isinstance(item, dict)]


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def texts(parts: Sequence[Any]) -> str:
    """Gather all text in messages, content parts and tool calls, in their order."""
    return "".join(_texts(parts))


def _texts(parts: Sequence[Any]) -> list[str]:
    """Flatten what a model wrote: strings, content parts, tool arguments."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, list):
            found += _texts(cast("list[Any]", part))
        elif isinstance(part, dict):
            found += _texts([cast("Json", part).get(key) for key in _TEXT_KEYS])
    return found


_TEXT_KEYS: Final = (
    "content",
    "text",
    "refusal",
    "reasoning_content",
    "thinking",
    "tool_calls",
    "function",
    "function_call",
    "name",
    "arguments",
    "partial_json",
    "input",
)

_WRITTEN: Final[Mapping[Endpoint, Callable[[Json], list[Any]]]] = {
    Endpoint.CHAT: lambda a: [c.get("message") for c in maps(a.get("choices"))],
    Endpoint.COMPLETIONS: lambda a: [c.get("text") for c in maps(a.get("choices"))],
    Endpoint.EMBEDDINGS: lambda _: [],
    Endpoint.RESPONSES: lambda a: _list(a.get("output")),
    Endpoint.MESSAGES: lambda a: _list(a.get("content")),
    Endpoint.MODERATIONS: lambda _: [],
    Endpoint.SPEECH: lambda _: [],
    Endpoint.TRANSCRIPTIONS: lambda a: [a.get("text")],
}

"""Reads usage and text out of answers in each endpoint's wire format. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import orjson

from plugins.core.call import Endpoint, Usage, UsageSource

Json = dict[str, Any]

_CUE: Final = re.compile(rb"--> (?:(\d+):)?(\d\d):(\d\d[.,]\d{3})")
_WORDS_A_SECOND: Final = 2.5


def usage_of(endpoint: Endpoint, answer: Json) -> Usage | None:
    """Read what the provider says was consumed.

    Args:
        endpoint: names the wire format.
        answer: a whole answer, or the part of a stream that carries usage.

    Returns:
        None when there is none, or none that can be true (negative, not whole numbers).
    """
    stated = answer.get("usage")
    if not isinstance(stated, dict):
        return None
    return _READERS[endpoint](cast("Json", stated))


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


def has_unreadable(frames: bytes) -> bool:
    """Tell whether a `data:` line of server-sent events holds no JSON, though it should."""
    for line in frames.splitlines():
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            try:
                orjson.loads(line[5:])
            except orjson.JSONDecodeError:
                return True
    return False


def text_of_event(endpoint: Endpoint, event: Json) -> str:
    """Gather the text that one event of a stream adds."""
    if endpoint is Endpoint.MESSAGES:
        return "".join(_texts([event.get("delta")]))
    if endpoint is Endpoint.RESPONSES:
        delta = event.get("delta")
        return delta if isinstance(delta, str) else ""
    choices = maps(event.get("choices"))
    return "".join(_texts([c.get("delta") or c.get("text") for c in choices]))


def _tokens(stated: Mapping[str, Any], key: str) -> int | None:
    value = stated.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        return None
    return value


def _detail(stated: Mapping[str, Any], group: str, key: str) -> int:
    details = stated.get(group)
    return (_tokens(cast("Json", details), key) or 0) if isinstance(details, dict) else 0


def _openai(stated: Json) -> Usage | None:
    tokens_in, tokens_out = _tokens(stated, "prompt_tokens"), _tokens(stated, "completion_tokens")
    cached = _detail(stated, "prompt_tokens_details", "cached_tokens")
    # LiteLLM's addition, for Anthropic models behind OpenAI's wire format.
    written = _tokens(stated, "cache_creation_input_tokens") or 0
    return _usage(tokens_in, tokens_out, cached, written)


def _responses(stated: Json) -> Usage | None:
    tokens_in, tokens_out = _tokens(stated, "input_tokens"), _tokens(stated, "output_tokens")
    cached = _detail(stated, "input_tokens_details", "cached_tokens")
    # LiteLLM's addition, for Anthropic models behind OpenAI's wire format.
    written = _detail(stated, "input_tokens_details", "cache_write_tokens")
    return _usage(tokens_in, tokens_out, cached, written)


def _messages(stated: Json) -> Usage | None:
    # Anthropic counts cached tokens beside input_tokens, not within.
    tokens_in, tokens_out = _tokens(stated, "input_tokens"), _tokens(stated, "output_tokens")
    cached = _tokens(stated, "cache_read_input_tokens") or 0
    written = _tokens(stated, "cache_creation_input_tokens") or 0
    if tokens_in is None:
        return None
    return _usage(tokens_in + cached + written, tokens_out, cached, written)


def _transcription(stated: Json) -> Usage | None:
    if stated.get("type") == "duration":
        return Usage(audio_s=seconds(stated.get("seconds")), source=UsageSource.PROVIDER)
    return _responses(stated)


def seconds(value: object) -> Decimal:
    """Read a length of audio; anything that cannot be one is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        return Decimal(0)
    return round(Decimal(str(value)), 3)


def heard_seconds(transcript: bytes) -> float:
    """Estimate the length of audio from its transcript, where neither file nor provider tells it.

    Subtitles end with the last cue's time; other text is taken at 150 words a minute, a usual pace
    of speech.
    """
    cues = _CUE.findall(transcript)
    if cues:
        hours, minutes, rest = cues[-1]
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(b",", b"."))
    return len(transcript.split()) / _WORDS_A_SECOND


def _usage(
    tokens_in: int | None, tokens_out: int | None, cached: int = 0, written: int = 0
) -> Usage | None:
    if tokens_in is None or tokens_out is None:
        return None
    cached = min(cached, tokens_in)
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_input_tokens=cached,
        cache_write_tokens=min(written, tokens_in - cached),
        source=UsageSource.PROVIDER,
    )


def maps(value: object) -> list[Json]:
    """Give the JSON objects of a JSON array; empty where it is none, other items left out."""
    items = _list(value)
    return [cast("Json", item) for item in items if isinstance(item, dict)]


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


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

_READERS: Final[Mapping[Endpoint, Callable[[Json], Usage | None]]] = {
    Endpoint.CHAT: _openai,
    Endpoint.COMPLETIONS: _openai,
    Endpoint.EMBEDDINGS: _openai,
    Endpoint.RESPONSES: _responses,
    Endpoint.MESSAGES: _messages,
    Endpoint.MODERATIONS: _openai,
    Endpoint.SPEECH: _openai,
    Endpoint.TRANSCRIPTIONS: _transcription,
}

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

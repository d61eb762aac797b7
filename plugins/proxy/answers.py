"""Reads usage out of answers in each endpoint's wire format. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, cast

import orjson

from plugins.core.answer_text import Json
from plugins.core.call import Endpoint, Usage, UsageSource

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


def has_unreadable(frames: bytes) -> bool:
    """Tell whether a `data:` line of server-sent events holds no JSON, though it should."""
    for line in frames.splitlines():
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            try:
                orjson.loads(line[5:])
            except orjson.JSONDecodeError:
                return True
    return False


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

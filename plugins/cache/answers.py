"""Which answers may be kept: finished, said something, called no tool, refused nothing. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from plugins.cache.rules import CachePolicy
from plugins.core.call import Endpoint

Json = dict[str, Any]

_STOPPED: Final = frozenset({"stop", "end_turn", "stop_sequence", "completed"})
_TRUNCATED: Final = frozenset({"length", "max_tokens", "incomplete:max_output_tokens"})
_CALLING: Final = frozenset({"tool_calls", "function_call", "tool_use"})
_TOOL_ITEMS: Final = frozenset({"function_call", "custom_tool_call"})


@dataclass(slots=True)
class Seen:
    """What an answer turned out to be.

    Args:
        endings: the reasons for which it, or each of its choices, ended.
        spoke: it holds text, vectors or sound.
        called: it calls a tool.
        refused: the model refused.
    """

    endings: set[str]
    spoke: bool = False
    called: bool = False
    refused: bool = False

    def may_be_kept(self, policy: CachePolicy) -> bool:
        """Tell whether another caller would want it."""
        allowed = _STOPPED
        if policy.keep_truncated:
            allowed = allowed | _TRUNCATED
        if policy.keep_tool_calls:
            allowed = allowed | _CALLING
        if self.refused or (self.called and not policy.keep_tool_calls):
            return False
        return bool(self.endings) and self.endings <= allowed and (self.spoke or self.called)


def may_be_kept(
    endpoint: Endpoint, frames: Sequence[bytes], policy: CachePolicy, *, stream: bool
) -> bool:
    """Tell whether an answer may serve other calls.

    Args:
        endpoint: names the wire format.
        frames: a whole body as one piece, or the events of a stream.
        policy: may allow truncated answers and tool calls.
        stream: it is a stream.

    Returns:
        False also for what cannot be read.
    """
    if endpoint is Endpoint.SPEECH:
        return any(frames)
    try:
        events = list(_events(frames)) if stream else [orjson.loads(b"".join(frames))]
    except orjson.JSONDecodeError:
        return False
    if not all(isinstance(event, dict) for event in events):
        return False
    read = (_STREAMS if stream else _WHOLE).get(endpoint)
    if read is None:
        return False
    try:
        return read(cast("list[Json]", events)).may_be_kept(policy)
    except (AttributeError, TypeError):  # not of the form that its endpoint has
        return False


def _events(frames: Iterable[bytes]) -> Iterable[Any]:
    for frame in frames:
        for line in frame.splitlines():
            if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
                yield orjson.loads(line[5:])


def _choices(events: list[Json]) -> Seen:
    """Read chat and text completions: whole ones, or the chunks of a stream."""
    seen = Seen(set())
    begun: set[Any] = set()
    ended: set[Any] = set()
    for choice in (c for event in events for c in event.get("choices") or ()):
        said: Json = choice.get("message") or choice.get("delta") or {}
        seen.spoke |= bool(said.get("content") or choice.get("text"))
        seen.called |= bool(said.get("tool_calls") or said.get("function_call"))
        seen.refused |= bool(said.get("refusal"))
        begun.add(choice.get("index"))
        if choice.get("finish_reason"):
            ended.add(choice.get("index"))
            seen.endings.add(choice["finish_reason"])
    if begun != ended:
        seen.endings.add("never ended")
    return seen


def _response(events: list[Json]) -> Seen:
    """Read one whole response of OpenAI's Responses."""
    (answer,) = events
    status = answer.get("status")
    details: Json = answer.get("incomplete_details") or {}
    reason = details.get("reason")
    seen = Seen({f"{status}:{reason}" if reason else str(status)})
    for item in answer.get("output") or ():
        seen.called |= item.get("type") in _TOOL_ITEMS
        parts = item.get("content") or () if item.get("type") == "message" else ()
        for part in parts:
            seen.spoke |= bool(part.get("text"))
            seen.refused |= part.get("type") == "refusal"
    return seen


def _response_stream(events: list[Json]) -> Seen:
    closing = ("response.completed", "response.incomplete")
    last = [event["response"] for event in events if event.get("type") in closing]
    return _response(last) if len(last) == 1 else Seen(set())


def _message(events: list[Json]) -> Seen:
    """Read one whole message of Anthropic's."""
    (answer,) = events
    seen = Seen({str(answer.get("stop_reason"))})
    _read_blocks(seen, answer.get("content") or ())
    return seen


def _message_stream(events: list[Json]) -> Seen:
    seen = Seen(set())
    for event in events:
        delta: Json = event.get("delta") or {}
        if event.get("type") == "content_block_start":
            _read_blocks(seen, [event.get("content_block") or {}])
        elif event.get("type") == "content_block_delta":
            seen.spoke |= bool(delta.get("text"))
        elif event.get("type") == "message_delta" and delta.get("stop_reason"):
            seen.endings.add(delta["stop_reason"])
    return seen


def _read_blocks(seen: Seen, blocks: Iterable[Json]) -> None:
    for block in blocks:
        seen.spoke |= bool(block.get("text"))
        seen.called |= block.get("type") == "tool_use"


def _vectors(events: list[Json]) -> Seen:
    (answer,) = events
    found = answer.get("data") or ()
    return Seen({"stop"}, spoke=bool(found) and all(one.get("embedding") for one in found))


_Reader = Callable[[list[Json]], Seen]
_WHOLE: Final[Mapping[Endpoint, _Reader]] = {
    Endpoint.CHAT: _choices,
    Endpoint.COMPLETIONS: _choices,
    Endpoint.EMBEDDINGS: _vectors,
    Endpoint.RESPONSES: _response,
    Endpoint.MESSAGES: _message,
}
_STREAMS: Final[Mapping[Endpoint, _Reader]] = {
    Endpoint.CHAT: _choices,
    Endpoint.COMPLETIONS: _choices,
    Endpoint.RESPONSES: _response_stream,
    Endpoint.MESSAGES: _message_stream,
}

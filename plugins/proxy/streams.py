"""Follows a stream of server-sent events: finds usage and the last frame, holds that one back."""

from collections.abc import Iterator
from typing import Any, Final, cast

import orjson

from plugins.core.answer_text import events_of, frame_text
from plugins.core.call import Endpoint, Usage, UsageSource
from plugins.proxy.answers import has_unreadable, usage_of

KEPT_BYTES: Final = 4_000_000
"""Frames are kept up to here, to count their text when the provider states no usage."""

_LAST_EVENTS: Final = {
    Endpoint.MESSAGES: ("message_stop",),
    Endpoint.RESPONSES: ("response.completed", "response.incomplete"),
}
DONE: Final = (b"data: [DONE]", b"data:[DONE]")


class StreamFollower:
    """Reads along one stream.

    Args:
        endpoint: names the wire format.
        hide_usage: True when the client did not ask for the closing usage chunk.
    """

    def __init__(self, endpoint: Endpoint, *, hide_usage: bool) -> None:
        self._endpoint: Final = endpoint
        self._hide_usage: Final = hide_usage
        self._last_events: Final = _LAST_EVENTS.get(endpoint, ())
        self._last_marks: Final = [event.encode() for event in self._last_events]
        self._rest = b""
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._number: int | None = None
        self.usage: Usage | None = None
        self.usage_is_whole = False
        """The usage is that of the whole answer, not only of its start."""
        self.ended = False
        """The frame that tells the client that the answer is whole has come."""
        self.failed = False
        """The host reported an error inside the stream, or a frame is damaged or missing; nothing
        is passed on from there."""

    def feed(self, data: bytes) -> tuple[list[bytes], list[bytes]]:
        """Take bytes as they come, cut anywhere.

        Returns:
            Frames to pass on now, and frames to hold back until the call is settled. Once the
            last frame has come, all that follows is held back with it.
        """
        now: list[bytes] = []
        held: list[bytes] = []
        for frame in self._frames(data):
            kept = None if self.failed else self._look_at(frame)
            if kept is not None:
                (held if self.ended else now).append(kept)
        return now, held

    def written_text(self) -> str:
        """Gather the text passed on so far, as far as it was kept."""
        return "".join(frame_text(self._endpoint, frame) for frame in self._kept)

    def _frames(self, data: bytes) -> Iterator[bytes]:
        if self._rest:
            data = self._rest + data
        if b"\r\n" in data:
            data = data.replace(b"\r\n", b"\n")
        *whole, self._rest = data.split(b"\n\n")
        for frame in whole:
            yield frame + b"\n\n"

    def _look_at(self, frame: bytes) -> bytes | None:
        if self._is_damaged(frame):
            self.failed = True
            return None
        if self._is_last(frame):
            self.ended = True
        if b'"usage"' in frame:
            events = events_of(frame)
            self._read_usage(events)
            if self._hide_usage:
                frame = _without_usage(events)
                if not frame:
                    return None
        if b'"error"' in frame and self._is_error(frame):
            self.failed = True
            return None
        if self._kept_bytes < KEPT_BYTES:
            self._kept.append(frame)
            self._kept_bytes += len(frame)
        return frame

    def _is_last(self, frame: bytes) -> bool:
        """Tell whether a frame says that the answer is whole.

        The search only saves parsing: a client's own schema, echoed in another event, may hold the
        same words, so the event's own type decides.
        """
        if not self._last_events:
            return frame.startswith(DONE)
        return any(mark in frame for mark in self._last_marks) and any(
            event.get("type") in self._last_events for event in events_of(frame)
        )

    def _is_damaged(self, frame: bytes) -> bool:
        """Tell whether part of the answer was lost on its way from the provider.

        LiteLLM passes Anthropic's frames on unread, and leaves out one of OpenAI's Responses that
        it cannot parse: that shows as a gap in their numbers.
        """
        if self._endpoint is Endpoint.MESSAGES:
            return has_unreadable(frame)
        if self._endpoint is not Endpoint.RESPONSES:
            return False
        for event in events_of(frame):
            number = event.get("sequence_number")
            if isinstance(number, int):
                if self._number is not None and number > self._number + 1:
                    return True
                self._number = number
        return False

    def _read_usage(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            holder = event
            if self._endpoint is Endpoint.RESPONSES:
                holder = cast("dict[str, Any]", event.get("response") or {})
            elif self._endpoint is Endpoint.MESSAGES and event.get("type") == "message_start":
                holder = cast("dict[str, Any]", event.get("message") or {})
            found = usage_of(self._endpoint, holder)
            if found is not None and not found.is_empty:
                self.usage = _later(self.usage, found)
                self.usage_is_whole = event.get("type") != "message_start"

    def _is_error(self, frame: bytes) -> bool:
        return any(
            event.get("error") is not None or event.get("type") in {"error", "response.failed"}
            for event in events_of(frame)
        )


def _without_usage(events: list[dict[str, Any]]) -> bytes:
    """Write chat chunks without the usage that the client did not ask for; empty if none is left.

    LiteLLM sends it with one choice that says nothing, where OpenAI sends no choice.
    """
    kept = b""
    for event in events:
        event.pop("usage", None)
        choices = cast("list[dict[str, Any]]", event.get("choices") or [])
        if any(c.get("finish_reason") or c.get("text") or c.get("delta") for c in choices):
            kept += b"data: " + orjson.dumps(event) + b"\n\n"
    return kept


def _later(before: Usage | None, now: Usage) -> Usage:
    """Join Anthropic's two reports: input at the start, output so far at the end."""
    if before is None:
        return now
    start = now if now.input_tokens >= before.input_tokens else before
    return Usage(
        input_tokens=start.input_tokens,
        output_tokens=max(before.output_tokens, now.output_tokens),
        cached_input_tokens=start.cached_input_tokens,
        cache_write_tokens=start.cache_write_tokens,
        source=UsageSource.PROVIDER,
    )


def asks_for_usage(body: dict[str, Any]) -> bool:
    """Tell whether a chat request wants the closing usage chunk of its stream."""
    options = body.get("stream_options")
    return (
        isinstance(options, dict) and cast("dict[str, Any]", options).get("include_usage") is True
    )


def json_or_none(body: bytes) -> dict[str, Any] | None:
    """Parse a whole answer; None when it is not a JSON object."""
    try:
        answer: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else None

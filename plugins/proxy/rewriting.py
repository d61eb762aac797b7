"""Puts mended text into answers, empties them, and takes token probabilities out. Pure.

Whole bodies are changed as parsed JSON, streams event by event.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson

from plugins.core.answer_text import Json, maps
from plugins.core.call import Endpoint
from plugins.proxy.answering import Piece, a_map, is_subtitles, number, spoken_lines

FILTERED: Final = "content_filter"
REFUSAL: Final = "refusal"
"""Anthropic's word for it."""
_HEARD_TIMES: Final = ("segments", "words")


def mended_body(endpoint: Endpoint, answer: Json, body: bytes, texts: Sequence[str]) -> bytes:
    """Write a whole answer with other texts, without what repeats the old ones.

    Args:
        endpoint: names the wire format.
        answer: the body as JSON, which is changed; empty where it is none.
        body: the same as bytes.
        texts: one for each choice.
    """
    if endpoint is Endpoint.TRANSCRIPTIONS and "text" not in answer:
        return _mended_transcript(body.decode("utf-8", "replace"), texts[0]).encode()
    _MENDED[endpoint](answer, texts)
    return orjson.dumps(answer)


def withheld_body(endpoint: Endpoint, answer: Json) -> bytes:
    """Write a whole answer without anything that the model wrote.

    Args:
        endpoint: names the wire format.
        answer: the body as JSON, which is changed; empty where it is none.
    """
    if endpoint is Endpoint.TRANSCRIPTIONS and "text" not in answer:
        return b""
    _WITHHELD[endpoint](answer)
    return orjson.dumps(answer)


def without_logprobs(endpoint: Endpoint, answer: Json) -> bool:
    """Take token probabilities out of an answer or an event, as if nobody had asked for them.

    Returns:
        Whether there were any.
    """
    if endpoint is Endpoint.RESPONSES:
        return _without_logprobs_of_parts(answer)
    found = [choice for choice in maps(answer.get("choices")) if choice.get("logprobs")]
    for choice in found:
        if endpoint is Endpoint.COMPLETIONS:
            choice["logprobs"] = None
        else:
            del choice["logprobs"]
    return bool(found)


def written(endpoint: Endpoint, events: Sequence[Json]) -> bytes:
    """Write events as frames of the endpoint's stream."""
    named = endpoint is Endpoint.MESSAGES
    return b"".join(
        (b"event: " + str(event.get("type")).encode() + b"\n" if named else b"")
        + b"data: "
        + orjson.dumps(event)
        + b"\n\n"
        for event in events
    )


def mended_frames(endpoint: Endpoint, pieces: Sequence[Piece], texts: Sequence[str]) -> list[bytes]:
    """Write a whole stream with other texts: each choice's comes where it first spoke.

    Args:
        endpoint: names the wire format.
        pieces: the stream's frames; their events are changed.
        texts: one for each choice.
    """
    mend = _MENDED_EVENTS[endpoint](texts)
    frames: list[bytes] = []
    for piece in pieces:
        events = piece.events
        kept = [event for event in events if mend(event)]
        if kept:
            frames.append(written(endpoint, kept))
        elif not events:
            frames.append(piece.frame)
    return frames


def _mended_transcript(old: str, text: str) -> str:
    if not is_subtitles(old):
        return text
    lines, new = old.splitlines(), text.split("\n")
    spoken = spoken_lines(lines)
    if len(new) != len(spoken):
        # No longer line by line: all of it in the first cue, none in the others.
        new = [text.replace("\n", " "), *("" for _ in spoken[1:])]
    for place, line in zip(spoken, new, strict=False):
        lines[place] = line
    return "\n".join(lines) + "\n"


def _mend_choices(answer: Json, texts: Sequence[str]) -> None:
    for choice, text in zip(maps(answer.get("choices")), texts, strict=False):
        if "text" in choice:
            choice["text"] = text
        else:
            message = a_map(choice.get("message"))
            key = "content" if message.get("content") or not message.get("refusal") else "refusal"
            message[key] = text
            message.pop("annotations", None)
            _mend_refusal(message, key, text)
        if choice.get("logprobs"):
            choice["logprobs"] = None


def _mend_refusal(message: Json, key: str, text: str) -> None:
    """Put a refusal's new words also where LiteLLM repeats them."""
    extras = a_map(message.get("provider_specific_fields"))
    if extras.get("refusal"):
        extras["refusal"] = text if key == "refusal" else None


def _mend_response(answer: Json, texts: Sequence[str]) -> None:
    left = texts[0]
    for part in _parts(answer):
        key = "refusal" if part.get("type") == "refusal" else "text"
        part[key], left = left, ""
        for repeats in ("annotations", "logprobs"):
            if part.get(repeats):
                part[repeats] = []


def _parts(answer: Json) -> list[Json]:
    items = maps(answer.get("output"))
    return [
        part
        for item in items
        if item.get("type", "message") == "message"
        for part in maps(item.get("content"))
    ]


def _mend_message(answer: Json, texts: Sequence[str]) -> None:
    left = texts[0]
    for block in maps(answer.get("content")):
        if block.get("type") == "text":
            block["text"], left = left, ""
            block.pop("citations", None)
    # Anthropic takes no empty text back in the next turn.
    answer["content"] = [
        block
        for block in maps(answer.get("content"))
        if block.get("type") != "text" or block.get("text")
    ]


def _mend_transcription(answer: Json, texts: Sequence[str]) -> None:
    # LiteLLM puts subtitles into the JSON of a plain transcript.
    answer["text"] = _mended_transcript(str(answer.get("text") or ""), texts[0])
    for key in _HEARD_TIMES:
        answer.pop(key, None)


def _withhold_choices(answer: Json) -> None:
    for choice in maps(answer.get("choices")):
        choice["finish_reason"] = FILTERED
        choice.pop("logprobs", None)
        choice.pop("provider_specific_fields", None)
        if "text" in choice:
            choice["text"], choice["logprobs"] = "", None
        else:
            choice["message"] = {"role": "assistant", "content": ""}


def _withhold_response(answer: Json) -> None:
    answer["output"] = []
    answer["status"] = "incomplete"
    answer["incomplete_details"] = {"reason": FILTERED}


def _withhold_message(answer: Json) -> None:
    answer["content"] = []
    answer["stop_reason"], answer["stop_sequence"] = REFUSAL, None


def _withhold_transcription(answer: Json) -> None:
    answer["text"] = ""
    for key in _HEARD_TIMES:
        answer.pop(key, None)


def _without_logprobs_of_parts(answer: Json) -> bool:
    holders = [answer, a_map(answer.get("part")), *maps(a_map(answer.get("item")).get("content"))]
    holders += _parts(answer) + _parts(a_map(answer.get("response")))
    found = [holder for holder in holders if holder.get("logprobs")]
    for holder in found:
        holder["logprobs"] = []
    return bool(found)


class _ChatEvents:
    """Mends the chunks of chat and text completions."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._left: Final = dict(enumerate(texts))

    def __call__(self, event: Json) -> bool:
        """Change one event; tells whether anything of it is left."""
        choices = maps(event.get("choices"))
        if not choices:
            return True
        event["choices"] = [choice for choice in choices if self._keeps(choice)]
        return bool(event["choices"]) or bool(event.get("usage"))

    def _keeps(self, choice: Json) -> bool:
        choice.pop("logprobs", None)
        index = number(choice)
        delta = a_map(choice.get("delta"))
        holder, key = (choice, "text") if choice.get("text") else (delta, "content")
        if delta.get("refusal"):
            key = "refusal"
        if not holder.get(key):
            return True
        holder[key] = self._left.pop(index, "")
        others = (value for name, value in delta.items() if name not in {"role", key})
        return bool(holder[key] or choice.get("finish_reason") or any(others))


class _MessageEvents:
    """Mends the events of Anthropic's Messages."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._left = texts[0]

    def __call__(self, event: Json) -> bool:
        """Change one event; tells whether anything of it is left."""
        block = a_map(event.get("content_block"))
        if block.get("text"):
            block["text"], self._left = self._left, ""
        delta = a_map(event.get("delta"))
        if delta.get("type") == "citations_delta":
            return False
        if delta.get("type") != "text_delta":
            return True
        delta["text"], self._left = self._left, ""
        return bool(delta["text"])


class _ResponseEvents:
    """Mends the events of OpenAI's Responses, and numbers them anew."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts: Final = texts
        self._left = texts[0]
        self._speaking: tuple[object, object] | None = None
        self._number: int | None = None

    def __call__(self, event: Json) -> bool:
        """Change one event; tells whether anything of it is left."""
        kept = self._mend(event)
        stated = event.get("sequence_number")
        if kept and isinstance(stated, int):
            self._number = stated if self._number is None else self._number + 1
            event["sequence_number"] = self._number
        return kept

    def _mend(self, event: Json) -> bool:
        kind = str(event.get("type"))
        if event.get("logprobs"):
            event["logprobs"] = []
        if kind in {"response.output_text.delta", "response.refusal.delta"}:
            self._speaking = self._speaking or _place(event)
            event["delta"], self._left = self._left, ""
            return bool(event["delta"])
        if kind == "response.output_text.annotation.added":
            return False
        if kind in {"response.output_text.done", "response.refusal.done"}:
            event["text" if "text" in event else "refusal"] = self._whole(event)
        elif kind == "response.content_part.done":
            _mend_response(_of_part(event.get("part")), [self._whole(event)])
        elif kind == "response.output_item.done":
            speaks = self._speaking is not None and self._speaking[0] == event.get("output_index")
            _mend_response({"output": [event.get("item")]}, [self._texts[0] if speaks else ""])
        elif "response" in event:
            _mend_response(a_map(event["response"]), self._texts)
        return True

    def _whole(self, event: Json) -> str:
        return self._texts[0] if _place(event) == self._speaking else ""


def _of_part(part: object) -> Json:
    return {"output": [{"content": [part]}]}


def _place(event: Json) -> tuple[object, object]:
    return event.get("output_index"), event.get("content_index")


_Mend = Callable[[Json, Sequence[str]], None]
_MENDED: Final[Mapping[Endpoint, _Mend]] = {
    Endpoint.CHAT: _mend_choices,
    Endpoint.COMPLETIONS: _mend_choices,
    Endpoint.RESPONSES: _mend_response,
    Endpoint.MESSAGES: _mend_message,
    Endpoint.TRANSCRIPTIONS: _mend_transcription,
}
_WITHHELD: Final[Mapping[Endpoint, Callable[[Json], None]]] = {
    Endpoint.CHAT: _withhold_choices,
    Endpoint.COMPLETIONS: _withhold_choices,
    Endpoint.RESPONSES: _withhold_response,
    Endpoint.MESSAGES: _withhold_message,
    Endpoint.TRANSCRIPTIONS: _withhold_transcription,
}
_MENDED_EVENTS: Final[Mapping[Endpoint, Callable[[Sequence[str]], Callable[[Json], bool]]]] = {
    Endpoint.CHAT: _ChatEvents,
    Endpoint.COMPLETIONS: _ChatEvents,
    Endpoint.RESPONSES: _ResponseEvents,
    Endpoint.MESSAGES: _MessageEvents,
}
"""For each stream, something that changes its events one after the other, in place."""

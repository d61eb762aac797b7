"""Makes an `Answer` of what a provider wrote, whole or event by event, for the judges. Pure.

What a model thought (`reasoning_content`, `thinking`) is no part of it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from plugins.core.answer import Answer
from plugins.core.answer_text import Json, events_of, maps, texts
from plugins.core.call import Endpoint

HEARD: Final = 4096
"""At least so many of the last characters of a running text are given to listeners."""
TEXTUAL: Final = frozenset(
    {
        Endpoint.CHAT,
        Endpoint.COMPLETIONS,
        Endpoint.RESPONSES,
        Endpoint.MESSAGES,
        Endpoint.TRANSCRIPTIONS,
    }
)
"""Endpoints whose answers are text, and so are judged."""
_TIMING: Final = re.compile(r"\d\d:\d\d[.,]\d{3} --> ")
_WEBVTT: Final = "WEBVTT"


def answer_of(endpoint: Endpoint, answer: Json, body: bytes) -> Answer | None:
    """Read a whole answer.

    Args:
        endpoint: names the wire format.
        answer: the body as JSON; empty where it is none.
        body: the same as bytes.

    Returns:
        None where the answer is not text.
    """
    if endpoint is Endpoint.TRANSCRIPTIONS:
        return Answer((transcript(answer, body),))
    read = _WHOLE.get(endpoint)
    return None if read is None else read(answer)


def transcript(answer: Json, body: bytes) -> str:
    """Read what was heard; of subtitles the spoken lines alone."""
    stated = answer.get("text")
    written = stated if isinstance(stated, str) else body.decode("utf-8", "replace")
    if not is_subtitles(written):
        return written
    lines = written.splitlines()
    return "\n".join(lines[number] for number in spoken_lines(lines))


def is_subtitles(written: str) -> bool:
    """Tell subtitles (SRT, WebVTT) from plain text."""
    return written.startswith(_WEBVTT) or _TIMING.search(written) is not None


def spoken_lines(lines: Sequence[str]) -> list[int]:
    """Find the lines of subtitles that are spoken: those between a cue's time and an empty line."""
    found: list[int] = []
    within = False
    for number, line in enumerate(lines):
        if " --> " in line:
            within = True
        elif not line.strip():
            within = False
        elif within:
            found.append(number)
    return found


def choices_of(body: Json) -> int:
    """Tell how many answers a request asks for: `n`, for each of its prompts."""
    wanted, prompts = body.get("n"), body.get("prompt")
    several = isinstance(prompts, list) and any(isinstance(p, str | list) for p in prompts)  # pyright: ignore[reportUnknownVariableType]
    each = wanted if isinstance(wanted, int) and wanted > 0 else 1
    return each * (len(cast("list[Any]", prompts)) if several else 1)


def a_map(value: object) -> Json:
    """Give a JSON object; an empty one in place of anything else."""
    return cast("Json", value) if isinstance(value, dict) else {}


def said(message: Json) -> str:
    """Read what a chat message or delta says: its content, or its refusal."""
    content = message.get("content")
    if isinstance(content, list):
        return texts(cast("list[Any]", content))
    return content if isinstance(content, str) and content else _text(message.get("refusal"))


@dataclass(frozen=True, slots=True)
class Piece:
    """One frame of a stream that has been heard, and not been passed on yet.

    Args:
        frame: its bytes.
        size: characters of text in it.
        closing: it comes when all text has come.
        parsed: the JSON in it; None for a piece that waits long, because parsed it takes ten times
            the memory.
    """

    frame: bytes
    size: int = 0
    closing: bool = False
    parsed: list[Json] | None = None

    @property
    def events(self) -> list[Json]:
        """Give the JSON in it, to read, or to change and write anew."""
        return events_of(self.frame) if self.parsed is None else self.parsed


class Heard:
    """Gathers the answer of one stream.

    Args:
        endpoint: names the wire format.
        choices: how many answers were asked for.
    """

    def __init__(self, endpoint: Endpoint, choices: int = 1) -> None:
        self._endpoint: Final = endpoint
        self._choices: Final = choices
        self._texts: Final[dict[int, list[str]]] = {}
        self._arguments: Final[dict[tuple[object, ...], list[str]]] = {}
        self._logprobs: Final[list[Any]] = []
        self._ended: Final[set[int]] = set()
        self._finish: str | None = None
        self._last: Answer | None = None
        self._size = 0
        self.tail = ""
        """The end of the first choice's text."""
        self.new = 0
        """Characters at its end that came with the last frame."""
        self.over = False
        """All text has come."""

    def hear(self, frame: bytes, events: list[Json]) -> Piece:
        """Take one frame."""
        before = self._size
        length = len(self.tail)
        self.new = 0
        for event in events:
            _STREAMS[self._endpoint](self, event)
        self.new = len(self.tail) - length
        if len(self.tail) > 2 * HEARD + self.new:
            self.tail = self.tail[-HEARD - self.new :]
        return Piece(frame, self._size - before, self.over, events)

    def answer(self) -> Answer:
        """Give what has come so far."""
        last = self._last or Answer()
        written = tuple("".join(self._texts[key]) for key in sorted(self._texts))
        called = tuple("".join(parts) for parts in self._arguments.values())
        return Answer(
            texts=written or last.texts,
            arguments=called or last.arguments,
            finish=self._finish,
            logprobs=self._logprobs or last.logprobs,
        )

    def _write(self, text: str, choice: int = 0) -> None:
        if not text:
            return
        self._texts.setdefault(choice, []).append(text)
        self._size += len(text)
        if choice == 0:
            self.tail += text

    def _call(self, arguments: str, *key: object) -> None:
        self._arguments.setdefault(key, []).append(arguments)
        self._size += len(arguments)

    def chat(self, event: Json) -> None:
        """Take a chunk of a chat or text completion."""
        for choice in maps(event.get("choices")):
            index = number(choice)
            delta = a_map(choice.get("delta"))
            self._write(said(delta) or _text(choice.get("text")), index)
            for called in maps(delta.get("tool_calls")):
                written = _text(a_map(called.get("function")).get("arguments"))
                self._call(written, index, called.get("index"))
            if delta.get("function_call"):
                self._call(_text(a_map(delta["function_call"]).get("arguments")), index)
            if index == 0:
                self._logprobs.extend(logprobs_of(choice) or ())
            if choice.get("finish_reason"):
                self._ended.add(index)
                if index == 0:
                    self._finish = str(choice["finish_reason"])
        self.over = len(self._ended) >= self._choices

    def message(self, event: Json) -> None:
        """Take an event of Anthropic's Messages."""
        delta = a_map(event.get("delta"))
        match event.get("type"):
            case "content_block_start":
                block = a_map(event.get("content_block"))
                self._write(_text(block.get("text")))
                if block.get("type") == "tool_use":
                    given = block.get("input")
                    self._call(orjson.dumps(given).decode() if given else "", event.get("index"))
            case "content_block_delta":
                self._write(_text(delta.get("text")))
                if delta.get("type") == "input_json_delta":
                    self._call(_text(delta.get("partial_json")), event.get("index"))
            case "message_delta":
                if delta.get("stop_reason"):
                    self._finish = str(delta["stop_reason"])
                    self.over = True
            case _:
                pass

    def response(self, event: Json) -> None:
        """Take an event of OpenAI's Responses."""
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                self._write(_text(event.get("delta")))
                self._logprobs.extend(maps(event.get("logprobs")))
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                self._call(_text(event.get("delta")), event.get("output_index"))
            case "response.completed" | "response.incomplete":
                self._last = _response(a_map(event.get("response")))
                self._finish = self._last.finish
                self.over = True
            case _:
                pass


def number(choice: Json) -> int:
    """Read which choice it is."""
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def logprobs_of(choice: Json) -> list[Any] | None:
    """Read the tokens of a choice with their probabilities, in the form of chat completions."""
    found = a_map(choice.get("logprobs"))
    content = found.get("content")
    if isinstance(content, list):
        return cast("list[Any]", content)
    tokens, values = found.get("tokens"), found.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list):
        return None
    pairs = zip(cast("list[Any]", tokens), cast("list[Any]", values), strict=False)
    return [{"token": token, "logprob": value} for token, value in pairs]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _choices(answer: Json) -> Answer:
    choices = maps(answer.get("choices"))
    messages = [a_map(choice.get("message")) for choice in choices]
    called = [a_map(c.get("function")) for m in messages for c in maps(m.get("tool_calls"))]
    called += [a_map(m["function_call"]) for m in messages if m.get("function_call")]
    first = choices[0] if choices else {}
    return Answer(
        texts=tuple(
            said(m) or _text(c.get("text")) for m, c in zip(messages, choices, strict=True)
        ),
        arguments=tuple(_text(function.get("arguments")) for function in called),
        finish=_word(first.get("finish_reason")),
        logprobs=logprobs_of(first),
    )


def _response(answer: Json) -> Answer:
    items = maps(answer.get("output"))
    spoken = [item for item in items if item.get("type", "message") == "message"]
    parts = [part for item in spoken for part in maps(item.get("content"))]
    written = "".join(_text(part.get("text")) or _text(part.get("refusal")) for part in parts)
    called = [
        _text(item.get("arguments")) or _text(item.get("input"))
        for item in items
        if item.get("type") in {"function_call", "custom_tool_call"}
    ]
    probable = [token for part in parts for token in maps(part.get("logprobs"))]
    reason = a_map(answer.get("incomplete_details")).get("reason")
    return Answer(
        texts=(written,),
        arguments=tuple(called),
        finish=_word(reason) or _word(answer.get("status")),
        logprobs=probable or None,
    )


def _message(answer: Json) -> Answer:
    blocks = maps(answer.get("content"))
    called = [block.get("input") for block in blocks if block.get("type") == "tool_use"]
    return Answer(
        texts=("".join(_text(b.get("text")) for b in blocks if b.get("type") == "text"),),
        arguments=tuple(orjson.dumps(given).decode() for given in called),
        finish=_word(answer.get("stop_reason")),
    )


_WHOLE: Final[Mapping[Endpoint, Callable[[Json], Answer]]] = {
    Endpoint.CHAT: _choices,
    Endpoint.COMPLETIONS: _choices,
    Endpoint.RESPONSES: _response,
    Endpoint.MESSAGES: _message,
}
_STREAMS: Final[Mapping[Endpoint, Callable[[Heard, Json], None]]] = {
    Endpoint.CHAT: Heard.chat,
    Endpoint.COMPLETIONS: Heard.chat,
    Endpoint.RESPONSES: Heard.response,
    Endpoint.MESSAGES: Heard.message,
}

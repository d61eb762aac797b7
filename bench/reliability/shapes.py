"""The shapes of call that the matrix makes, and how a client tells a whole answer of each."""

import io
import wave
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import httpx
import orjson

_TEXT: Final = [{"role": "user", "content": "Tell the candidate when the interview takes place."}]
FRESH: Final = {"cache-control": "no-store"}
"""What every call here sends: an answer from the cache would tell nothing of a provider."""
KINDS: Final = ("chat", "embedding", "speech", "transcription")


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of call.

    Args:
        name: in the table.
        kind: of model, one of KINDS.
        path: of the endpoint.
        body: without `model`.
        is_whole: tells whether an answer is one, from first byte to last.
        is_stream: the answer comes in pieces.
        upload: a file of the form that is sent in place of JSON.
    """

    name: str
    kind: str
    path: str
    body: dict[str, Any]
    is_whole: Callable[[httpx.Response], bool]
    is_stream: bool = False
    upload: bytes | None = None

    def options(self, model: str) -> dict[str, Any]:
        """Give what httpx is to send."""
        body = {"model": model, **self.body}
        if self.upload is None:
            return {"json": body}
        return {"data": body, "files": {"file": ("sound.wav", self.upload, "audio/wav")}}


def events(body: bytes) -> list[dict[str, Any]]:
    """Read the JSON of a stream's events; its `[DONE]` is none."""
    lines = [line[5:].strip() for line in body.split(b"\n") if line.startswith(b"data:")]
    return [orjson.loads(line) for line in lines if line != b"[DONE]"]


def ends_with_error(shape: Shape, body: bytes) -> bool:
    """Tell whether a stream says at its end that it is not whole, as the SDKs understand it."""
    found = events(body)
    if not found or '"error"' not in orjson.dumps(found[-1]).decode():
        return False
    closes = body.rstrip().endswith(b"data: [DONE]")
    return closes or shape.path in {"/v1/messages", "/v1/responses"}


def texts(shape: Shape, body: bytes) -> str:
    """Gather the text that a stream carries."""
    if shape.path == "/v1/messages":
        parts = [e.get("delta", {}).get("text", "") for e in events(body)]
    elif shape.path == "/v1/responses":
        parts = [
            e.get("delta", "")
            for e in events(body)
            if e.get("type") == "response.output_text.delta"
        ]
    else:
        choices = [e["choices"][0] for e in events(body) if e.get("choices")]
        parts = [c.get("delta", {}).get("content") or "" for c in choices]
    return "".join(parts)


def _chat(answer: httpx.Response) -> bool:
    return bool(answer.json()["choices"][0]["message"]["content"])


def _chat_stream(answer: httpx.Response) -> bool:
    ended = answer.content.rstrip().endswith(b"data: [DONE]")
    return ended and b'"error"' not in answer.content and bool(texts(_CHAT_STREAM, answer.content))


def _messages_stream(answer: httpx.Response) -> bool:
    found = events(answer.content)
    kinds = [event["type"] for event in found]
    starts = kinds.count("message_start")
    spoken = bool(texts(_MESSAGES_STREAM, answer.content))
    return spoken and (starts, kinds[-1]) == (1, "message_stop")


def _responses_stream(answer: httpx.Response) -> bool:
    kinds = [event["type"] for event in events(answer.content)]
    created = kinds.count("response.created")
    spoken = bool(texts(_RESPONSES_STREAM, answer.content))
    return spoken and (created, kinds[-1]) == (1, "response.completed")


def _embedding(answer: httpx.Response) -> bool:
    rows = cast("list[dict[str, Any]]", answer.json()["data"])
    return [len(row["embedding"]) for row in rows] == [1536]


def _speech(answer: httpx.Response) -> bool:
    return answer.headers["content-type"].startswith("audio/") and len(answer.content) > 100


def _transcription(answer: httpx.Response) -> bool:
    return "practice transcript" in answer.json()["text"]


def _silent_sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 8000)
    return file.getvalue()


_CHAT_STREAM: Final = Shape(
    "chat stream",
    "chat",
    "/v1/chat/completions",
    {"messages": _TEXT, "stream": True, "stream_options": {"include_usage": True}},
    _chat_stream,
    is_stream=True,
)
_MESSAGES_STREAM: Final = Shape(
    "messages stream",
    "chat",
    "/v1/messages",
    {"messages": _TEXT, "max_tokens": 100, "stream": True},
    _messages_stream,
    is_stream=True,
)
_RESPONSES_STREAM: Final = Shape(
    "responses stream",
    "chat",
    "/v1/responses",
    {"input": "Tell the candidate when the interview takes place.", "stream": True},
    _responses_stream,
    is_stream=True,
)
SHAPES: Final = (
    Shape("chat", "chat", "/v1/chat/completions", {"messages": _TEXT}, _chat),
    _CHAT_STREAM,
    _MESSAGES_STREAM,
    _RESPONSES_STREAM,
    Shape("embedding", "embedding", "/v1/embeddings", {"input": "ten years of Python"}, _embedding),
    Shape(
        "speech",
        "speech",
        "/v1/audio/speech",
        {"input": "Welcome to the interview.", "voice": "alloy"},
        _speech,
    ),
    Shape(
        "transcription",
        "transcription",
        "/v1/audio/transcriptions",
        {},
        _transcription,
        upload=_silent_sound(),
    ),
)

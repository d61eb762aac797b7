"""`POST /v1/messages`, whole and streamed."""

from dataclasses import dataclass

import msgspec

from selfhosted.practice import catalogue
from selfhosted.practice.compose import ToolCall, compose, limit, pieces
from selfhosted.practice.faults import Plan
from selfhosted.practice.prefixes import chain
from selfhosted.practice.prompt import Json
from selfhosted.practice.providers.anthropic.errors import no_model
from selfhosted.practice.providers.anthropic.messages import (
    DEFAULT_TTL_S,
    LONG_TTL_S,
    MessagesRequest,
    Piece,
    pieces_of,
    read_ask,
)
from selfhosted.practice.usage import REPLY_TOKENS, count
from selfhosted.practice.wire import Call, Reply, Stream, Whole

MIN_CACHED_TOKENS = 1024
_decoder = msgspec.json.Decoder(MessagesRequest)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Cached:
    """Tokens of a prompt by how they are priced."""

    fresh: int
    written: int = 0
    written_long: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with its end and its token counts."""

    text: str
    tool: ToolCall | None
    reason: str
    stopped_by: str | None
    prompt: Cached
    tokens: int


def messages(call: Call) -> Reply:
    """Answer a messages request."""
    request = call.decode(_decoder)
    call.model = request.model
    call.stream = bool(request.stream)
    if catalogue.use_of("anthropic", request.model) is None:
        raise no_model(request.model)
    answered = _answer(call, request)
    call.state.meter("anthropic", answered.prompt.fresh, answered.tokens, answered.reason)
    if request.stream:
        return _streamed(call, request.model, answered)
    return Whole(_encode(_message(call, request.model, answered, whole=True)))


def _answer(call: Call, request: MessagesRequest) -> Answered:
    composed = compose(read_ask(request), call.plan)
    cached = _cached(call, request)
    if composed.tool is not None:
        return Answered("", composed.tool, "tool_use", None, cached, composed.tokens)
    limited = limit(composed.text, request.stop_sequences or [], request.max_tokens)
    reason = {"stop": "end_turn", "length": "max_tokens"}.get(limited.reason, limited.reason)
    return Answered(limited.text, None, reason, limited.stopped_by, cached, count(limited.text))


def _cached(call: Call, request: MessagesRequest) -> Cached:
    """Split the prompt's tokens at its cache points.

    What was cached under the same model within its time to live is read, the rest up to the last
    cache point is written, what follows is neither. A prefix under 1,024 tokens is not cached.
    """
    parts = pieces_of(request)
    total = REPLY_TOKENS + sum(p.tokens for p in parts)
    points = [i for i, p in enumerate(parts) if p.cache is not None]
    if not points or _sum(parts, points[-1] + 1) < MIN_CACHED_TOKENS:
        return Cached(total)
    digests = chain([request.model, *(p.text for p in parts)])[1:]
    marked = [digests[i] for i in points]
    found = call.state.prefixes.longest(marked)
    read = _sum(parts, points[found - 1] + 1) if found else 0
    wrote = _sum(parts, points[-1] + 1) - read
    control = parts[points[-1]].cache
    long_lived = control is not None and control.ttl == "1h"
    call.state.prefixes.remember(marked, LONG_TTL_S if long_lived else DEFAULT_TTL_S)
    return Cached(total - read - wrote, wrote, wrote if long_lived else 0, read)


def _sum(parts: list[Piece], end: int) -> int:
    return sum(p.tokens for p in parts[:end])


def _usage(plan: Plan, prompt: Cached, output: int) -> Json | None:
    if plan.usage is not None:
        if plan.usage.mode == "missing":
            return None
        given = plan.usage.mode == "given"
        prompt = Cached(plan.usage.prompt_tokens if given else 0)
        output = plan.usage.completion_tokens if given and output else 0
    return {
        "input_tokens": prompt.fresh,
        "cache_creation_input_tokens": prompt.written,
        "cache_read_input_tokens": prompt.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": prompt.written - prompt.written_long,
            "ephemeral_1h_input_tokens": prompt.written_long,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }


def _message(call: Call, model: str, answered: Answered, *, whole: bool) -> Json:
    content: list[Json] = []
    if answered.tool is not None:
        content.append(_tool_block(call, answered.tool, answered.tool.arguments))
    elif answered.text:
        content.append({"type": "text", "text": answered.text})
    message: Json = {
        "id": call.make_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content if whole else [],
        "stop_reason": answered.reason if whole else None,
        "stop_sequence": answered.stopped_by if whole else None,
    }
    used = _usage(call.plan, answered.prompt, answered.tokens if whole else 1)
    if used is not None:
        message["usage"] = used
    return message


def _tool_block(call: Call, tool: ToolCall, arguments: Json) -> Json:
    return {
        "type": "tool_use",
        "id": call.make_id("toolu_"),
        "name": tool.name,
        "input": arguments,
    }


def _event(name: bytes, body: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, _encode({"type": name.decode(), **body}))


def _streamed(call: Call, model: str, answered: Answered) -> Stream:
    head = [_event(b"message_start", {"message": _message(call, model, answered, whole=False)})]
    chunks: list[bytes] = []
    end: Json = {"stop_reason": answered.reason, "stop_sequence": answered.stopped_by}
    last: Json = {"delta": end}
    used = _usage(call.plan, answered.prompt, answered.tokens)
    if used is not None:
        counts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        last["usage"] = {k: used[k] for k in (*counts, "output_tokens")}
    tail: list[bytes] = []
    if answered.tool is not None or answered.text:
        head += [_block_start(call, answered), _event(b"ping", {})]
        chunks = _deltas(call, answered)
        tail.append(_event(b"content_block_stop", {"index": 0}))
    tail += [_event(b"message_delta", last), _event(b"message_stop", {})]
    return Stream(head, chunks, tail)


def _block_start(call: Call, answered: Answered) -> bytes:
    block: Json = {"type": "text", "text": ""}
    if answered.tool is not None:
        block = _tool_block(call, answered.tool, {})
    return _event(b"content_block_start", {"index": 0, "content_block": block})


def _deltas(call: Call, answered: Answered) -> list[bytes]:
    if answered.tool is not None:
        parts = pieces(answered.tool.arguments_json, call.plan)
        return [_delta(b"input_json_delta", b"partial_json", part) for part in parts]
    return [_delta(b"text_delta", b"text", part) for part in pieces(answered.text, call.plan)]


def _delta(kind: bytes, field: bytes, text: str) -> bytes:
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"%b","%b":%b}}\n\n' % (kind, field, _encode(text))
    )

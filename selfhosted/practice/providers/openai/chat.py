"""`POST /v1/chat/completions`, whole and streamed; vLLM speaks it too."""

from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from selfhosted.practice import catalogue
from selfhosted.practice.compose import Composed, compose, limit, pieces
from selfhosted.practice.prompt import Json
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.providers.openai.messages import ChatRequest, prompt_tokens, read_ask
from selfhosted.practice.providers.openai.tokens import (
    Usage,
    cached_tokens,
    logprobs,
    make_usage,
)
from selfhosted.practice.usage import count
from selfhosted.practice.wire import Call, Refused, Reply, Stream, Whole

FINGERPRINT = "fp_practice"
_encode = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"


class CalledFunction(msgspec.Struct):
    """The function of a tool call."""

    name: str
    arguments: str


class ToolCallOut(msgspec.Struct):
    """A tool call in an answer."""

    id: str
    function: CalledFunction
    type: str = "function"


class MessageOut(msgspec.Struct, omit_defaults=True):
    """The assistant's message."""

    content: str | None
    refusal: str | None
    annotations: list[str]
    role: str
    tool_calls: list[ToolCallOut] | None = None


class ChoiceOut(msgspec.Struct):
    """One choice."""

    index: int
    message: MessageOut
    logprobs: Json | None
    finish_reason: str
    stop_reason: str | UnsetType | None = UNSET


class CompletionOut(msgspec.Struct):
    """A chat completion; what is unset does not appear."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChoiceOut]
    service_tier: str | None
    system_fingerprint: str | None
    usage: Usage | UnsetType = UNSET
    prompt_logprobs: UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with its reason to end and its token counts."""

    composed: Composed
    text: str
    reason: str
    stopped_by: str | None
    usage: Usage | None


def chat(call: Call, flavour: Flavour) -> Reply:
    """Answer a chat request."""
    request = call.decode(flavour.chat_decoder)
    call.stream = bool(request.stream)
    flavour.admit(call, request.model, catalogue.CHAT)
    if request.top_logprobs and not request.logprobs:
        raise Refused(400, "'top_logprobs' requires 'logprobs' to be true.", param="top_logprobs")
    ask = read_ask(request)
    composed = compose(ask, call.plan)
    limited = limit(composed.text, request.stops, request.limit)
    text, reason = limited.text, "length" if limited.reason == "length" else "stop"
    prompt = prompt_tokens(request)
    done = count(text) if composed.tool is None else composed.tokens
    cached = cached_tokens(
        call.state.prefixes, flavour.provider + request.model, ask.prompt, prompt
    )
    used = make_usage(call.plan, prompt, done * (request.n or 1), cached)
    if composed.tool is not None:
        reason = "tool_calls"
    call.state.meter(flavour.provider, prompt, done, reason)
    answered = Answered(composed, text, reason, limited.stopped_by, used)
    if request.stream:
        return _streamed(call, request, answered, flavour)
    return _whole(call, request, answered, flavour)


def _whole(call: Call, request: ChatRequest, answered: Answered, flavour: Flavour) -> Whole:
    tool = answered.composed.tool
    calls = None
    if tool is not None:
        calls = [ToolCallOut(call.make_id("call_"), CalledFunction(tool.name, tool.arguments_json))]
    message = MessageOut(
        content=None if tool is not None else answered.text,
        refusal=None,
        annotations=[],
        role="assistant",
        tool_calls=calls,
    )
    probs = None
    if request.logprobs and tool is None:
        probs = _logprobs(call, request, answered.text)
    stop = answered.stopped_by if flavour.extras else UNSET
    choices = [ChoiceOut(i, message, probs, answered.reason, stop) for i in range(request.n or 1)]
    body = CompletionOut(
        id=call.make_id("chatcmpl-"),
        object="chat.completion",
        created=call.time_s,
        model=request.model,
        choices=choices,
        service_tier=flavour.service_tier,
        system_fingerprint=flavour.fingerprint,
        usage=answered.usage or UNSET,
        prompt_logprobs=None if flavour.extras else UNSET,
    )
    return Whole(_encode(body))


def _logprobs(call: Call, request: ChatRequest, text: str) -> Json:
    return {"content": logprobs(text, request.top_logprobs or 0, call.plan), "refusal": None}


class _Frames:
    """Writes the chunks of one stream."""

    def __init__(self, call: Call, request: ChatRequest, flavour: Flavour) -> None:
        head = {
            "id": call.make_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": call.time_s,
            "model": request.model,
            "service_tier": flavour.service_tier,
            "system_fingerprint": flavour.fingerprint,
        }
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        options = request.stream_options
        self._with_usage = options is not None and options.include_usage
        self._end = b'],"usage":null}\n\n' if self._with_usage else b"]}\n\n"

    def delta(self, index: int, delta: Json, probs: Json | None = None) -> bytes:
        """Write a chunk that adds to one choice."""
        return b'%b{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":null}%b' % (
            self._head,
            index,
            _encode(delta),
            _encode(probs),
            self._end,
        )

    def finish(self, index: int, reason: str) -> bytes:
        """Write the chunk that ends one choice."""
        return b'%b{"index":%d,"delta":{},"logprobs":null,"finish_reason":"%b"}%b' % (
            self._head,
            index,
            reason.encode(),
            self._end,
        )

    def usage(self, used: Usage | None) -> list[bytes]:
        """Write the chunk that reports usage, if the client asked for it."""
        if not self._with_usage or used is None:
            return []
        return [self._head + b'],"usage":' + _encode(used) + b"}\n\n"]


def _streamed(call: Call, request: ChatRequest, answered: Answered, flavour: Flavour) -> Stream:
    frames = _Frames(call, request, flavour)
    choices = range(request.n or 1)
    tool = answered.composed.tool
    opening: Json = {"role": "assistant", "content": None if tool else "", "refusal": None}
    head = [frames.delta(i, opening) for i in choices]
    if tool is None:
        parts = _text_deltas(call, request, answered.text)
    else:
        parts = _tool_deltas(call, tool.name, tool.arguments_json)
    chunks = [frames.delta(i, delta, probs) for delta, probs in parts for i in choices]
    tail = [frames.finish(i, answered.reason) for i in choices]
    return Stream(head, chunks, [*tail, *frames.usage(answered.usage), _DONE])


def _text_deltas(call: Call, request: ChatRequest, text: str) -> list[tuple[Json, Json | None]]:
    chunks = pieces(text, call.plan)
    if not request.logprobs:
        return [({"content": chunk}, None) for chunk in chunks]
    tokens = logprobs(text, request.top_logprobs or 0, call.plan)
    deltas: list[tuple[Json, Json | None]] = []
    first = end = 0
    for chunk in chunks:
        end += len(chunk.encode())
        after = -(-end // 4)
        deltas.append(({"content": chunk}, {"content": tokens[first:after], "refusal": None}))
        first = after
    return deltas


def _tool_deltas(call: Call, name: str, arguments: str) -> list[tuple[Json, Json | None]]:
    opening: Json = {
        "index": 0,
        "id": call.make_id("call_"),
        "type": "function",
        "function": {"name": name, "arguments": ""},
    }
    deltas: list[tuple[Json, Json | None]] = [({"tool_calls": [opening]}, None)]
    for piece in pieces(arguments, call.plan):
        added: Json = {"index": 0, "function": {"arguments": piece}}
        deltas.append(({"tool_calls": [added]}, None))
    return deltas

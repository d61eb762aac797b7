"""`POST /v1/completions`, the legacy text completion; vLLM speaks it too."""

from typing import Annotated

import msgspec
from msgspec import Meta

from selfhosted.practice import catalogue, usage
from selfhosted.practice.compose import Limited, compose, limit, pieces
from selfhosted.practice.prompt import Ask, Json, Prompt, Turn
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.providers.openai.messages import MAX_CHOICES, StreamOptions
from selfhosted.practice.providers.openai.tokens import Usage, logprobs, make_usage
from selfhosted.practice.wire import Call, Refused, Reply, Stream, to_json

DEFAULT_MAX_TOKENS = 16
_encode = msgspec.json.Encoder().encode


class CompletionRequest(msgspec.Struct):
    """The body of `POST /v1/completions`."""

    model: str
    prompt: str | list[str | int | list[int]]
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: str | list[str] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    echo: bool | None = None


_decoder = msgspec.json.Decoder(CompletionRequest)


def completions(call: Call, flavour: Flavour) -> Reply:
    """Complete every prompt."""
    request = call.decode(_decoder)
    call.stream = bool(request.stream)
    uses = (catalogue.COMPLETE, catalogue.CHAT) if flavour.extras else (catalogue.COMPLETE,)
    flavour.admit(call, request.model, *uses)
    choices: list[tuple[str, Limited]] = []
    prompt_tokens = done = 0
    for text, tokens in read_prompts(request.prompt):
        ended = _complete(call, request, text)
        prompt_tokens += tokens
        done += usage.count(ended.text) * (request.n or 1)
        choices += [(text, ended)] * (request.n or 1)
    call.state.meter(flavour.provider, prompt_tokens, done, choices[0][1].reason)
    used = make_usage(call.plan, prompt_tokens, done)
    head: Json = {
        "id": call.make_id("cmpl-"),
        "object": "text_completion",
        "created": call.time_s,
        "model": request.model,
        "system_fingerprint": flavour.fingerprint,
    }
    if request.stream:
        return _streamed(call, request, head, choices, used)
    body = head | {"choices": [_choice(call, request, i, *c) for i, c in enumerate(choices)]}
    if used is not None:
        body["usage"] = used
    return to_json(body)


def read_prompts(given: str | list[str | int | list[int]]) -> list[tuple[str, int]]:
    """Return each prompt's text (token numbers as words) and its token count.

    Raises:
        Refused: 400, for an empty list.
    """
    if isinstance(given, str):
        return [(given, usage.count(given))]
    numbers = [one for one in given if isinstance(one, int)]
    items: list[str | list[int]] = [one for one in given if not isinstance(one, int)]
    if numbers:
        items.insert(0, numbers)
    if not items:
        raise Refused(400, "'prompt' must not be an empty array.", param="prompt")
    return [
        (one, usage.count(one)) if isinstance(one, str) else (" ".join(map(str, one)), len(one))
        for one in items
    ]


def _complete(call: Call, request: CompletionRequest, text: str) -> Limited:
    composed = compose(Ask(Prompt((Turn("user", text),))), call.plan)
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    return limit(composed.text, stop, request.max_tokens or DEFAULT_MAX_TOKENS)


def _choice(
    call: Call, request: CompletionRequest, index: int, prompt: str, ended: Limited
) -> Json:
    return {
        "index": index,
        "text": (prompt if request.echo else "") + ended.text,
        "logprobs": None if request.logprobs is None else _logprobs(call, request, ended.text),
        "finish_reason": "length" if ended.reason == "length" else "stop",
    }


def _logprobs(call: Call, request: CompletionRequest, text: str) -> Json:
    tokens = logprobs(text, request.logprobs or 0, call.plan)
    offsets = [sum(len(t["token"]) for t in tokens[:i]) for i in range(len(tokens))]
    return {
        "tokens": [t["token"] for t in tokens],
        "token_logprobs": [t["logprob"] for t in tokens],
        "top_logprobs": [{o["token"]: o["logprob"] for o in t["top_logprobs"]} for t in tokens],
        "text_offset": offsets,
    }


def _streamed(
    call: Call,
    request: CompletionRequest,
    head: Json,
    choices: list[tuple[str, Limited]],
    used: Usage | None,
) -> Stream:
    chunks: list[bytes] = []
    tail: list[bytes] = []
    for i, (prompt, ended) in enumerate(choices):
        whole = _choice(call, request, i, prompt, ended)
        chunks += [
            _frame(head, whole | {"text": piece, "finish_reason": None})
            for piece in pieces(whole["text"], call.plan)
        ]
        tail.append(_frame(head, whole | {"text": "", "logprobs": None}))
    if request.stream_options is not None and request.stream_options.include_usage and used:
        tail.append(b"data: " + _encode(head | {"choices": [], "usage": used}) + b"\n\n")
    return Stream([], chunks, [*tail, b"data: [DONE]\n\n"])


def _frame(head: Json, choice: Json) -> bytes:
    return b"data: " + _encode(head | {"choices": [choice]}) + b"\n\n"

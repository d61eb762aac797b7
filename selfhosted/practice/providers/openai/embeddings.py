"""`POST /v1/embeddings`; vLLM speaks it too."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from selfhosted.practice import catalogue, usage, vectors
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.wire import Call, Refused, Reply, to_json

MAX_INPUTS = 2048
MAX_TOKENS = 8192
DIMENSIONS = {
    "text-embedding-ada-002": 1536,
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
}
_DEFAULT_DIMENSIONS = 1024


class EmbeddingRequest(msgspec.Struct):
    """The body of `POST /v1/embeddings`."""

    model: str
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=4096)] | None = None


_decoder = msgspec.json.Decoder(EmbeddingRequest)


def embeddings(call: Call, flavour: Flavour) -> Reply:
    """Embed every input."""
    request = call.decode(_decoder)
    flavour.admit(call, request.model, catalogue.EMBED)
    size = _dimensions(request, flavour)
    data: list[dict[str, object]] = []
    tokens = 0
    for i, (text, length) in enumerate(_inputs(request)):
        vector = vectors.embed(text, size, request.model)
        tokens += length
        value = vectors.to_base64(vector) if request.encoding_format == "base64" else vector
        data.append({"object": "embedding", "index": i, "embedding": value})
    if call.plan.answer is not None and not call.plan.answer.text:
        data = []  # the fault `empty`
    used = {"prompt_tokens": tokens, "total_tokens": tokens}
    body: dict[str, object] = {
        "object": "list",
        "data": data,
        "model": request.model,
        "usage": used,
    }
    if call.plan.usage is not None:
        _spoil_usage(body, call)
    return to_json(body)


def _spoil_usage(body: dict[str, object], call: Call) -> None:
    wrong = call.plan.usage
    if wrong is None or wrong.mode == "missing":
        del body["usage"]
        return
    tokens = wrong.prompt_tokens if wrong.mode == "given" else 0
    body["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}


def _dimensions(request: EmbeddingRequest, flavour: Flavour) -> int:
    full = DIMENSIONS.get(request.model, _DEFAULT_DIMENSIONS)
    if request.dimensions is None:
        return full
    if flavour.provider == "openai" and request.model == "text-embedding-ada-002":
        raise Refused(400, "This model does not support specifying dimensions.", param="dimensions")
    if request.dimensions > full:
        raise Refused(
            400,
            f"Invalid value for 'dimensions': must be at most {full} for {request.model}.",
            param="dimensions",
        )
    return request.dimensions


def _inputs(request: EmbeddingRequest) -> list[tuple[str, int]]:
    """Return each input's text (token numbers as words) and its token count."""
    given = request.input
    if isinstance(given, str):
        items: list[str | list[int]] = [given]
    elif given and all(isinstance(one, int) for one in given):
        items = [[one for one in given if isinstance(one, int)]]
    else:
        items = [one for one in given if not isinstance(one, int)]
    if not items or len(items) > MAX_INPUTS:
        raise Refused(400, f"'input' must hold 1 to {MAX_INPUTS} items.", param="input")
    read: list[tuple[str, int]] = []
    for i, item in enumerate(items):
        text = item if isinstance(item, str) else " ".join(map(str, item))
        length = usage.count(item) if isinstance(item, str) else len(item)
        if not item:
            raise Refused(400, f"'input[{i}]' cannot be an empty string.", param="input")
        if length > MAX_TOKENS:
            raise Refused(
                400,
                f"This model's maximum context length is {MAX_TOKENS} tokens, however you "
                f"requested {length} tokens.",
                param="input",
            )
        read.append((text, length))
    return read

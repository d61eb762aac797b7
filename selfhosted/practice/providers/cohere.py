"""Cohere's embeddings under `/cohere/v2/embed` and `/cohere/v1/embed`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from selfhosted.practice import catalogue, usage, vectors
from selfhosted.practice.prompt import Json
from selfhosted.practice.wire import Call, Handler, Provider, Refused, Reply, Whole, bearer, to_json

MAX_TEXTS = 96
DIMENSIONS = {
    "embed-english-v3.0": 1024,
    "embed-english-light-v3.0": 384,
    "embed-multilingual-v3.0": 1024,
    "embed-multilingual-light-v3.0": 384,
    "embed-v4.0": 1536,
}
InputType = Literal["search_document", "search_query", "classification", "clustering", "image"]
Kind = Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]


class EmbedRequest(msgspec.Struct):
    """The body of an embed request; version 1 has the defaults that version 2 demands."""

    model: str = "embed-english-v3.0"
    texts: Annotated[list[str], Meta(max_length=MAX_TEXTS)] | None = None
    images: list[str] | None = None
    inputs: list[Json] | None = None
    input_type: InputType | None = None
    embedding_types: list[Kind] | None = None
    output_dimension: Annotated[int, Meta(ge=64, le=1536)] | None = None


_decoder = msgspec.json.Decoder(EmbedRequest)


def refuse(fault: Refused) -> Whole:
    """Write a refusal as Cohere does."""
    return to_json({"message": fault.message}, fault.status)


def embed(call: Call) -> Reply:
    """Embed every text; version 1 answers floats plainly unless types are named."""
    request = call.decode(_decoder)
    call.model = request.model
    if catalogue.use_of("cohere", request.model) is None:
        raise Refused(
            404, f"model '{request.model}' not found, make sure the correct model ID was used"
        )
    if request.input_type is None:
        raise Refused(
            400, "invalid request: valid input_type must be provided with the provided model"
        )
    texts = _texts(request)
    second = call.path == "/v2/embed"
    size = request.output_dimension or DIMENSIONS.get(request.model, 1024)
    made = [vectors.embed(text, size, request.model) for text in texts]
    tokens = sum(map(usage.count, texts))
    body: Json = {"id": call.make_id(""), "texts": texts}
    if second or request.embedding_types:
        kinds = request.embedding_types or ["float"]
        body["embeddings"] = {kind: [_as(kind, v) for v in made] for kind in kinds}
        body["response_type"] = "embeddings_by_type"
    else:
        body |= {"embeddings": made, "response_type": "embeddings_floats"}
    body["meta"] = _meta(call, tokens, "2" if second else "1")
    return to_json(body)


def _texts(request: EmbedRequest) -> list[str]:
    texts = list(request.texts or [])
    for item in request.inputs or []:
        parts: list[Json] = item.get("content", [])
        texts.append(" ".join(str(p.get("text", p.get("image_url", ""))) for p in parts))
    texts += request.images or []
    if not texts or not all(texts):
        raise Refused(400, "invalid request: texts must be a list of non-empty strings")
    return texts


def _meta(call: Call, tokens: int, version: str) -> Json:
    meta: Json = {"api_version": {"version": version}}
    wrong = call.plan.usage
    if wrong is None or wrong.mode != "missing":
        given = wrong.prompt_tokens if wrong is not None and wrong.mode == "given" else 0
        meta["billed_units"] = {"input_tokens": tokens if wrong is None else given}
    return meta


def _as(kind: Kind, vector: list[float]) -> object:
    if kind == "float":
        return vector
    if kind == "base64":
        return vectors.to_base64(vector)
    if kind in ("int8", "uint8"):
        peak = max(map(abs, vector)) or 1.0
        return [round(v / peak * 127) + (128 if kind == "uint8" else 0) for v in vector]
    bits = [int(v > 0) for v in vector]
    packed = [
        int("".join(map(str, bits[i : i + 8])).ljust(8, "0"), 2) for i in range(0, len(bits), 8)
    ]
    return packed if kind == "ubinary" else [b - 128 for b in packed]


_ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/v2/embed"): embed,
    ("POST", "/v1/embed"): embed,
}


def route(method: str, path: str) -> Handler | None:
    """Find the handler of a method and path."""
    return _ROUTES.get((method, path))


PROVIDER = Provider("cohere", route, refuse, bearer, Refused(401, "no api key supplied"))

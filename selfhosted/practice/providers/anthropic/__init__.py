"""Anthropic under `/anthropic/v1/...`."""

import msgspec

from selfhosted.practice import catalogue
from selfhosted.practice.providers.anthropic.answer import messages
from selfhosted.practice.providers.anthropic.errors import KEY_MISSING, no_model, refuse
from selfhosted.practice.providers.anthropic.messages import CountRequest, pieces_of
from selfhosted.practice.usage import REPLY_TOKENS
from selfhosted.practice.wire import Call, Handler, Provider, Reply, bearer, to_json

_count_decoder = msgspec.json.Decoder(CountRequest)
_CREATED = "2024-10-22T00:00:00Z"


def count_tokens(call: Call) -> Reply:
    """Answer `POST /v1/messages/count_tokens`."""
    request = call.decode(_count_decoder)
    call.model = request.model
    if catalogue.use_of("anthropic", request.model) is None:
        raise no_model(request.model)
    tokens = REPLY_TOKENS + sum(p.tokens for p in pieces_of(request))
    return to_json({"input_tokens": tokens})


def models(call: Call) -> Reply:
    """Answer `GET /v1/models`."""
    del call
    data = [
        {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": _CREATED,
            "lifecycle": "active",
        }
        for name in catalogue.MODELS["anthropic"]
    ]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
    return to_json({"data": data, "has_more": False, **ends})


_ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/messages"): messages,
    ("POST", "/v1/messages/count_tokens"): count_tokens,
    ("GET", "/v1/models"): models,
}


def route(method: str, path: str) -> Handler | None:
    """Find the handler of a method and path."""
    return _ROUTES.get((method, path))


def authorised(call: Call) -> bool:
    """Tell whether the request carries a key, in `x-api-key` or as a bearer token."""
    return bool(call.headers.get(b"x-api-key", b"").strip()) or bearer(call)


PROVIDER = Provider("anthropic", route, refuse, authorised, KEY_MISSING)

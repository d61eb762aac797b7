"""`GET /v1/models` and `GET /v1/models/{model}`."""

from selfhosted.practice import catalogue
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.wire import Call, Reply, to_json

CREATED_S = 1_700_000_000


def _entry(model: str, owner: str) -> dict[str, object]:
    return {"id": model, "object": "model", "created": CREATED_S, "owned_by": owner}


def models(call: Call, flavour: Flavour) -> Reply:
    """List the models, or show the one that the path names."""
    _, _, wanted = call.path.partition("/models/")
    if not wanted:
        known = catalogue.MODELS[flavour.provider]
        return to_json(
            {"object": "list", "data": [_entry(name, flavour.provider) for name in known]}
        )
    call.model = wanted
    if catalogue.use_of(flavour.provider, wanted) is None:
        raise flavour.no_model(wanted)
    return to_json(_entry(wanted, flavour.provider))

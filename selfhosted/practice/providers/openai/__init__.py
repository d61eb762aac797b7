"""OpenAI under `/openai/v1/...`."""

from functools import partial

from selfhosted.practice.providers.openai.chat import FINGERPRINT, Flavour, chat
from selfhosted.practice.providers.openai.embeddings import embeddings
from selfhosted.practice.providers.openai.errors import KEY_MISSING, no_model, refuse
from selfhosted.practice.providers.openai.models import models
from selfhosted.practice.wire import Handler, Provider, bearer

FLAVOUR = Flavour("openai", "default", FINGERPRINT, no_model)

_ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/chat/completions"): partial(chat, flavour=FLAVOUR),
    ("POST", "/v1/embeddings"): partial(embeddings, flavour=FLAVOUR),
    ("GET", "/v1/models"): partial(models, flavour=FLAVOUR),
}


def route(method: str, path: str) -> Handler | None:
    """Find the handler of a method and path."""
    if method == "GET" and path.startswith("/v1/models/"):
        path = "/v1/models"
    return _ROUTES.get((method, path))


PROVIDER = Provider("openai", route, refuse, bearer, KEY_MISSING)

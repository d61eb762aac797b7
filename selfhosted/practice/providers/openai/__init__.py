"""OpenAI under `/openai/v1/...`."""

from functools import partial

import msgspec

from selfhosted.practice.providers.openai.audio import speech, transcriptions
from selfhosted.practice.providers.openai.chat import chat
from selfhosted.practice.providers.openai.completions import completions
from selfhosted.practice.providers.openai.embeddings import embeddings
from selfhosted.practice.providers.openai.errors import KEY_MISSING, no_model, refuse
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.providers.openai.messages import ChatRequest
from selfhosted.practice.providers.openai.models import models
from selfhosted.practice.providers.openai.moderations import moderations
from selfhosted.practice.providers.openai.responses_stream import respond
from selfhosted.practice.wire import Handler, Provider, bearer

FLAVOUR = Flavour(
    provider="openai",
    service_tier="default",
    fingerprint="fp_practice",
    no_model=no_model,
    chat_decoder=msgspec.json.Decoder(ChatRequest),
)

_ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/chat/completions"): partial(chat, flavour=FLAVOUR),
    ("POST", "/v1/completions"): partial(completions, flavour=FLAVOUR),
    ("POST", "/v1/embeddings"): partial(embeddings, flavour=FLAVOUR),
    ("POST", "/v1/moderations"): partial(moderations, flavour=FLAVOUR),
    ("POST", "/v1/responses"): partial(respond, flavour=FLAVOUR),
    ("POST", "/v1/audio/speech"): partial(speech, flavour=FLAVOUR),
    ("POST", "/v1/audio/transcriptions"): partial(transcriptions, flavour=FLAVOUR),
    ("GET", "/v1/models"): partial(models, flavour=FLAVOUR),
}


def route(method: str, path: str) -> Handler | None:
    """Find the handler of a method and path."""
    if method == "GET" and path.startswith("/v1/models/"):
        path = "/v1/models"
    return _ROUTES.get((method, path))


PROVIDER = Provider("openai", route, refuse, bearer, KEY_MISSING)

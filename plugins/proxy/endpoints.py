"""Which paths reach models, and how each endpoint's errors and streams look on the wire."""

from collections.abc import Mapping
from typing import Final

from plugins.core.call import Endpoint

MODEL_PATHS: Final[Mapping[str, Endpoint]] = {
    f"{prefix}{path}": endpoint
    for path, endpoint in (
        ("/chat/completions", Endpoint.CHAT),
        ("/completions", Endpoint.COMPLETIONS),
        ("/embeddings", Endpoint.EMBEDDINGS),
        ("/responses", Endpoint.RESPONSES),
        ("/moderations", Endpoint.MODERATIONS),
        ("/audio/speech", Endpoint.SPEECH),
        ("/audio/transcriptions", Endpoint.TRANSCRIPTIONS),
    )
    for prefix in ("/v1", "")
} | {"/v1/messages": Endpoint.MESSAGES}
"""POST paths that are model calls; every other path of LiteLLM's stays shut."""

MODEL_LISTS: Final = frozenset({"/v1/models", "/models"})
HEALTH: Final = frozenset({"/health/readiness", "/health/liveliness", "/health/liveness"})


def speaks_anthropic(endpoint: Endpoint | None) -> bool:
    """Tell whether errors on this endpoint have Anthropic's shape."""
    return endpoint is Endpoint.MESSAGES


def sends_events(endpoint: Endpoint) -> bool:
    """Tell whether streams on this endpoint are named server-sent events without `[DONE]`."""
    return endpoint in {Endpoint.MESSAGES, Endpoint.RESPONSES}

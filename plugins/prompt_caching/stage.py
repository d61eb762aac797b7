"""Shapes each try's body for the prompt cache of the provider that is asked."""

import hmac
from collections.abc import Mapping
from typing import Any, Final

from typing_extensions import override

from plugins.core.call import Call, Endpoint
from plugins.core.clock import Clock
from plugins.core.stage import Stage
from plugins.prompt_caching.rules import MARKED, Prefixes, key_for, mark

_KEYED: Final = (Endpoint.CHAT, Endpoint.RESPONSES)


class PromptCachingStage(Stage):
    """Prompt caching's part in every call.

    Args:
        providers: who runs each model group.
        secret: the installation's; a key of its own is derived from it.
        clock: tells what a provider may still hold.
    """

    name: str = "prompt_caching"

    def __init__(self, providers: Mapping[str, str], secret: str, clock: Clock) -> None:
        self._providers: Final = providers
        self._key: Final = hmac.digest(secret.encode(), b"sluice prompt caching v1", "sha256")
        self._clock: Final = clock
        self._prefixes: Final = Prefixes()

    @override
    def shape(self, call: Call, group: str, body: dict[str, Any]) -> None:
        """Set Anthropic's cache points, or OpenAI's key."""
        provider = self._providers[group]
        if provider == "anthropic" and call.endpoint in MARKED:
            mark(call.endpoint, body, self._prefixes, self._clock.monotonic_s())
        elif provider == "openai" and call.endpoint in _KEYED:
            name = call.agent_name or call.model_asked
            wanted = body.get("prompt_cache_key")
            # A client's own key divides its own calls further, and nobody else's.
            told = name if wanted is None else f"{name}\n{wanted}"
            body["prompt_cache_key"] = key_for(self._key, call.principal.tenant_id, told)

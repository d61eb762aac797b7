"""Which names a key may use, and what stands behind a name. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from plugins.core.agent import Agent
from plugins.core.call import Endpoint
from plugins.core.errors import Forbidden, GatewayError, InvalidRequest, NotFound
from plugins.core.tenant import Principal

MODES: Final[Mapping[Endpoint, str]] = {
    Endpoint.CHAT: "chat",
    Endpoint.COMPLETIONS: "chat",
    Endpoint.RESPONSES: "chat",
    Endpoint.MESSAGES: "chat",
    Endpoint.EMBEDDINGS: "embedding",
    Endpoint.MODERATIONS: "moderation",
    Endpoint.SPEECH: "audio_speech",
    Endpoint.TRANSCRIPTIONS: "audio_transcription",
}
"""The kind of model (`model_info.mode`) that each endpoint needs."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every name that a client may write as `model`.

    Args:
        agents: by name.
        modes: kind of each model group, by the group's name.
        text_only: groups that take no tokens in place of a text to embed.
    """

    agents: Mapping[str, Agent]
    modes: Mapping[str, str]
    text_only: frozenset[str] = frozenset()

    def visible_to(self, principal: Principal) -> list[str]:
        """List the names that a key may use: agents first, then plain models, each sorted."""
        return [
            *sorted(name for name in self.agents if may_use(principal, name)),
            *sorted(name for name in self.modes if may_use(principal, name)),
        ]

    def resolve(
        self, principal: Principal, name: str, endpoint: Endpoint
    ) -> tuple[Agent | None, tuple[str, ...]] | GatewayError:
        """Find what stands behind a name.

        Args:
            principal: who asks.
            name: as the client wrote it.
            endpoint: where the client sent it.

        Returns:
            The agent, or None for a plain model, with the model groups to try in order; or the
            refusal.
        """
        agent = self.agents.get(name)
        tiers = agent.tiers if agent else (name,)
        if agent is None and name not in self.modes:
            names = ", ".join(self.visible_to(principal)) or "none"
            return NotFound(
                f"there is no agent or model {name[:64]!r}; this key may use: {names}",
                code="model_not_found",
                param="model",
            )
        if not may_use(principal, name):
            names = ", ".join(self.visible_to(principal)) or "none"
            return Forbidden(
                f"this key may not use {name!r}; it may use: {names}",
                code="model_not_allowed",
                param="model",
            )
        if self.modes[tiers[0]] != MODES[endpoint]:
            return InvalidRequest(
                f"{name!r} is a model of kind {self.modes[tiers[0]]}; this endpoint needs one of"
                f" kind {MODES[endpoint]}",
                code="model_not_supported",
                param="model",
            )
        return agent, tiers


def check_tokens(catalogue: Catalogue, tiers: Sequence[str], given: object) -> GatewayError | None:
    """Refuse tokens for a model that reads text alone; its client would fail inside the gateway.

    Args:
        catalogue: knows such models.
        tiers: the model groups to try.
        given: `input` of an embedding call.
    """
    first = cast("list[object]", given)[0] if isinstance(given, list) and given else None
    if isinstance(first, int | list) and not catalogue.text_only.isdisjoint(tiers):
        return InvalidRequest(
            "`input` holds tokens, which this model does not read; send text", param="input"
        )
    return None


def may_use(principal: Principal, name: str) -> bool:
    """Tell whether a key may use a name; a key that lists nothing may use everything."""
    if not principal.agents and not principal.models:
        return True
    return name in principal.agents or name in principal.models

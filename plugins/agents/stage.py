"""Turns the model that a client named into a policy: agent, permission, tiers that can take it."""

from collections.abc import Mapping
from typing import Final

from typing_extensions import override

from plugins.agents.abilities import Abilities, unable
from plugins.agents.rules import Catalogue, check_tokens
from plugins.core.call import Call, Endpoint
from plugins.core.errors import GatewayError
from plugins.core.stage import Stage


class AgentsStage(Stage):
    """The agents' part in every call.

    Args:
        catalogue: all agents and models.
        abilities: of each model group of which any are known.
    """

    name: str = "agents"

    def __init__(self, catalogue: Catalogue, abilities: Mapping[str, Abilities]) -> None:
        self._catalogue: Final = catalogue
        self._abilities: Final = abilities

    @override
    async def admit(self, call: Call) -> GatewayError | None:
        """Refuse unknown names and names the key may not use, before anything is spent."""
        found = self._catalogue.resolve(call.principal, call.model_asked, call.endpoint)
        if isinstance(found, GatewayError):
            return found
        call.agent, call.tiers = found
        if call.endpoint is Endpoint.EMBEDDINGS:
            return check_tokens(self._catalogue, call.tiers, call.body.get("input"))
        return None

    @override
    async def route(self, call: Call, group: str) -> GatewayError | None:
        """Leave out a model that cannot take the request."""
        abilities = self._abilities.get(group)
        return None if abilities is None else unable(call, group, abilities)

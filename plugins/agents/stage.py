"""Turns the model that a client named into a policy: agent, permission, tiers."""

from typing import Final

from typing_extensions import override

from plugins.agents.rules import Catalogue, check_tokens
from plugins.core.call import Call, Endpoint
from plugins.core.errors import GatewayError
from plugins.core.stage import Stage


class AgentsStage(Stage):
    """The agents' part in every call.

    Args:
        catalogue: all agents and models.
    """

    name: str = "agents"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue: Final = catalogue

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

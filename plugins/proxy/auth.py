"""LiteLLM's custom auth: takes over what the door has decided, and decides nothing itself."""

from typing import Final

from fastapi import HTTPException, Request
from litellm.proxy._types import UserAPIKeyAuth

from plugins.core.call import Call

SCOPE_KEY: Final = "sluice.call"


async def authenticate(request: Request, api_key: str | None) -> UserAPIKeyAuth:
    """Give LiteLLM the principal of the call that the door let in.

    A request that did not come through the door is refused: without the start-up hook nothing is
    served, rather than everything unguarded.
    """
    call: Call | None = request.scope.get(SCOPE_KEY)
    if call is None:
        raise HTTPException(
            503,
            detail="the gateway's door is not installed: set"
            " LITELLM_WORKER_STARTUP_HOOKS=plugins.proxy.startup:install",
        )
    principal = call.principal
    return UserAPIKeyAuth(
        api_key=principal.key_id,
        key_alias=principal.key_id,
        models=[call.model_asked, *call.tiers],
        allowed_routes=["llm_api_routes"],
    )

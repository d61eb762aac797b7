"""`/sluice/limits`: how much is used of each limit, and how much room is left."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from plugins.core.tenant import Principal, Role
from plugins.limits.rules import KEY, PROVIDER, TENANT, Counter, Limited
from plugins.limits.stage import LimitPolicy
from plugins.limits.store import Limiter

MOST_ROWS: Final = 1000
_TENANT_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"


class LimitOut(BaseModel):
    """One limit: null where nothing is limited."""

    kind: str
    name: str
    requests_per_minute: int | None
    requests_used: int
    requests_left: int | None
    tokens_per_minute: int | None
    tokens_used: int
    tokens_left: int | None
    resets_in_s: float


class LimitsOut(BaseModel):
    """All limits asked for; `shared` is false while Redis is away and each worker counts alone."""

    shared: bool
    workers: int
    limits: list[LimitOut]


def router(
    limiter: Limiter,
    policy: LimitPolicy,
    principals: Callable[[], Iterable[Principal]],
    principal_of: Callable[[Request], Principal],
) -> APIRouter:
    """Make the routes.

    Args:
        limiter: counts.
        policy: the limits.
        principals: gives the holders of all keys that work.
        principal_of: gives who calls.
    """
    api = APIRouter(tags=["limits"])

    @api.get("/limits")
    async def list_limits(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(principal_of)],
        tenant_id: Annotated[
            str | None,
            Query(pattern=_TENANT_ID, description="administrators only; others see their own"),
        ] = None,
    ) -> LimitsOut:
        """List what is used of each limit: a tenant's own, with its keys', or all.

        An administrator sees the providers' and all tenants', and with `tenant_id` that tenant's
        and its keys'. At most 1,000.
        """
        whose = tenant_id if who.role is Role.ADMIN else who.tenant_id
        limited = _of_tenant(policy, principals(), whose) if whose else _all(policy, principals())
        limited = limited[:MOST_ROWS]
        used = await limiter.used([one.counter for one in limited])
        rows = [_row(one, *figures) for one, figures in zip(limited, used, strict=True)]
        return LimitsOut(shared=limiter.shared, workers=limiter.workers, limits=rows)

    return api


def _all(policy: LimitPolicy, principals: Iterable[Principal]) -> list[Limited]:
    providers = [
        Limited(Counter(PROVIDER, name), limit) for name, limit in sorted(policy.providers.items())
    ]
    return [*providers, *_of_tenants(policy, principals)]


def _of_tenants(policy: LimitPolicy, principals: Iterable[Principal]) -> list[Limited]:
    tenants = {
        who.tenant_id: Limited(
            Counter(TENANT, who.tenant_id), who.tenant_limit.or_else(policy.tenant)
        )
        for who in principals
        if who.role is Role.TENANT
    }
    return [one for _, one in sorted(tenants.items()) if one.limit.limits_anything]


def _of_tenant(
    policy: LimitPolicy, principals: Iterable[Principal], tenant_id: str
) -> list[Limited]:
    own = sorted((p for p in principals if p.tenant_id == tenant_id), key=lambda who: who.key_id)
    keys = [Limited(Counter(KEY, who.key_id), who.limit.or_else(policy.key)) for who in own]
    return [*_of_tenants(policy, own), *(one for one in keys if one.limit.limits_anything)]


def _row(limited: Limited, requests: int, tokens: int, resets_s: float) -> LimitOut:
    rpm, tpm = _figures(limited)
    return LimitOut(
        kind=limited.counter.kind,
        name=limited.counter.name,
        requests_per_minute=rpm,
        requests_used=requests,
        requests_left=None if rpm is None else max(rpm - requests, 0),
        tokens_per_minute=tpm,
        tokens_used=tokens,
        tokens_left=None if tpm is None else max(tpm - tokens, 0),
        resets_in_s=round(resets_s, 1),
    )


def _figures(limited: Limited) -> Sequence[int | None]:
    limit = limited.limit
    return limit.requests_per_minute or None, limit.tokens_per_minute or None

"""`/sluice/cache`: what each tenant has in the cache and gains by it, and how to empty it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from plugins.cache.report import CacheReport, Worth
from plugins.cache.rules import Sealer
from plugins.cache.store import CacheStore, Held
from plugins.core.clock import Clock
from plugins.core.errors import Forbidden, InvalidRequest, NotFound
from plugins.core.money import printed_usd
from plugins.core.tenant import Principal

_TENANT_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
Whose = Annotated[
    str | None,
    Query(pattern=_TENANT_ID, description="for administrators; others' own is theirs"),
]


class CacheOut(BaseModel):
    """One tenant's part of the cache, and its calls of the hours asked for."""

    tenant_id: str
    entries: int
    bytes: int
    share_bytes: int
    calls: int
    hits: int
    coalesced: int
    hit_share: float
    saved_usd: str


class Cleared(BaseModel):
    """How many answers were removed."""

    tenant_id: str
    removed: int


def router(
    store: CacheStore,
    report: CacheReport,
    sealer: Sealer,
    principal_of: Callable[[Request], Principal],
    clock: Clock,
) -> APIRouter:
    """Make the routes.

    Args:
        store: the entries.
        report: their worth.
        sealer: names tenants as Redis has them.
        principal_of: gives who calls, or raises.
        clock: tells now.
    """
    api = APIRouter(tags=["cache"])

    @api.get("/cache")
    async def show(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(principal_of)],
        tenant_id: Whose = None,
        hours: Annotated[int, Query(ge=1, le=744, description="of calls that are counted")] = 24,
    ) -> list[CacheOut]:
        """List what tenants have in the cache, and how many of their calls it answered."""
        names = await _named(who, tenant_id, report)
        whose = names[0] if who.tenant_id or tenant_id else None
        held = await store.count([sealer.tag(name) for name in names])
        worth = await report.since(clock.now() - timedelta(hours=hours), whose)
        return [
            _shown(name, holding, worth.get(name, Worth()), store.share_bytes)
            for name, holding in zip(names, held, strict=True)
        ]

    @api.post("/cache/clear")
    async def clear(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(principal_of)], tenant_id: Whose = None
    ) -> Cleared:
        """Remove all of a tenant's answers; workers' copies are gone a second later."""
        if not who.tenant_id and tenant_id is None:
            raise InvalidRequest(
                "name the tenant whose answers are to go: `tenant_id`",
                param="tenant_id",
                code="missing_parameter",
            )
        (whose,) = await _named(who, tenant_id, report)
        return Cleared(tenant_id=whose, removed=await store.clear(sealer.tag(whose)))

    return api


async def _named(who: Principal, tenant_id: str | None, report: CacheReport) -> list[str]:
    """Give the tenants that a request is about.

    Raises:
        Forbidden: when a tenant names another one; it does not learn whether that one exists.
        NotFound: when an administrator names one that does not exist.
    """
    if who.tenant_id:
        if tenant_id not in {None, who.tenant_id}:
            raise Forbidden("this key sees and clears its own tenant's answers alone")
        return [who.tenant_id]
    names = await report.tenants()
    if tenant_id is None:
        return names
    if tenant_id not in names:
        raise NotFound(f"no tenant {tenant_id!r}; `sluice tenants list` shows them")
    return [tenant_id]


def _shown(tenant_id: str, held: Held, worth: Worth, share_bytes: int) -> CacheOut:
    return CacheOut(
        tenant_id=tenant_id,
        entries=held.entries,
        bytes=held.bytes,
        share_bytes=share_bytes,
        calls=worth.calls,
        hits=worth.hits,
        coalesced=worth.coalesced,
        hit_share=round(worth.hit_share, 4),
        saved_usd=printed_usd(worth.saved_usd),
    )

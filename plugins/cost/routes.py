"""`/sluice/spend` and `/sluice/calls/{id}`: a tenant's own figures, or all for an administrator."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel

from plugins.core.clock import Clock
from plugins.core.errors import InvalidRequest
from plugins.core.identifiers import UUID_PATTERN
from plugins.core.money import ZERO, printed_usd
from plugins.core.tenant import Principal
from plugins.cost.store import LedgerStore, SpendKey

MAX_DAYS: Final = 400


class SpendRow(BaseModel):
    """One group of calls; dollars are decimal strings, so that no client rounds them."""

    day: date | None = None
    agent: str | None = None
    model: str | None = None
    calls: int
    answered: int
    input_tokens: int
    output_tokens: int
    cost_usd: str
    saved_usd: str


class Spend(BaseModel):
    """What was spent from the first to the last day, UTC, both included."""

    tenant_id: str | None
    first: date
    last: date
    cost_usd: str
    rows: list[SpendRow]


def router(
    store: LedgerStore, principal_of: Callable[[Request], Principal], clock: Clock
) -> APIRouter:
    """Make the routes.

    Args:
        store: the ledger.
        principal_of: gives who calls, or raises.
        clock: tells today.
    """
    api = APIRouter(tags=["ledger"])

    @api.get("/spend")
    async def spend(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(principal_of)],
        first: Annotated[date | None, Query(description="first day; default: this month's")] = None,
        last: Annotated[date | None, Query(description="last day; default: today")] = None,
        by: Annotated[
            list[Literal["day", "agent", "model"]] | None,
            Query(description="what to group by; default: day, agent and model"),
        ] = None,
        tenant_id: Annotated[
            str | None,
            Query(pattern=_TENANT_ID, description="administrators only; others see their own"),
        ] = None,
    ) -> Spend:
        """Sum what was spent, by day, agent and model."""
        today = clock.now().astimezone(UTC).date()
        first, last = first or (last or today).replace(day=1), last or today
        _check_range(first, last)
        whose = who.tenant_id or tenant_id
        keys: list[SpendKey] = list(dict.fromkeys(by or ["day", "agent", "model"]))
        found = await store.spend(whose, first, last, keys)
        return Spend(
            tenant_id=whose,
            first=first,
            last=last,
            cost_usd=printed_usd(sum((row["cost_usd"] for row in found), ZERO)),
            rows=[_row(row) for row in found],
        )

    @api.get("/calls/{call_id}")
    async def call(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(principal_of)],
        call_id: Annotated[str, Path(pattern=UUID_PATTERN)],
    ) -> dict[str, Any]:
        """Give one call as the ledger has it."""
        row = await store.call(who.tenant_id or None, call_id)
        return {key: _shown(key, value) for key, value in row.items() if key != "salt"}

    return api


_TENANT_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"


def _check_range(first: date, last: date) -> None:
    if first > last:
        raise InvalidRequest(f"`first` ({first}) is after `last` ({last})", param="first")
    if last - first > timedelta(days=MAX_DAYS):
        raise InvalidRequest(
            f"{(last - first).days} days were asked for; at most {MAX_DAYS} at once", param="first"
        )
    if last > datetime.now(UTC).date() + timedelta(days=366):
        raise InvalidRequest(f"`last` ({last}) lies in the future", param="last")


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return printed_usd(value) if key.endswith("_usd") else value


def _row(row: Any) -> SpendRow:
    return SpendRow(
        **{key: value for key, value in row.items() if not key.endswith("_usd")},
        cost_usd=printed_usd(row["cost_usd"]),
        saved_usd=printed_usd(row["saved_usd"]),
    )

"""`/sluice/feedback`, `/sluice/conversions`: of a tenant's own calls; of all for administrators."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from plugins.core.clock import Clock
from plugins.core.errors import InvalidRequest
from plugins.core.tenant import Principal
from plugins.feedback.bodies import (
    ConversionBatch,
    ConversionIn,
    ConversionOut,
    ErasedOut,
    EraseIn,
    FeedbackBatch,
    FeedbackIn,
    FeedbackKept,
    FeedbackOut,
    Reached,
    Said,
    Summary,
)
from plugins.feedback.recorder import Recorder
from plugins.feedback.store import FeedbackStore

MAX_DAYS: Final = 400
MAX_LISTED: Final = 500
_KNOWN: Final = "It was known already"
_TENANT_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"


def router(
    recorder: Recorder,
    principal_of: Callable[[Request], Principal],
    clock: Clock,
) -> APIRouter:
    """Make the routes.

    Args:
        recorder: keeps what is said.
        principal_of: gives who calls, or raises.
        clock: tells today.
    """
    api = APIRouter(tags=["feedback"])
    _add_statements(api, recorder, principal_of)
    _add_views(api, recorder.store, principal_of, clock)
    return api


def _add_statements(
    api: APIRouter, recorder: Recorder, principal_of: Callable[[Request], Principal]
) -> None:
    @api.post(
        "/feedback",
        status_code=201,
        responses={200: {"model": FeedbackKept, "description": _KNOWN}},
    )
    async def state(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(principal_of)], wanted: FeedbackIn, response: Response
    ) -> FeedbackKept:
        """State something of an answer; again and again is once."""
        (kept,) = await recorder.feedback(who, [wanted])
        response.status_code = 201 if kept.is_new else 200
        return kept

    @api.post("/feedback/batch")
    async def state_all(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Principal, Depends(principal_of)], wanted: FeedbackBatch
    ) -> list[FeedbackKept]:
        """State up to 100 things of answers, all or none."""
        return await recorder.feedback(who, wanted.items)

    @api.post("/feedback/erase")
    async def erase(who: Annotated[Principal, Depends(principal_of)], wanted: EraseIn) -> ErasedOut:  # pyright: ignore[reportUnusedFunction]
        """Forget comments, reviewers and subjects of what was said of calls; it still counts."""
        calls = [str(call_id) for call_id in wanted.call_ids]
        return ErasedOut(erased=await recorder.store.erase(who.tenant_id or None, calls))

    @api.post(
        "/conversions",
        status_code=201,
        responses={200: {"model": ConversionOut, "description": _KNOWN}},
    )
    async def convert(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Principal, Depends(principal_of)], wanted: ConversionIn, response: Response
    ) -> ConversionOut:
        """State that a candidate has reached a stage; again and again is once."""
        (kept,) = await recorder.conversions(who, [wanted])
        response.status_code = 201 if kept.is_new else 200
        return kept

    @api.post("/conversions/batch")
    async def convert_all(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Principal, Depends(principal_of)], wanted: ConversionBatch
    ) -> list[ConversionOut]:
        """State up to 100 conversions, all or none."""
        return await recorder.conversions(who, wanted.items)


def _add_views(
    api: APIRouter,
    store: FeedbackStore,
    principal_of: Callable[[Request], Principal],
    clock: Clock,
) -> None:
    @api.get("/feedback")
    async def listed(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Principal, Depends(principal_of)],
        call_id: Annotated[UUID | None, Query(description="of this call; default: of any")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
    ) -> list[FeedbackOut]:
        """List what was said, newest first."""
        call = str(call_id) if call_id else None
        rows = await store.listed(who.tenant_id or None, call, limit)
        return [FeedbackOut(**row) for row in rows]

    @api.get("/feedback/summary")
    async def summary(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Principal, Depends(principal_of)],
        first: Annotated[date | None, Query(description="first day; default: 30 ago")] = None,
        last: Annotated[date | None, Query(description="last day; default: today")] = None,
        tenant_id: Annotated[
            str | None,
            Query(pattern=_TENANT_ID, description="administrators only; others see their own"),
        ] = None,
    ) -> Summary:
        """Sum what was said by agent and model, and what became of candidates by agent."""
        last = last or clock.now().astimezone(UTC).date()
        first = first or _days_before(last, 30)
        _check_range(first, last)
        whose = who.tenant_id or tenant_id
        said, reached = await store.summary(whose, first, last)
        return Summary(
            tenant_id=whose,
            first=first,
            last=last,
            feedback=[_said(row) for row in said],
            conversions=[Reached(**row) for row in reached],
        )


def _days_before(day: date, days: int) -> date:
    return max(day, date.min + timedelta(days=days)) - timedelta(days=days)


def _check_range(first: date, last: date) -> None:
    if first > last:
        raise InvalidRequest(f"`first` ({first}) is after `last` ({last})", param="first")
    if last - first > timedelta(days=MAX_DAYS):
        raise InvalidRequest(
            f"{(last - first).days} days were asked for; at most {MAX_DAYS} at once", param="first"
        )
    if last.year > 9000:
        raise InvalidRequest(f"`last` ({last}) lies in the future", param="last")


def _said(row: Mapping[str, Any]) -> Said:
    return Said(
        **row,
        score=_share(row["thumbs_up"], row["thumbs_down"]),
        override_rate=_share(row["overridden"], row["accepted"]),
    )


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None

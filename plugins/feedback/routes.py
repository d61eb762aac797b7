"""`/sluice/feedback`, `/sluice/conversions`: of a tenant's own calls; of all for administrators."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from plugins.core.clock import Clock
from plugins.core.errors import InvalidRequest
from plugins.core.metrics import Metrics, among
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
from plugins.feedback.families import CONVERSIONS, FEEDBACK
from plugins.feedback.finding import Finder
from plugins.feedback.rules import Conversion
from plugins.feedback.store import FeedbackStore, Kept

MAX_DAYS: Final = 400
MAX_LISTED: Final = 500
_KNOWN: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "It was known already"}}
_TENANT_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"


@dataclass(frozen=True, slots=True)
class Recorder:
    """Keeps what is said, and counts it once.

    Args:
        store: the tables.
        finder: finds the calls that it is about.
        metrics: where it is counted.
        agents: names that may stand in a label, and be credited.
        models: names that may stand in a label.
    """

    store: FeedbackStore
    finder: Finder
    metrics: Metrics
    agents: Collection[str]
    models: Collection[str]

    async def feedback(self, who: Principal, wanted: Sequence[FeedbackIn]) -> list[FeedbackKept]:
        """Keep statements about calls of the speaker's tenant, all or none."""
        statements = [each.statement() for each in wanted]
        asked = list(dict.fromkeys(each.call_id for each in statements))
        calls = await self.finder.find(who.tenant_id or None, asked)
        kept = await self.store.add(statements, calls)
        for one in _new(kept):
            self.metrics.add(
                FEEDBACK, among(one["agent"], self.agents), among(one["model"], self.models),
                one["kind"],
            )  # fmt: skip
        return [FeedbackKept(**one.row, is_new=one.is_new) for one in kept]

    async def conversions(
        self, who: Principal, wanted: Sequence[ConversionIn]
    ) -> list[ConversionOut]:
        """Keep conversions of the speaker's tenant, all or none."""
        conversions = [each.conversion() for each in wanted]
        for each in conversions:
            self._check(who, each)
        asked = list(dict.fromkeys(each.call_id for each in conversions if each.call_id))
        calls = await self.finder.find(who.tenant_id or None, asked)
        kept = await self.store.convert(who.tenant_id or None, conversions, calls)
        for one in _new(kept):
            self.metrics.add(CONVERSIONS, among(one["agent"], self.agents), one["stage"])
        return [ConversionOut(**one.row, is_new=one.is_new) for one in kept]

    def _check(self, who: Principal, given: Conversion) -> None:
        named = [given.call_id, given.subject, given.entity_id]
        if sum(name is not None for name in named) != 1:
            raise InvalidRequest(
                "name exactly one of `call_id`, `subject` and `entity`", param="call_id"
            )
        if given.call_id is None and not who.tenant_id:
            raise InvalidRequest(
                "a subject or an entity belongs to a tenant: use a key of that tenant, or name a"
                " call with `call_id`",
                param="call_id",
            )
        if given.agent is None:
            return
        if given.call_id is not None:
            raise InvalidRequest("the call tells its agent; remove `agent`", param="agent")
        if given.agent not in self.agents:
            known = ", ".join(sorted(self.agents))
            raise InvalidRequest(f"no agent {given.agent[:64]!r}; known: {known}", param="agent")


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
    @api.post("/feedback", status_code=201, responses={200: {"model": FeedbackKept, **_KNOWN[200]}})
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
        "/conversions", status_code=201, responses={200: {"model": ConversionOut, **_KNOWN[200]}}
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


def _new(kept: Sequence[Kept]) -> list[Mapping[str, Any]]:
    return [one.row for one in kept if one.is_new]


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

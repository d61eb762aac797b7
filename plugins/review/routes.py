"""`/sluice/reviews`: the queue for reviewers' tools, and for callers what became of an answer."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from plugins.core.errors import InvalidRequest
from plugins.core.identifiers import UUID_PATTERN
from plugins.core.tenant import Principal, Role
from plugins.review.dossier import Dossier
from plugins.review.export import ReviewExport, Wanted
from plugins.review.rules import Decision, State, checked
from plugins.review.store import Reviewer, ReviewStore
from plugins.review.work import Work

NDJSON: Final = "application/x-ndjson"
AGAIN_S: Final = 1
LATER_S: Final = 15
"""Seconds after which it is worth asking again: for the item, and for a person."""
_ItemId = Annotated[str, Path(pattern=UUID_PATTERN, description="of the item")]


class ItemOut(BaseModel):
    """An item of the queue, without its texts."""

    id: str
    call_id: str
    tenant_id: str
    agent: str | None
    reasons: list[str]
    holds: bool = Field(description="the caller waits for the decision")
    findings: list[dict[str, Any]]
    state: State
    version: int = Field(description="goes into the decision, so that nobody decides unseen")
    created_at: datetime
    due_at: datetime
    claimed_by: str | None
    lease_until: datetime | None
    decided_at: datetime | None
    decision: dict[str, Any] | None


class PartOut(BaseModel):
    """A message or a document."""

    name: str
    text: str


class WholeItemOut(ItemOut):
    """An item with its texts; null where they have been erased."""

    prompt: list[PartOut] | None
    sources: list[PartOut] | None
    output: str | None
    others: list[PartOut] | None = Field(description="further choices, calls of tools")


class DecisionIn(BaseModel):
    """A decision about an item that one has claimed."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=2**31 - 1, description="of the item, as you have read it")
    decision: Literal["approved", "edited", "overridden", "rejected"]
    reason: str = ""
    text: str | None = Field(default=None, description="in the output's place (edited, overridden)")
    key: str = Field(
        min_length=1,
        max_length=128,
        pattern=r"^[!-~]+$",
        description="of your making: the same key again is the same decision",
    )


class VerdictOut(BaseModel):
    """What became of an answer that people look at."""

    review_id: str | None = Field(description="null while the call is on its way to the queue")
    call_id: str | None
    state: State | Literal["pending"] = Field(
        description="pending: the call ended a moment ago, or is not yours; ask again"
    )
    text: str | None = Field(description="the answer to use; null while undecided, or if rejected")
    reason: str | None
    decided_at: datetime | None


def reviewer_of(principal: Principal) -> Reviewer:
    """Give the reviewer that a principal is; an administrator sees all tenants' items."""
    whose = None if principal.role is Role.ADMIN else principal.tenant_id or None
    return Reviewer(principal.key_id, whose)


def router(  # noqa: C901 - registers routes; each is a function of its own
    store: ReviewStore,
    work: Work,
    export: ReviewExport,
    reviewer: Callable[[Request], Principal],
    principal_of: Callable[[Request], Principal],
    administrator: Callable[[Request], Principal],
) -> APIRouter:
    """Make the routes.

    Args:
        store: the queue.
        work: opens texts and takes decisions.
        export: writes what was decided.
        reviewer: gives who calls, or raises when it is neither reviewer nor administrator.
        principal_of: gives who calls: a tenant, or an administrator.
        administrator: gives who calls, or raises when it is no administrator.
    """
    api = APIRouter(tags=["reviews"])

    @api.get("/reviews")
    async def list_items(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(reviewer)],
        state: Annotated[
            list[State] | None, Query(description="default: those that wait for somebody")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[
            str | None, Query(pattern=UUID_PATTERN, description="last item of the page before")
        ] = None,
    ) -> list[ItemOut]:
        """List items, those that are due first in front."""
        rows = await store.items(reviewer_of(who), state or (), limit=limit, after=after)
        return [ItemOut(**row) for row in rows]

    @api.get(
        "/reviews/export",
        dependencies=[Depends(administrator)],
        response_class=StreamingResponse,
        responses={200: {"content": {NDJSON: {}}, "description": "one decided item a line"}},
    )
    async def export_decided(  # pyright: ignore[reportUnusedFunction]
        first: Annotated[date, Query(description="first day of decisions, UTC")],
        last: Annotated[date, Query(description="last day, UTC, included")],
        tenant_id: Annotated[str | None, Query(description="default: all tenants")] = None,
    ) -> StreamingResponse:
        """Write decided items as JSON lines; texts of tenants that keep them, masked."""
        if first > last:
            raise InvalidRequest(f"`first` ({first}) is after `last` ({last})", param="first")
        wanted = Wanted(first, last, tenant_id)
        return StreamingResponse(export.lines(wanted), media_type=NDJSON)

    @api.post("/reviews/next", responses={204: {"description": "nothing waits"}})
    async def claim_next(
        who: Annotated[Principal, Depends(reviewer)], response: Response
    ) -> WholeItemOut | None:  # pyright: ignore[reportUnusedFunction]
        """Claim the item that is due first."""
        row = await store.claim_next(reviewer_of(who))
        if row is None:
            response.status_code = 204
            return None
        return _whole(row, await work.read(row))

    @api.get("/reviews/{item_id}")
    async def item(who: Annotated[Principal, Depends(reviewer)], item_id: _ItemId) -> WholeItemOut:  # pyright: ignore[reportUnusedFunction]
        """Read one item."""
        row = await store.item(reviewer_of(who), item_id)
        return _whole(row, await work.read(row))

    @api.post("/reviews/{item_id}/claim")
    async def claim(who: Annotated[Principal, Depends(reviewer)], item_id: _ItemId) -> WholeItemOut:  # pyright: ignore[reportUnusedFunction]
        """Claim one item, or renew one's claim."""
        row = await store.claim(reviewer_of(who), item_id)
        return _whole(row, await work.read(row))

    @api.post("/reviews/{item_id}/release")
    async def release(who: Annotated[Principal, Depends(reviewer)], item_id: _ItemId) -> ItemOut:  # pyright: ignore[reportUnusedFunction]
        """Give a claimed item back undecided."""
        return ItemOut(**await store.release(reviewer_of(who), item_id))

    @api.post("/reviews/{item_id}/decision")
    async def decide(
        who: Annotated[Principal, Depends(reviewer)], item_id: _ItemId, wanted: DecisionIn
    ) -> ItemOut:  # pyright: ignore[reportUnusedFunction]
        """Decide an item that one has claimed; sending it again changes nothing."""
        decision = checked(Decision(State(wanted.decision), wanted.reason, wanted.text))
        row = await work.decide(reviewer_of(who), item_id, wanted.version, decision, wanted.key)
        return ItemOut(**row)

    @api.get("/calls/{call_id}/review")
    async def verdict(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Principal, Depends(principal_of)],
        call_id: Annotated[str, Path(pattern=UUID_PATTERN)],
        response: Response,
    ) -> VerdictOut:
        """Say what became of an answer of one's own that people look at."""
        row = await store.awaited(who.tenant_id or None, call_id)
        return await _verdict(row, work, response, call_id=call_id)

    @api.get("/reviews/{item_id}/answer")
    async def answer(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Principal, Depends(principal_of)], item_id: _ItemId, response: Response
    ) -> VerdictOut:
        """Say the same by the identifier that an answer's `x-sluice-review-id` names."""
        row = await store.awaited_item(who.tenant_id or None, item_id)
        return await _verdict(row, work, response, review_id=item_id)

    return api


async def _verdict(
    row: Mapping[str, Any] | None,
    work: Work,
    response: Response,
    *,
    call_id: str | None = None,
    review_id: str | None = None,
) -> VerdictOut:
    undecided = row is None or row["decided_at"] is None
    if undecided:
        response.headers["retry-after"] = str(AGAIN_S if row is None else LATER_S)
    if row is None:
        return VerdictOut(
            review_id=review_id,
            call_id=call_id,
            state="pending",
            text=None,
            reason=None,
            decided_at=None,
        )
    decision: dict[str, str] | None = row["decision"]
    return VerdictOut(
        review_id=row["id"],
        call_id=row["call_id"],
        state=State(row["state"]),
        text=await work.released(row),
        reason=(decision["reason"] or None) if decision else None,
        decided_at=row["decided_at"],
    )


def _whole(row: Mapping[str, Any], dossier: Dossier | None) -> WholeItemOut:
    if dossier is None:
        return WholeItemOut(**row, prompt=None, sources=None, output=None, others=None)
    return WholeItemOut(
        **row,
        prompt=[PartOut(name=part.name, text=part.text) for part in dossier.prompt],
        sources=[PartOut(name=part.name, text=part.text) for part in dossier.sources],
        output=dossier.output,
        others=[PartOut(name=part.name, text=part.text) for part in dossier.others],
    )

"""`/sluice/console/reviews`: the queue in a browser, without a line of script being needed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as Folder
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import Response

from plugins.core.errors import Forbidden, GatewayError
from plugins.core.identifiers import UUID_PATTERN, new_call_id
from plugins.core.tenant import Principal
from plugins.review.dossier import Dossier
from plugins.review.drafts import Draft, draft_of, first_text
from plugins.review.reading import read
from plugins.review.routes import reviewer_of
from plugins.review.rules import DECISIONS, MAX_REASON, MAX_TEXT, State
from plugins.review.store import Reviewer, ReviewStore
from plugins.review.words import agent_name, gist, state_name, told, why, you_did
from plugins.review.work import Work
from plugins.web.pages import CONSOLE, Pages, seen_elsewhere
from plugins.web.session import Session, is_form_of

TEMPLATES: Final = Folder(__file__).parent / "templates"
QUEUE: Final = f"{CONSOLE}/reviews"
PAGE: Final = 50
"""Items that the queue shows at a time."""
_MOST_CLAIMED: Final = 200
_ItemId = Annotated[str, Path(pattern=UUID_PATTERN)]
_OtherId = Annotated[str | None, Query(pattern=UUID_PATTERN)]
_Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the console.

    Args:
        principal: of the key that they signed in with: a reviewer's or an administrator's.
        session: their browser's.
    """

    principal: Principal
    session: Session

    @property
    def reviewer(self) -> Reviewer:
        """Give them as the queue knows them."""
        return reviewer_of(self.principal)

    def sent(self, form_token: str) -> None:
        """See that a form comes from a page of this session.

        Raises:
            Forbidden: when it does not.
        """
        if not is_form_of(self.session, form_token):
            raise Forbidden(
                "the form is not of this session; load the page again and repeat what you did",
                code="form_expired",
            )

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Tell whether an item is theirs to decide."""
        claimed = row["state"] == State.CLAIMED.value
        return claimed and row["claimed_by"] == self.principal.key_id

    def shown(self) -> dict[str, Any]:
        """Give what the layout shows of them."""
        return {
            "session": self.session,
            "who": self.principal.key_id,
            "whose": self.reviewer.tenant_id,
        }


def router(  # noqa: C901 - registers routes; each is a function of its own
    store: ReviewStore, work: Work, visitor: Callable[[Request], Visitor], pages: Pages
) -> APIRouter:
    """Make the pages.

    Args:
        store: the queue.
        work: opens texts and takes decisions.
        visitor: gives who has signed in, or raises.
        pages: renders.
    """
    api = APIRouter(include_in_schema=False)
    pages.know(agent_name=agent_name, why=why, gist=gist, state_name=state_name, you_did=you_did)
    desk = _Desk(store, work, pages)

    @api.get("/reviews")
    async def queue(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Visitor, Depends(visitor)],
        decided: bool = False,
        after: _OtherId = None,
        done: _OtherId = None,
    ) -> Response:
        """Show what waits, or what was decided last."""
        if decided:
            return await desk.decided(who, after)
        return await desk.queue(who, after, done)

    @api.post("/reviews/next")
    async def claim_next(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)], form_token: _Text = ""
    ) -> Response:
        """Open what one has claimed already, or else claim what is due first."""
        who.sent(form_token)
        item_id = await desk.next_for(who)
        return seen_elsewhere(f"{QUEUE}/{item_id}" if item_id else QUEUE)

    @api.get("/reviews/{item_id}")
    async def item(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)], item_id: _ItemId, done: _OtherId = None
    ) -> Response:
        """Show one item."""
        row = await store.item(who.reviewer, item_id)
        return await desk.item(who, row, done=await desk.done(who, done))

    @api.post("/reviews/{item_id}/claim")
    async def claim(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)],
        item_id: _ItemId,
        decision: _Text = "",
        reason: _Text = "",
        text: _Text = "",
        form_token: _Text = "",
    ) -> Response:
        """Claim one item, or hold it for longer; a decision half written is shown again."""
        draft = draft_of(decision, reason, text)
        try:
            who.sent(form_token)
            row = await store.claim(who.reviewer, item_id)
        except GatewayError as refusal:
            return await desk.again(who, item_id, refusal, draft)
        if draft.is_empty:
            return seen_elsewhere(f"{QUEUE}/{item_id}")
        return await desk.item(who, row, draft=draft)

    @api.post("/reviews/{item_id}/release")
    async def release(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)], item_id: _ItemId, form_token: _Text = ""
    ) -> Response:
        """Give an item back."""
        try:
            who.sent(form_token)
            await store.release(who.reviewer, item_id)
        except GatewayError as refusal:
            return await desk.again(who, item_id, refusal, Draft())
        return seen_elsewhere(QUEUE)

    @api.post("/reviews/{item_id}/decision")
    async def decide(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)],
        item_id: _ItemId,
        version: Annotated[int, Form(ge=1, le=2**31 - 1)],
        decision_key: Annotated[str, Form(min_length=1, max_length=128, pattern=r"^[!-~]+$")],
        decision: _Text = "",
        reason: _Text = "",
        text: _Text = "",
        then: _Text = "next",
        form_token: _Text = "",
    ) -> Response:
        """Decide and go on; what was typed is shown again when the decision is not taken."""
        draft = draft_of(decision, reason, text)
        try:
            who.sent(form_token)
            row = await store.item(who.reviewer, item_id)
            dossier = await work.read(row)
            wanted = draft.decided(dossier.output if dossier else None)
            await work.decide(who.reviewer, item_id, version, wanted, decision_key)
        except GatewayError as refusal:
            return await desk.again(who, item_id, refusal, draft, version, decision_key)
        return await desk.onwards(who, item_id, then)

    return api


class _Desk:
    """Where a visitor is sent, and what they see there.

    Args:
        store: the queue.
        work: opens texts.
        pages: renders.
    """

    def __init__(self, store: ReviewStore, work: Work, pages: Pages) -> None:
        self._store: Final = store
        self._work: Final = work
        self._pages: Final = pages

    async def queue(self, who: Visitor, after: str | None, done: str | None) -> Response:
        """Show what waits; what the visitor holds comes first."""
        mine = [] if after else await self._claimed(who)
        held = {row["id"] for row in mine}
        rows = await self._store.items(who.reviewer, limit=PAGE + 1, after=after)
        now = datetime.now(UTC)
        return self._pages.page(
            "queue.html",
            **who.shown(),
            mine=mine,
            items=[row for row in rows[:PAGE] if row["id"] not in held],
            waiting=len(rows[:PAGE]),
            overdue=sum(row["due_at"] < now for row in rows[:PAGE]),
            held=sum(row["holds"] for row in rows[:PAGE]),
            more=rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
            after=after,
            done=await self.done(who, done),
            now=now,
        )

    async def decided(self, who: Visitor, before: str | None) -> Response:
        """Show what was decided, the newest first."""
        rows = await self._store.decided(who.reviewer, limit=PAGE + 1, before=before)
        return self._pages.page(
            "decided.html",
            **who.shown(),
            items=rows[:PAGE],
            more=rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
            before=before,
        )

    async def item(
        self,
        who: Visitor,
        row: Mapping[str, Any],
        *,
        refusal: GatewayError | None = None,
        draft: Draft | None = None,
        done: Mapping[str, Any] | None = None,
    ) -> Response:
        """Show one item; with a draft, as it was typed."""
        dossier = await self._work.read(row)
        # In a thread: a long JSON answer takes 0.2 s, and calls are answered meanwhile.
        reading = await asyncio.to_thread(read, row["findings"], dossier)
        return await asyncio.to_thread(
            self._pages.page,
            "item.html",
            refusal.status if refusal else 200,
            **who.shown(),
            error=told(refusal) if refusal else None,
            done=done,
            item=row,
            now=datetime.now(UTC),
            dossier=dossier,
            reading=reading,
            mine=who.holds(row),
            final=State(row["state"]) in DECISIONS,
            released=await self._work.released(row),
            typed=draft is not None and not draft.is_empty,
            draft=draft or _first_draft(dossier),
            decision_key=new_call_id(),
            most_text=MAX_TEXT,
            most_reason=MAX_REASON,
        )

    async def again(
        self,
        who: Visitor,
        item_id: str,
        refusal: GatewayError,
        draft: Draft,
        version: int = 0,
        decision_key: str = "",
    ) -> Response:
        """Say why something was not done, and show what was typed, even where the item is away."""
        try:
            row = await self._store.item(who.reviewer, item_id)
        except GatewayError as worse:
            return self._pages.page(
                "stuck.html",
                worse.status,
                **who.shown(),
                error=told(worse),
                item_id=item_id,
                draft=draft,
                version=version,
                decision_key=decision_key,
                can_repeat=worse.status >= 500 and version > 0,
            )
        return await self.item(who, row, refusal=refusal, draft=draft)

    async def onwards(self, who: Visitor, item_id: str, then: str) -> Response:
        """Go to the next item after a decision, or to the queue."""
        target: str | None = None
        if then == "next":
            try:
                target = await self.next_for(who)
            except GatewayError:
                target = None  # the decision stands: the queue says what is away
        return seen_elsewhere(f"{QUEUE}/{target}?done={item_id}" if target else _done(item_id))

    async def next_for(self, who: Visitor) -> str | None:
        """Give the visitor an item to work on: one of their own, or else the first that is free."""
        mine = await self._claimed(who)
        if mine:
            return str(mine[0]["id"])
        row = await self._store.claim_next(who.reviewer)
        return str(row["id"]) if row else None

    async def done(self, who: Visitor, item_id: str | None) -> Mapping[str, Any] | None:
        """Give an item that the visitor has just decided; None for any other."""
        if item_id is None:
            return None
        try:
            row = await self._store.item(who.reviewer, item_id)
        except GatewayError:
            return None
        decided = State(row["state"]) in DECISIONS
        return row if decided and row["claimed_by"] == who.principal.key_id else None

    async def _claimed(self, who: Visitor) -> list[Mapping[str, Any]]:
        """Give what the visitor holds, while their time for it lasts."""
        rows = await self._store.items(who.reviewer, [State.CLAIMED], limit=_MOST_CLAIMED)
        now = datetime.now(UTC)
        return [row for row in rows if who.holds(row) and row["lease_until"] > now]


def _done(item_id: str) -> str:
    return f"{QUEUE}?done={item_id}"


def _first_draft(dossier: Dossier | None) -> Draft:
    return Draft(text=first_text(dossier.output if dossier else None))

"""`/sluice/console/reviews`: the queue in a browser, without a line of script being needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import Response

from plugins.core.errors import Conflict, Forbidden, GatewayError
from plugins.core.identifiers import UUID_PATTERN, new_call_id
from plugins.core.tenant import Principal
from plugins.review.dossier import marked
from plugins.review.routes import reviewer_of
from plugins.review.rules import DECISIONS, Decision, State, checked
from plugins.review.store import Reviewer, ReviewStore
from plugins.review.work import Work
from plugins.web.pages import CONSOLE, Pages, seen_elsewhere
from plugins.web.session import Session, is_form_of

TEMPLATES: Final = Folder(__file__).parent / "templates"
QUEUE: Final = f"{CONSOLE}/reviews"
_ItemId = Annotated[str, Path(pattern=UUID_PATTERN)]
_PAGE: Final = 100


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

    def shown(self) -> dict[str, Any]:
        """Give what the layout shows of them."""
        whose = self.principal.tenant_id or "all tenants"
        return {"session": self.session, "who": f"{self.principal.key_id} ({whose})"}


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

    @api.get("/reviews")
    async def queue(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Visitor, Depends(visitor)], decided: bool = False
    ) -> Response:
        """Show what waits, or what was decided."""
        states = sorted(DECISIONS) if decided else ()
        items = await store.items(who.reviewer, states, limit=_PAGE)
        return pages.page(
            "queue.html",
            **who.shown(),
            items=items,
            decided=decided,
            most=_PAGE,
            mine=who.principal.key_id,
        )

    @api.post("/reviews/next")
    async def claim_next(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)], form_token: Annotated[str, Form()] = ""
    ) -> Response:
        """Claim what is due first."""
        who.sent(form_token)
        row = await store.claim_next(who.reviewer)
        return seen_elsewhere(f"{QUEUE}/{row['id']}" if row else QUEUE)

    @api.get("/reviews/{item_id}")
    async def item(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)], item_id: _ItemId
    ) -> Response:
        """Show one item."""
        return await _item_page(pages, who, work, await store.item(who.reviewer, item_id))

    @api.post("/reviews/{item_id}/claim")
    async def claim(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)],
        item_id: _ItemId,
        form_token: Annotated[str, Form()] = "",
    ) -> Response:
        """Claim one item."""
        who.sent(form_token)
        try:
            await store.claim(who.reviewer, item_id)
        except Conflict as refusal:
            row = await store.item(who.reviewer, item_id)
            return await _item_page(pages, who, work, row, refusal)
        return seen_elsewhere(f"{QUEUE}/{item_id}")

    @api.post("/reviews/{item_id}/release")
    async def release(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)],
        item_id: _ItemId,
        form_token: Annotated[str, Form()] = "",
    ) -> Response:
        """Give an item back."""
        who.sent(form_token)
        await store.release(who.reviewer, item_id)
        return seen_elsewhere(QUEUE)

    @api.post("/reviews/{item_id}/decision")
    async def decide(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Visitor, Depends(visitor)],
        item_id: _ItemId,
        version: Annotated[int, Form()],
        decision: Annotated[State, Form()],
        decision_key: Annotated[str, Form(min_length=1, max_length=128)],
        reason: Annotated[str, Form()] = "",
        text: Annotated[str, Form()] = "",
        form_token: Annotated[str, Form()] = "",
    ) -> Response:
        """Decide; what was typed is shown again when the decision is not whole."""
        who.sent(form_token)
        try:
            wanted = checked(Decision(decision, reason, text or None))
            await work.decide(who.reviewer, item_id, version, wanted, decision_key)
        except GatewayError as refusal:
            row = await store.item(who.reviewer, item_id)
            typed = {"decision": decision.value, "reason": reason, "text": text}
            return await _item_page(pages, who, work, row, refusal, typed)
        return seen_elsewhere(f"{QUEUE}?decided_now={item_id}")

    return api


async def _item_page(
    pages: Pages,
    who: Visitor,
    work: Work,
    row: Mapping[str, Any],
    refusal: GatewayError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    dossier = await work.read(row)
    mine = row["state"] == State.CLAIMED.value and row["claimed_by"] == who.principal.key_id
    return pages.page(
        "item.html",
        refusal.status if refusal else 200,
        **who.shown(),
        notice={"text": refusal.message, "bad": True} if refusal else None,
        item=row,
        dossier=dossier,
        pieces=marked(dossier.output, dossier.marks) if dossier else (),
        mine=mine,
        final=State(row["state"]) in DECISIONS,
        released=await work.released(row),
        typed=typed or {"decision": "", "reason": "", "text": ""},
        decision_key=new_call_id(),
    )

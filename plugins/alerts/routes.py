"""`/sluice/alerts/test`: see whether every sender works, before it matters."""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from plugins.alerts.backoff import Answer
from plugins.alerts.dispatch import Dispatcher, Tested
from plugins.core.tenant import Principal


class TestedOut(BaseModel):
    """What became of the test alert at one sender; never its whole address."""

    sender: str
    kind: str
    host: str
    outcome: Literal["delivered", "failed"]
    status: int | None
    error: str | None
    took_s: float


def router(dispatcher: Dispatcher, administrator: Callable[[Request], Principal]) -> APIRouter:
    """Make the route; only an administrator's key opens it."""
    api = APIRouter(tags=["alerts"], dependencies=[Depends(administrator)])

    @api.post("/alerts/test")
    async def send_test() -> list[TestedOut]:  # pyright: ignore[reportUnusedFunction]
        """Send one test alert through every sender, once and at once, and say what happened."""
        return [_shown(tested) for tested in await dispatcher.test()]

    return api


def _shown(tested: Tested) -> TestedOut:
    target, tried = tested.delivery.target, tested.tried
    return TestedOut(
        sender=target.name,
        kind=target.kind,
        host=target.host,
        outcome="delivered" if tried.answer is Answer.DELIVERED else "failed",
        status=tried.status,
        error=tried.error,
        took_s=round(tested.took_s, 3),
    )

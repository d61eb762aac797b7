"""`/sluice/circuits`: see and set the circuits."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict

from plugins.breaker.rules import Circuit, State
from plugins.breaker.store import Circuits
from plugins.core.errors import NotFound
from plugins.core.tenant import Principal

_BY_HAND: Final = {"open": State.OPEN, "closed": State.CLOSED, "auto": None}


class CircuitOut(BaseModel):
    """One provider's circuit."""

    provider: str
    state: State
    failures: int
    by_hand: bool
    until: datetime | None


class CircuitIn(BaseModel):
    """How to set it: `auto` gives it back to the breaker, closed."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["open", "closed", "auto"]


def router(
    circuits: Circuits,
    providers: Iterable[str],
    administrator: Callable[[Request], Principal],
) -> APIRouter:
    """Make the routes; only an administrator's key opens them."""
    known = sorted(set(providers))
    api = APIRouter(tags=["circuits"], dependencies=[Depends(administrator)])

    @api.get("/circuits")
    async def list_circuits() -> list[CircuitOut]:  # pyright: ignore[reportUnusedFunction]
        """List all providers' circuits, as this worker knows them."""
        return [_shown(name, circuits.get(name)) for name in known]

    @api.post("/circuits/{provider}")
    async def set_circuit(  # pyright: ignore[reportUnusedFunction]
        provider: Annotated[str, Path(max_length=64)], wanted: CircuitIn
    ) -> CircuitOut:
        """Open or close a circuit by hand, or give it back."""
        if provider not in known:
            raise NotFound(f"no provider {provider!r}; known: {', '.join(known)}")
        return _shown(provider, await circuits.pin(provider, _BY_HAND[wanted.state]))

    return api


def _shown(provider: str, circuit: Circuit) -> CircuitOut:
    waiting = circuit.state is not State.CLOSED and circuit.pinned is None
    return CircuitOut(
        provider=provider,
        state=circuit.shown,
        failures=circuit.failures,
        by_hand=circuit.pinned is not None,
        until=datetime.fromtimestamp(circuit.until_s, UTC) if waiting else None,
    )

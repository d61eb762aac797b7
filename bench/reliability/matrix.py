"""Brings each fault about and looks at what a client sees."""

import statistics
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx

from bench.reliability.farm import POSITIONS, STANDS, Server, agent, group
from bench.reliability.faults import FAULTS, Fault
from bench.reliability.shapes import FRESH, SHAPES, Shape, ends_with_error
from bench.servers import ServerError

_OK: Final = 200
_TIMEOUT_S: Final = 60.0
_WARM_CALLS: Final = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault, met by one shape of call.

    Args:
        fault: what fails.
        shape: of the call.
        both: it fails at the secondary as well as at the primary.
    """

    fault: Fault
    shape: Shape
    both: bool

    @property
    def where(self) -> str:
        """Say which tiers fail."""
        return "primary and secondary" if self.both else "primary"

    @property
    def label(self) -> str:
        """Name the cell."""
        return f"{self.fault.name} / {self.shape.name} / {self.where}"

    @property
    def agent(self) -> str:
        """Name the agent that is asked."""
        return agent(self.shape.kind, self.fault.address, both=self.both)

    @property
    def tier(self) -> str:
        """Name the tier that has to serve."""
        if self.fault.after_content:
            return "primary"
        return "tertiary" if self.both else "secondary"

    @property
    def attempts(self) -> int:
        """Give how many tries that takes."""
        return POSITIONS.index(self.tier) + 1

    def is_met(self, seen: "Seen") -> bool:
        """Tell whether the client saw what was promised."""
        as_promised = seen.broken_off if self.fault.after_content else seen.whole
        served = (seen.tier, seen.attempts) == (self.tier, self.attempts)
        return seen.status == _OK and as_promised and served


def cells() -> list[Cell]:
    """List all cells; a fault after content leaves nothing for a second tier to do."""
    return [
        Cell(fault, shape, both)
        for fault in FAULTS
        for shape in SHAPES
        for both in ((False,) if fault.after_content else (False, True))
        if fault.meets(shape)
    ]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw of one call.

    Args:
        status: of HTTP.
        whole: the answer is one, from first byte to last.
        broken_off: it says at its end that it is not whole.
        tier: that served.
        attempts: tries of providers.
        took_s: until the last byte.
        call_id: of the ledger's row.
        body: as it came.
    """

    status: int
    whole: bool
    broken_off: bool
    tier: str
    attempts: int
    took_s: float
    call_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a cell.

    Args:
        cell: which.
        seen: each call.
        healthy_s: median of calls of the same shape with nothing broken, just before.
    """

    cell: Cell
    seen: tuple[Seen, ...]
    healthy_s: float

    @property
    def failed(self) -> list[Seen]:
        """Give the calls that did not go as promised."""
        return [seen for seen in self.seen if not self.cell.is_met(seen)]

    @property
    def added_s(self) -> float:
        """Give the median of what the fault added to a call, seconds."""
        return statistics.median(seen.took_s for seen in self.seen) - self.healthy_s

    @property
    def most_added_s(self) -> float:
        """Give the most that it added."""
        return max(seen.took_s for seen in self.seen) - self.healthy_s


class Matrix:
    """Runs cells against a running gateway.

    Args:
        base_url: the gateway's.
        key: a tenant's.
        servers: the practice servers, one a tier.
    """

    def __init__(self, base_url: str, key: str, servers: Sequence[Server]) -> None:
        headers = {"authorization": f"Bearer {key}", **FRESH}
        self._client: Final = httpx.Client(base_url=base_url, headers=headers, timeout=_TIMEOUT_S)
        self._servers: Final = servers

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    def warm_up(self) -> None:
        """Take calls through every tier, so that no cell pays for imports.

        Raises:
            ServerError: when one is not answered although nothing is broken.
        """
        for shape in SHAPES:
            for position in POSITIONS:
                for _ in range(_WARM_CALLS):
                    seen = self.ask(shape, group(shape.kind, position))
                    if not seen.whole:
                        where = f"{shape.name} at {position}"
                        raise ServerError(f"{where}: {seen.status} {seen.body[:500]!r}")

    def ask(self, shape: Shape, model: str) -> Seen:
        """Make one call and look at its answer."""
        began_s = time.monotonic()
        answer = self._client.post(shape.path, **shape.options(model))
        took_s = time.monotonic() - began_s
        is_ok, headers = answer.status_code == _OK, answer.headers
        return Seen(
            status=answer.status_code,
            whole=is_ok and shape.is_whole(answer),
            broken_off=is_ok and shape.is_stream and ends_with_error(shape, answer.content),
            tier=headers.get("x-sluice-tier", "-"),
            attempts=int(headers.get("x-sluice-attempts", 0)),
            took_s=took_s,
            call_id=headers.get("x-sluice-call-id", ""),
            body=answer.content,
        )

    @contextmanager
    def broken(self, cell: Cell) -> Generator[None]:
        """Let the cell's tiers fail for a while."""
        stands = STANDS[cell.shape.kind]
        failing = zip(stands, self._servers[: 2 if cell.both else 1], strict=False)
        try:
            if cell.fault.orders:
                for stand, server in failing:
                    server.order(stand.provider, cell.fault.orders)
            yield
        finally:
            for server in self._servers:
                server.mend()

    def run(self, cell: Cell, times: int) -> Result:
        """Make healthy calls, then as many with the fault."""
        healthy = [self.ask(cell.shape, agent(cell.shape.kind)) for _ in range(times)]
        with self.broken(cell):
            seen = [self.ask(cell.shape, cell.agent) for _ in range(times)]
        return Result(cell, tuple(seen), statistics.median(h.took_s for h in healthy))

    def run_all(self, times: int, say: Callable[[str], None]) -> list[Result]:
        """Run every cell; a fault that costs a whole time-out is brought about less often."""
        results: list[Result] = []
        for cell in cells():
            result = self.run(cell, max(2, times // 3) if cell.fault.waits_s else times)
            results.append(result)
            if result.failed:
                say(f"{cell.label}: {len(result.failed)} of {len(result.seen)} not as promised")
        return results

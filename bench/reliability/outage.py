"""Takes the primary away under a steady load of calls, and gives it back."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx

from bench.figures import percentile
from bench.reliability.farm import STANDS, Server, agent
from bench.reliability.shapes import FRESH, SHAPES, Shape
from bench.servers import ServerError

OPENING_S: Final = 1.0
"""Within so long after the outage's start the circuit opens, or it opens late."""
_SHAPE: Final = next(shape for shape in SHAPES if shape.name == "chat")
_TIMEOUT_S: Final = 60.0
_LOOK_S: Final = 0.25
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of the load.

    Args:
        sent_s: monotonic moment.
        took_s: until the answer was whole, seconds.
        ok: it was.
        tier: that served.
        attempts: tries of providers.
        told: of a call that failed, what the client saw.
    """

    sent_s: float
    took_s: float
    ok: bool
    tier: str
    attempts: int
    told: str = ""

    @property
    def wasted(self) -> int:
        """Count the tries that this call made of the provider that is away: one at most."""
        return int(self.tier != "primary" and self.attempts > 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how much.

    Args:
        rate: calls a second, evenly spaced, whatever the gateway does.
        healthy_s: before the outage, and again after its end.
        outage_s: length of the outage.
        recovery_s: most that is waited for the primary's return.
        fault: what the primary does.
    """

    rate: float
    healthy_s: float
    outage_s: float
    recovery_s: float
    fault: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Args:
        plan: what was done.
        healthy: calls before the outage, and those after its end was noticed.
        during: calls sent while the primary was away.
        after: calls sent from its return until that was noticed.
        began_s: monotonic moment of the outage's start.
        opened_s: seconds from there until the circuit was seen open.
        cool_off_s: seconds that the circuit still had to wait when the primary came back.
        noticed_s: seconds from the primary's return to its first answer.
        fired: lines of the log that say so.
        resolved: likewise.
    """

    plan: Plan
    healthy: Sequence[Asked]
    during: Sequence[Asked]
    after: Sequence[Asked]
    began_s: float
    opened_s: float
    cool_off_s: float
    noticed_s: float
    fired: int
    resolved: int

    @property
    def all(self) -> list[Asked]:
        """Give all calls."""
        return [*self.healthy, *self.during, *self.after]

    @property
    def failed(self) -> list[Asked]:
        """Give the calls that a client saw fail."""
        return [call for call in self.all if not call.ok]

    @property
    def in_flight(self) -> int:
        """Give how many calls were under way at once while the circuit opened."""
        opening = [c for c in self.all if c.sent_s < self.began_s + OPENING_S]
        opening = [c for c in opening if c.sent_s + c.took_s > self.began_s]
        return max(
            (sum(o.sent_s <= c.sent_s < o.sent_s + o.took_s for o in opening) for c in opening),
            default=0,
        )

    @property
    def tries_to_open(self) -> int:
        """Count the tries of the dead provider by calls sent before the circuit had opened."""
        return sum(c.wasted for c in self._lost if c.sent_s < self.began_s + OPENING_S)

    @property
    def probes(self) -> int:
        """Count the tries of the dead provider after that."""
        return sum(c.wasted for c in self._lost if c.sent_s >= self.began_s + OPENING_S)

    @property
    def _lost(self) -> list[Asked]:
        return [call for call in self.all if call.wasted]

    @property
    def p95_ratio(self) -> float:
        """Give the 95th percentile of latency during the outage over the healthy one."""
        return p95_s(self.during) / p95_s(self.healthy)


def p95_s(calls: Sequence[Asked]) -> float:
    """Give the 95th percentile of latency, seconds."""
    return percentile([call.took_s for call in calls], 0.95)


def median_s(calls: Sequence[Asked]) -> float:
    """Give the median latency, seconds."""
    return statistics.median(call.took_s for call in calls)


class Outage:
    """One outage of the primary, from first healthy call to last.

    Args:
        base_url: the gateway's.
        key: a tenant's.
        admin_key: an administrator's.
        primary: the practice server behind the first tier.
        log: the proxy's log, where alerts are told.
        plan: how long and how much.
        shape: of the calls.
    """

    def __init__(
        self,
        *,
        base_url: str,
        key: str,
        admin_key: str,
        primary: Server,
        log: Path,
        plan: Plan,
        shape: Shape = _SHAPE,
    ) -> None:
        self._base_url: Final = base_url
        self._headers: Final = {"authorization": f"Bearer {key}", **FRESH}
        self._admin: Final = {"authorization": f"Bearer {admin_key}"}
        self._primary: Final = primary
        self._provider: Final = STANDS[shape.kind][0].provider
        self._log: Final = log
        self._plan: Final = plan
        self._shape: Final = shape
        self._asked: Final[list[Asked]] = []

    async def run(self) -> Outcome:
        """Run it.

        Raises:
            ServerError: when the circuit never opens, or the primary never comes back.
        """
        plan = self._plan
        fired, resolved = self._told("firing"), self._told("resolved")
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
        async with httpx.AsyncClient(
            base_url=self._base_url, timeout=_TIMEOUT_S, limits=limits
        ) as client:
            loading = asyncio.create_task(self._load(client))
            try:
                await asyncio.sleep(plan.healthy_s)
                began_s = time.monotonic()
                await asyncio.to_thread(self._primary.order, self._provider, [plan.fault])
                opened_s = await self._until_open(client, began_s)
                await asyncio.sleep(began_s + plan.outage_s - time.monotonic())
                cool_off_s = await self._left_s(client)
                await asyncio.to_thread(self._primary.mend)
                back_s = time.monotonic()
                noticed_s = await self._until_back(back_s)
                await asyncio.sleep(plan.healthy_s)
            finally:
                self._primary.mend()
                loading.cancel()
                await asyncio.wait([loading])
        again_s = back_s + noticed_s
        return Outcome(
            plan=plan,
            healthy=[c for c in self._asked if not began_s <= c.sent_s < again_s],
            during=[c for c in self._asked if began_s <= c.sent_s < back_s],
            after=[c for c in self._asked if back_s <= c.sent_s < again_s],
            began_s=began_s,
            opened_s=opened_s,
            cool_off_s=cool_off_s,
            noticed_s=noticed_s,
            fired=self._told("firing") - fired,
            resolved=self._told("resolved") - resolved,
        )

    async def _load(self, client: httpx.AsyncClient) -> None:
        """Send calls at their moments until cancelled; then let those under way come to an end."""
        calls: set[asyncio.Task[None]] = set()
        began_s, number = time.monotonic(), 0
        try:
            while True:
                task = asyncio.create_task(self._ask(client))
                calls.add(task)
                task.add_done_callback(calls.discard)
                number += 1
                moment_s = began_s + number / self._plan.rate
                await asyncio.sleep(max(0.0, moment_s - time.monotonic()))
        finally:
            if calls:
                await asyncio.wait(calls)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        shape, sent_s = self._shape, time.monotonic()
        try:
            answer = await client.post(
                shape.path, headers=self._headers, **shape.options(agent(shape.kind))
            )
        except httpx.TransportError as error:
            took_s = time.monotonic() - sent_s
            self._asked.append(Asked(sent_s, took_s, False, "-", 0, type(error).__name__))
            return
        took_s = time.monotonic() - sent_s
        ok = answer.status_code == _OK and shape.is_whole(answer)
        tier = answer.headers.get("x-sluice-tier", "-")
        attempts = int(answer.headers.get("x-sluice-attempts", 0))
        told = "" if ok else f"{answer.status_code} {answer.text[:200]}"
        self._asked.append(Asked(sent_s, took_s, ok, tier, attempts, told))

    async def _circuit(self, client: httpx.AsyncClient) -> dict[str, Any]:
        answer = await client.get("/sluice/circuits", headers=self._admin)
        found: list[dict[str, Any]] = answer.json()
        return next(c for c in found if c["provider"] == self._provider)

    async def _until_open(self, client: httpx.AsyncClient, began_s: float) -> float:
        while (await self._circuit(client))["state"] == "closed":
            if time.monotonic() - began_s > self._plan.outage_s:
                raise ServerError("the circuit never opened")
            await asyncio.sleep(0.02)
        return time.monotonic() - began_s

    async def _left_s(self, client: httpx.AsyncClient) -> float:
        until: str | None = (await self._circuit(client))["until"]
        if until is None:
            return 0.0
        return max(0.0, _epoch_s(until) - time.time())

    async def _until_back(self, back_s: float) -> float:
        while True:
            served = [c for c in self._asked if c.sent_s >= back_s and c.tier == "primary"]
            if served:
                return min(c.sent_s + c.took_s for c in served) - back_s
            if time.monotonic() - back_s > self._plan.recovery_s:
                raise ServerError(f"the primary was not used for {self._plan.recovery_s:.0f} s")
            await asyncio.sleep(_LOOK_S)

    def _told(self, word: str) -> int:
        """Count the log's lines that say so of the breaker."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return sum(f"{word} [critical] circuit_breaker_opened" in line for line in lines)


def run_outage(outage: Outage, say: Callable[[str], None]) -> Outcome:
    """Run an outage to its end, and say what failed."""
    outcome = asyncio.run(outage.run())
    for call in outcome.failed[:5]:
        say(f"a call failed: {call.told}")
    return outcome


def _epoch_s(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()

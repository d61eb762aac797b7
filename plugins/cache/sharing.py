"""One upstream call for identical calls: who leads, who waits, who goes alone.

Within a worker a key has one flight at most: the leader's, or the reader's that follows a leader
elsewhere. Everybody else waits for that flight's end.
"""

import asyncio
import contextlib
import logging
import secrets
import weakref
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from plugins.cache.copies import Copies
from plugins.cache.entry import Entry
from plugins.cache.rules import About, Wish
from plugins.cache.store import LEASE_S, CacheStore, Slot
from plugins.core.clock import Clock
from plugins.store.redis import RedisAway

MOST_LEADERS: Final = 3
"""After so many leaders in a row that failed, those who waited go alone."""
RENEW_EVERY_S: Final = LEASE_S / 3
FIRST_LOOK_S: Final = 0.02
LAST_LOOK_S: Final = 0.2
"""How soon, and how rarely, a leader elsewhere is looked after."""

_log: Final = logging.getLogger("sluice.cache")


@dataclass(frozen=True, slots=True)
class Landed:
    """How a flight ended.

    Args:
        entry: its answer, for everybody who waits; None when there is none.
        alone: without an answer, nobody is to wait for another leader.
        how: the answer was made just now (`coalesced`), or had been there already (`hit`).
    """

    entry: Entry | None = None
    alone: bool = False
    how: str = "coalesced"


class Flight:
    """One upstream call, led by a call of this worker or of another one.

    Args:
        slot: what it is to fill.
        token: its leader's, if that is a call of this worker.
        now_s: monotonic seconds.
    """

    __slots__ = ("end", "leased", "owner", "renewed_s", "slot", "token")

    def __init__(self, slot: Slot, token: str, now_s: float) -> None:
        self.slot: Final = slot
        self.token: Final = token
        self.renewed_s = now_s
        self.owner: weakref.ref[object] | None = None
        """What lives as long as the call that leads it, once that is known."""
        self.leased = False
        """Redis knows of it."""
        self.end: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class Finding:
    """What looking a call up came to: an entry, a flight to lead or to wait for, or nothing.

    Args:
        entry: the answer.
        leads: the flight that this call leads.
        follows: the flight that it may wait for.
        how: `hit`, or `coalesced` for an entry that was waited for.
    """

    entry: Entry | None = None
    leads: Flight | None = None
    follows: Flight | None = None
    how: str = "hit"


class Sharing:
    """This worker's flights, and its way to everybody's entries.

    Args:
        store: Redis.
        copies: this worker's.
        clock: monotonic and wall time.
    """

    def __init__(self, store: CacheStore, copies: Copies, clock: Clock) -> None:
        self._store: Final = store
        self._copies: Final = copies
        self._clock: Final = clock
        self._flights: Final[dict[bytes, Flight]] = {}
        self._tasks: Final[set[asyncio.Task[Any]]] = set()

    def at_hand(self, slot: Slot, wish: Wish) -> Finding:
        """Look among this worker's copies alone.

        Args:
            slot: where the answer would be.
            wish: how old it may be.
        """
        copy = self._copies.get(slot.key)
        fits = copy is not None and wish.takes(copy.age_s(self._now_s()))
        return Finding(entry=copy if fits else None)

    async def find(self, slot: Slot, wish: Wish, *, coalesce: bool, wait_s: float) -> Finding:
        """Look a key up, in one round trip at most.

        Args:
            slot: where its answer would be.
            wish: how old that may be.
            coalesce: False neither to lead nor to wait.
            wait_s: how long a leader elsewhere is looked after.

        Returns:
            What there is. Whoever is told to lead must come back with `land`.
        """
        found = self.at_hand(slot, wish)
        if found.entry is not None:
            return found
        if not coalesce:
            return await self._look_alone(slot, wish)
        flight = self._flights.get(slot.key)
        if flight is not None:
            return Finding(follows=flight)
        flight = self._open(slot)
        try:
            return await self._look(flight, wish, wait_s)
        except BaseException:
            flight.leased = True  # Redis may have made it so before the answer was lost
            self.land(flight, None, alone=False)
            raise

    async def wait(self, finding: Finding, wish: Wish, wait_s: float) -> Finding:
        """Wait for the flight that a call follows.

        Args:
            finding: with a flight to follow.
            wish: of the caller.
            wait_s: at most.

        Returns:
            The answer; or the flight that this call now leads; or nothing: it goes alone.
        """
        deadline_s = self._clock.monotonic_s() + wait_s
        for _ in range(MOST_LEADERS):
            if finding.follows is None:
                return finding
            landed = await self._landed(finding.follows, deadline_s)
            if landed.entry is not None:
                fits = wish.takes(landed.entry.age_s(self._now_s()))
                return Finding(entry=landed.entry if fits else None, how=landed.how)
            left_s = deadline_s - self._clock.monotonic_s()
            if landed.alone or left_s <= 0:
                return Finding()
            finding = await self.find(finding.follows.slot, wish, coalesce=True, wait_s=left_s)
        return Finding(finding.entry, finding.leads)

    def land(
        self,
        flight: Flight,
        entry: Entry | None,
        *,
        alone: bool,
        about: About | None = None,
    ) -> None:
        """End a flight that a call of this worker led; those who wait learn of it at once.

        Args:
            flight: its.
            entry: the answer, which is then kept in Redis too, or None.
            alone: without an answer, those who wait are to go alone.
            about: for whom the answer is.
        """
        self._close(flight, Landed(entry, alone))
        if entry is not None:
            self.keep(flight.slot, entry, flight.token, about)
        elif flight.leased:
            self._background(self._store.give_up(flight.slot, flight.token, alone=alone))

    def note(self, slot: Slot, entry: Entry, about: About) -> None:
        """Note for whom else an entry was given; nobody waits for it."""
        self._background(self._store.note(slot, entry, about))

    def keep(self, slot: Slot, entry: Entry, token: str = "", about: About | None = None) -> None:
        """Keep an answer; sent off with the next commands to Redis, and nobody waits for it."""
        self._copies.put(slot.key, entry)
        if self._store.is_full:
            if token:
                self._background(self._store.give_up(slot, token, alone=False))
            return
        with contextlib.suppress(RedisAway):
            self._background(self._store.keep(slot, entry, token, about))

    async def run(self, pause_s: float = 1.0) -> None:
        """Renew the leases of long calls, and keep an eye on Redis' memory, for ever."""
        while True:
            with contextlib.suppress(RedisAway):
                await self._store.measure()
            await self.renew()
            await asyncio.sleep(pause_s)

    async def renew(self) -> None:
        """Renew the leases that are a third over; end those of calls that were never settled."""
        now_s = self._clock.monotonic_s()
        for flight in list(self._flights.values()):
            if flight.owner is not None and flight.owner() is None:
                self.land(flight, None, alone=False)
            elif flight.leased and now_s - flight.renewed_s >= RENEW_EVERY_S:
                flight.renewed_s = now_s
                with contextlib.suppress(RedisAway):
                    await self._store.renew(flight.slot, flight.token)

    async def _look_alone(self, slot: Slot, wish: Wish) -> Finding:
        try:
            found = await self._store.look(slot, "", lead=False)
        except RedisAway:
            return Finding()
        return self._taken(slot, found, wish) if isinstance(found, Entry) else Finding()

    def _taken(self, slot: Slot, entry: Entry, wish: Wish) -> Finding:
        self._copies.put(slot.key, entry)
        return Finding(entry=entry if wish.takes(entry.age_s(self._now_s())) else None)

    async def _look(self, flight: Flight, wish: Wish, wait_s: float) -> Finding:
        try:
            found = await self._store.look(flight.slot, flight.token)
        except RedisAway:
            flight.leased = True  # it may have reached Redis all the same
            return Finding(leads=flight)
        if isinstance(found, Entry):
            self._close(flight, Landed(found, how="hit"))
            return self._taken(flight.slot, found, wish)
        if found == "lead":
            flight.leased = True
            return Finding(leads=flight)
        if found == "alone":
            self._close(flight, Landed(alone=True))
            return Finding()
        self._background(self._look_after(flight, wait_s))
        return Finding(follows=flight)

    async def _look_after(self, flight: Flight, wait_s: float) -> None:
        """Follow a leader in another worker until it has landed, or is seen to be gone."""
        deadline_s = self._clock.monotonic_s() + wait_s
        pause_s = FIRST_LOOK_S
        landed = Landed(alone=True)
        try:
            while self._clock.monotonic_s() < deadline_s:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.5, LAST_LOOK_S)
                found = await self._store.look(flight.slot, "", lead=False)
                if found != "wait":
                    entry = found if isinstance(found, Entry) else None
                    landed = Landed(entry, alone=found == "alone")
                    return
        except RedisAway:
            landed = Landed()
        finally:
            self._close(flight, landed)

    async def _landed(self, flight: Flight, deadline_s: float) -> Landed:
        left_s = max(deadline_s - self._clock.monotonic_s(), 0.0)
        # Not `wait_for`: the flight is everybody's, and goes on when one of them leaves.
        done, _ = await asyncio.wait((flight.end,), timeout=left_s)
        return flight.end.result() if done else Landed(alone=True)

    def _open(self, slot: Slot) -> Flight:
        flight = Flight(slot, secrets.token_hex(8), self._clock.monotonic_s())
        self._flights[slot.key] = flight
        return flight

    def _close(self, flight: Flight, landed: Landed) -> None:
        if self._flights.get(flight.slot.key) is flight:
            del self._flights[flight.slot.key]
        if not flight.end.done():
            flight.end.set_result(landed)

    def _now_s(self) -> float:
        return self._clock.now().timestamp()

    def _background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, RedisAway):
            _log.error("work for the cache failed", exc_info=error)

"""All counters, kept in Redis for everybody; each worker's own windows while it is away."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Sequence
from typing import Final, cast

from plugins.core.clock import Clock
from plugins.limits.own import OwnWindows
from plugins.limits.rules import (
    STEPS,
    WINDOW_S,
    Correction,
    Counter,
    Hold,
    Limited,
    Reservation,
    Standing,
)
from plugins.limits.scripts import Scripts
from plugins.store.redis import Argument, RedisAway, RedisLink

EPOCH: Final = "sluice:{limits}:epoch"
WORKERS: Final = "sluice:{limits}:workers"
PRESENT_S: Final = 2.0
"""How often a worker says that it is there."""
RETRY_S: Final = 0.25
GONE_S: Final = 10.0
_FIGURES: Final = 5
_EMPTIED: Final = -1

_log: Final = logging.getLogger("sluice.limits")


class Limiter:
    """Reserves and corrects; never fails and never waits for a Redis that is away.

    Args:
        link: this worker's Redis.
        clock: monotonic time, for this worker's own windows.
        workers: how many there are, until Redis tells.
        window_s: length of the window, seconds.
        scripts: what runs in Redis.
    """

    def __init__(
        self,
        link: RedisLink,
        clock: Clock,
        *,
        workers: int = 1,
        window_s: float = WINDOW_S,
        scripts: Scripts | None = None,
    ) -> None:
        self._link: Final = link
        self._clock: Final = clock
        self._slot_us: Final = round(window_s * 1e6 / STEPS)
        self._scripts: Final = scripts or Scripts()
        self._own: Final = OwnWindows(self._slot_us)
        self._id: Final = uuid.uuid4().hex
        self._epoch = ""
        self._said_away = False
        self._look_again: Final = asyncio.Event()
        self.workers = workers
        self.shared = False
        """The counters in Redis are used; False while each worker decides alone."""
        self.degraded = 0
        """Reservations that this worker decided alone, since the start."""

    async def reserve(
        self,
        callers: Sequence[Limited],
        providers: Sequence[Limited],
        tokens: int,
        give_back: Sequence[Correction] = (),
    ) -> Reservation:
        """Take one request, and tokens, of all callers and of the first provider with room.

        Args:
            callers: all must have room, or nothing is taken.
            providers: in the order in which they are tried; that all are full refuses nothing.
            tokens: an estimate.
            give_back: what earlier holds are too large by, or too small.

        Returns:
            What was taken, and how all stand.
        """
        for correction in give_back:
            self._own.correct(correction)
        if self.shared:
            limited = (*callers, *providers)
            back = [c for c in give_back if c.hold.slot is not None]
            keys, arguments = _told(back)
            keys += [key_of(one.counter) for one in limited]
            for one in limited:
                arguments += [
                    one.limit.requests_per_minute or 0,
                    one.limit.tokens_per_minute or 0,
                ]
            reply = await self._account(keys, (len(back), len(callers), tokens, *arguments))
            if reply is not None:
                return self._read(reply, callers, providers, tokens)
        self.degraded += 1
        return self._own.decide(
            callers, providers, tokens, workers=self.workers, now_us=self._now_us()
        )

    async def correct(self, corrections: Sequence[Correction]) -> None:
        """Make holds what they really were; what Redis misses now counts there as reserved."""
        for correction in corrections:
            self._own.correct(correction)
        told = [c for c in corrections if c.hold.slot is not None]
        if told and self.shared:
            keys, arguments = _told(told)
            await self._account(keys, (len(told), 0, 0, *arguments))

    async def used(self, counters: Sequence[Counter]) -> list[tuple[int, int, float]]:
        """Tell what counts now: requests, tokens, and seconds until none of it does.

        While Redis is away, what this worker alone let through.
        """
        if self.shared and counters:
            keys = [key_of(counter) for counter in counters]
            with contextlib.suppress(RedisAway):
                reply = await self._link.call(self._scripts.look, keys, ("", self._slot_us))
                return [
                    (reply[i], reply[i + 1], reply[i + 2] / 1e6) for i in range(0, len(reply), 3)
                ]
        now_us = self._now_us()
        return [self._own.used(counter, now_us) for counter in counters]

    async def refresh(self) -> None:
        """Say that this worker is there, and go back to the shared counters when they are.

        Raises:
            RedisAway: when Redis is.
        """
        started_us = self._now_us()
        self._own.sweep(started_us)
        reply = await self._link.call(
            self._scripts.present,
            (EPOCH, WORKERS),
            (uuid.uuid4().hex, self._slot_us, self._id, round(GONE_S * 1e6)),
        )
        epoch, self.workers = reply[0].decode(), max(int(reply[1]), 1)
        if epoch != self._epoch:
            self.shared = False
            self._own.owe_everything()
            self._epoch = epoch
        if not self.shared:
            await self._pay(int(reply[2]) - started_us)
            self.shared = True
            if self._said_away:
                _log.warning("rate limits are counted for all workers together again")
            self._said_away = False

    async def run(self) -> None:
        """Refresh for ever: now and then, and often while Redis is away."""
        while True:
            with contextlib.suppress(RedisAway):
                await self.refresh()
            if not self.shared:
                self._say_away()
            pause_s = PRESENT_S if self.shared else RETRY_S
            self._look_again.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._look_again.wait()

    async def _account(
        self, keys: Sequence[Argument], arguments: Sequence[Argument]
    ) -> list[int] | None:
        """Run the script; None when this worker must decide alone from now on."""
        try:
            reply = await self._link.call(
                self._scripts.account, (EPOCH, *keys), (self._epoch, self._slot_us, *arguments)
            )
        except RedisAway:
            self.shared = False
            self._look_again.set()
            self._say_away()
            return None
        if reply[0] == _EMPTIED:
            # Counting goes on there once every worker has told what it let through.
            self.shared = False
            self._look_again.set()
            return None
        return cast("list[int]", reply)

    async def _pay(self, ahead_us: int) -> None:
        """Tell Redis what this worker has let through without it.

        Args:
            ahead_us: Redis' clock less this worker's.
        """
        while (owed := self._own.next_owed()) is not None:
            counter, window = owed
            now_us = self._now_us()
            shift = (now_us + ahead_us) // self._slot_us - self._own.slot(now_us)
            window.forward(self._own.slot(now_us))
            corrections = [
                Correction(Hold(counter, 0, 0, slot + shift, slot), requests, tokens)
                for slot, requests, tokens in window.slots()
            ]
            keys, arguments = _told(corrections)
            try:
                reply = await self._link.call(
                    self._scripts.account,
                    (EPOCH, *keys),
                    (self._epoch, self._slot_us, len(corrections), 0, 0, *arguments),
                )
            except RedisAway:
                self._own.owe_again(counter, window)
                raise
            if reply[0] == _EMPTIED:
                self._own.owe_again(counter, window)
                raise RedisAway("Redis was emptied meanwhile")

    def _read(
        self,
        reply: list[int],
        callers: Sequence[Limited],
        providers: Sequence[Limited],
        tokens: int,
    ) -> Reservation:
        admitted, now_us = bool(reply[0]), self._now_us()
        standings: list[Standing] = []
        holds: list[Hold] = []
        seen = zip((*callers, *providers), range(1, len(reply), _FIGURES), strict=False)
        for limited, at in seen:
            slot, requests, used_tokens, wait_us, resets_us = reply[at : at + _FIGURES]
            rpm, tpm = limited.limit.requests_per_minute, limited.limit.tokens_per_minute
            standings.append(
                Standing(
                    limited,
                    max(rpm - requests, 0) if rpm else None,
                    max(tpm - used_tokens, 0) if tpm else None,
                    wait_us / 1e6,
                    resets_us / 1e6,
                )
            )
            if admitted and not wait_us:
                own_slot = self._own.take(limited.counter, tokens, now_us)
                holds.append(Hold(limited.counter, 1, tokens, slot, own_slot))
        cut = len(callers)
        return Reservation(admitted, tuple(standings[:cut]), tuple(standings[cut:]), tuple(holds))

    def _say_away(self) -> None:
        if not self._said_away:
            _log.warning(
                "rate limits are kept by each worker alone, at 1/%d of each, until Redis answers",
                self.workers,
            )
        self._said_away = True

    def _now_us(self) -> int:
        return int(self._clock.monotonic_s() * 1e6)


def key_of(counter: Counter) -> str:
    """Name a counter in Redis; all share one hash slot."""
    return f"sluice:{{limits}}:{counter.kind}:{counter.name}"


def _told(corrections: Sequence[Correction]) -> tuple[list[Argument], list[Argument]]:
    """Write corrections as the script reads them: its keys and its arguments."""
    keys: list[Argument] = []
    arguments: list[Argument] = []
    for correction in corrections:
        keys.append(key_of(correction.hold.counter))
        arguments += [correction.hold.slot or 0, correction.requests, correction.tokens]
    return keys, arguments

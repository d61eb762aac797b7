"""All circuits, held in each worker and agreed on through Redis."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, cast

import msgspec
from redis.asyncio import Redis

from plugins.breaker.rules import BreakerPolicy, Circuit, Permit, State
from plugins.core.clock import Clock
from plugins.store.redis import RedisAway, RedisLink

CIRCUITS: Final = "sluice:{breaker}:circuits"
CHANGES: Final = "sluice:{breaker}:changes"
REFRESH_S: Final = 1.0
"""What a lost notice can cost; notices themselves arrive in milliseconds."""
_TRIES: Final = 8

# Sets a circuit if it still is what the worker thinks, else gives what it is.
_SWAP: Final = """
local kept = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if kept ~= ARGV[2] then return kept end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('PUBLISH', KEYS[2], ARGV[1])
return false
"""

Change = Callable[[Circuit], Circuit]
Listener = Callable[[str, Circuit, Circuit], None]

_log: Final = logging.getLogger("sluice.breaker")
_FRESH: Final = Circuit()
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Circuit)


class Circuits:
    """One worker's copy of all circuits.

    Args:
        link: this worker's Redis.
        clock: wall time; replicas' clocks should agree to about a second.
        policy: when circuits open.
        chance: uniform in [0, 1).
        changed: told of every change that this worker made: provider, before, after.
    """

    def __init__(
        self,
        link: RedisLink,
        clock: Clock,
        policy: BreakerPolicy,
        chance: Callable[[], float],
        changed: Listener,
    ) -> None:
        self._link: Final = link
        self._clock: Final = clock
        self._policy: Final = policy
        self._chance: Final = chance
        self._changed: Final = changed
        self._held: Final[dict[str, Circuit]] = {}

    def get(self, provider: str) -> Circuit:
        """Give a provider's circuit as this worker knows it."""
        return self._held.get(provider, _FRESH)

    def permit(self, provider: str) -> Permit:
        """Tell whether to try a provider; costs no round trip."""
        return self.get(provider).permit(self._now_s())

    def is_fresh(self, provider: str) -> bool:
        """Tell whether nothing is known against a provider."""
        return self.get(provider) == _FRESH

    def wait_s(self, providers: Iterable[str]) -> float:
        """Give the seconds until the first of these providers may be probed."""
        until_s = min((self.get(p).until_s for p in providers), default=0.0)
        return max(until_s - self._now_s(), 0.0)

    async def take_probe(self, provider: str) -> bool:
        """Try to be the one call that probes a provider; False when another was quicker."""
        taken = False

        def probed(circuit: Circuit) -> Circuit:
            nonlocal taken
            taken = circuit.permit(self._now_s()) is Permit.PROBE
            return circuit.probed(self._now_s(), self._policy) if taken else circuit

        await self._change(provider, probed)
        return taken

    async def failed(self, provider: str, retry_after_s: float = 0.0) -> None:
        """Count a failure of the provider."""
        chance = self._chance()
        await self._change(
            provider,
            lambda circuit: circuit.failed(
                self._now_s(), self._policy, chance=chance, retry_after_s=retry_after_s
            ),
        )

    async def succeeded(self, provider: str) -> None:
        """Note that the provider answered; costs nothing while all is well."""
        if not self.is_fresh(provider):
            await self._change(provider, Circuit.succeeded)

    async def pin(self, provider: str, to: State | None) -> Circuit:
        """Set a circuit by hand, or release it.

        Raises:
            RedisAway: when the other workers cannot be told.
        """
        if self._link.is_quiet:
            raise RedisAway("circuits cannot be set by hand while Redis is away")
        await self._change(provider, lambda circuit: circuit.pin(to))
        return self.get(provider)

    async def refresh(self) -> None:
        """Take over what the others have changed."""
        kept = await self._link.run(_all)
        self._held.update({name.decode(): _read(raw) for name, raw in kept.items()})

    async def run(self) -> None:
        """Refresh once a second, and at once when another worker says that it changed something."""
        async with asyncio.TaskGroup() as group:
            noticed = asyncio.Event()
            group.create_task(self._listen(noticed))
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(REFRESH_S):
                        await noticed.wait()
                noticed.clear()
                with contextlib.suppress(RedisAway):
                    await self.refresh()

    async def _listen(self, noticed: asyncio.Event) -> None:
        while True:
            try:
                await self._link.listen(CHANGES, noticed.set)
            except RedisAway:
                await asyncio.sleep(REFRESH_S)

    async def _change(self, provider: str, how: Change) -> None:
        """Change a circuit for everybody; for this worker alone while Redis is away."""
        before = self.get(provider)
        for _ in range(_TRIES):
            after = how(before)
            self._held[provider] = after
            if after == before:
                return
            try:
                other = await self._link.run(_swap(provider, before, after))
            except RedisAway:
                other = None
            if other is None:
                self._changed(provider, before, after)
                return
            before = _read(other)
        _log.warning("circuit %s changed too often to agree on", provider)

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _read(raw: bytes) -> Circuit:
    return _decoder.decode(raw) if raw else _FRESH


def _written(circuit: Circuit) -> bytes:
    return b"" if circuit == _FRESH else _encoder.encode(circuit)


def _all(redis: Redis) -> Awaitable[dict[bytes, bytes]]:
    return cast("Awaitable[dict[bytes, bytes]]", redis.hgetall(CIRCUITS))


def _swap(
    provider: str, before: Circuit, after: Circuit
) -> Callable[[Redis], Awaitable[bytes | None]]:
    """Make the command that sets a circuit if nobody else did; it gives None, or theirs."""
    arguments = (provider, _written(before), _written(after))

    def run(redis: Redis) -> Awaitable[bytes | None]:
        reply = redis.eval(_SWAP, 2, CIRCUITS, CHANGES, *arguments)  # pyright: ignore[reportArgumentType] - bytes are fine
        return cast("Awaitable[bytes | None]", reply)

    return run

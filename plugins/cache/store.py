"""Entries, leases and each tenant's share, in Redis."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from redis.asyncio import Redis

from plugins.cache import scripts
from plugins.cache.entry import Entry, pack, unpack
from plugins.cache.rules import About, CachePolicy, Sealer
from plugins.core.clock import Clock
from plugins.store.redis import Argument, RedisLink, Script

LEASE_S: Final = 15.0
ALONE_S: Final = 30.0
"""For so long nobody waits for a key whose answer could not be kept."""
TENANTS: Final = "sluice:{cache}:tenants"
_OVERHEAD: Final = 300
"""Bytes that Redis needs for an entry beside its value: measured 280 on Redis 6.2."""
_LARGE: Final = 64 * 1024
"""A larger entry travels by itself, so that no settlement waits for it."""
_ENTER_EVERY_S: Final = 60.0
_CLEARED_AT_ONCE: Final = 500
REMEMBERED_S: Final = 3600
"""How long an erasure is held against calls that were under way: longer than any runs."""
_MAXMEMORY_SHARE: Final = 0.8
"""Of Redis' own limit; the rest stays free for settlements."""

Word = Literal["lead", "wait", "alone"]
_WORDS: Final[dict[int, Word]] = {
    scripts.LEAD: "lead",
    scripts.WAIT: "wait",
    scripts.ALONE: "alone",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one key is kept.

    Args:
        tag: the tenant's name in Redis.
        key: 16 bytes.
    """

    tag: str
    key: bytes

    @property
    def id(self) -> str:
        """Give the key as Redis has it in names."""
        return self.key.hex()

    @property
    def entry(self) -> str:
        """Name the entry."""
        return f"{_entries(self.tag)}{self.key.hex()}"

    @property
    def lease(self) -> str:
        """Name the lease of whoever asks the provider."""
        return f"{_root(self.tag)}l:{self.key.hex()}"


@dataclass(frozen=True, slots=True)
class Held:
    """What one tenant has in the cache.

    Args:
        entries: answers that have not expired.
        bytes: of Redis' memory, about.
    """

    entries: int
    bytes: int


class CacheStore:
    """The cache's part of Redis.

    Args:
        link: this worker's connection; the cache's own, or the one that everything shares.
        sealer: writes and checks seals.
        policy: its bounds of memory.
        clock: tells when a tenant was last entered.
        lease_s: how long a leader is believed in that says nothing.
    """

    def __init__(
        self,
        link: RedisLink,
        sealer: Sealer,
        policy: CachePolicy,
        clock: Clock,
        lease_s: float = LEASE_S,
    ) -> None:
        self._lease_ms: Final = int(lease_s * 1000)
        self._link: Final = link
        self._sealer: Final = sealer
        self._policy: Final = policy
        self._clock: Final = clock
        self._tenants = 1
        self._full = False
        self._entered: dict[str, float] = {}

    @property
    def is_full(self) -> bool:
        """Tell whether Redis used more memory than it may when last asked."""
        return self._full

    @property
    def share_bytes(self) -> int:
        """Give what each tenant may hold: less than its share once tenants are many."""
        return min(self._policy.tenant_bytes, self._policy.redis_memory_bytes // self._tenants)

    async def look(self, slot: Slot, token: str, *, lead: bool = True) -> Entry | Word:
        """Find an entry, or one's part in making it.

        Args:
            slot: where.
            token: by which the caller is known as leader.
            lead: False to look only; `lead` then says that nobody leads.

        Returns:
            The entry; `lead` when the caller is to ask the provider, `wait` when somebody else
            does, `alone` when the answer is known not to be shared.

        Raises:
            RedisAway: when nobody can tell.
        """
        lease_ms = self._lease_ms if lead else 0
        found = await self._link.call(scripts.LOOK, (slot.entry, slot.lease), (token, lease_ms))
        if isinstance(found, int):
            return _WORDS[found]
        # What cannot be read is as good as nothing; whoever finds it asks the provider alone.
        return unpack(found, slot.key, self._sealer) or "alone"

    def keep(
        self, slot: Slot, entry: Entry, token: str, about: About | None = None
    ) -> Coroutine[Any, Any, bool]:
        """Keep an entry and end the lease; what is sent, is sent before anything is awaited.

        Args:
            slot: where.
            entry: what.
            token: of whoever led.
            about: for whom it is kept.

        Returns:
            To be awaited: False when there was no room for it.

        Raises:
            RedisAway: also when awaited: it cannot be told whether it was kept.
        """
        payload = pack(entry, slot.key, self._sealer)
        keys = (slot.entry, slot.lease, *_books(slot.tag))
        size = len(payload) + _OVERHEAD
        arguments = (slot.id, payload, entry.ttl_s, self.share_bytes, size, token)
        send = self._send_alone if size > _LARGE else self._link.start
        stored = send(scripts.STORE, keys, (*arguments, _entries(slot.tag)))
        entering = slot.tag if self._is_due(slot.tag) else None
        return self._kept(stored, slot, entry, about, entering)

    async def note(self, slot: Slot, entry: Entry, about: About) -> None:
        """Note for whom an entry is kept; it goes when they were erased since their call began.

        Raises:
            RedisAway: when it cannot be told whether that was noted.
        """
        arguments = (slot.id, entry.ttl_s, about.begun_s, _entries(slot.tag))
        for name in about.names:
            await self._link.call(scripts.NOTE, _name_keys(slot.tag, name), arguments)

    async def forget(self, tag: str, names: Sequence[str], *, dry_run: bool) -> int:
        """Remove what is kept for these names, and what is still to come of calls begun by now.

        Returns:
            How many entries there were.

        Raises:
            RedisAway: when some may be left.
        """
        arguments = (
            self._clock.now().timestamp(),
            REMEMBERED_S,
            _entries(tag),
            int(dry_run),
        )
        found = 0
        for start in range(0, len(names), _CLEARED_AT_ONCE):
            some = names[start : start + _CLEARED_AT_ONCE]
            told = await asyncio.gather(
                *(
                    self._link.call(scripts.FORGET, _name_keys(tag, name), arguments)
                    for name in some
                )
            )
            found += sum(map(int, told))
        return found

    async def give_up(self, slot: Slot, token: str, *, alone: bool) -> None:
        """End a lease without an entry.

        Args:
            slot: whose.
            token: the leader's.
            alone: nobody shall wait for this key for a while.

        Raises:
            RedisAway: then it ends by itself.
        """
        silence_ms = int(ALONE_S * 1000) if alone else 0
        await self._link.call(scripts.GIVE_UP, (slot.lease,), (token, silence_ms))

    async def renew(self, slot: Slot, token: str) -> None:
        """Hold a lease for longer.

        Raises:
            RedisAway: then it may end before its call does.
        """
        await self._link.call(scripts.RENEW, (slot.lease,), (token, self._lease_ms))

    async def measure(self) -> None:
        """Ask Redis for its memory, and how many tenants share it.

        Raises:
            RedisAway: the last figures then stand.
        """
        oldest_s = self._clock.now().timestamp() - self._policy.ttl_s

        async def ask(redis: Redis) -> list[Any]:
            pipeline: Any = redis.pipeline(transaction=False)
            pipeline.info("memory")
            pipeline.zremrangebyscore(TENANTS, "-inf", oldest_s)
            pipeline.zcard(TENANTS)
            return await pipeline.execute()

        memory, _, tenants = await self._link.run(ask)
        self._tenants = max(int(tenants), 1)
        limit = int(memory.get("maxmemory") or 0) * _MAXMEMORY_SHARE or float("inf")
        used = int(memory.get("used_memory") or 0)
        self._full = used > min(limit, self._policy.redis_memory_bytes)

    async def count(self, tags: Sequence[str]) -> list[Held]:
        """Tell what tenants hold, by their names in Redis.

        Raises:
            RedisAway: when it cannot be told.
        """
        told = await asyncio.gather(
            *(self._link.call(scripts.COUNT, _books(tag), ()) for tag in tags)
        )
        return [Held(*cast("list[int]", one)) for one in told]

    async def clear(self, tag: str) -> int:
        """Remove all entries of one tenant.

        Returns:
            How many there were.

        Raises:
            RedisAway: when some may be left.
        """
        removed = 0
        while True:
            gone = int(
                await self._link.call(scripts.CLEAR, _books(tag), (_entries(tag), _CLEARED_AT_ONCE))
            )
            removed += gone
            if gone < _CLEARED_AT_ONCE:
                return removed

    async def _kept(
        self,
        stored: Coroutine[Any, Any, Any],
        slot: Slot,
        entry: Entry,
        about: About | None,
        entering: str | None,
    ) -> bool:
        kept = bool(await stored)
        if kept and about is not None:
            await self.note(slot, entry, about)
        if entering is not None:
            await self._link.send("ZADD", TENANTS, self._clock.now().timestamp(), entering)
        return kept

    async def _send_alone(
        self, script: Script, keys: Sequence[Argument], arguments: Sequence[Argument]
    ) -> Any:
        rest = (len(keys), *keys, *arguments)

        async def send(redis: Redis) -> Any:
            client: Any = redis  # redis-py types this loosely
            return await client.execute_command("EVAL", script.source, *rest)

        return await self._link.run(send)

    def _is_due(self, tag: str) -> bool:
        """Tell whether the tenant is to be counted anew among those who share the memory."""
        now_s = self._clock.monotonic_s()
        if now_s < self._entered.get(tag, 0.0):
            return False
        self._entered[tag] = now_s + _ENTER_EVERY_S
        return True


def _root(tag: str) -> str:
    return f"sluice:{{cache:{tag}}}:"


def _entries(tag: str) -> str:
    return f"{_root(tag)}e:"


def _name_keys(tag: str, name: str) -> tuple[str, str, str, str]:
    return f"{_root(tag)}n:{name}", f"{_root(tag)}g:{name}", *_books(tag)


def _books(tag: str) -> tuple[str, str]:
    return f"{_root(tag)}index", f"{_root(tag)}sizes"

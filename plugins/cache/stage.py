"""The cache's part in every call; the last stage of all, so that it keeps what was given."""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from typing_extensions import override

from plugins.cache.answers import may_be_kept
from plugins.cache.entry import Entry
from plugins.cache.rules import (
    CachePolicy,
    Sealer,
    Wish,
    fingerprint_of,
    is_cacheable,
    wish_of,
)
from plugins.cache.sharing import Finding, Sharing
from plugins.cache.store import Slot
from plugins.core.call import Call, Outcome, Recalled, UsageSource
from plugins.core.clock import Clock
from plugins.core.errors import GatewayError
from plugins.core.money import printed_usd
from plugins.core.stage import Stage

_NOTE: Final = "cache"
_OK: Final = 200


@dataclass(slots=True, weakref_slot=True)
class _Part:
    """What the cache keeps of one call while it runs."""

    slot: Slot
    policy: CachePolicy
    wish: Wish
    finding: Finding = field(default_factory=Finding)
    frames: list[bytes] = field(default_factory=list[bytes])
    size: int = 0

    def note(self, frame: bytes) -> None:
        """Keep a frame, unless the answer has become too large to be kept."""
        self.size += len(frame)
        if self.size <= self.policy.largest_entry_bytes:
            self.frames.append(frame)
        else:
            self.frames.clear()


class CacheStage(Stage):
    """Answers from the cache, shares calls in flight, and keeps answers.

    Args:
        sharing: this worker's flights and its way to Redis.
        sealer: makes keys.
        policies: by agent; the empty name for plain models and agents without one of their own.
        models: what stands behind each model group.
        price: tells what a call's answer costs, US dollars.
        clock: wall time.
    """

    name: str = "cache"
    last: bool = True

    def __init__(
        self,
        sharing: Sharing,
        sealer: Sealer,
        policies: Mapping[str, CachePolicy],
        models: Mapping[str, str],
        price: Callable[[Call], Decimal],
        clock: Clock,
    ) -> None:
        self._sharing: Final = sharing
        self._sealer: Final = sealer
        self._policies: Final = policies
        self._models: Final = models
        self._price: Final = price
        self._clock: Final = clock
        self._fingerprints: Final[dict[str, str]] = {}

    @override
    async def prepare(self, call: Call) -> GatewayError | None:
        """Make the key, and look among this worker's copies: a hit there needs no round trip."""
        part = self._part(call)
        if part is None:
            return
        call.notes[_NOTE] = part
        if part.wish.read:
            part.finding = self._sharing.at_hand(part.slot, part.wish)
            call.known = part.finding.entry is not None

    @override
    async def reserve(self, call: Call) -> GatewayError | None:
        """Look the call up in Redis."""
        part: _Part | None = call.notes.get(_NOTE)
        if part is None or call.known or not part.wish.read:
            return
        policy = part.policy
        part.finding = await self._sharing.find(
            part.slot, part.wish, coalesce=policy.coalesce, wait_s=policy.wait_s
        )
        call.known = part.finding.entry is not None
        call.follows = part.finding.follows is not None
        self._own(part)

    @override
    async def recall(self, call: Call) -> Recalled | None:
        """Give what was found, or wait for the identical call that is under way."""
        part: _Part | None = call.notes.get(_NOTE)
        if part is None:
            return None
        if part.finding.follows is not None:
            wait_s = part.policy.wait_s
            part.finding = await self._sharing.wait(part.finding, part.wish, wait_s)
            self._own(part)
        entry = part.finding.entry
        if entry is None:
            return None
        return entry.recalled(part.finding.how, self._clock.now().timestamp())

    @override
    async def check_output(self, call: Call, answer: bytes) -> bytes | GatewayError | None:
        """Remember the answer as it is given."""
        self._remember(call, answer)

    @override
    def check_chunk(self, call: Call, frame: bytes) -> bytes | GatewayError | None:
        """Remember an event of the stream as it is given."""
        self._remember(call, frame)

    @override
    async def settle(self, call: Call) -> GatewayError | None:
        """Keep the answer, in the settlement's round trip, and let those go who wait for it.

        Nothing is waited for: neither a slow Redis nor a large entry holds the answer up.
        """
        part: _Part | None = call.notes.pop(_NOTE, None)
        if part is None:
            return
        about = self._sealer.about(call)
        if part.finding.entry is not None:
            if about is not None:
                self._sharing.note(part.slot, part.finding.entry, about)
            return
        entry = self._entry(call, part)
        flight = part.finding.leads
        if flight is not None:
            answered = call.outcome is Outcome.ANSWERED
            self._sharing.land(flight, entry, alone=answered, about=about)
        elif entry is not None:
            self._sharing.keep(part.slot, entry, about=about)

    def _own(self, part: _Part) -> None:
        """Let a flight know its call, so that it does not outlive it."""
        if part.finding.leads is not None:
            part.finding.leads.owner = weakref.ref(part)

    def _part(self, call: Call) -> _Part | None:
        policy = self._policies.get(call.agent_name or "") or self._policies[""]
        if not policy.enabled or not is_cacheable(call):
            return None
        wish = wish_of(call.cache_control)
        call.cache = "miss" if wish.read else "bypass"
        if not wish.store:
            return None
        key = self._sealer.key(call, self._fingerprint(call))
        if key is None:
            call.cache = "off"
            return None
        return _Part(Slot(self._sealer.tag(call.principal.tenant_id), key), policy, wish)

    def _fingerprint(self, call: Call) -> str:
        found = self._fingerprints.get(call.model_asked)
        if found is None:
            tiers = call.agent.tiers if call.agent else (call.model_asked,)
            found = fingerprint_of(tiers, self._models)
            self._fingerprints[call.model_asked] = found
        return found

    def _remember(self, call: Call, frame: bytes) -> None:
        part: _Part | None = call.notes.get(_NOTE)
        if part is not None and part.finding.entry is None and frame:
            part.note(frame)

    def _entry(self, call: Call, part: _Part) -> Entry | None:
        """Make the entry of an answer that may be kept."""
        served = call.served
        if not _is_sound(call) or served is None or not part.frames:
            return None
        if not may_be_kept(call.endpoint, part.frames, part.policy, stream=call.stream):
            return None
        return Entry(
            content_type=call.content_type,
            frames=tuple(part.frames),
            group=served.group,
            deployment=served.deployment,
            provider=served.provider,
            cost_usd=printed_usd(self._price(call)),
            at_s=self._clock.now().timestamp(),
            ttl_s=part.policy.ttl_of(call),
            practice=call.practice,
            confidence=call.confidence,
            calibrated=call.calibrated,
        )


def _is_sound(call: Call) -> bool:
    """Tell whether a call ended as others would want theirs to end, with its cost known."""
    return (
        call.shareable
        and call.outcome is Outcome.ANSWERED
        and call.refusal is None
        and call.status == _OK
        and call.usage.source is not UsageSource.NONE
    )

"""Reserves what a call may need, skips providers that are full, and settles by what was used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from plugins.core.call import Call
from plugins.core.clock import Clock
from plugins.core.errors import GatewayError
from plugins.core.limit import RateLimit
from plugins.core.stage import Stage
from plugins.limits.estimate import tokens_of, used
from plugins.limits.rules import (
    KEY,
    PROVIDER,
    TENANT,
    Correction,
    Counter,
    Hold,
    Limited,
    Standing,
    caller_refusal,
    headers_of,
    never_fits,
    provider_refusal,
    too_large,
)
from plugins.limits.store import Limiter

NOTE: Final = "limits"


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """What applies where a tenant or key has no figures of its own.

    Args:
        providers: limit of each provider; one that is not named has none.
        tenant: default of every tenant.
        key: default of every key.
        usual_answer_tokens: of an answer for which a call names no bound.
        answer_tokens: the same, for agents by name.
    """

    providers: Mapping[str, RateLimit]
    tenant: RateLimit
    key: RateLimit
    usual_answer_tokens: int
    answer_tokens: Mapping[str, int]

    def callers(self, call: Call) -> list[Limited]:
        """Give the limits that the caller is under: key, then tenant."""
        who = call.principal
        found = (
            Limited(Counter(KEY, who.key_id), who.limit.or_else(self.key)),
            Limited(Counter(TENANT, who.tenant_id), who.tenant_limit.or_else(self.tenant)),
        )
        return [limited for limited in found if limited.limit.limits_anything]

    def tokens(self, call: Call) -> int:
        """Estimate what a call may need."""
        usual = self.answer_tokens.get(call.agent_name or "", self.usual_answer_tokens)
        return tokens_of(call.endpoint, call.body, usual)


@dataclass(slots=True)
class _Held:
    """One call's reservations, on its notes.

    Args:
        tokens: the estimate.
        callers: of the key and the tenant.
        hop: of the provider tried now, or next; None when it has no limit.
        first_try: index of the first attempt under `hop`.
        left: of providers that were tried, or skipped, before; to be corrected.
        full: until when a provider is known to be full, monotonic seconds.
    """

    tokens: int
    callers: tuple[Hold, ...]
    hop: Hold | None = None
    first_try: int = 0
    left: list[Correction] = field(default_factory=list[Correction])
    full: dict[str, float] = field(default_factory=dict[str, float])


class LimitsStage(Stage):
    """The limits' part in every call.

    Args:
        limiter: counts.
        policy: the limits.
        groups: who runs each model group.
        clock: monotonic time.
    """

    name: str = "limits"

    def __init__(
        self, limiter: Limiter, policy: LimitPolicy, groups: Mapping[str, str], clock: Clock
    ) -> None:
        self._limiter: Final = limiter
        self._policy: Final = policy
        self._groups: Final = groups
        self._clock: Final = clock
        self._providers: Final = {
            name: Limited(Counter(PROVIDER, name), limit)
            for name, limit in policy.providers.items()
            if limit.limits_anything
        }

    @override
    async def reserve(self, call: Call) -> GatewayError | None:
        """Take from key, tenant and the first provider with room; refuse over a caller's limit."""
        callers = self._policy.callers(call)
        if call.known and not callers:
            return None
        tokens = self._policy.tokens(call)
        for limited in callers:
            if never_fits(limited.limit, tokens):
                call.headers["x-should-retry"] = "false"
                return too_large(limited, tokens)
        providers = [] if call.known else self._in_order(call.tiers, tokens)
        if not callers and not providers:
            return None
        made = await self._limiter.reserve(callers, providers, tokens)
        call.headers.update(headers_of(made.callers))
        if not made.admitted:
            return caller_refusal(made.callers, tokens)
        held = _Held(tokens, made.holds[: len(callers)], full=self._full(made.providers))
        held.hop = made.holds[-1] if len(made.holds) > len(callers) else None
        call.notes[NOTE] = held
        return None

    @override
    async def route(self, call: Call, group: str) -> GatewayError | None:
        """Skip a tier whose provider is full; a hop to another one reserves there."""
        limited = self._providers.get(self._groups[group])
        held = _held_by(call)
        if limited is None:
            if held is not None:
                _leave(held, call)
            return None
        if held is None:
            held = call.notes[NOTE] = _Held(self._policy.tokens(call), ())
        provider = limited.counter.name
        if held.hop and held.hop.counter == limited.counter and not _tries(held, call):
            return None
        if never_fits(limited.limit, held.tokens):
            return provider_refusal(provider, None)
        wait_s = held.full.get(provider, 0.0) - self._clock.monotonic_s()
        if wait_s <= 0:
            wait_s = await self._hop(call, held, limited)
        if wait_s <= 0:
            return None
        return provider_refusal(provider, wait_s)

    @override
    async def settle(self, call: Call) -> GatewayError | None:
        """Correct every reservation by what was really sent and used; never refuses."""
        held = _held_by(call)
        if held is None:
            return None
        call.notes[NOTE] = None
        _leave(held, call, last=True)
        answered_by_us = call.recalled is not None or not call.attempts
        requests = 0 if answered_by_us else 1
        tokens = 0 if answered_by_us else _tokens(call, 0) + used(call.usage)
        corrections = [
            *held.left,
            *(
                Correction(hold, requests - hold.requests, tokens - hold.tokens)
                for hold in held.callers
            ),
        ]
        await self._limiter.correct([c for c in corrections if c.requests or c.tokens])
        return None

    def _in_order(self, tiers: Sequence[str], tokens: int) -> list[Limited]:
        """Give the tiers' providers that may have to be spared, up to one that never is."""
        found: list[Limited] = []
        for provider in dict.fromkeys(self._groups[group] for group in tiers):
            limited = self._providers.get(provider)
            if limited is None:
                break
            if not never_fits(limited.limit, tokens):
                found.append(limited)
        return found

    async def _hop(self, call: Call, held: _Held, limited: Limited) -> float:
        """Reserve at another provider, or once more at the same; gives seconds to wait, or 0."""
        _leave(held, call)
        give_back, held.left = held.left, []
        made = await self._limiter.reserve((), (limited,), held.tokens, give_back)
        held.full |= self._full(made.providers)
        if made.holds:
            held.hop, held.first_try = made.holds[-1], len(call.attempts)
            return 0.0
        return made.providers[-1].wait_s

    def _full(self, standings: Sequence[Standing]) -> dict[str, float]:
        now_s = self._clock.monotonic_s()
        return {s.limited.counter.name: now_s + s.wait_s for s in standings if s.wait_s > 0}


def _held_by(call: Call) -> _Held | None:
    held = call.notes.get(NOTE)
    return held if isinstance(held, _Held) else None


def _tries(held: _Held, call: Call) -> int:
    """Count the attempts that the provider's hold has paid for."""
    return len(call.attempts) - held.first_try


def _tokens(call: Call, first_try: int) -> int:
    """Sum up what tries used whose answers were not given."""
    return sum(used(attempt.usage) for attempt in call.attempts[first_try:])


def _leave(held: _Held, call: Call, *, last: bool = False) -> None:
    """Note by how much the hold of the provider tried so far was wrong.

    Args:
        held: the call's.
        call: its attempts tell what was sent.
        last: the call is over, and what it used was used there.
    """
    hop, held.hop = held.hop, None
    if hop is None:
        return
    sent = _tries(held, call)
    tokens = _tokens(call, held.first_try)
    if last and sent:
        tokens += used(call.usage)
    held.left.append(Correction(hop, sent - hop.requests, tokens - hop.tokens))

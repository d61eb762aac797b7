"""What is counted, in which window, and what a caller is told of it. Pure: time is a parameter."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from plugins.core.errors import RateLimited
from plugins.core.limit import RateLimit

WINDOW_S: Final = 60.0
STEPS: Final = 200
"""Steps in which a window slides: a call counts up to 1/200 longer than the window, never less."""
SLOTS: Final = STEPS + 1

PROVIDER: Final = "provider"
TENANT: Final = "tenant"
KEY: Final = "key"


class Counter(NamedTuple):
    """What is counted together.

    Args:
        kind: `provider`, `tenant` or `key`.
        name: the provider's, tenant's or key's identifier; never anything a client wrote.
    """

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Limited:
    """A counter and what it may reach."""

    counter: Counter
    limit: RateLimit


@dataclass(frozen=True, slots=True)
class Standing:
    """How a counter stands after a call was counted, or was not.

    Args:
        limited: the counter and its limit.
        requests_left: None without a limit; never below 0.
        tokens_left: likewise.
        wait_s: seconds until the call would fit if nobody else called; 0 when it fits.
        resets_s: seconds until nothing of what counts now does.
    """

    limited: Limited
    requests_left: int | None
    tokens_left: int | None
    wait_s: float = 0.0
    resets_s: float = 0.0


@dataclass(slots=True)
class Hold:
    """What a call has reserved of one counter.

    Args:
        counter: which.
        requests: how many.
        tokens: how many.
        slot: the shared counter's slot, or None when it was reserved in this worker alone.
        own_slot: the slot of this worker's own window.
    """

    counter: Counter
    requests: int
    tokens: int
    slot: int | None
    own_slot: int


@dataclass(frozen=True, slots=True)
class Correction:
    """How much more (or, negative, less) a hold was than reserved."""

    hold: Hold
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """What became of one call's wish.

    Args:
        admitted: False when a caller's limit is reached; nothing is held then.
        callers: standing of the key and the tenant.
        providers: standing of those looked at, in order; only the last can have had room.
        holds: what was taken.
    """

    admitted: bool
    callers: tuple[Standing, ...]
    providers: tuple[Standing, ...]
    holds: tuple[Hold, ...]


class Window:
    """Requests and tokens of the last `SLOTS` slots.

    A slot's number is the time over the slot's length, rounded down. Time that goes backwards
    stands still here; a jump of more than a window empties it.
    """

    def __init__(self) -> None:
        self._slots: Final[dict[int, list[int]]] = {}
        self._newest = 0
        self.requests = 0
        self.tokens = 0
        self.last = 0
        """The slot of the last take."""

    def forward(self, slot: int) -> int:
        """Let time pass; gives the slot that counts as now."""
        if 0 <= self._newest - slot < SLOTS:
            return self._newest
        if slot < self._newest:
            self._slots.clear()
            self.requests = self.tokens = 0
        self._newest = slot
        while self._slots and (oldest := next(iter(self._slots))) <= slot - SLOTS:
            requests, tokens = self._slots.pop(oldest)
            self.requests -= requests
            self.tokens -= tokens
        return slot

    def take(self, slot: int, requests: int, tokens: int) -> int:
        """Count in the slot that is now; gives its number."""
        slot = self.forward(slot)
        self._add(slot, requests, tokens)
        self.last = slot
        return slot

    def correct(self, slot: int, requests: int, tokens: int) -> None:
        """Change what a past slot holds, never below nothing; too old a slot is left alone."""
        held = self._slots.get(slot)
        if held is not None:
            self._add(slot, max(requests, -held[0]), max(tokens, -held[1]))

    def wait_slots(self, limit: RateLimit, requests: int, tokens: int) -> int:
        """Give the number of slots from the newest on after which so much would fit."""
        over_requests = _over(limit.requests_per_minute, self.requests + requests)
        over_tokens = _over(limit.tokens_per_minute, self.tokens + tokens)
        if over_requests <= 0 and over_tokens <= 0:
            return 0
        for slot, held in self._slots.items():
            over_requests -= held[0]
            over_tokens -= held[1]
            if over_requests <= 0 and over_tokens <= 0:
                return slot + SLOTS - self._newest
        return SLOTS

    def slots(self) -> list[tuple[int, int, int]]:
        """List the slots that hold something: number, requests, tokens."""
        return [(slot, held[0], held[1]) for slot, held in self._slots.items()]

    def _add(self, slot: int, requests: int, tokens: int) -> None:
        held = self._slots.setdefault(slot, [0, 0])
        held[0] += requests
        held[1] += tokens
        self.requests += requests
        self.tokens += tokens


def _over(most: int | None, wanted: int) -> int:
    return wanted - most if most else 0


def share_of(limit: RateLimit, workers: int) -> RateLimit:
    """Give one worker's part of a limit, at least 1."""
    requests, tokens = limit.requests_per_minute, limit.tokens_per_minute
    return RateLimit(
        max(requests // workers, 1) if requests else requests,
        max(tokens // workers, 1) if tokens else tokens,
    )


def never_fits(limit: RateLimit, tokens: int) -> bool:
    """Tell whether a call wants more than a whole window gives."""
    return bool(limit.tokens_per_minute) and tokens > (limit.tokens_per_minute or 0)


def headers_of(standings: Iterable[Standing]) -> dict[str, str]:
    """Write the headers that OpenAI's clients read, each of the limit with the least left.

    Source: https://platform.openai.com/docs/guides/rate-limits, read 2026-11.
    """
    found = tuple(standings)
    headers: dict[str, str] = {}
    for word in ("requests", "tokens"):
        limited = [s for s in found if _left(s, word) is not None]
        if limited:
            tightest = min(limited, key=lambda standing: _left(standing, word) or 0)
            headers[f"x-ratelimit-limit-{word}"] = str(_limit(tightest, word))
            headers[f"x-ratelimit-remaining-{word}"] = str(_left(tightest, word))
            headers[f"x-ratelimit-reset-{word}"] = duration(tightest.resets_s)
    return headers


def _left(standing: Standing, word: str) -> int | None:
    return standing.requests_left if word == "requests" else standing.tokens_left


def _limit(standing: Standing, word: str) -> int | None:
    limit = standing.limited.limit
    return limit.requests_per_minute if word == "requests" else limit.tokens_per_minute


def duration(seconds: float) -> str:
    """Write a length of time as OpenAI's headers do: `250ms`, `1.5s`, `6m0s`; rounded up."""
    milliseconds = math.ceil(round(max(seconds, 0.0) * 1000, 3))
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    shown = f"{rest / 1000:g}s"
    return f"{minutes}m{shown}" if minutes else shown


_WHO: Final = {KEY: "this key", TENANT: "this tenant"}


def caller_refusal(standings: Sequence[Standing], tokens: int) -> RateLimited:
    """Say which of the caller's limits is reached, and when to come again.

    Args:
        standings: of the key and the tenant.
        tokens: what the call may need.
    """
    worst = max(standings, key=lambda standing: standing.wait_s)
    limit, who = worst.limited.limit, _WHO[worst.limited.counter.kind]
    if worst.requests_left == 0:
        said = f"{who} has made the {limit.requests_per_minute} requests that it may in a minute"
    else:
        said = (
            f"{who} may use {limit.tokens_per_minute} tokens a minute and has {worst.tokens_left}"
            f" left; this call may need {tokens}"
        )
    remedy = f"try again in {max(math.ceil(worst.wait_s), 1)} s"
    return RateLimited(f"{said}; {remedy}", retry_after_s=worst.wait_s)


def too_large(limited: Limited, tokens: int) -> RateLimited:
    """Say that waiting will not help: the call is larger than a whole minute's limit."""
    return RateLimited(
        f"this call may need {tokens} tokens, and {_WHO[limited.counter.kind]} may use"
        f" {limited.limit.tokens_per_minute} a minute; send less, or lower the tokens allowed for"
        " the answer",
        code="tokens_over_limit",
    )


def provider_refusal(provider: str, wait_s: float | None) -> RateLimited:
    """Say that a provider's limit is reached; how full it is, is nobody's business.

    Args:
        provider: whose.
        wait_s: seconds until the call would fit, or None when it never does.
    """
    remedy = (
        "send less at once" if wait_s is None else f"try again in {max(math.ceil(wait_s), 1)} s"
    )
    return RateLimited(
        f"the gateway's limit of calls to {provider} is reached; {remedy}",
        code="provider_limit_reached",
        retry_after_s=wait_s,
    )

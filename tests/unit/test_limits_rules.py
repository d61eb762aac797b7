"""The sliding window against a list of takes, beside other windows, and what callers are told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from plugins.core.limit import UNLIMITED, RateLimit
from plugins.limits.rules import (
    KEY,
    SLOTS,
    STEPS,
    TENANT,
    Counter,
    Limited,
    Standing,
    Window,
    caller_refusal,
    duration,
    headers_of,
    never_fits,
    provider_refusal,
    share_of,
    too_large,
)

PER_SLOT = 5
LIMIT = RateLimit(12, 100)


class WindowMachine(RuleBasedStateMachine):
    """Every take is kept for ever in a list; time is in fifths of a slot."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 10_000
        self.window = Window()
        self.takes: list[list[int]] = []

    def _counted(self) -> list[list[int]]:
        return [t for t in self.takes if t[0] // PER_SLOT > self.now // PER_SLOT - SLOTS]

    @rule(passed=st.one_of(st.integers(0, 30), st.integers(0, 3 * SLOTS * PER_SLOT)))
    def time_passes(self, passed: int) -> None:
        self.now += passed

    @rule(tokens=st.integers(0, 60))
    def a_call(self, tokens: int) -> None:
        self.window.forward(self.now // PER_SLOT)
        counted = self._counted()
        fits = len([t for t in counted if t[1]]) + 1 <= 12
        fits = fits and sum(t[2] for t in counted) + tokens <= 100
        assert (self.window.wait_slots(LIMIT, 1, tokens) == 0) == fits
        if fits:
            slot = self.window.take(self.now // PER_SLOT, 1, tokens)
            self.takes.append([self.now, 1, tokens, slot])

    @rule(which=st.integers(0), used=st.integers(0, 120), refund=st.booleans())
    def a_call_settles(self, which: int, used: int, refund: bool) -> None:
        if self.takes:
            take = self.takes[which % len(self.takes)]
            requests, tokens = (0, 0) if refund else (take[1], used)
            self.window.forward(self.now // PER_SLOT)
            self.window.correct(take[3], requests - take[1], tokens - take[2])
            take[1:3] = requests, tokens

    @rule(tokens=st.integers(0, 100))
    def after_the_wait_it_fits(self, tokens: int) -> None:
        self.window.forward(self.now // PER_SLOT)
        wait = self.window.wait_slots(LIMIT, 1, tokens)
        if wait:
            later = self.now // PER_SLOT + wait
            self.window.forward(later - 1)
            assert self.window.wait_slots(LIMIT, 1, tokens) > 0
            self.window.forward(later)
            assert self.window.wait_slots(LIMIT, 1, tokens) == 0
            self.now = later * PER_SLOT

    @invariant()
    def it_holds_what_the_list_holds(self) -> None:
        self.window.forward(self.now // PER_SLOT)
        counted = self._counted()
        assert self.window.requests == sum(t[1] for t in counted)
        assert self.window.tokens == sum(t[2] for t in counted)

    @invariant()
    def no_true_minute_holds_more_requests_than_the_limit(self) -> None:
        minute = STEPS * PER_SLOT
        assert sum(t[1] for t in self.takes if t[0] > self.now - minute) <= 12


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def _offered(limit: int) -> list[float]:
    """Seven minutes, seconds: quiet, bursts at the edges of minutes, full load."""
    edges = [at + i / limit for at in (59.0, 60.1, 118.9, 121.0) for i in range(limit)]
    load = [180 + i * 60 / (3 * limit) for i in range(4 * 3 * limit)]
    return sorted(edges + load)


def _most_in_a_minute(admitted: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(admitted):
        while admitted[first] <= at - 60.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def _ours(offered: list[float], limit: int) -> list[float]:
    window, admitted = Window(), []
    for at in offered:
        slot = window.forward(int(at / 60.0 * STEPS))
        if window.wait_slots(RateLimit(limit), 1, 0) == 0:
            window.take(slot, 1, 0)
            admitted.append(at)
    return admitted


def _fixed(offered: list[float], limit: int) -> list[float]:
    counts: dict[int, int] = {}
    admitted = []
    for at in offered:
        minute = int(at // 60)
        if counts.get(minute, 0) < limit:
            counts[minute] = counts.get(minute, 0) + 1
            admitted.append(at)
    return admitted


def _weighted_pair(offered: list[float], limit: int) -> list[float]:
    counts: dict[int, int] = {}
    admitted = []
    for at in offered:
        minute, into = divmod(at, 60.0)
        before = counts.get(int(minute) - 1, 0) * (1 - into / 60.0)
        if counts.get(int(minute), 0) + before < limit:
            counts[int(minute)] = counts.get(int(minute), 0) + 1
            admitted.append(at)
    return admitted


def _bucket(offered: list[float], limit: int) -> list[float]:
    level, last, admitted = float(limit), 0.0, []
    for at in offered:
        level, last = min(level + (at - last) * limit / 60.0, limit), at
        if level >= 1:
            level -= 1
            admitted.append(at)
    return admitted


@pytest.mark.spec("8.2")
def test_no_minute_holds_more_than_the_limit_and_full_load_gets_99_percent_of_it() -> None:
    limit = 600
    admitted = _ours(_offered(limit), limit)
    assert _most_in_a_minute(admitted) <= limit
    under_load = [at for at in admitted if at >= 180]
    assert len(under_load) >= 0.99 * limit * 4


@pytest.mark.parametrize("other", [_fixed, _weighted_pair, _bucket])
def test_other_windows_let_more_through_in_some_minute(other: object) -> None:
    limit = 600
    assert _most_in_a_minute(other(_offered(limit), limit)) > 1.01 * limit  # type: ignore[operator]


def test_a_clock_that_goes_back_stands_still_and_one_that_jumps_back_starts_over() -> None:
    window = Window()
    window.take(1000, 3, 30)
    assert window.take(900, 1, 1) == 1000
    assert (window.requests, window.tokens) == (4, 31)
    assert window.forward(1000 - SLOTS) == 1000 - SLOTS
    assert (window.requests, window.tokens) == (0, 0)


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_shares_add_up_to_the_limit_at_most_unless_there_are_more_workers(
    limit: int, workers: int
) -> None:
    share = share_of(RateLimit(limit), workers).requests_per_minute or 0
    assert share >= 1
    assert share * workers <= max(limit, workers)


@pytest.mark.parametrize("figure", [None, UNLIMITED])
def test_what_has_no_limit_has_no_share_and_never_is_too_small(figure: int | None) -> None:
    none = RateLimit(figure, figure)
    assert share_of(none, 4) == none
    assert not never_fits(none, 10**9)
    assert not none.limits_anything


@pytest.mark.parametrize(
    ("own", "default", "applies"),
    [
        (RateLimit(), RateLimit(5, 50), RateLimit(5, 50)),
        (RateLimit(7, None), RateLimit(5, 50), RateLimit(7, 50)),
        (RateLimit(UNLIMITED, 9), RateLimit(5, 50), RateLimit(UNLIMITED, 9)),
    ],
)
def test_own_figures_come_before_the_default(
    own: RateLimit, default: RateLimit, applies: RateLimit
) -> None:
    assert own.or_else(default) == applies


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (-1, "0s"),
        (0.0001, "1ms"),
        (0.25, "250ms"),
        (0.9991, "1s"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (60, "1m0s"),
        (60.3, "1m0.3s"),
        (360, "6m0s"),
    ],
)
def test_a_duration_is_written_as_openai_does(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def _standing(kind: str, limit: RateLimit, left: tuple[int | None, int | None], wait_s: float = 0):
    return Standing(Limited(Counter(kind, "x"), limit), *left, wait_s, 42.0)


def test_headers_tell_of_the_limit_with_the_least_left_for_requests_and_tokens_apart() -> None:
    headers = headers_of(
        [
            _standing(KEY, RateLimit(10, 5000), (4, 900)),
            _standing(TENANT, RateLimit(100, 1000), (60, 100)),
        ]
    )
    assert headers == {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "42s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "100",
        "x-ratelimit-reset-tokens": "42s",
    }


def test_without_a_limit_there_are_no_headers() -> None:
    assert headers_of([_standing(KEY, RateLimit(10), (4, None))]).keys() == {
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    }
    assert headers_of([]) == {}


@pytest.mark.spec("8.2")
def test_a_refusal_names_the_limit_the_need_and_when_to_come_again() -> None:
    requests = _standing(KEY, RateLimit(10), (0, None), 12.2)
    tokens = _standing(TENANT, RateLimit(None, 1000), (None, 80), 3.0)
    by_key = caller_refusal([requests, tokens], 90)
    assert (by_key.status, by_key.code, by_key.retry_after_s) == (429, "rate_limited", 12.2)
    assert by_key.message == (
        "this key has made the 10 requests that it may in a minute; try again in 13 s"
    )
    assert caller_refusal([tokens], 90).message == (
        "this tenant may use 1000 tokens a minute and has 80 left; this call may need 90;"
        " try again in 3 s"
    )


def test_what_waiting_cannot_mend_names_no_time() -> None:
    large = too_large(Limited(Counter(KEY, "x"), RateLimit(None, 1000)), 1001)
    assert (large.code, large.retry_after_s) == ("tokens_over_limit", None)
    assert "1001 tokens" in large.message
    assert provider_refusal("openai", None).retry_after_s is None


def test_a_providers_refusal_tells_nothing_of_how_it_is_used() -> None:
    refusal = provider_refusal("openai", 7.5)
    assert (refusal.status, refusal.code) == (429, "provider_limit_reached")
    assert refusal.message == "the gateway's limit of calls to openai is reached; try again in 8 s"

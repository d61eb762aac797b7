"""Drift: nothing found in 30 still streams of each signal, a stated shift found, each told once."""

import json
import random
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN

from plugins.alerts.sink import AlertSink
from plugins.core.call import Attempt, Endpoint, Outcome, Recalled, Usage
from plugins.core.money import ZERO
from plugins.drift.rules import CHANCE, LOOK_EVERY, SCALES, Change, Detector, Signal
from plugins.drift.stage import DriftStage
from plugins.drift.telling import Telling, alert_of
from plugins.drift.watch import SAMPLES_A_SECOND, SHOWN, Watch
from plugins.store.redis import RedisAway
from tests.making import a_call
from tests.remembering import RememberedMetrics, SetClock

Stream = Callable[[random.Random, float], float]
"""Draws a value; the second argument is the shift, a factor or a difference."""


def _dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a simulation


def _latency(r: random.Random, by: float) -> float:
    slow = r.random() < 0.01  # one in a hundred takes ten times as long
    return by * r.lognormvariate(-0.2, 0.6) * (10 if slow else 1)


STREAMS: dict[Signal, Stream] = {
    Signal.OUTPUT_TOKENS: lambda r, by: by * r.lognormvariate(5, 0.8),
    Signal.LATENCY: _latency,
    Signal.ERRORS: lambda r, by: float(r.random() < 0.02 + by),
    Signal.CONFIDENCE: lambda r, by: min(max(r.betavariate(8, 2) + by, 0.0), 1.0),
    Signal.SATISFACTION: lambda r, by: float(r.random() < 0.8 + by),
}
STILL = {s: 1.0 if s in {Signal.OUTPUT_TOKENS, Signal.LATENCY} else 0.0 for s in Signal}


def _fed(detector: Detector, values: list[float]) -> list[tuple[int, Change]]:
    found = [(index, detector.see(value)) for index, value in enumerate(values, 1)]
    return [(index, change) for index, change in found if change is not None]


@pytest.mark.spec("9.1")
@pytest.mark.parametrize("signal", Signal)
def test_thirty_still_streams_of_ten_thousand_raise_nothing(signal: Signal) -> None:
    for seed in range(30):
        r = _dice(seed)
        detector = Detector("gpt-4o", signal)
        assert _fed(detector, [STREAMS[signal](r, STILL[signal]) for _ in range(10_000)]) == []


def test_latencies_that_hang_together_raise_nothing() -> None:
    # Calls of one busy minute are slow together: an autoregressive stream, not independent draws.
    for seed in range(30):
        r, level, values = _dice(seed), 0.0, list[float]()
        for _ in range(10_000):
            level = 0.6 * level + r.gauss(0, 0.3)
            values.append(0.8 * 2.718**level)
        assert _fed(Detector("gpt-4o", Signal.LATENCY), values) == []


# docs/feedback.md states these.
@pytest.mark.spec("9.1")
@pytest.mark.parametrize(
    ("signal", "shift", "within", "direction"),
    [
        (Signal.OUTPUT_TOKENS, 2.0, 400, "up"),
        (Signal.OUTPUT_TOKENS, 0.5, 400, "down"),
        (Signal.LATENCY, 2.0, 400, "up"),
        (Signal.LATENCY, 3.0, 250, "up"),
        (Signal.ERRORS, 0.10, 800, "up"),
        (Signal.ERRORS, 0.30, 150, "up"),
        (Signal.CONFIDENCE, -0.10, 600, "down"),
        (Signal.CONFIDENCE, -0.20, 150, "down"),
        (Signal.SATISFACTION, -0.40, 150, "down"),
    ],
)
def test_a_shift_of_this_size_is_found_once_within_so_many_values(
    signal: Signal, shift: float, within: int, direction: str
) -> None:
    for seed in range(20):
        r = _dice(1_000 + seed)
        detector, draw = Detector("gpt-4o", signal), STREAMS[signal]
        assert _fed(detector, [draw(r, STILL[signal]) for _ in range(5_000)]) == []
        found = _fed(detector, [draw(r, shift) for _ in range(3_000)])
        told = [change for _, change in found if change.direction == direction]
        assert found[0][0] <= within, (seed, found)
        assert found[0][1].direction == direction
        assert len(told) == 1, (seed, found)


@pytest.mark.parametrize("seen", [400, 450, 500, 700, 1_000])
def test_a_worker_that_has_seen_a_few_hundred_calls_finds_a_shift(seen: int) -> None:
    # The window lets old values go in pieces, none of which need be large.
    for signal, before, after in (
        (Signal.OUTPUT_TOKENS, 6.0, 48.0),
        (Signal.LATENCY, 0.4, 1.2),
        (Signal.ERRORS, 0.0, 1.0),
    ):
        found = _fed(Detector("gpt-4o", signal), [before] * seen + [after] * 400)
        assert len(found) == 1, (signal, found)
        assert found[0][0] <= seen + 300


def test_a_shift_and_its_end_are_two_changes() -> None:
    r, draw = _dice(7), STREAMS[Signal.LATENCY]
    detector = Detector("gpt-4o", Signal.LATENCY)
    phases = [(1.0, 3_000), (3.0, 3_000), (1.0, 3_000)]
    found = _fed(detector, [draw(r, by) for by, count in phases for _ in range(count)])
    assert [change.direction for _, change in found] == ["up", "down"]


def test_small_steps_add_up_to_a_change() -> None:
    r, draw = _dice(8), STREAMS[Signal.OUTPUT_TOKENS]
    detector = Detector("gpt-4o", Signal.OUTPUT_TOKENS)
    values = [draw(r, 1.0 + step * 0.1) for step in range(11) for _ in range(2_000)]
    found = _fed(detector, values)
    assert found
    assert {change.direction for _, change in found} == {"up"}


def test_the_first_calls_of_a_cold_worker_are_no_change() -> None:
    r, draw = _dice(9), STREAMS[Signal.LATENCY]
    detector = Detector("gpt-4o", Signal.LATENCY)
    cold = [draw(r, 4.0) for _ in range(100)]
    assert _fed(detector, cold + [draw(r, 1.0) for _ in range(5_000)]) == []


@given(st.sampled_from(list(Signal)), st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_at_all_can_be_seen(signal: Signal, value: float) -> None:
    assert 0 <= SCALES[signal].of(value if value == value else 0.0) <= 1
    detector = Detector("gpt-4o", signal)
    assert detector.see(value) is None
    assert detector.width == int(abs(value) < float("inf"))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9), st.floats(0.1, 0.9))
def test_the_core_decides_as_rivers_own_adwin_does(seed: int, later: float) -> None:
    r = _dice(seed)
    values = [r.random() * 0.2 for _ in range(800)] + [r.random() * later for _ in range(400)]
    detector = Detector("gpt-4o", Signal.CONFIDENCE)
    river = ADWIN(delta=CHANCE, clock=LOOK_EVERY)
    for value in values:
        river.update(value)
        change = detector.see(value)
        if river.drift_detected:  # both begin anew after it
            assert change is not None or detector.width == river.width
            return
        assert change is None
        assert detector.width == river.width


def test_a_worker_loads_neither_pandas_nor_scipy_for_it() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, json, plugins.drift.stage; heavy = {'pandas', 'scipy', 'river.drift'};"
            "print(json.dumps(sorted(heavy & sys.modules.keys())))",
        ],
        capture_output=True,
        check=True,
    )
    assert json.loads(told.stdout) == []


# --- the watch -----------------------------------------------------------------------------------
class RememberedLink:
    """A Redis that several workers share; `None` for one that is away."""

    def __init__(self, kept: dict[str, object] | None) -> None:
        self.kept = kept

    async def send(self, *command: object) -> object:
        if self.kept is None:
            raise RedisAway("away")
        assert command[0] == "SET"
        assert command[3:] == ("NX", "PX", 3_600_000)
        if command[1] in self.kept:
            return None
        self.kept[str(command[1])] = command[2]
        return True


def _shift(watch: Watch, clock: SetClock, signal: Signal = Signal.ERRORS) -> list[Change]:
    found: list[Change | None] = []
    for value in [0.0] * 2_000 + [1.0] * 200:
        clock.passed_s += 0.1
        found.append(watch.see("gpt-4o", signal, value))
    return [change for change in found if change is not None]


def test_a_change_shows_for_an_hour() -> None:
    clock = SetClock()
    watch = Watch({"gpt-4o", "mistral"}, clock)
    watch.see("mistral", Signal.ERRORS, 0.0)
    assert watch.shown() == {("mistral", "errors"): 0.0}
    assert len(_shift(watch, clock)) == 1
    found_s = clock.passed_s
    assert watch.shown() == {("mistral", "errors"): 0.0, ("gpt-4o", "errors"): 1.0}
    clock.passed_s = found_s + SHOWN.total_seconds() - 60
    assert watch.shown()["gpt-4o", "errors"] == 1.0
    clock.passed_s = found_s + SHOWN.total_seconds()
    assert watch.shown()["gpt-4o", "errors"] == 0.0


def test_models_that_the_configuration_does_not_name_are_not_watched() -> None:
    clock = SetClock()
    watch = Watch({"gpt-4o"}, clock)
    for index in range(1_000):
        assert watch.see(f"made-up-{index}", Signal.ERRORS, 1.0) is None
        assert watch.replay(f"made-up-{index}", Signal.ERRORS, 1.0, clock.now()) is None
    assert watch.see(None, Signal.ERRORS, 1.0) is None
    assert watch.shown() == {}


def test_a_flood_is_sampled() -> None:
    clock = SetClock()
    watch = Watch({"gpt-4o"}, clock)
    for _ in range(3):
        for _ in range(50 * SAMPLES_A_SECOND):
            watch.see("gpt-4o", Signal.ERRORS, 0.0)
        clock.passed_s += 1
    (watched,) = watch._watched.values()
    assert watched.detector.width == 3 * SAMPLES_A_SECOND


def test_what_is_replayed_counts_at_its_own_time() -> None:
    clock = SetClock()
    clock.passed_s = 10 * 86_400
    old, fresh = Watch({"gpt-4o"}, clock), Watch({"gpt-4o"}, clock)
    begin = clock.now() - SHOWN * 50
    values = [1.0] * 1_000 + [0.0] * 200
    found = [old.replay("gpt-4o", Signal.SATISFACTION, v, begin) for v in values]
    assert found == [None] * len(values)
    assert old.shown() == {("gpt-4o", "satisfaction"): 0.0}
    found = [fresh.replay("gpt-4o", Signal.SATISFACTION, v, clock.now()) for v in values]
    assert sum(change is not None for change in found) == 1
    assert fresh.shown() == {("gpt-4o", "satisfaction"): 1.0}


# --- telling -------------------------------------------------------------------------------------
RISE = Change("gpt-4o", Signal.LATENCY, 0.8123, 1.9)
FALL = Change("gpt-4o", Signal.LATENCY, 1.9, 0.8)


@pytest.mark.spec("9.1")
async def test_workers_that_find_the_same_change_tell_of_it_once() -> None:
    kept: dict[str, object] = {}
    metrics, alerts = RememberedMetrics(), AlertSink()
    workers = [Telling(RememberedLink(kept), metrics, alerts) for _ in range(4)]  # pyright: ignore[reportArgumentType]
    for worker in workers:
        await worker.tell(RISE)
    assert metrics.counts["sluice_drift_changes_total", "gpt-4o", "latency"] == 1
    assert [a.name for a in alerts.alerts] == ["model_drift_detected"]
    for worker in workers:
        await worker.tell(FALL)
    assert metrics.counts["sluice_drift_changes_total", "gpt-4o", "latency"] == 2


async def test_with_redis_away_a_change_is_told_all_the_same() -> None:
    metrics, alerts = RememberedMetrics(), AlertSink()
    await Telling(RememberedLink(None), metrics, alerts).tell(RISE)  # pyright: ignore[reportArgumentType]
    assert len(alerts.alerts) == 1


def test_the_alert_names_model_signal_and_both_values() -> None:
    alert = alert_of(RISE)
    assert alert.summary == (
        "Model drift detected: latency of gpt-4o went up from 0.812 to 1.9 s so far"
    )
    assert (alert.severity, alert.momentary) == ("medium", True)
    assert alert.labels == {"model": "gpt-4o", "signal": "latency"}


# --- the stage -----------------------------------------------------------------------------------
class RememberedWatch:
    def __init__(self) -> None:
        self.seen: list[tuple[str | None, str, float]] = []

    def see(self, model: str | None, signal: Signal, value: float) -> Change | None:
        self.seen.append((model, signal.value, round(value, 6)))
        return RISE if signal is Signal.LATENCY and value > 5 else None


class RememberedTelling:
    def __init__(self) -> None:
        self.told: list[Change] = []

    async def tell(self, change: Change) -> None:
        self.told.append(change)


async def _observed(**changes: object) -> list[tuple[str | None, str, float]]:
    watch = RememberedWatch()
    await DriftStage(watch, RememberedTelling()).observe(a_call(**changes))  # pyright: ignore[reportArgumentType]
    return watch.seen


async def test_an_answered_call_feeds_tokens_latency_errors_and_confidence() -> None:
    assert await _observed(confidence=0.9) == [
        ("gpt-4o", "errors", 0.0),
        ("gpt-4o", "latency", 0.5),
        ("gpt-4o", "output_tokens", 150.0),
        ("gpt-4o", "confidence", 0.9),
    ]


async def test_a_failed_try_is_an_error_of_its_own_model_and_has_no_latency() -> None:
    tries = [
        Attempt("openai-gpt-4o", "openai", "gpt-4o", 1.0, 2.0, error_class="Timeout"),
        Attempt("vllm-mistral", "vllm", "mistral", 2.0, 4.0),
        Attempt("x", "vllm", "llama-3", 4.0, 5.0, error_class="ClientDisconnected"),
        Attempt("y", "vllm", "llama-3", 4.0),
    ]
    seen = await _observed(attempts=tries, outcome=Outcome.FAILED, deployment=None)
    assert seen == [
        ("gpt-4o", "errors", 1.0),
        ("mistral", "errors", 0.0),
        ("mistral", "latency", 2.0),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": Outcome.DISCONNECTED},
        {"endpoint": Endpoint.EMBEDDINGS, "usage": Usage(10, 0)},
        {"recalled": Recalled("", (), "gpt-4o", "openai-gpt-4o", "openai", ZERO, 1.0, "hit")},
    ],
)
async def test_no_length_is_taken_where_no_model_chose_one(changes: dict[str, object]) -> None:
    assert "output_tokens" not in [signal for _, signal, _ in await _observed(**changes)]


async def test_a_change_found_by_a_call_is_told() -> None:
    telling = RememberedTelling()
    slow = [Attempt("openai-gpt-4o", "openai", "gpt-4o", 1.0, 9.0)]
    await DriftStage(RememberedWatch(), telling).observe(a_call(attempts=slow))  # pyright: ignore[reportArgumentType]
    assert telling.told == [RISE]

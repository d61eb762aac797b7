"""Calibration on simulated answers of which it is known how often they are right."""

from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.confidence.calibration import (
    FEWEST_LABELS,
    Calibrator,
    calibrate,
    calibration_error,
)
from tests.simulations.labelled import MODELS, simulate, true_error


@pytest.mark.parametrize("count", [60, 200, 1000])
@pytest.mark.parametrize("name", MODELS)
def test_the_error_s_interval_holds_thetrue_error(name: str, count: int) -> None:
    held = 0
    for seed in range(200):
        raw, true, right = simulate(MODELS[name], count, seed)
        error = calibration_error(raw, right)
        assert error is not None
        assert 0.0 <= error.lower <= error.error <= error.upper <= 1.0
        held += error.lower <= true_error(raw, true, error.bins) <= error.upper
    # 190 of 200 are promised; 183 is what chance leaves of that once in 100 models.
    assert held >= 183


def test_the_interval_narrows_with_labels() -> None:
    widths: list[float] = []
    for count in (60, 400, 3000):
        raw, _, right = simulate(MODELS["overconfident"], count, 1)
        error = calibration_error(raw, right)
        assert error is not None
        widths.append(error.upper - error.lower)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.06


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("bent", "stepped")])
def test_the_line_that_answers_follow_is_found(name: str) -> None:
    raw, _, right = simulate(MODELS[name], 5000, 3)
    calibrator = calibrate(raw, right)
    off = [abs(calibrator.apply(value) - MODELS[name](value)) for value in (0.3, 0.5, 0.7, 0.9)]
    assert max(off) < 0.06
    assert calibrator.error is not None
    assert calibrator.error.lower < 0.02


@pytest.mark.parametrize("labels", [50, 200, 1000])
@pytest.mark.parametrize("name", MODELS)
def test_a_threshold_of_0_7_means_0_7(name: str, labels: int) -> None:
    """Among answers at 0.7 or more, as many are right as is stated, and at least 0.7."""
    stated: list[float] = []
    observed: list[float] = []
    for seed in range(30):
        raw, _, right = simulate(MODELS[name], labels, seed)
        calibrator = calibrate(raw, right)
        fresh, true, _ = simulate(MODELS[name], 2000, 10_000 + seed)
        passed = [i for i, value in enumerate(fresh) if calibrator.apply(value) >= 0.7]
        stated += [calibrator.apply(fresh[i]) for i in passed]
        observed += [true[i] for i in passed]
    if name == "clueless":
        # Nothing tells these answers apart: hardly any may pass for sure.
        assert len(observed) < 0.1 * 30 * 2000
        return
    assert fmean(observed) >= 0.7
    # A straight line cannot follow a bend or a step; what it is off by is what the error states.
    # With few labels, a line that is too steep by chance lets more pass.
    margin = 0.13 if name in ("bent", "stepped") else {50: 0.08, 200: 0.04, 1000: 0.03}[labels]
    assert abs(fmean(observed) - fmean(stated)) < margin


@pytest.mark.parametrize("name", MODELS)
def test_the_stated_error_is_that_of_answers_it_has_not_seen(name: str) -> None:
    held = 0
    for seed in range(40):
        raw, _, right = simulate(MODELS[name], 400, seed)
        error = calibrate(raw, right).error
        assert error is not None
        fresh, true, _ = simulate(MODELS[name], 4000, 10_000 + seed)
        calibrator = calibrate(raw, right)
        stated = [calibrator.apply(value) for value in fresh]
        held += error.lower <= true_error(stated, true, error.bins) <= error.upper
    assert held >= 34


def test_under_fifty_labels_nothing_is_calibrated() -> None:
    raw, _, right = simulate(MODELS["overconfident"], FEWEST_LABELS, 5)
    few = calibrate(raw[:-1], right[:-1])
    assert not few.is_calibrated
    assert few.error is None
    assert few.apply(0.9) == 0.9
    assert calibrate(raw, right).is_calibrated


@pytest.mark.parametrize("right", [[True] * 60, [False] * 60, [i % 2 == 0 for i in range(60)]])
@pytest.mark.parametrize("raw", [[0.0] * 60, [1.0] * 60, [i / 59 for i in range(60)]])
def test_extreme_labels_give_no_certainty(raw: list[float], right: list[bool]) -> None:
    calibrator = calibrate(raw, right)
    for value in (0.0, 0.5, 1.0):
        assert 0.0 < calibrator.apply(value) < 1.0


def test_confidence_that_misleads_is_worth_nothing() -> None:
    raw = [i / 99 for i in range(100)]
    calibrator = calibrate(raw, [value < 0.5 for value in raw])
    assert not calibrator.is_informative
    assert calibrator.apply(0.1) == calibrator.apply(0.9) == pytest.approx(0.5)


LABELLED = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=50, max_size=120)


@settings(max_examples=80, deadline=None)
@given(LABELLED, st.floats(0, 1), st.floats(0, 1))
def test_a_surer_answer_never_becomes_less_sure(
    labelled: list[tuple[float, bool]], one: float, two: float
) -> None:
    calibrator = calibrate([raw for raw, _ in labelled], [right for _, right in labelled])
    low, high = sorted((one, two))
    assert 0.0 <= calibrator.apply(low) <= calibrator.apply(high) <= 1.0


@settings(max_examples=40, deadline=None)
@given(LABELLED, st.randoms(use_true_random=False))
def test_the_order_of_labels_hardly_matters(
    labelled: list[tuple[float, bool]], rng: Random
) -> None:
    turned = labelled.copy()
    rng.shuffle(turned)
    one = calibrate([raw for raw, _ in labelled], [right for _, right in labelled])
    two = calibrate([raw for raw, _ in turned], [right for _, right in turned])
    assert one.apply(0.7) == pytest.approx(two.apply(0.7), abs=1e-6)


def test_the_same_labels_give_the_same_calibrator() -> None:
    raw, _, right = simulate(MODELS["bent"], 300, 9)
    assert calibrate(raw, right) == calibrate(raw, right)


def test_no_answers_have_no_error_and_unequal_lists_are_refused() -> None:
    assert calibration_error([], []) is None
    with pytest.raises(ValueError, match="one label for each"):
        calibrate([0.5], [])
    assert Calibrator().apply(0.4) == 0.4

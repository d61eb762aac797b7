"""Confidence made a share of right answers, from answers that people have judged. Pure.

One straight line in the log-odds (Platt, "Probabilistic outputs for support vector machines",
1999), fitted by Newton's method with the regularised targets of that paper, after Lin, Lin and
Weng, "A note on Platt's probabilistic outputs", Machine Learning 68 (2007). Two parameters are what
50 labels can bear; the line never falls, so that a surer answer is never made the less sure one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

FEWEST_LABELS: Final = 50
"""Labels under which nothing is calibrated, and that is said."""
_MOST_STEPS: Final = 100
_RIDGE: Final = 1e-12
_FLAT: Final = 1e-10
_SHORTEST_STEP: Final = 1e-10
_EDGE: Final = 1e-4
_FOLDS: Final = 5
_BINS: Final = 10
_FEWEST_IN_BIN: Final = 15
_TWO_SIDED_95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Expected calibration error: how far stated and observed shares are apart, on average.

    Args:
        error: estimate, 0..1, noise taken off.
        lower: lower end of its 95 % interval.
        upper: upper end.
        bins: groups of equal size that it was taken over.
        labels: judged answers.
    """

    error: float
    lower: float
    upper: float
    bins: int
    labels: int


@dataclass(frozen=True, slots=True)
class Calibrator:
    """What one agent's and one model's raw confidence is worth.

    Args:
        slope: in the log-odds, at least 0.
        intercept: likewise.
        labels: judged answers it was fitted on.
        right: those of them that were right.
        error: of answers that it was not fitted on (cross-fitted); None under `FEWEST_LABELS`.
    """

    slope: float = 1.0
    intercept: float = 0.0
    labels: int = 0
    right: int = 0
    error: CalibrationError | None = None

    @property
    def is_calibrated(self) -> bool:
        """Tell whether there were labels enough."""
        return self.labels >= FEWEST_LABELS

    @property
    def is_informative(self) -> bool:
        """Tell whether the raw confidence says anything: a flat line is the share of right ones."""
        return self.slope > 0.0

    def apply(self, raw: float) -> float:
        """Give the share of right answers among those of this raw confidence.

        Args:
            raw: 0..1.

        Returns:
            0..1, never less for a greater `raw`; `raw` itself while uncalibrated.
        """
        if not self.is_calibrated:
            return raw
        return _sigmoid(self.slope * _log_odds(raw) + self.intercept)


def calibrate(raw: Sequence[float], right: Sequence[bool]) -> Calibrator:
    """Fit a calibrator on judged answers of one agent and model.

    Args:
        raw: raw confidence of each, 0..1.
        right: whether a person found it right.

    Returns:
        The calibrator; under `FEWEST_LABELS` one that changes nothing and says so.

    Raises:
        ValueError: for lists of different length.
    """
    if len(raw) != len(right):
        raise ValueError(f"{len(raw)} confidences and {len(right)} labels: give one label for each")
    labels, hits = len(raw), sum(right)
    if labels < FEWEST_LABELS:
        return Calibrator(labels=labels, right=hits)
    x = [_log_odds(value) for value in raw]
    slope, intercept = _line(x, right)
    held_out = _cross_fitted(x, right)
    return Calibrator(slope, intercept, labels, hits, calibration_error(held_out, right))


def _cross_fitted(x: Sequence[float], right: Sequence[bool]) -> list[float]:
    """Give each answer's confidence by a line that was fitted without it.

    Neighbours in confidence go to different folds, so that each fold is like the whole.
    """
    order = sorted(range(len(x)), key=lambda i: (x[i], i))
    fold = dict.fromkeys(order, 0) | {i: rank % _FOLDS for rank, i in enumerate(order)}
    made = [0.0] * len(x)
    for held in range(_FOLDS):
        others = [i for i in order if fold[i] != held]
        slope, intercept = _line([x[i] for i in others], [right[i] for i in others])
        for i in order:
            if fold[i] == held:
                made[i] = _sigmoid(slope * x[i] + intercept)
    return made


def _sigmoid(z: float) -> float:
    if z >= 0:
        return 1.0 / (1.0 + math.exp(-z))
    power = math.exp(z)
    return power / (1.0 + power)


def _log_odds(p: float) -> float:
    p = min(1.0 - _EDGE, max(_EDGE, p))
    return math.log(p / (1.0 - p))


def _line(x: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """Fit slope and intercept; a line that would fall is made flat, at the share of right ones."""
    hits = sum(right)
    misses = len(right) - hits
    high, low = (hits + 1.0) / (hits + 2.0), 1.0 / (misses + 2.0)
    targets = [high if label else low for label in right]
    flat = math.log((hits + 1.0) / (misses + 1.0))
    if max(x) - min(x) < _EDGE:
        return 0.0, flat
    slope, intercept = _newton(x, targets, flat)
    return (slope, intercept) if slope > 0.0 else (0.0, flat)


def _newton(x: Sequence[float], targets: Sequence[float], start: float) -> tuple[float, float]:
    """Minimise the cross-entropy by Newton's steps, each halved until it helps."""
    slope, intercept = 0.0, start
    loss = _loss(x, targets, slope, intercept)
    for _ in range(_MOST_STEPS):
        g1, g0, h11, h10, h00 = _derivatives(x, targets, slope, intercept)
        if abs(g1) < _FLAT and abs(g0) < _FLAT:
            break
        determinant = h11 * h00 - h10 * h10
        d1 = -(h00 * g1 - h10 * g0) / determinant
        d0 = -(h11 * g0 - h10 * g1) / determinant
        step, promised = 1.0, g1 * d1 + g0 * d0
        while step >= _SHORTEST_STEP:
            tried = _loss(x, targets, slope + step * d1, intercept + step * d0)
            if tried < loss + 1e-4 * step * promised:
                slope, intercept, loss = slope + step * d1, intercept + step * d0, tried
                break
            step /= 2.0
        else:
            break
    return slope, intercept


def _loss(x: Sequence[float], targets: Sequence[float], slope: float, intercept: float) -> float:
    total = 0.0
    for value, target in zip(x, targets, strict=True):
        z = slope * value + intercept
        # log(1 + e^z) - t z, without overflow.
        total += max(z, 0.0) + math.log1p(math.exp(-abs(z))) - target * z
    return total


def _derivatives(
    x: Sequence[float], targets: Sequence[float], slope: float, intercept: float
) -> tuple[float, float, float, float, float]:
    g1 = g0 = h10 = 0.0
    h11 = h00 = _RIDGE
    for value, target in zip(x, targets, strict=True):
        p = _sigmoid(slope * value + intercept)
        over, weight = p - target, p * (1.0 - p)
        g1 += over * value
        g0 += over
        h11 += weight * value * value
        h10 += weight * value
        h00 += weight
    return g1, g0, h11, h10, h00


# -- how far off -----------------------------------------------------------------------------------


def calibration_error(stated: Sequence[float], right: Sequence[bool]) -> CalibrationError | None:
    """Estimate the expected calibration error, with a 95 % interval.

    Answers are ordered by stated confidence and grouped into bins of equal size; the error is the
    mean over bins of |observed - stated|. Its plain estimate is biased upwards, because noise
    alone keeps the two apart, so that each bin's own variance is taken off. The interval is
    analytic and errs on the side of width:

    - upwards, the estimate falls short of the truth by no more than a sum of the bins' errors
      with fixed signs, which is normal with variance sum(w^2 v);
    - downwards, it exceeds the truth by no more than the sum of the errors' absolute values, whose
      mean and variance are known for the half-normal distribution.

    Args:
        stated: confidence of each answer, 0..1.
        right: whether it was right.

    Returns:
        The error over its bins (cancellations within a bin do not show); None without answers.
    """
    labels = len(stated)
    if labels == 0:
        return None
    bins = max(1, min(_BINS, labels // _FEWEST_IN_BIN))
    order = sorted(range(labels), key=lambda i: (stated[i], i))
    cuts = [labels * b // bins for b in range(bins + 1)]
    plain = debiased = spread = noise = noise_spread = 0.0
    for first, last in pairwise(cuts):
        held = order[first:last]
        size, weight = len(held), len(held) / labels
        mean = math.fsum(stated[i] for i in held) / size
        hits = sum(right[i] for i in held)
        gap = abs(hits / size - mean)
        # Smoothed, because a bin without a miss is not without variance.
        share = (hits + 1.0) / (size + 2.0)
        variance = share * (1.0 - share) / size
        plain += weight * gap
        debiased += weight * math.sqrt(max(0.0, gap * gap - variance))
        spread += weight * weight * variance
        noise += weight * math.sqrt(2.0 * variance / math.pi)
        noise_spread += weight * weight * variance * (1.0 - 2.0 / math.pi)
    lower = max(0.0, plain - noise - _TWO_SIDED_95 * math.sqrt(noise_spread))
    upper = min(1.0, plain + _TWO_SIDED_95 * math.sqrt(spread))
    return CalibrationError(min(max(debiased, lower), upper), lower, upper, bins, labels)

"""Answers of models of which it is known how often they are right."""

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

Curve = Callable[[float], float]


def line(slope: float, intercept: float) -> Curve:
    """Give the model that Platt's line describes exactly."""

    def right(raw: float) -> float:
        return 1 / (1 + math.exp(-(slope * math.log(raw / (1 - raw)) + intercept)))

    return right


# How often an answer is right, by its raw confidence.
MODELS: dict[str, Curve] = {
    "honest": line(1.0, 0.0),
    "overconfident": line(0.5, -0.4),
    "too modest": line(2.0, 0.6),
    "clueless": lambda _: 0.6,
    "bent": lambda raw: 0.95 * raw**3,
    "stepped": lambda raw: 0.35 + 0.6 * (raw > 0.75),
}


def simulate(curve: Curve, count: int, seed: int) -> tuple[list[float], list[float], list[bool]]:
    """Give raw confidences, the true chances, and what became of them."""
    rng = Random(seed)  # noqa: S311 - no secret
    raw = [min(0.999, max(0.001, rng.betavariate(4, 2))) for _ in range(count)]
    true = [curve(value) for value in raw]
    return raw, true, [rng.random() < chance for chance in true]


def true_error(stated: list[float], true: list[float], bins: int) -> float:
    """Give the expected calibration error, with nothing left to chance."""
    order = sorted(range(len(stated)), key=lambda i: (stated[i], i))
    cuts = [len(order) * b // bins for b in range(bins + 1)]
    return sum(
        abs(sum(true[i] - stated[i] for i in order[first:last])) for first, last in pairwise(cuts)
    ) / len(order)

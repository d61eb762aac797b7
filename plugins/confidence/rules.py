"""How sure an answer is, from what can be known of it, and what follows. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from plugins.confidence.calibration import Calibrator
from plugins.core.json_text import parse
from plugins.core.verdict import Verdict

THRESHOLD: Final = 0.7
"""Confidence below which an answer is soft-rejected; 0.7 itself is not (SPEC 10.2)."""
UNTOLD: Final = THRESHOLD
"""What an answer has of which nothing tells: it is not rejected for that, and says so."""
_INVALID_AT_MOST: Final = 0.3
_MENDED_AT_MOST: Final = 0.9
_FLOOR: Final = 1e-4


class Signal(StrEnum):
    """What confidence is made of."""

    GROUNDEDNESS = "groundedness"
    AGREEMENT = "agreement"
    TOKENS = "tokens"
    SELF_REPORT = "self_report"


WEIGHTS: Final[Mapping[Signal, float]] = {
    Signal.GROUNDEDNESS: 0.45,
    Signal.AGREEMENT: 0.25,
    Signal.TOKENS: 0.2,
    Signal.SELF_REPORT: 0.1,
}
"""Exponents of the weighted geometric mean. They order the signals by how well each tells a right
answer from a wrong one in the literature (Xiong et al., ICLR 2024, on self-report); calibration,
not they, makes the result a probability."""


class Schema(StrEnum):
    """Whether a structured answer is what was asked for."""

    NOT_ASKED = "not_asked"
    VALID = "valid"
    MENDED = "mended"
    """Valid once its form was mended (a comma, a fence)."""
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of an answer; None for what is not.

    Args:
        groundedness: share of it that the sources support, 0..1.
        agreement: of further samples with it, 0..1.
        tokens: probability that the model gave it, 0..1.
        self_report: what the model says of it, 0..1.
        schema: whether it is what was asked for.
    """

    groundedness: float | None = None
    agreement: float | None = None
    tokens: float | None = None
    self_report: float | None = None
    schema: Schema = Schema.NOT_ASKED

    @property
    def known(self) -> dict[Signal, float]:
        """Give those that are known, held within 0..1."""
        values = {signal: getattr(self, signal.value) for signal in Signal}
        return {
            signal: min(1.0, max(0.0, value))
            for signal, value in values.items()
            if value is not None and not math.isnan(value)
        }


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure an answer is.

    Args:
        value: 0..1.
        raw: before calibration, 0..1.
        basis: the signals that it rests on; empty where nothing tells.
        calibrated: `value` is a share of right answers; else it is only an order.
    """

    value: float
    raw: float
    basis: tuple[Signal, ...]
    calibrated: bool


def combined(signals: Signals) -> float:
    """Make one number of the signals.

    The weighted geometric mean of those that are known, their weights scaled to 1: one signal near
    zero is not outweighed by the others, and a missing one changes nothing but the weights. An
    answer that is not what its schema asks for has `_INVALID_AT_MOST`; one whose form had to be
    mended `_MENDED_AT_MOST`. Without any signal: `UNTOLD`, under the same bounds.

    Returns:
        0..1; it never falls when a signal rises.
    """
    known = signals.known
    total = sum(WEIGHTS[signal] for signal in known)
    value = UNTOLD
    if known:
        logs = (WEIGHTS[s] * math.log(max(v, _FLOOR)) for s, v in known.items())
        value = math.exp(math.fsum(logs) / total)
    bound = {Schema.INVALID: _INVALID_AT_MOST, Schema.MENDED: _MENDED_AT_MOST}
    return min(1.0, value, bound.get(signals.schema, 1.0))


def confidence_of(signals: Signals, calibrator: Calibrator | None = None) -> Confidence:
    """Say how sure an answer is.

    Args:
        signals: what is known of it.
        calibrator: of its agent and model, or None where there is none yet.

    Returns:
        The calibrated confidence where the calibrator has labels enough; else the raw one.
    """
    raw = combined(signals)
    basis = tuple(signals.known)
    if calibrator is None or not calibrator.is_calibrated or not basis:
        return Confidence(raw, raw, basis, calibrated=False)
    value = calibrator.apply(raw)
    if signals.schema is Schema.INVALID:
        # No history of right answers makes an unusable one usable.
        value = min(value, _INVALID_AT_MOST)
    return Confidence(value, raw, basis, calibrated=True)


# -- self-report -----------------------------------------------------------------------------------

_SAID: Final = re.compile(
    r"\bconfiden(?:ce|t)\b[\w \t]{0,20}[\"*:=(\t ]{0,6}(\d{1,3}(?:\.\d{1,6})?)[ \t]?(%)?",
    re.IGNORECASE,
)
_NAMES: Final = ("confidence", "confidence_score", "certainty")
_WORDS: Final = {"high": 0.9, "medium": 0.6, "moderate": 0.6, "low": 0.3}


def self_report(answer: str) -> float | None:
    """Read how sure a model says it is.

    Args:
        answer: JSON with a `confidence` at its top, or prose that says `confidence: 0.8` or
            `80 %`.

    Returns:
        0..1; None where it says nothing that can be read.
    """
    parsed = parse(answer)
    if parsed is not None and isinstance(parsed[0], dict):
        held = cast("dict[str, Any]", parsed[0])
        return next((_share(held[name]) for name in _NAMES if name in held), None)
    said = _SAID.search(answer)
    return _share(float(said[1]) / 100 if said[2] else float(said[1])) if said else None


def _share(value: Any) -> float | None:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _WORDS:
            return _WORDS[word]
        try:
            value = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
        except ValueError:
            return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return None
    share = value / 100 if 1 < value <= 100 else float(value)
    return share if 0.0 <= share <= 1.0 else None


# -- what follows ----------------------------------------------------------------------------------


class Logprobs(StrEnum):
    """When providers are asked for their tokens' probabilities."""

    AUTO = "auto"
    """For structured answers, of which they tell most."""
    ALWAYS = "always"
    OFF = "off"


class SoftReject(StrEnum):
    """What is done with an answer that is not sure enough."""

    ANNOTATE = "annotate"
    """It is delivered, marked and queued for a person."""
    HOLD = "hold"
    """It is kept back until a person has decided."""
    ESCALATE = "escalate"
    """The next tier is asked; the surest answer is given, marked, when none is sure enough."""


@dataclass(frozen=True, slots=True)
class ConfidencePolicy:
    """What an agent does with doubtful answers.

    Args:
        threshold: confidence below which an answer is soft-rejected, 0..1.
        soft_reject: what is done then.
        sample_within: how far below or above the threshold further samples are worth their cost.
        samples: how many answers there are then, the first one included; each costs a call, so
            that none is asked for unless somebody says so.
        logprobs: when the tokens' probabilities are asked for.
        repair: a structured answer that breaks its schema is asked for once more.
        buffer: structured streams are held back until they are whole, so that they can be mended.
    """

    threshold: float = THRESHOLD
    soft_reject: SoftReject = SoftReject.ANNOTATE
    sample_within: float = 0.1
    samples: int = 1
    logprobs: Logprobs = Logprobs.AUTO
    repair: bool = True
    buffer: bool = False

    @property
    def needs_whole(self) -> bool:
        """Tell whether a doubtful answer must not have been seen when it is found doubtful."""
        return self.soft_reject is not SoftReject.ANNOTATE

    def holds_structured(self, *, stream: bool) -> bool:
        """Tell whether a structured answer is whole before the client has any of it."""
        return not stream or self.buffer or self.needs_whole

    def verdict(self, confidence: Confidence) -> Verdict:
        """Judge an answer: soft-rejected below the threshold, allowed at it."""
        return Verdict.SOFT_REJECT if confidence.value < self.threshold else Verdict.ALLOW

    def wants_samples(self, confidence: Confidence) -> bool:
        """Tell whether further samples could change the verdict."""
        near = abs(confidence.value - self.threshold) <= self.sample_within
        return self.samples > 1 and near and Signal.AGREEMENT not in confidence.basis

"""Faults that an operator programs into a provider, and what they mean for one call.

Every fault has a `kind` and may be narrowed: `path` (end of the path), `besides` (end of a path
that is spared), `model` (exact), `times` (how often it fires), `skip` (matching calls to spare
first), `probability` (drawn from `seed`, so a run can be repeated). Faults are tried in their
order; of each kind the first that fires counts, latencies add up.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MAX_FAULTS = 100
MAX_WAIT_S = 600.0

Seconds = Annotated[float, Meta(ge=0, le=MAX_WAIT_S)]
Milliseconds = Annotated[float, Meta(ge=0, le=120_000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Times = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
AnswerText = Annotated[str, Meta(max_length=1_000_000)]


class Narrowing(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every fault can be narrowed by."""

    times: Times | None = None
    skip: Count = 0
    probability: Share = 1.0
    path: Name | None = None
    besides: Name | None = None
    model: Name | None = None
    seed: int = 0


class Status(Narrowing, tag="status"):
    """Answer with a status and the provider's own error body."""

    status: Annotated[int, Meta(ge=400, le=599)]
    retry_after_s: Seconds | None = None
    message: Annotated[str, Meta(max_length=1000)] | None = None


class Latency(Narrowing, tag="latency"):
    """Wait before answering: fixed `ms`, uniform `low_ms`..`high_ms`, or lognormal."""

    distribution: Literal["fixed", "uniform", "lognormal"] = "fixed"
    ms: Milliseconds = 0.0
    low_ms: Milliseconds = 0.0
    high_ms: Milliseconds = 0.0
    median_ms: Milliseconds = 0.0
    sigma: Annotated[float, Meta(ge=0, le=5)] = 0.5

    def draw_s(self, source: random.Random) -> float:
        """Draw one latency, seconds, never over MAX_WAIT_S."""
        if self.distribution == "fixed":
            return self.ms / 1000
        if self.distribution == "uniform":
            return source.uniform(self.low_ms, self.high_ms) / 1000
        return min(self.median_ms / 1000 * source.lognormvariate(0.0, self.sigma), MAX_WAIT_S)


class Stall(Narrowing, tag="stall"):
    """Send nothing, not even headers, for a while; then answer."""

    for_s: Seconds = 60.0


class StreamStall(Narrowing, tag="stream_stall"):
    """Stop in the middle of a stream for a while; then go on."""

    after_chunks: Count = 1
    for_s: Seconds = 60.0


class Cut(Narrowing, tag="cut"):
    """Reset the connection before the answer."""


class StreamCut(Narrowing, tag="stream_cut"):
    """Close the connection in the middle of a stream, without its end."""

    after_chunks: Count = 1


class Malformed(Narrowing, tag="malformed"):
    """Break the JSON of the body, or of the stream's chunk number `after_chunks`."""

    after_chunks: Count = 0


class WrongUsage(Narrowing, tag="wrong_usage"):
    """Report no usage, zeros, or the given numbers."""

    mode: Literal["missing", "zero", "given"] = "missing"
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class Empty(Narrowing, tag="empty"):
    """Answer successfully, without any text."""


class Answer(Narrowing, tag="answer"):
    """Answer with this text, in `chunks` chunks if streamed.

    `logprob` is reported for every token when log-probabilities are asked for.
    """

    text: AnswerText
    chunks: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    logprob: Annotated[float, Meta(ge=-100, le=0)] | None = None


class Refuse(Narrowing, tag="refuse"):
    """Refuse connections on the provider's own port, until cleared or for `for_s`."""

    for_s: Seconds | None = None


Fault = (
    Status
    | Latency
    | Stall
    | StreamStall
    | Cut
    | StreamCut
    | Malformed
    | WrongUsage
    | Empty
    | Answer
    | Refuse
)


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /_practice/faults`: replaces the faults of one provider.

    Each fault is read by itself, so that an error can name its place in the list.
    """

    provider: str
    faults: Annotated[list[msgspec.Raw], Meta(max_length=MAX_FAULTS)]


@dataclass(slots=True)
class Plan:
    """The faults that apply to one call."""

    wait_s: float = 0.0
    status: Status | None = None
    cut: Cut | None = None
    stream_stall: StreamStall | None = None
    stream_cut: StreamCut | None = None
    malformed: Malformed | None = None
    usage: WrongUsage | None = None
    answer: Answer | None = None
    fired: tuple[str, ...] = ()


NO_FAULT = Plan()


class _Armed:
    """A fault with its counters."""

    __slots__ = ("fault", "fired", "seen", "source")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.fired = 0
        self.source = random.Random(fault.seed)  # noqa: S311  # repeatable, not secret

    def fires(self, path: str, model: str | None) -> bool:
        """Count one call and tell whether the fault hits it."""
        fault = self.fault
        if fault.path is not None and not path.endswith(fault.path):
            return False
        if fault.besides is not None and path.endswith(fault.besides):
            return False
        if fault.model is not None and fault.model != model:
            return False
        self.seen += 1
        if self.seen <= fault.skip or (fault.times is not None and self.fired >= fault.times):
            return False
        if fault.probability < 1.0 and self.source.random() >= fault.probability:
            return False
        self.fired += 1
        return True


class Programme:
    """The faults of one provider, in their order."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self.needs_model = False

    def __bool__(self) -> bool:
        """Tell whether any fault is programmed."""
        return bool(self._armed)

    def load(self, faults: Iterable[Fault]) -> None:
        """Replace the faults; counters start again."""
        self._armed = [_Armed(f) for f in faults if not isinstance(f, Refuse)]
        self.needs_model = any(a.fault.model is not None for a in self._armed)

    def listing(self) -> list[dict[str, object]]:
        """Return the faults with how often each was tried and has fired."""
        return [
            {"fault": msgspec.to_builtins(a.fault), "matched": a.seen, "fired": a.fired}
            for a in self._armed
        ]

    def plan(self, path: str, model: str | None) -> Plan:
        """Draw what happens to one call."""
        plan = Plan()
        names: list[str] = []
        for armed in self._armed:
            if armed.fires(path, model):
                _apply(plan, armed)
                names.append(str(armed.fault.__struct_config__.tag))
        plan.fired = tuple(names)
        return plan


def _apply(plan: Plan, armed: _Armed) -> None:
    match armed.fault:
        case Latency() as fault:
            plan.wait_s += fault.draw_s(armed.source)
        case Stall() as fault:
            plan.wait_s += fault.for_s
        case Status() as fault:
            plan.status = plan.status or fault
        case Cut() as fault:
            plan.cut = plan.cut or fault
        case WrongUsage() as fault:
            plan.usage = plan.usage or fault
        case Answer() as fault:
            plan.answer = plan.answer or fault
        case Empty():
            plan.answer = plan.answer or Answer(text="")
        case other:
            _apply_to_stream(plan, other)


def _apply_to_stream(plan: Plan, fault: StreamStall | StreamCut | Malformed | Refuse) -> None:
    match fault:
        case StreamStall():
            plan.stream_stall = plan.stream_stall or fault
        case StreamCut():
            plan.stream_cut = plan.stream_cut or fault
        case Malformed():
            plan.malformed = plan.malformed or fault
        case Refuse():
            pass

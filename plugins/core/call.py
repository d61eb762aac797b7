"""The one record of a model call: made at the door, carried through all stages, then settled."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from plugins.core.agent import Agent, TimeLimits
from plugins.core.answer import Answer
from plugins.core.errors import GatewayError
from plugins.core.money import ZERO
from plugins.core.review import Reason, ReviewRequest
from plugins.core.source import Source
from plugins.core.tenant import Principal
from plugins.core.trace import TraceContext, new_span_id
from plugins.core.verdict import Finding, Verdict, stricter, verdict_of


class Endpoint(StrEnum):
    """The model endpoints that the gateway serves."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
    MESSAGES = "messages"
    MODERATIONS = "moderations"
    SPEECH = "speech"
    TRANSCRIPTIONS = "transcriptions"


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    """No provider gave a (whole) answer."""
    REFUSED = "refused"
    """The gateway's own policy said no."""
    DISCONNECTED = "disconnected"
    """The client went away before the last byte."""


class UsageSource(StrEnum):
    """Where the token counts come from."""

    PROVIDER = "provider"
    COUNTED = "counted"
    """The provider gave none: counted here, by a tokenizer."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call consumed.

    Args:
        input_tokens: all prompt tokens, cached ones included.
        output_tokens: all completion tokens, reasoning included.
        cached_input_tokens: the part of `input_tokens` read from the provider's cache.
        cache_write_tokens: the part of `input_tokens` written to the provider's cache.
        characters: characters spoken (speech).
        audio_s: seconds of audio heard (transcription).
        source: who counted.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    characters: int = 0
    audio_s: Decimal = ZERO
    source: UsageSource = UsageSource.NONE

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was consumed."""
        return not (self.input_tokens or self.output_tokens or self.characters or self.audio_s)


RAW_CONFIDENCE: Final = "raw_confidence"
"""In `Call.signals`, and in the `variants` of its row: how sure it is before calibration."""
EMPTY_ANSWER: Final = "EmptyAnswer"
"""Error class of an answer without content."""
NOT_CONFIDENT: Final = "NotConfident"
"""Error class of an answer that a judge thought a better model should be asked for."""
HOST_REFUSED: Final = "HostRefused"
"""Error class of a try that failed before anything was sent to the provider."""


@dataclass(slots=True)
class Attempt:
    """One try at one deployment.

    Args:
        deployment: its id in proxy_config.yaml (`model_info.id`).
        provider: who runs it.
        group: the model group (tier) that it belongs to.
        started_s: monotonic seconds.
        ended_s: monotonic seconds; None while it runs.
        error_class: None for success, else a short stable word such as `RateLimitError`.
        status: HTTP status of the provider, where it gave one.
        retry_after_s: seconds that a failing provider asked to be left alone, or 0.
        usage: what a try consumed whose answer was not given; None when nothing is known of it.
        span_id: of the try, for whoever continues the trace from it.
        traceparent: what a server of our own is sent to continue the trace from; None while
            nobody records this try.
    """

    deployment: str
    provider: str
    group: str
    started_s: float
    ended_s: float | None = None
    error_class: str | None = None
    status: int | None = None
    retry_after_s: float = 0.0
    usage: Usage | None = None
    span_id: str = field(default_factory=new_span_id)
    traceparent: str | None = None


@dataclass(slots=True)
class Pass:
    """One pass through LiteLLM, for one model group; the try at a deployment lies within it.

    Args:
        group: the model group.
        started_s: monotonic seconds.
        ended_s: monotonic seconds; None while it runs.
        span_id: of the pass, for LiteLLM's own spans.
    """

    group: str
    started_s: float
    ended_s: float | None = None
    span_id: str = field(default_factory=new_span_id)


@dataclass(frozen=True, slots=True)
class Skip:
    """A model group that was left out, and why.

    Args:
        group: the model group.
        code: stable word, such as `provider_unavailable`.
        at_s: when, in monotonic seconds.
    """

    group: str
    code: str
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of a call's way that took time, other than a try at a provider.

    Args:
        phase: of `core.stage.Phase`, or the door's own work: `auth`, `read`.
        stage: whose; empty for the door's own.
        started_s: monotonic seconds.
        ended_s: monotonic seconds.
        refused: code of the refusal that it ended with, or None.
        found: what it found, as places in `Call.findings`: from, and up to.
    """

    phase: str
    stage: str
    started_s: float
    ended_s: float
    refused: str | None = None
    found: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer that needs no provider.

    Args:
        content_type: of the answer.
        frames: a whole body as one piece, or the events of a stream, in the endpoint's format.
        group: the model group that answered at the time.
        deployment: likewise.
        provider: likewise.
        saved_usd: what the answer would have cost again.
        age_s: seconds since it was given.
        how: `hit`, or `coalesced` for the answer of an identical call that was under way.
        practice: a practice provider gave it.
        confidence: how sure it was found to be; None where nothing told.
        calibrated: what `Call.calibrated` says of that.
    """

    content_type: str
    frames: tuple[bytes, ...]
    group: str
    deployment: str
    provider: str
    saved_usd: Decimal
    age_s: float
    how: str
    practice: bool = False
    confidence: float | None = None
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What the caller says the call is about; never who the caller is.

    Args:
        subject: candidate the call is about.
        session: conversation it belongs to.
        entity_type: kind of the record it works on, such as `resume`.
        entity_id: that record's identifier.
        parent_call_id: call whose output this one uses.
        traceparent: W3C trace context of the caller.
    """

    subject: str | None = None
    session: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    parent_call_id: str | None = None
    traceparent: str | None = None


@dataclass(slots=True)
class Call:
    """Everything known of one call so far.

    Args:
        id: UUIDv7, given to the client as `x-sluice-call-id`.
        endpoint: which door it came through.
        principal: whose call it is; fixed by the key alone.
        model_asked: the model or agent named by the client.
        body: the validated request, as the client sent it.
        started_at: wall time, UTC.
        started_s: the same moment on the monotonic clock.
        arrived_s: when its first byte came, before its key and body were looked at.
        trace: its place in a distributed trace.
    """

    id: str
    endpoint: Endpoint
    principal: Principal
    model_asked: str
    body: dict[str, Any]
    started_at: datetime
    started_s: float
    arrived_s: float = 0.0
    trace: TraceContext = field(default_factory=lambda: TraceContext("", ""))
    stream: bool = False
    context: Context = field(default_factory=Context)
    agent: Agent | None = None
    tiers: tuple[str, ...] = ()
    time_limits: TimeLimits = field(default_factory=TimeLimits)
    group: str | None = None
    """The model group that is tried now, or was last."""
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    passes: list[Pass] = field(default_factory=list[Pass])
    """Through LiteLLM, one for each group that was tried; in order."""
    skipped: list[Skip] = field(default_factory=list[Skip])
    steps: list[Step] = field(default_factory=list[Step])
    """What took time on its way, in the order in which it ended."""
    findings: list[Finding] = field(default_factory=list[Finding])
    failed_checks: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Checks that gave no judgement, or gave it late, and why (`core.gate.Failure`)."""
    verdict: Verdict = Verdict.ALLOW
    confidence: float | None = None
    """How sure the answer is, 0..1; None where nothing tells."""
    calibrated: bool = False
    """Its confidence is the share of such answers that are right; else it is only an order."""
    signals: dict[str, float] = field(default_factory=dict[str, float])
    """What the checks found of an answer, 0..1, by name, for confidence to be made of."""
    hides_logprobs: bool = False
    """Token probabilities were asked for by a stage (`shape`), not by the client, who must not see
    them: judges do, in `Answer.logprobs`."""
    sources: tuple[Source, ...] = ()
    """Documents that the answer must rest on, as the caller gave them."""
    answer: Answer | None = None
    """What the model wrote, once it is whole; as the judges have left it."""
    review: ReviewRequest | None = None
    """That a person shall look at it, and why."""
    inner: bool = False
    """A check asked for it on behalf of another call: it is not judged itself."""
    recalled: Recalled | None = None
    refusal: GatewayError | None = None
    outcome: Outcome | None = None
    status: int = 0
    error_class: str | None = None
    deployment: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd: Decimal = ZERO
    saved_usd: Decimal = ZERO
    cost_note: str | None = None
    cache: str = "off"
    """How the cache took part: `off`, `bypass`, `miss`, `hit` or `coalesced`."""
    content_type: str = ""
    """Of the answer, once it is being given."""
    known: bool = False
    """Its answer is at hand, from `prepare` or `reserve` on: no provider will be asked."""
    follows: bool = False
    """From `reserve` on: it waits for the answer of an identical call that is under way."""
    cache_control: str = ""
    """The client's `Cache-Control`."""
    variants: dict[str, str] = field(default_factory=dict[str, str])
    """What decides the answer besides model and body (prompt version, arm, ...), by stage: part of
    the cache's key, so it must be settled in `prepare`."""
    shareable: bool = True
    """False once a stage has found something in the answer that no other call may be given."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """More headers for the client, from the stages; names in lower case."""
    first_byte_s: float | None = None
    ended_s: float | None = None
    """When it was settled; its last byte leaves after that."""
    closed_s: float | None = None
    """When the client had its last byte, or was given up."""
    practice: bool = False
    notes: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def agent_name(self) -> str | None:
        """Name the agent, or None for a plain model name."""
        return self.agent.name if self.agent else None

    @property
    def tier(self) -> str | None:
        """Name the tier that served, or None before one did."""
        group = self.model_served
        if group is None:
            return None
        return self.agent.tier_of(group) if self.agent else "primary"

    @property
    def model_served(self) -> str | None:
        """Name the model group that answered, be it earlier, or None."""
        answered = self.recalled or self.served
        return answered.group if answered else None

    @property
    def provider_served(self) -> str | None:
        """Name the provider that answered, be it earlier, or None."""
        answered = self.recalled or self.served
        return answered.provider if answered else None

    @property
    def served(self) -> Attempt | None:
        """Give the attempt on the deployment that answered, or None."""
        return next((a for a in reversed(self.attempts) if a.deployment == self.deployment), None)

    def note(self, *findings: Finding) -> None:
        """Write findings down; the verdict follows the strictest of them.

        An answer of which something was found is not given to other calls.
        """
        for finding in findings:
            self.findings.append(finding)
            self.verdict = stricter(self.verdict, verdict_of(finding))
            self.shareable = False

    def ask_review(self, reason: Reason) -> None:
        """Have a person look at this call."""
        if self.review is None:
            self.review = ReviewRequest([reason])
        elif reason not in self.review.reasons:
            self.review.reasons.append(reason)

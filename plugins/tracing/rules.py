"""Makes a call's spans once it is over, out of what the call says of itself. Pure.

By construction every span's parent is in the tree, no span leaves its parent's time, and the root
is as long as the call.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, zip_longest
from typing import Final

from plugins.core.call import Attempt, Call, Outcome, Pass, Step
from plugins.core.stage import Phase
from plugins.core.trace import new_span_id
from plugins.core.verdict import Finding
from plugins.tracing import attributes, names
from plugins.tracing.attributes import NOWHERE, Upstream
from plugins.tracing.spans import Kind, Moment, Span, Value

MOST_STEPS: Final = 64
MOST_TRIES: Final = 32
MOST_EVENTS: Final = 64
SLOW_STEP_S: Final = 0.001
CLIENT_LEFT: Final = "ClientDisconnected"
_FIRST_SERVER_ERROR: Final = 500

_TOGETHER: Final = {
    Phase.ADMIT.value: "admission",
    Phase.PREPARE.value: "admission",
    Phase.SETTLE.value: "settlement",
}
"""Phases whose stages share a span: each takes microseconds."""
_GROUPS: Final = frozenset(_TOGETHER.values())
_ALONE: Final = {
    "auth": "auth",
    "read": "read",
    Phase.RESERVE.value: "reserve",
    Phase.CHECK_INPUT.value: "check input",
    Phase.RECALL.value: "recall",
    Phase.CHECK_OUTPUT.value: "check output",
}
# What an enumeration's member is called takes 0.1 us to find out, and each step asks.
_CHECK_OUTPUT: Final = Phase.CHECK_OUTPUT.value
_RECALL: Final = Phase.RECALL.value
_UNASKED: Final = frozenset({"off", "bypass"})
"""How a cache takes part that is not asked."""
BOOKKEEPERS: Final = frozenset({"cache", "lineage", "review", "tracing"})
"""Stages whose `check_output` only remembers the answer."""


def spans_of(
    call: Call,
    upstreams: Mapping[str, Upstream],
    *,
    older_names: bool = False,
    new_id: Callable[[], str] = new_span_id,
) -> list[Span]:
    """Give the spans of a call that is over, the root first.

    Args:
        call: nothing of it changes any more.
        upstreams: what stands behind each deployment.
        older_names: add the attribute names of earlier conventions.
        new_id: makes identifiers of spans.
    """
    tree = _Tree(call, upstreams, new_id)
    tree.add_tries()
    tree.add_steps()
    tree.add_events()
    if older_names:
        for span in tree.spans:
            attributes.put_older(span.attributes)
    return tree.spans


class _Tree:
    """The spans of one call while they are made."""

    def __init__(
        self, call: Call, upstreams: Mapping[str, Upstream], new_id: Callable[[], str]
    ) -> None:
        self._call: Final = call
        self._upstreams: Final = upstreams
        self._new_id: Final = new_id
        # Microseconds, as `datetime` has them: a float of today has no room for more.
        self._origin_ns: Final = round(call.started_at.timestamp() * 1e6) * 1000
        self._origin_s: Final = call.started_s
        self.root: Final = self._root()
        self.spans: Final = [self.root]
        self._finders: Final[dict[int, Span]] = {}

    def _root(self) -> Span:
        call, trace = self._call, self._call.trace
        began_s = min(call.arrived_s or call.started_s, call.started_s)
        ended_s = max(call.closed_s or call.ended_s or began_s, began_s)
        found = attributes.of_call(call)
        failure = _failure(call)
        if said := failure or _refusal_code(call):
            found[names.ERROR_TYPE] = said
        operation = names.OPERATIONS[call.endpoint]
        # What a client may write is no name of a span, unless it turned out to name a model.
        known = call.agent is not None or call.tiers or call.attempts
        return Span(
            name=f"{operation} {call.model_asked[:128]}" if known else operation,
            trace_id=trace.trace_id,
            span_id=trace.span_id,
            parent_id=trace.parent_span_id,
            started_ns=self._ns(began_s),
            ended_ns=self._ns(ended_s),
            kind=Kind.SERVER,
            failure=failure,
            attributes=found,
            remote_parent=trace.parent_span_id is not None,
        )

    def add_steps(self) -> None:
        """Add what the gateway itself did: one span a step, or one for several small ones."""
        steps = [step for step in self._call.steps if _is_telling(step, self._call)]
        for key, several in groupby(steps[:MOST_STEPS], key=_group):
            if key in _GROUPS:
                self._add_group(key, list(several))
            else:
                for step in several:
                    self._add_step(key, step)
        if len(steps) > MOST_STEPS:
            self.root.attributes[names.LEFT_OUT] = len(steps) - MOST_STEPS

    def _add_group(self, name: str, steps: Sequence[Step]) -> None:
        began_s = min(step.started_s for step in steps)
        span = self._child(name, self.root, began_s, max(step.ended_s for step in steps))
        span.attributes[names.STAGES] = tuple(dict.fromkeys(step.stage for step in steps))
        for step in steps:
            if step.refused is not None:
                _mark(span, step)

    def _add_step(self, name: str, step: Step) -> None:
        full = f"{name} {step.stage}" if step.stage else name
        span = self._child(full, self.root, step.started_s, step.ended_s)
        if step.stage:
            span.attributes[names.STAGE] = step.stage
        if step.refused is not None:
            _mark(span, step)
        for place in range(*step.found):
            self._finders.setdefault(place, span)

    def add_tries(self) -> None:
        """Add each pass through LiteLLM, and within it the try at a provider."""
        passes, attempts = self._call.passes[:MOST_TRIES], self._call.attempts[:MOST_TRIES]
        left = list(enumerate(attempts, 1))
        for this, following in zip_longest(passes, passes[1:]):
            until_s = following.started_s if following else math.inf
            tried = [(n, a) for n, a in left if this.started_s <= a.started_s < until_s]
            span = self._add_pass(this, [a for _, a in tried])
            for number, attempt in tried:
                self._add_attempt(number, attempt, span)
                left.remove((number, attempt))
        for number, attempt in left:
            self._add_attempt(number, attempt, self.root)

    def _add_pass(self, this: Pass, tried: Sequence[Attempt]) -> Span:
        # A try whose client went away ends after LiteLLM has let go of it.
        ends_s = [this.started_s, this.ended_s or 0.0, *(a.ended_s or 0.0 for a in tried)]
        name = f"host {this.group}"
        span = self._child(name, self.root, this.started_s, max(ends_s), this.span_id)
        span.attributes[names.MODEL] = this.group
        return span

    def _add_attempt(self, number: int, attempt: Attempt, parent: Span) -> None:
        call = self._call
        upstream = self._upstreams.get(attempt.deployment, NOWHERE)
        found = attributes.of_attempt(call, attempt, upstream)
        found[names.TRY] = number
        model = upstream.model or attempt.group
        name = f"{names.OPERATIONS[call.endpoint]} {model}"
        ended_s = call.closed_s if attempt.ended_s is None else attempt.ended_s
        span = self._child(name, parent, attempt.started_s, ended_s or 0.0, attempt.span_id)
        span.kind = Kind.CLIENT
        if attempt.error_class != CLIENT_LEFT:
            span.failure = attempt.error_class
        if attempt.usage is not None:
            attributes.put_usage(found, attempt.usage)
        elif attempt is call.served and call.recalled is None:
            attributes.put_usage(found, call.usage)
            if call.stream and call.first_byte_s is not None:
                found[names.FIRST_CHUNK] = max(call.first_byte_s - attempt.started_s, 0.0)
        span.attributes = found

    def add_events(self) -> None:
        """Add what happened at one moment: tiers left out, a stream's first byte, findings."""
        call, root = self._call, self.root
        for skip in call.skipped[:MOST_EVENTS]:
            said: dict[str, Value] = {names.MODEL: skip.group, names.CODE: skip.code}
            root.moments.append(Moment(names.SKIPPED_EVENT, self._within(root, skip.at_s), said))
        if call.stream and call.first_byte_s is not None:
            at_ns = self._within(root, call.first_byte_s)
            root.moments.append(Moment(names.FIRST_BYTE_EVENT, at_ns, {}))
        for place, finding in enumerate(call.findings[:MOST_EVENTS]):
            span = self._finders.get(place, root)
            span.moments.append(Moment(names.FINDING_EVENT, span.ended_ns, _told(finding)))

    def _child(
        self, name: str, parent: Span, began_s: float, ended_s: float, span_id: str = ""
    ) -> Span:
        """Add a span that does not leave its parent's time."""
        began_ns = self._within(parent, began_s)
        ended_ns = self._within(parent, ended_s)
        span = Span(
            name,
            parent.trace_id,
            span_id or self._new_id(),
            parent.span_id,
            began_ns,
            ended_ns if ended_ns > began_ns else began_ns,
        )
        self.spans.append(span)
        return span

    def _ns(self, at_s: float) -> int:
        return self._origin_ns + round((at_s - self._origin_s) * 1e9)

    def _within(self, parent: Span, at_s: float) -> int:
        at_ns = self._origin_ns + round((at_s - self._origin_s) * 1e9)
        if at_ns < parent.started_ns:
            return parent.started_ns
        return at_ns if at_ns < parent.ended_ns else parent.ended_ns


def _group(step: Step) -> str:
    return _TOGETHER.get(step.phase) or _ALONE.get(step.phase, step.phase)


def _is_telling(step: Step, call: Call) -> bool:
    """Tell whether a step deserves a span: not one that found nothing and took no time."""
    if step.refused is not None or step.found[0] < step.found[1]:
        return True
    if step.ended_s - step.started_s >= SLOW_STEP_S:
        return True
    if step.phase == _CHECK_OUTPUT:
        return step.stage not in BOOKKEEPERS
    if step.stage == "cache" and call.cache in _UNASKED:
        return False
    return step.phase != _RECALL or call.recalled is not None


def _mark(span: Span, step: Step) -> None:
    """Say that a step refused the call, or that it broke."""
    code = step.refused or ""
    span.attributes[names.CODE] = code
    if code == "failed":
        span.failure = code


def _failure(call: Call) -> str | None:
    """Say what failed on the gateway's side; a refusal of the client's request is no failure."""
    if call.outcome is Outcome.FAILED:
        return call.error_class or "failed"
    if call.outcome is not Outcome.DISCONNECTED and call.status >= _FIRST_SERVER_ERROR:
        return _refusal_code(call) or call.error_class or str(call.status)
    return None


def _refusal_code(call: Call) -> str | None:
    if call.outcome is Outcome.ANSWERED:
        return None
    return call.refusal.code if call.refusal is not None else call.error_class


def _told(finding: Finding) -> dict[str, Value]:
    found: dict[str, Value] = {
        names.CHECK: finding.check,
        names.CODE: finding.code,
        names.ACTION: finding.action.value,
    }
    if finding.where:
        found[names.WHERE] = finding.where[: attributes.LONGEST_TEXT]
    if finding.excerpt:
        found[names.EXCERPT] = finding.excerpt[: attributes.LONGEST_TEXT]
    if finding.score is not None:
        found[names.SCORE] = finding.score
    return found

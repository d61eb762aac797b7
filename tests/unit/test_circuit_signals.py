"""What is said of a circuit's change, to whom, and in which words."""

from collections.abc import Iterator

import pytest
from opentelemetry import context, trace
from opentelemetry._logs import Logger, LoggerProvider, LogRecord
from typing_extensions import override

from plugins.alerts.sink import AlertSink
from plugins.breaker.changes import CircuitChange, change_of, telling
from plugins.breaker.rules import BreakerPolicy, Circuit, State
from plugins.breaker.signals import alert_of, alerted, counted, logged, traced
from plugins.core.events import Event
from plugins.events.otel import OtelEvents
from tests.remembering import RememberedEvents, RememberedMetrics

CLOSED = Circuit()
OPEN = Circuit().failed(0, BreakerPolicy(failures_to_open=1), chance=0)
HALF = OPEN.probed(0, BreakerPolicy())
HELD_OPEN, HELD_CLOSED = CLOSED.pin(State.OPEN), CLOSED.pin(State.CLOSED)


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(
    ("before", "after", "sentence", "alert"),
    [
        (CLOSED, OPEN, "OpenAI circuit breaker opened", "firing"),
        (OPEN, HALF, "OpenAI circuit breaker half open", None),
        (HALF, OPEN, "OpenAI circuit breaker opened", None),
        (HALF, CLOSED, "OpenAI circuit breaker closed", "resolved"),
        (CLOSED, HELD_OPEN, "OpenAI circuit breaker opened by hand", "firing"),
        (HELD_OPEN, CLOSED, "OpenAI circuit breaker closed by hand", "resolved"),
        (OPEN, HELD_CLOSED, "OpenAI circuit breaker closed by hand", "resolved"),
        (OPEN, HELD_OPEN, "OpenAI circuit breaker opened by hand", None),
        (CLOSED, HELD_CLOSED, "OpenAI circuit breaker closed by hand", None),
        (CLOSED, CLOSED, None, None),
        (CLOSED, Circuit(failures=2), None, None),
        (HELD_OPEN, Circuit(failures=1, pinned=State.OPEN), None, None),
    ],
)
def test_a_change_and_whom_it_concerns(
    before: Circuit, after: Circuit, sentence: str | None, alert: str | None
) -> None:
    change = change_of("openai", before, after)
    assert (change.summary if change else None) == sentence
    told = alert_of(change) if change else None
    assert (told.state if told else None) == alert
    if told:
        assert told.summary == sentence


def test_every_change_reaches_the_log_the_metric_the_trace_and_people(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics, events, alerts = RememberedMetrics(), RememberedEvents(), AlertSink()
    tell = telling([logged, counted(metrics), traced(events), alerted(alerts)])
    for before, after in [(CLOSED, OPEN), (OPEN, HALF), (HALF, CLOSED), (CLOSED, CLOSED)]:
        tell("openai", before, after)
    name = "sluice_circuit_changes_total"
    assert metrics.counts == {
        (name, "openai", "open", "breaker"): 1,
        (name, "openai", "half_open", "breaker"): 1,
        (name, "openai", "closed", "breaker"): 1,
    }
    assert dict(events.events[0].attributes) == {
        "sluice.provider": "openai",
        "sluice.circuit.from": "closed",
        "sluice.circuit.to": "open",
        "sluice.by": "breaker",
    }
    assert {event.name for event in events.events} == {"sluice.circuit.changed"}
    assert [alert.state for alert in alerts.alerts] == ["firing", "resolved"]
    assert alerts.firing == []
    assert caplog.messages[0] == "OpenAI circuit breaker opened (it was closed)"
    assert len(caplog.messages) == 3


def test_an_operators_word_is_told_as_an_operators() -> None:
    change = change_of("vllm", CLOSED, HELD_OPEN)
    assert change == CircuitChange("vllm", State.CLOSED, State.OPEN, "operator")


# --- OpenTelemetry, by the classes that its API leaves to others ---------------------------------
class KeptLogger(Logger):
    def __init__(self, kept: list[dict[str, object]]) -> None:
        super().__init__("kept")
        self.kept = kept

    @override
    def emit(self, record: LogRecord | None = None, **fields: object) -> None:
        self.kept.append(fields)

    @override
    def enabled(self, **asked: object) -> bool:
        return True


class KeptLogs(LoggerProvider):
    def __init__(self) -> None:
        self.records: list[dict[str, object]] = []

    @override
    def get_logger(self, name: str, *more: object, **others: object) -> Logger:
        return KeptLogger(self.records)


class KeptSpan(trace.NonRecordingSpan):
    """A span that records, or an exporter that fails."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__(trace.SpanContext(1, 1, is_remote=False))
        self.broken = broken
        self.kept: list[tuple[str, dict[str, str]]] = []

    @override
    def is_recording(self) -> bool:
        return True

    @override
    def add_event(self, name: str, attributes: object = None, timestamp: int | None = None) -> None:
        if self.broken:
            raise RuntimeError("an exporter's bug")
        self.kept.append((name, attributes))  # type: ignore[arg-type]


EVENT = Event("sluice.circuit.changed", "it opened", {"sluice.provider": "openai"})


@pytest.fixture
def span(request: pytest.FixtureRequest) -> Iterator[KeptSpan]:
    made = KeptSpan(broken=getattr(request, "param", False))
    token = context.attach(trace.set_span_in_context(made))
    yield made
    context.detach(token)


def test_an_event_is_on_the_running_span_and_in_the_logs(span: KeptSpan) -> None:
    logs = KeptLogs()
    OtelEvents(logs).emit(EVENT)
    assert span.kept == [("sluice.circuit.changed", {"sluice.provider": "openai"})]
    (record,) = logs.records
    assert record["event_name"] == "sluice.circuit.changed"
    assert record["body"] == "it opened"
    assert record["attributes"] == {"sluice.provider": "openai"}


def test_without_a_span_the_logs_have_it_and_without_an_sdk_nothing_happens() -> None:
    logs = KeptLogs()
    OtelEvents(logs).emit(EVENT)
    assert len(logs.records) == 1
    OtelEvents().emit(EVENT)


@pytest.mark.parametrize("span", [True], indirect=True)
def test_an_exporters_bug_fails_nobody(span: KeptSpan, caplog: pytest.LogCaptureFixture) -> None:
    OtelEvents(KeptLogs()).emit(EVENT)
    assert "sluice.circuit.changed" in caplog.text

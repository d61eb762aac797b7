"""GenAI's metrics and the gateway's events, over real sockets to a real receiver."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from plugins.core.events import Event
from plugins.events.otel import OtelEvents
from plugins.tracing.measures import DURATION, NEWER_DURATION, TOKENS, Measures, NoMeasures, wanted
from plugins.tracing.stage import MeasuringStage
from plugins.tracing.telemetry import FAREWELL_S, Telemetry, telemetry
from tests.receiving import Receiver, over_grpc, over_http, plain
from tests.remembering import RememberedMetrics
from tests.unit.test_tracing_rules import UPSTREAMS, WAYS, a_traced_call


@pytest.fixture(params=["http/protobuf", "grpc"])
def receiver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    started = over_grpc() if request.param == "grpc" else over_http()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", started.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", request.param)
    with started:
        yield started


def made() -> Telemetry:
    return telemetry(RememberedMetrics(), UPSTREAMS)


def points(metric: Any) -> dict[tuple[str, ...], Any]:
    """Data points by model, error and kind of token."""
    found = {}
    for point in metric.histogram.data_points:
        facts = plain(point.attributes)
        key = (facts["gen_ai.request.model"], facts.get("error.type", ""))
        found[(*key, facts.get("gen_ai.token.type", ""))] = point
    return found


async def test_each_try_is_measured_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    ways = made()
    stage = MeasuringStage(ways.measures)
    changes, _ = WAYS["fallback"]
    await stage.observe(a_traced_call(**changes))
    await stage.observe(a_traced_call())
    recalled, _ = WAYS["cache hit"]
    await stage.observe(a_traced_call(**recalled))
    ways.close()
    found = receiver.metrics()
    assert set(found) == {DURATION, TOKENS}
    durations = points(found[DURATION])
    assert durations["gpt-4o-2024", "RateLimitError", ""].sum == pytest.approx(0.17)
    assert durations["gpt-4o-2024", "", ""].sum == pytest.approx(0.48)
    assert durations["claude-sonnet", "", ""].count == 1
    assert len(durations["claude-sonnet", "", ""].explicit_bounds) == 14
    tokens = points(found[TOKENS])
    assert tokens["gpt-4o-2024", "", "input"].sum == 250
    assert tokens["claude-sonnet", "", "output"].sum == 150
    assert ("gpt-4o-2024", "RateLimitError", "input") not in tokens


async def test_the_newer_name_stands_beside_when_asked_for(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http,gen_ai_latest_experimental")
    ways = made()
    ways.measures.of(a_traced_call())
    ways.close()
    assert set(receiver.metrics()) == {DURATION, NEWER_DURATION, TOKENS}


def test_a_change_of_a_circuit_is_a_log_record(receiver: Receiver) -> None:
    ways = made()
    events = OtelEvents(ways.logs)
    events.emit(Event("sluice.circuit.changed", "openai opens", {"sluice.provider": "openai"}))
    ways.close()
    (record,) = receiver.logs()
    assert record.event_name == "sluice.circuit.changed"
    assert record.body.string_value == "openai opens"
    assert plain(record.attributes) == {"sluice.provider": "openai"}


def test_the_end_is_not_held_up_by_a_receiver_that_hangs(receiver: Receiver) -> None:
    receiver.hang()
    ways = made()
    OtelEvents(ways.logs).emit(Event("sluice.circuit.changed", "openai opens", {}))
    began_s = time.monotonic()
    ways.close()
    assert time.monotonic() - began_s < 2 * FAREWELL_S


def test_the_common_address_alone_asks_for_no_metrics(receiver: Receiver) -> None:
    ways = made()
    assert type(ways.measures) is NoMeasures
    ways.close()


def test_without_an_address_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    ways = made()
    assert (ways.traces, ways.logs) == (None, None)
    assert not isinstance(ways.measures, Measures)
    ways.close()


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/v1/metrics"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
)
def test_metrics_are_asked_for_by_name(environ: dict[str, str], asked: bool) -> None:
    assert wanted(environ) is asked

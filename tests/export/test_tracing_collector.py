"""Through a real collector (rotel) in between: what it passes on is what was made."""

import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from plugins.tracing import sdk
from plugins.tracing.outbox import Bounds, Outbox
from plugins.tracing.rules import spans_of
from plugins.tracing.sdk import Target
from plugins.tracing.wire import span_bytes
from tests.receiving import Receiver, over_http
from tests.remembering import RememberedMetrics
from tests.unit.test_tracing_rules import UPSTREAMS, WAYS, a_traced_call


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def behind() -> Iterator[Receiver]:
    with over_http() as receiver:
        yield receiver


@pytest.fixture
def collector(behind: Receiver, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A running collector; gives its address by protocol."""
    spec = find_spec("rotel")
    assert spec is not None
    assert spec.origin is not None
    ports = {"http/protobuf": free_port(), "grpc": free_port()}
    command = [str(Path(spec.origin).with_name("rotel-agent")), "start"]
    command += ["--otlp-http-endpoint", f"127.0.0.1:{ports['http/protobuf']}"]
    command += ["--otlp-grpc-endpoint", f"127.0.0.1:{ports['grpc']}"]
    command += ["--exporter", "otlp", "--otlp-exporter-endpoint", behind.url]
    command += ["--otlp-exporter-protocol", "http", "--batch-timeout", "100ms"]
    log = (tmp_path / "rotel.log").open("wb")
    with log, subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as process:
        try:
            deadline_s = time.monotonic() + 20
            while not all(map(_answers, ports.values())):
                told = (tmp_path / "rotel.log").read_text()
                assert process.poll() is None, told
                assert time.monotonic() < deadline_s, told
                time.sleep(0.05)
            yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        finally:
            process.kill()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_real_collector_takes_the_spans_and_passes_them_on(
    behind: Receiver, collector: dict[str, str], protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector[protocol])
    exporter = sdk.span_exporter(Target(collector[protocol], protocol))
    outbox = Outbox(exporter, sdk.envelope(), RememberedMetrics(), Bounds(farewell_s=5))
    made = [s for c, _ in WAYS.values() for s in spans_of(a_traced_call(**c), UPSTREAMS)]
    outbox.put([span_bytes(span) for span in made])
    outbox.close()
    assert outbox.lost["export_failed"] == 0
    assert behind.wait(lambda: len(behind.spans()) == len(made))
    passed_on = {(s.trace_id, s.span_id, s.parent_id, s.name) for s in behind.spans()}
    # The ways' spans share some identifiers, but never within a trace.
    assert passed_on == {(s.trace_id, s.span_id, s.parent_id or "", s.name) for s in made}
    assert behind.spans()[0].resource["service.name"] == "sluice"

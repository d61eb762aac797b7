"""One trace per call, from a running gateway with two workers to a receiver over a real socket.

Calls are made with the official SDK, whose caller's trace is continued.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.gateway.running import UNCACHED, Gateway, running
from tests.receiving import Receiver, SpanSeen, over_grpc, over_http

pytestmark = [pytest.mark.proxy, pytest.mark.spec("9.4")]
CALLER_SPAN = "00f067aa0ba902b7"
GATES = ("input_checks", "moderation", "probe", "probe-guard")
CHECKED = [f"check input {stage}" for stage in GATES]
HEAD = ["auth", "read", "admission", "reserve limits", "reserve cache", *CHECKED]
UNKEPT = [name for name in HEAD if name != "reserve cache"]
"""A call that wants no cached answer looks for none."""
JUDGES = ("moderation", "schema", "toxicity", "grounding", "confidence")
JUDGED = ["confirm moderation", *(f"judge {stage}" for stage in JUDGES)]
TAIL = [*JUDGED, "check output probe", "settlement"]


@dataclass
class Traced:
    """A gateway that exports, and what received it."""

    gateway: Gateway
    receiver: Receiver

    clients: list[OpenAI] = field(default_factory=list)

    def client(self, key: str | None = None) -> OpenAI:
        made = OpenAI(
            base_url=self.gateway.base_url + "/v1",
            api_key=key or self.gateway.demo_key,
            max_retries=0,
        )
        self.clients.append(made)
        return made

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def tree(self, trace_id: str) -> list[SpanSeen]:
        """The whole trace, once its root has come: the last of a call's spans to be made first."""
        found = self.receiver.wait(lambda: _root(self.receiver.trace(trace_id)) is not None)
        assert found, f"no root of {trace_id} among {len(self.receiver.spans())} spans"
        return self.receiver.trace(trace_id)


@pytest.fixture(scope="module")
def traced(new_folder: Callable[[str], Path]) -> Iterator[Traced]:
    with over_http() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with running(new_folder("traced"), workers=2, probe=True, **variables) as gateway:
            made = Traced(gateway, receiver)
            yield made
            made.close()


@pytest.fixture(autouse=True)
def _mended(traced: Traced) -> Iterator[None]:
    yield
    traced.gateway.mend()


def _root(spans: list[SpanSeen]) -> SpanSeen | None:
    return next((s for s in spans if s.kind == "server"), None)


def a_trace() -> tuple[str, dict[str, str]]:
    """A caller's trace: its identifier, and the headers of a call within it."""
    trace_id = os.urandom(16).hex()
    return trace_id, {"traceparent": f"00-{trace_id}-{CALLER_SPAN}-01"}


def drawn(spans: list[SpanSeen]) -> list[str]:
    """The tree as nested names; fails for an orphan, or a child outside its parent."""
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    root = _root(spans)
    assert root is not None
    assert root.parent_id == CALLER_SPAN

    def depth(span: SpanSeen) -> int:
        if span is root:
            return 0
        parent = by_id[span.parent_id]
        assert parent.started_ns <= span.started_ns <= span.ended_ns <= parent.ended_ns, span.name
        return 1 + depth(parent)

    order = sorted(spans, key=lambda s: (s.started_ns, depth(s)))
    return ["  " * (depth(s) - 1) + s.name + (" !" if s.failed else "") for s in order if depth(s)]


def chat(client: OpenAI, headers: dict[str, str], model: str = "matching", **body: Any) -> Any:
    messages: Any = [{"role": "user", "content": f"hello {os.urandom(4).hex()}"}]
    return client.chat.completions.with_raw_response.create(
        **{"model": model, "messages": messages, "extra_headers": headers, **body}
    )


TRY = ["host gpt-4o", "  chat gpt-4o"]


def test_a_plain_call(traced: Traced) -> None:
    trace_id, headers = a_trace()
    began_ns = time.time_ns()
    with traced.gateway.faulty("openai", {"kind": "latency", "ms": 300}):
        answer = chat(traced.client(), headers | UNCACHED | {"x-sluice-session": "s-1"})
    ended_ns = time.time_ns()
    spans = traced.tree(trace_id)
    assert drawn(spans) == [*UNKEPT, *TRY, *TAIL]
    root = _root(spans)
    assert root is not None
    assert answer.headers["traceparent"] == f"00-{trace_id}-{root.span_id}-01"
    # As long as the call: the client's clock is this machine's.
    assert began_ns - 2_000_000 <= root.started_ns
    assert root.ended_ns <= ended_ns + 2_000_000
    assert root.ended_ns - root.started_ns > 300_000_000
    row = traced.gateway.call_row(answer.headers["x-sluice-call-id"])
    found = root.attributes
    assert found["sluice.call_id"] == row["call_id"]
    assert found["sluice.cost_usd"] == pytest.approx(float(row["cost_usd"]))
    assert found["sluice.usage.input_tokens"] == row["input_tokens"]
    assert found["gen_ai.conversation.id"] == "s-1"
    (tried,) = (s for s in spans if s.kind == "client")
    assert tried.attributes["gen_ai.provider.name"] == "openai"
    assert tried.attributes["gen_ai.usage.output_tokens"] == row["output_tokens"]
    assert tried.attributes["server.address"] == "127.0.0.1"
    assert tried.resource["service.name"] == "sluice"


def test_a_call_without_a_callers_trace_is_found_by_its_own_id(traced: Traced) -> None:
    answer = chat(traced.client(), UNCACHED)
    call_id = answer.headers["x-sluice-call-id"]
    root = _root(traced.tree(call_id.replace("-", "")))
    assert root is not None
    assert root.parent_id == ""
    assert answer.headers["traceparent"] == f"00-{root.trace_id}-{root.span_id}-01"


def test_a_stream(traced: Traced) -> None:
    trace_id, headers = a_trace()
    answer = chat(traced.client(), headers | UNCACHED, stream=True)
    assert list(answer.parse())
    spans = traced.tree(trace_id)
    assert drawn(spans) == [*UNKEPT, *TRY, *JUDGED, "settlement"]
    root = _root(spans)
    assert root is not None
    assert [name for name, _, _ in root.events] == ["sluice.first_byte"]
    (tried,) = (s for s in spans if s.kind == "client")
    assert 0 < tried.attributes["gen_ai.response.time_to_first_chunk"] < 30


def test_a_cache_hit(traced: Traced) -> None:
    key = traced.gateway.new_key()
    messages: Any = [{"role": "user", "content": "the same words"}]
    chat(traced.client(key), {}, messages=messages)
    trace_id, headers = a_trace()
    answer = chat(traced.client(key), headers, messages=messages)
    assert answer.headers["x-sluice-cache"] == "hit"
    spans = traced.tree(trace_id)
    assert [name for name in drawn(spans) if name != "reserve cache"] == [
        *UNKEPT,
        "recall cache",
        "settlement",
    ]
    root = _root(spans)
    assert root is not None
    assert root.attributes["sluice.cache"] == "hit"
    assert root.attributes["sluice.saved_usd"] > 0
    assert root.attributes["sluice.cost_usd"] == 0


def test_a_fallback(traced: Traced) -> None:
    trace_id, headers = a_trace()
    with traced.gateway.faulty("openai", {"kind": "status", "status": 503}):
        answer = chat(traced.client(), headers | UNCACHED)
    assert answer.headers["x-sluice-tier"] == "secondary"
    spans = traced.tree(trace_id)
    assert drawn(spans) == [
        *UNKEPT,
        "host gpt-4o",
        "  chat gpt-4o !",
        "host claude-3-5-sonnet",
        "  chat claude-sonnet-4-6",
        *TAIL,
    ]
    failed = next(s for s in spans if s.failed)
    assert failed.attributes["error.type"] == failed.message == "ServiceUnavailableError"
    assert failed.attributes["sluice.tier"] == "primary"
    root = _root(spans)
    assert root is not None
    assert not root.failed
    assert root.attributes["sluice.kept_because"] == "error"


def test_a_blocked_input(traced: Traced) -> None:
    trace_id, headers = a_trace()
    headers |= {"x-sluice-session": "refuse-in:probe.check_input"}
    with pytest.raises(openai.PermissionDeniedError):
        chat(traced.client(), headers | UNCACHED)
    spans = traced.tree(trace_id)
    assert drawn(spans) == [*UNKEPT[:-1], "settlement"], "what would have come next is not asked"
    root = _root(spans)
    assert root is not None
    assert not root.failed
    assert root.attributes["error.type"] == "refused_on_cue"
    assert root.attributes["http.response.status_code"] == 403
    blocked = next(s for s in spans if s.name == "check input probe")
    assert blocked.attributes["sluice.code"] == "refused_on_cue"


def test_a_soft_reject(traced: Traced) -> None:
    trace_id, headers = a_trace()
    chat(traced.client(), headers | UNCACHED | {"x-sluice-session": "soft-reject"})
    spans = traced.tree(trace_id)
    assert drawn(spans) == [*UNKEPT, *TRY, *TAIL]
    root = _root(spans)
    assert root is not None
    assert root.attributes["sluice.verdict"] == "soft_reject"
    assert root.attributes["sluice.confidence"] == 0.4
    check = next(s for s in spans if s.name == "check output probe")
    ((name, _, told),) = check.events
    assert name == "sluice.finding"
    assert (told["sluice.code"], told["sluice.action"]) == ("unfounded", "flag")


def test_a_client_that_goes_away(traced: Traced) -> None:
    trace_id, headers = a_trace()
    with (
        traced.gateway.faulty("openai", {"kind": "latency", "ms": 3000}),
        pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)),
    ):
        chat(traced.client(), headers | UNCACHED, timeout=0.5)
    spans = traced.tree(trace_id)
    assert drawn(spans) == [*UNKEPT, *TRY, "settlement"]
    root = _root(spans)
    assert root is not None
    assert root.attributes["sluice.outcome"] == "disconnected"
    assert 0.3e9 < root.ended_ns - root.started_ns < 2.5e9


def test_spans_come_from_both_workers(traced: Traced) -> None:
    def workers() -> set[str]:
        for _ in range(4):
            traced.gateway.chat()
        return {str(s.resource["service.instance.id"]) for s in traced.receiver.spans()}

    assert traced.receiver.wait(lambda: len(workers()) == 2)


def test_a_receiver_that_hangs_holds_no_call_up(traced: Traced) -> None:
    traced.receiver.hang()
    try:
        took_s: list[float] = []
        for _ in range(30):
            began_s = time.monotonic()
            assert traced.gateway.chat().status_code == 200
            took_s.append(time.monotonic() - began_s)
    finally:
        traced.receiver.release()
    assert sorted(took_s)[len(took_s) // 2] < 0.5
    assert max(took_s) < 5


def test_what_is_kept_and_lost_is_counted(traced: Traced) -> None:
    def page() -> str:
        return traced.gateway.admin("GET", "/metrics").text

    assert traced.receiver.wait(lambda: 'sluice_traces_total{kept="yes"}' in page())
    assert 'sluice_trace_spans_dropped_total{reason="queue_full"}' in page()
    assert "sluice_trace_queue_spans" in page()


def test_what_waits_is_sent_over_grpc_when_the_gateway_stops(
    new_folder: Callable[[str], Path],
) -> None:
    with over_grpc() as receiver:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        }
        with running(new_folder("traced-grpc"), **variables) as gateway:
            answers = [gateway.chat() for _ in range(3)]
        wanted = {a.headers["x-sluice-call-id"].replace("-", "") for a in answers}
        assert wanted <= {span.trace_id for span in receiver.spans()}

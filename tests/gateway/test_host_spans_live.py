"""LiteLLM's own spans, switched on in a running gateway, lie where they belong in a call's trace."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.gateway.running import ROOT, UNCACHED, running
from tests.gateway.test_tracing_live import (
    CALLER_SPAN,
    GUARD,
    TAIL,
    UNKEPT,
    Traced,
    a_trace,
    chat,
    drawn,
)
from tests.receiving import SpanSeen, over_http

pytestmark = [pytest.mark.proxy, pytest.mark.spec("9.4")]


@pytest.fixture(scope="module")
def whole(new_folder: Callable[[str], Path]) -> Iterator[Traced]:
    """One worker, with LiteLLM's own spans switched on and the probe's guardrail in its way."""
    folder = new_folder("traced-host")
    shipped = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    shipped["sluice"]["tracing"]["host_spans"] = True
    config = folder / "host_spans.yaml"
    config.write_text(yaml.safe_dump(shipped))
    with over_http() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with running(folder, probe=True, config=config, **variables) as gateway:
            made = Traced(gateway, receiver)
            yield made
            gateway.mend()
            made.close()


def whole_tree(traced: Traced, trace_id: str, last: str) -> list[SpanSeen]:
    """The trace once LiteLLM's part is there too; it writes its tries down in the background."""
    assert traced.receiver.wait(lambda: last in {s.name for s in traced.receiver.trace(trace_id)})
    return traced.tree(trace_id)


def test_litellms_own_spans_lie_below_the_pass_they_come_from(whole: Traced) -> None:
    trace_id, headers = a_trace()
    chat(whole.client(), headers | UNCACHED | {"x-sluice-subject": "candidate-9"})
    spans = whole_tree(whole, trace_id, "litellm chat gpt-4o")
    print(drawn(spans))
    for s in spans:
        if s.name.startswith("litellm"):
            print(s.name, s.kind, s.attributes, s.events)
    assert 0


def test_litellms_own_spans_of_a_fallback(whole: Traced) -> None:
    trace_id, headers = a_trace()
    with whole.gateway.faulty("openai", {"kind": "status", "status": 503}):
        chat(whole.client(), headers | UNCACHED)
    import time
    time.sleep(4)
    spans = whole.tree(trace_id)
    print(drawn(spans))
    for s in spans:
        if s.name.startswith("litellm"):
            print(s.name, s.kind, s.failed, s.message, s.attributes, s.events)
    assert 0

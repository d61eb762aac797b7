"""LiteLLM's own spans, switched on in a running gateway, lie where they belong in a trace."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import openai
import pytest
import yaml

from tests.gateway.running import ROOT, UNCACHED, running
from tests.gateway.test_tracing_live import Traced, a_trace, chat, drawn
from tests.receiving import SpanSeen, over_http

pytestmark = [pytest.mark.proxy, pytest.mark.spec("9.4")]
AUTH = "litellm auth /v1/chat/completions"
GPT_4O = "litellm chat gpt-4o"
SONNET = "litellm chat claude-3-5-sonnet"


@pytest.fixture(scope="module")
def whole(new_folder: Callable[[str], Path]) -> Iterator[Traced]:
    """One worker that records LiteLLM's spans as well."""
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
            made.close()


GATES = [
    f"  litellm execute_guardrail {name}" for name in ("input-checks", "moderation", "probe-guard")
]
"""They ran before the pass that tells LiteLLM of them, so they lie at its beginning."""


def whole_tree(traced: Traced, trace_id: str, last: str, roots: int = 1) -> list[SpanSeen]:
    """The trace with LiteLLM's part: it notes its tries in the background."""

    def is_whole() -> bool:
        spans = traced.receiver.trace(trace_id)
        count = sum(span.name == last for span in spans)
        return count == roots == sum(span.kind == "server" for span in spans)

    assert traced.receiver.wait(is_whole), [s.name for s in traced.receiver.trace(trace_id)]
    return traced.receiver.trace(trace_id)


def below_passes(spans: list[SpanSeen]) -> list[str]:
    """The part of the tree that passes through LiteLLM make; what is drawn has no orphan."""
    lines = drawn(spans)
    return [line for line in lines if line.startswith(("host ", "  litellm ", "  chat "))]


def test_they_are_children_of_the_pass_they_come_from(whole: Traced) -> None:
    trace_id, headers = a_trace()
    chat(whole.client(), headers | UNCACHED)
    spans = whole_tree(whole, trace_id, GPT_4O)
    assert below_passes(spans) == [
        "host gpt-4o",
        *GATES,
        "  " + AUTH,
        "  litellm route gpt-4o",
        "  chat gpt-4o",
        "  " + GPT_4O,
    ]
    (theirs,) = (span for span in spans if span.name == GPT_4O)
    assert theirs.attributes["gen_ai.response.finish_reasons"] == ["stop"]


def test_a_fallback_shows_them_below_both_passes(whole: Traced) -> None:
    trace_id, headers = a_trace()
    with whole.gateway.faulty("openai", {"kind": "status", "status": 503}):
        chat(whole.client(), headers | UNCACHED)
    whole.gateway.mend()
    spans = whole_tree(whole, trace_id, SONNET)
    assert below_passes(spans) == [
        "host gpt-4o",
        *GATES,
        "  " + AUTH,
        "  litellm route gpt-4o",
        "  chat gpt-4o !",
        f"  {GPT_4O} !",
        "host claude-3-5-sonnet",
        "  " + AUTH,
        "  litellm route claude-3-5-sonnet",
        "  chat claude-sonnet-4-6",
        "  " + SONNET,
    ]
    (failed,) = (span for span in spans if span.name == GPT_4O)
    assert failed.message == "ServiceUnavailableError"


def test_a_stream_shows_them_too(whole: Traced) -> None:
    trace_id, headers = a_trace()
    assert list(chat(whole.client(), headers | UNCACHED, stream=True).parse())
    assert "  " + GPT_4O in below_passes(whole_tree(whole, trace_id, GPT_4O))


def test_a_client_that_goes_away_leaves_no_orphan(whole: Traced) -> None:
    trace_id, headers = a_trace()
    with (
        whole.gateway.faulty("openai", {"kind": "latency", "ms": 3000}),
        pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)),
    ):
        chat(whole.client(), headers | UNCACHED, timeout=0.5)
    whole.gateway.mend()
    spans = whole.tree(trace_id)
    lines = ["host gpt-4o", *GATES, "  " + AUTH, "  litellm route gpt-4o", "  chat gpt-4o"]
    assert [line for line in below_passes(spans) if line != "  " + GPT_4O] == lines


def test_two_calls_of_one_trace_have_their_own(whole: Traced) -> None:
    trace_id, headers = a_trace()
    for _ in range(2):
        chat(whole.client(), headers | UNCACHED)
    spans = whole_tree(whole, trace_id, GPT_4O, roots=2)
    passes = {span.span_id for span in spans if span.name == "host gpt-4o"}
    assert len(passes) == 2
    assert {span.parent_id for span in spans if span.name == GPT_4O} == passes


def test_they_say_nothing_of_texts_people_tokens_or_costs(whole: Traced) -> None:
    trace_id, headers = a_trace()
    said = [{"role": "user", "content": "my secret is plum jam"}]
    who = {"x-sluice-subject": "candidate-9"}
    with whole.gateway.faulty("openai", {"kind": "status", "status": 503}):
        chat(whole.client(), headers | UNCACHED | who, messages=said)
    whole.gateway.mend()
    spans = whole_tree(whole, trace_id, SONNET)
    assert "plum jam" not in repr(spans)
    assert "candidate-9" not in repr(spans)
    theirs = [span for span in spans if span.name.startswith("litellm ")]
    assert len(theirs) == 9
    assert {
        key for span in theirs for key in span.attributes if "usage" in key or "cost" in key
    } == (set())
    assert [event for span in theirs for event in span.events] == []


def test_nothing_of_litellms_comes_without_a_call(whole: Traced) -> None:
    whole.gateway.chat()
    spans = whole.receiver.spans()
    ours = {span.trace_id for span in spans if span.kind == "server"}
    strangers = [s.name for s in spans if s.trace_id not in ours and s.name.startswith("litellm ")]
    assert strangers == []

"""The spans of a call: the tree for each way that a call can go, and what holds for every tree."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.agent import Agent
from plugins.core.call import (
    Attempt,
    Call,
    Context,
    Endpoint,
    Outcome,
    Pass,
    Recalled,
    Skip,
    Step,
    Usage,
    UsageSource,
)
from plugins.core.errors import Forbidden, Unavailable
from plugins.core.trace import trace_of
from plugins.core.verdict import Action, Finding, Verdict
from plugins.tracing import names, rules
from plugins.tracing.attributes import Upstream
from plugins.tracing.rules import spans_of
from plugins.tracing.spans import Kind, Span
from tests.making import NOON, a_call

UPSTREAMS = {
    "openai-gpt-4o": Upstream("gpt-4o-2024", "api.openai.com", 443),
    "anthropic-claude": Upstream("claude-sonnet"),
}
AGENT = Agent("matching", ("gpt-4o", "claude-3-5-sonnet", "llama-3"))
CALLER = f"00-{'a' * 32}-{'b' * 16}-01"
NOON_NS = round(NOON.timestamp()) * 10**9


def ids() -> Any:
    numbers: Iterator[int] = count(1)
    return lambda: f"{next(numbers):016x}"


def a_traced_call(**changes: Any) -> Call:
    """An answered call of 0.7 s whose steps lie where the door's would."""
    call = a_call(
        cache="miss",
        agent=AGENT,
        model_asked="matching",
        tiers=AGENT.tiers,
        arrived_s=99.99,
        closed_s=100.7,
        passes=[Pass("gpt-4o", 100.01, 100.55, "f" * 16)],
        attempts=[Attempt("openai-gpt-4o", "openai", "gpt-4o", 100.02, 100.5, span_id="e" * 16)],
        steps=[
            Step("auth", "", 99.99, 99.991),
            Step("read", "", 99.991, 100.0),
            Step("admit", "agents", 100.0, 100.001),
            Step("prepare", "agents", 100.001, 100.002),
            Step("prepare", "cache", 100.002, 100.003),
            Step("reserve", "limits", 100.003, 100.006),
            Step("reserve", "cache", 100.003, 100.005),
            Step("check_input", "pii", 100.006, 100.007),
            Step("recall", "cache", 100.007, 100.0071),
            Step("check_output", "grounds", 100.51, 100.52),
            Step("check_output", "cache", 100.52, 100.5201),
            Step("settle", "ledger", 100.6, 100.65),
            Step("settle", "cache", 100.6, 100.61),
        ],
    )
    call.trace = trace_of(call.id, None)
    for name, value in changes.items():
        setattr(call, name, value)
    return call


def drawn(spans: list[Span]) -> list[str]:
    """The tree as indented names, in the order in which the spans began."""
    children: dict[str | None, list[Span]] = {}
    for span in spans[1:]:
        children.setdefault(span.parent_id, []).append(span)

    def lines(span: Span, depth: int) -> Iterator[str]:
        yield "  " * depth + span.name + (f" !{span.failure}" if span.failure else "")
        for child in sorted(children.get(span.span_id, []), key=lambda s: s.started_ns):
            yield from lines(child, depth + 1)

    return list(lines(spans[0], 0))


HEAD = ["  auth", "  read", "  admission", "  reserve limits", "  reserve cache"]
CHECKED = [*HEAD, "  check input pii"]
TAIL = ["  check output grounds", "  settlement"]
HIT = Recalled(
    "application/json", (b"{}",), "gpt-4o", "openai-gpt-4o", "openai", Decimal("0.002"), 3.0, "hit"
)
FALLBACK = {
    "passes": [Pass("gpt-4o", 100.01, 100.2), Pass("claude-3-5-sonnet", 100.21, 100.55)],
    "attempts": [
        Attempt("openai-gpt-4o", "openai", "gpt-4o", 100.02, 100.19, "RateLimitError", 429),
        Attempt("anthropic-claude", "anthropic", "claude-3-5-sonnet", 100.22, 100.5, None, 200),
    ],
    "deployment": "anthropic-claude",
}

WAYS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": ({}, ["chat matching", *CHECKED, "  host gpt-4o", "    chat gpt-4o-2024", *TAIL]),
    "stream": (
        {"stream": True, "first_byte_s": 100.2},
        ["chat matching", *CHECKED, "  host gpt-4o", "    chat gpt-4o-2024", *TAIL],
    ),
    "cache hit": (
        {"recalled": HIT, "cache": "hit", "passes": [], "attempts": [], "deployment": None},
        ["chat matching", *CHECKED, "  recall cache", *TAIL],
    ),
    "fallback": (
        FALLBACK,
        [
            "chat matching",
            *CHECKED,
            "  host gpt-4o",
            "    chat gpt-4o-2024 !RateLimitError",
            "  host claude-3-5-sonnet",
            "    chat claude-sonnet",
            *TAIL,
        ],
    ),
    "blocked input": (
        {
            "passes": [],
            "attempts": [],
            "deployment": None,
            "outcome": Outcome.REFUSED,
            "status": 400,
            "refusal": Forbidden("no", code="pii_found"),
            "verdict": Verdict.BLOCK,
            "findings": [Finding("pii", "card_number", Action.BLOCK, "messages[0]:4", "**** 4")],
            "steps": [
                Step("auth", "", 99.99, 99.991),
                Step("check_input", "pii", 100.006, 100.007, "pii_found", (0, 1)),
                Step("settle", "ledger", 100.6, 100.65),
            ],
        },
        ["chat matching", "  auth", "  check input pii", "  settlement"],
    ),
    "soft reject": (
        {
            "verdict": Verdict.SOFT_REJECT,
            "confidence": 0.4,
            "findings": [Finding("grounds", "unfounded", Action.FLAG, score=0.9)],
        },
        ["chat matching", *CHECKED, "  host gpt-4o", "    chat gpt-4o-2024", *TAIL],
    ),
    "client disconnect": (
        {
            "outcome": Outcome.DISCONNECTED,
            "status": 499,
            "error_class": "ClientDisconnected",
            "attempts": [
                Attempt("openai-gpt-4o", "openai", "gpt-4o", 100.02, 100.56, "ClientDisconnected")
            ],
        },
        ["chat matching", *CHECKED, "  host gpt-4o", "    chat gpt-4o-2024", *TAIL],
    ),
    "all tiers spared": (
        {
            "passes": [],
            "attempts": [],
            "deployment": None,
            "outcome": Outcome.REFUSED,
            "status": 503,
            "refusal": Unavailable("no", code="providers_unavailable"),
            "skipped": [Skip("gpt-4o", "providers_unavailable", 100.01)],
        },
        ["chat matching !providers_unavailable", *CHECKED, *TAIL],
    ),
}


@pytest.mark.parametrize(("changes", "tree"), WAYS.values(), ids=WAYS)
def test_the_tree_shows_the_way_that_a_call_went(changes: dict[str, Any], tree: list[str]) -> None:
    assert drawn(spans_of(a_traced_call(**changes), UPSTREAMS, new_id=ids())) == tree


def test_the_root_is_as_long_as_the_call_and_on_the_wall_clock() -> None:
    root = spans_of(a_traced_call(), UPSTREAMS)[0]
    assert root.started_ns == NOON_NS - 10_000_000
    assert root.ended_ns == NOON_NS + 700_000_000
    assert root.kind is Kind.SERVER


def test_the_trace_continues_the_callers() -> None:
    call = a_traced_call(context=Context(traceparent=CALLER))
    call.trace = trace_of(call.id, CALLER)
    root = spans_of(call, UPSTREAMS)[0]
    assert (root.trace_id, root.parent_id, root.remote_parent) == ("a" * 32, "b" * 16, True)


def test_without_a_caller_the_trace_is_the_calls_own_identifier() -> None:
    call = a_traced_call()
    root = spans_of(call, UPSTREAMS)[0]
    assert (root.trace_id, root.parent_id) == (call.id.replace("-", ""), None)


def test_a_try_is_a_client_span_with_the_id_that_was_handed_on() -> None:
    span = named("chat gpt-4o-2024", spans_of(a_traced_call(), UPSTREAMS))
    assert (span.kind, span.span_id, span.parent_id) == (Kind.CLIENT, "e" * 16, "f" * 16)


def named(name: str, spans: list[Span]) -> Span:
    return next(span for span in spans if span.name == name)


def test_a_call_says_what_it_cost_and_for_whom() -> None:
    root = spans_of(a_traced_call(context=Context(session="s-1", entity_type="resume")), {})[0]
    expected = {
        names.OPERATION: "chat",
        names.TENANT: "acme",
        names.KEY: "key0000001",
        names.AGENT: "matching",
        names.AGENT_NAME: "matching",
        names.CONVERSATION: "s-1",
        names.ENTITY_TYPE: "resume",
        names.MODEL: "gpt-4o",
        names.TIER: "primary",
        names.SERVED_BY: "openai",
        names.OUTCOME: "answered",
        names.COST_USD: 0.002125,
        names.CALL_INPUT_TOKENS: 250,
        names.CALL_OUTPUT_TOKENS: 150,
        names.HTTP_STATUS: 200,
    }
    assert expected.items() <= root.attributes.items()
    assert names.INPUT_TOKENS not in root.attributes  # stands on the try: nobody may add it twice


def test_who_the_candidate_is_and_what_was_said_is_in_no_span() -> None:
    call = a_traced_call(
        context=Context(subject="candidate-77"),
        body={"messages": [{"role": "user", "content": "my secret"}]},
    )
    text = repr(spans_of(call, UPSTREAMS))
    assert "candidate-77" not in text
    assert "my secret" not in text


def test_a_try_says_what_was_asked_and_what_it_consumed() -> None:
    body = {"max_tokens": 50, "temperature": 0.2, "seed": True, "stop": ["a", 3], "top_p": "x"}
    call = a_traced_call(
        body=body | {"response_format": {"type": "json_schema"}},
        usage=Usage(250, 150, cached_input_tokens=100, source=UsageSource.PROVIDER),
    )
    found = named("chat gpt-4o-2024", spans_of(call, UPSTREAMS)).attributes
    assert found == {
        names.OPERATION: "chat",
        names.PROVIDER: "openai",
        names.REQUEST_MODEL: "gpt-4o-2024",
        names.MODEL: "gpt-4o",
        names.TIER: "primary",
        names.DEPLOYMENT: "openai-gpt-4o",
        names.TRY: 1,
        names.REQUEST_STREAM: False,
        names.OUTPUT_TYPE: "json",
        names.SERVER_ADDRESS: "api.openai.com",
        names.SERVER_PORT: 443,
        names.INPUT_TOKENS: 250,
        names.OUTPUT_TOKENS: 150,
        names.CACHE_READ_TOKENS: 100,
        names.USAGE_SOURCE: "provider",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.stop_sequences": ("a",),
    }


def test_a_failed_try_says_why_and_only_the_serving_one_has_the_tokens() -> None:
    spans = spans_of(a_traced_call(**FALLBACK), UPSTREAMS)
    failed, served = named("chat gpt-4o-2024", spans), named("chat claude-sonnet", spans)
    assert failed.attributes[names.ERROR_TYPE] == "RateLimitError"
    assert failed.attributes[names.HTTP_STATUS] == 429
    assert names.INPUT_TOKENS not in failed.attributes
    assert served.attributes[names.INPUT_TOKENS] == 250
    assert (failed.attributes[names.TIER], served.attributes[names.TIER]) == (
        "primary",
        "secondary",
    )


def test_a_streams_first_chunk_is_timed_from_its_try_and_marked_on_the_call() -> None:
    spans = spans_of(a_traced_call(stream=True, first_byte_s=100.2), UPSTREAMS)
    assert named("chat gpt-4o-2024", spans).attributes[names.FIRST_CHUNK] == pytest.approx(0.18)
    (moment,) = spans[0].moments
    assert (moment.name, moment.at_ns) == (names.FIRST_BYTE_EVENT, NOON_NS + 200_000_000)


def test_a_finding_is_an_event_of_its_check() -> None:
    changes, _ = WAYS["blocked input"]
    spans = spans_of(a_traced_call(**changes), UPSTREAMS)
    check = named("check input pii", spans)
    (moment,) = check.moments
    assert moment.name == names.FINDING_EVENT
    assert moment.attributes == {
        names.CHECK: "pii",
        names.CODE: "card_number",
        names.ACTION: "block",
        names.WHERE: "messages[0]:4",
        names.EXCERPT: "**** 4",
    }
    assert check.attributes[names.CODE] == "pii_found"
    assert spans[0].attributes[names.ERROR_TYPE] == "pii_found"
    assert spans[0].attributes[names.VERDICT] == "block"


def test_a_finding_of_no_step_as_in_the_middle_of_a_stream_stays_on_the_call() -> None:
    call = a_traced_call(findings=[Finding("toxicity", "insult", Action.FLAG)])
    assert [m.name for m in spans_of(call, UPSTREAMS)[0].moments] == [names.FINDING_EVENT]


def test_each_finding_is_with_the_step_that_found_it() -> None:
    flags = [Finding("gate", code, Action.FLAG) for code in ("before", "after", "within")]
    steps = [
        Step("check_input", "gate", 100.0, 100.1, None, (0, 1)),
        Step("check_output", "gate", 100.6, 100.6, None, (1, 2)),
    ]
    spans = spans_of(a_traced_call(findings=flags, steps=steps), UPSTREAMS)
    found = {span.name: [m.attributes[names.CODE] for m in span.moments] for span in spans}
    assert found["check input gate"] == ["before"]
    assert found["check output gate"] == ["after"]
    assert found["chat matching"] == ["within"]


def test_a_tier_that_was_left_out_is_an_event_with_its_reason() -> None:
    call = a_traced_call(skipped=[Skip("gpt-4o", "provider_limit_reached", 100.01)])
    (moment,) = spans_of(call, UPSTREAMS)[0].moments
    assert moment.name == names.SKIPPED_EVENT
    assert moment.attributes == {names.MODEL: "gpt-4o", names.CODE: "provider_limit_reached"}
    assert moment.at_ns == NOON_NS + 10_000_000


def test_a_stage_that_broke_makes_its_span_an_error_and_one_that_refused_does_not() -> None:
    broke = a_traced_call(steps=[Step("settle", "ledger", 100.6, 100.65, "failed")])
    refused = a_traced_call(steps=[Step("reserve", "limits", 100.0, 100.1, "rate_limited")])
    assert drawn(spans_of(broke, UPSTREAMS))[-1] == "  settlement !failed"
    assert drawn(spans_of(refused, UPSTREAMS))[1] == "  reserve limits"


@pytest.mark.parametrize(
    ("endpoint", "operation"),
    [
        (Endpoint.CHAT, "chat"),
        (Endpoint.COMPLETIONS, "text_completion"),
        (Endpoint.EMBEDDINGS, "embeddings"),
        (Endpoint.RESPONSES, "chat"),
        (Endpoint.MESSAGES, "chat"),
        (Endpoint.MODERATIONS, "moderation"),
        (Endpoint.SPEECH, "speech"),
        (Endpoint.TRANSCRIPTIONS, "transcription"),
    ],
)
def test_every_endpoint_has_its_operation(endpoint: Endpoint, operation: str) -> None:
    root = spans_of(a_traced_call(endpoint=endpoint), UPSTREAMS)[0]
    assert root.attributes[names.OPERATION] == operation
    assert root.name == f"{operation} matching"


@pytest.mark.parametrize("word", ["off", "bypass"])
def test_a_cache_that_was_not_asked_has_no_span(word: str) -> None:
    steps = [Step("reserve", name, 100.0, 100.0001) for name in ("limits", "cache")]
    tree = drawn(spans_of(a_traced_call(cache=word, steps=steps), UPSTREAMS))
    assert "  reserve cache" not in tree
    assert "  reserve limits" in tree


def test_a_model_that_does_not_exist_is_no_part_of_a_spans_name() -> None:
    call = a_traced_call(agent=None, tiers=(), attempts=[], model_asked="x" * 5000)
    root = spans_of(call, UPSTREAMS)[0]
    assert root.name == "chat"
    assert root.attributes[names.MODEL_ASKED] == "x" * 256


def test_the_older_names_stand_beside_the_new_ones_when_asked_for() -> None:
    found = named(
        "chat gpt-4o-2024", spans_of(a_traced_call(), UPSTREAMS, older_names=True)
    ).attributes
    assert (found[names.OLD_SYSTEM], found[names.PROVIDER]) == ("openai", "openai")
    assert (found[names.OLD_INPUT_TOKENS], found[names.OLD_OUTPUT_TOKENS]) == (250, 150)


def test_a_prompts_version_and_an_arm_are_attributes_of_the_call() -> None:
    call = a_traced_call(variants={"prompt": "match@7", "experiment": "exp-1/candidate"})
    found = spans_of(call, UPSTREAMS)[0].attributes
    assert found[names.PROMPT_NAME] == "match"
    assert found["sluice.variant.prompt"] == "match@7"
    assert found["sluice.variant.experiment"] == "exp-1/candidate"


def test_long_lists_are_cut_and_say_so() -> None:
    call = a_traced_call(
        steps=[Step("check_input", f"c{n}", 100.0, 100.1) for n in range(500)],
        attempts=[Attempt("d", "p", "g", 100.0, 100.1, "E") for _ in range(500)],
        findings=[Finding("x", "y", Action.OBSERVE) for _ in range(500)],
        skipped=[Skip("g", "code", 100.0) for _ in range(500)],
        variants={str(n): "v" * 5000 for n in range(500)},
    )
    spans = spans_of(call, UPSTREAMS)
    assert len(spans) <= 1 + rules.MOST_STEPS + 2 * rules.MOST_TRIES
    assert spans[0].attributes[names.LEFT_OUT] == 500 - rules.MOST_STEPS
    assert len(spans[0].moments) <= 2 * rules.MOST_EVENTS + 1
    assert len(spans[0].attributes) < 60
    assert len(repr(spans)) < 200_000


TIMES = st.one_of(st.none(), st.floats(90, 120))
SURE = st.floats(90, 120)


@st.composite
def any_call(draw: st.DrawFn) -> Call:
    """A call whose times are in no order at all, as no clock would have them."""
    phases = ["auth", "read", "admit", "prepare", "reserve", "check_input", "recall"]
    phases += ["check_output", "settle", "another"]
    steps = st.builds(
        Step, st.sampled_from(phases), st.sampled_from(["", "a", "cache"]), SURE, SURE
    )
    groups = st.sampled_from(["g1", "g2"])
    passes = st.builds(Pass, groups, SURE, TIMES)
    attempts = st.builds(
        Attempt, st.just("d"), st.just("p"), groups, SURE, TIMES, st.sampled_from([None, "E"])
    )
    call = a_call(
        started_at=NOON + timedelta(microseconds=draw(st.integers(0, 10**6))),
        arrived_s=draw(st.floats(90, 100)),
        closed_s=draw(TIMES),
        ended_s=draw(TIMES),
        first_byte_s=draw(TIMES),
        stream=draw(st.booleans()),
        steps=draw(st.lists(steps, max_size=8)),
        passes=draw(st.lists(passes, max_size=4)),
        attempts=draw(st.lists(attempts, max_size=4)),
        skipped=draw(st.lists(st.builds(Skip, groups, st.just("code"), SURE), max_size=3)),
        findings=[Finding("a", "b", Action.FLAG)] * draw(st.integers(0, 2)),
        outcome=draw(st.sampled_from([*Outcome, None])),
    )
    call.trace = trace_of(call.id, draw(st.sampled_from([None, CALLER])))
    return call


@given(any_call())
def test_there_is_no_orphan_no_stray_and_no_second_root(call: Call) -> None:
    spans = spans_of(call, UPSTREAMS)
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    assert {span.trace_id for span in spans} == {call.trace.trace_id}
    assert all(span.parent_id in by_id for span in spans[1:])
    for span in spans[1:]:
        parent = by_id[span.parent_id or ""]
        assert parent.started_ns <= span.started_ns <= span.ended_ns <= parent.ended_ns
    assert sum(span.kind is Kind.CLIENT for span in spans) == len(call.attempts)
    assert sum(span.name.startswith("host ") for span in spans) == len(call.passes)


@given(any_call())
def test_every_event_lies_within_its_span(call: Call) -> None:
    for span in spans_of(call, UPSTREAMS):
        assert all(span.started_ns <= m.at_ns <= span.ended_ns for m in span.moments)


@given(any_call())
def test_the_root_begins_with_the_first_byte_in_and_ends_with_the_last_byte_out(call: Call) -> None:
    root = spans_of(call, UPSTREAMS)[0]
    ended_s = call.closed_s or call.ended_s or call.arrived_s
    assert root.ended_ns - root.started_ns == pytest.approx(
        max(ended_s - call.arrived_s, 0) * 1e9, abs=1_000
    )

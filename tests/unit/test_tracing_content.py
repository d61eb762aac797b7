"""What a call said is recorded for the tenants that policy names, whole, masked and bounded."""

import json
from dataclasses import replace
from typing import Any

import pytest

from plugins.core.call import Call, Endpoint
from plugins.core.stage import Phase, implements
from plugins.core.tenant import Principal
from plugins.tracing import names
from plugins.tracing.content import CUT, LONGEST, input_messages, output_messages
from plugins.tracing.sampling import Sampling
from plugins.tracing.stage import CapturingStage, SilentStage, TracingStage
from tests.export.test_tracing_export import Remembering, an_outbox
from tests.remembering import RememberedMetrics
from tests.unit.test_tracing_rules import WAYS, a_traced_call


def texts_of(written: str) -> list[tuple[str, str]]:
    return [(m["role"], m["parts"][0]["content"]) for m in json.loads(written)]


CHAT = {
    "messages": [
        {"role": "system", "content": "You parse."},
        {"role": "user", "content": [{"type": "text", "text": "I am a@b.io"}]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
    ]
}


@pytest.mark.parametrize(
    ("endpoint", "body", "expected"),
    [
        (
            Endpoint.CHAT,
            CHAT,
            [("system", "You parse."), ("user", "I am [email]"), ("assistant", "f{}")],
        ),
        (
            Endpoint.MESSAGES,
            {"system": "Be kind.", "messages": [{"role": "user", "content": "hi"}]},
            [("system", "Be kind."), ("user", "hi")],
        ),
        (
            Endpoint.RESPONSES,
            {"instructions": "Be kind.", "input": "hi"},
            [("system", "Be kind."), ("user", "hi")],
        ),
        (
            Endpoint.RESPONSES,
            {"input": [{"role": "user", "content": "hi"}, {"type": "function_call_output"}]},
            [("user", "hi")],
        ),
        (Endpoint.COMPLETIONS, {"prompt": ["one ", "two"]}, [("user", "one two")]),
        (Endpoint.EMBEDDINGS, {"input": "a text"}, [("user", "a text")]),
        (Endpoint.SPEECH, {"input": "say this"}, [("user", "say this")]),
    ],
)
def test_what_was_asked_is_written_by_role(
    endpoint: Endpoint, body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert texts_of(input_messages(a_traced_call(endpoint=endpoint, body=body))) == expected


def test_nothing_asked_is_nothing_written() -> None:
    assert input_messages(a_traced_call(endpoint=Endpoint.TRANSCRIPTIONS, body={})) == ""


def chunk(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


STREAM = [chunk("call +351 91"), chunk("2 345 678"), b"data: [DONE]\n\n"]


def test_a_stream_is_put_together_before_it_is_masked() -> None:
    call = a_traced_call(stream=True)
    assert texts_of(output_messages(call, STREAM)) == [("assistant", "call [phone]")]


def test_a_whole_answer_is_read_in_its_endpoints_format() -> None:
    answer = json.dumps({"content": [{"type": "text", "text": "done"}]}).encode()
    call = a_traced_call(endpoint=Endpoint.MESSAGES)
    assert texts_of(output_messages(call, [answer])) == [("assistant", "done")]


@pytest.mark.parametrize("frames", [[b"RIFF\x00\x01"], [b"[]"], [b""], []])
def test_what_is_no_text_is_left_out(frames: list[bytes]) -> None:
    assert output_messages(a_traced_call(), frames) == ""


def test_long_texts_are_cut() -> None:
    body = {"messages": [{"role": "user", "content": "word " * LONGEST}] * 100}
    written = input_messages(a_traced_call(body=body))
    assert len(written) < LONGEST + 200
    assert written.endswith(CUT + '"}]}]')


def an_asking_call(tenant_id: str, **changes: Any) -> Call:
    call = a_traced_call(body=CHAT, **changes)
    call.principal = Principal("key", tenant_id)
    return call


async def content_of(call: Call, frames: list[bytes]) -> dict[str, str]:
    """What the root span says of content, once the stage has heard these frames."""
    exporter = Remembering()
    exporter.free.set()
    outbox = an_outbox(exporter)
    stage = CapturingStage({"open"}, outbox, Sampling(), {}, RememberedMetrics())
    for frame in frames:
        if call.stream:
            stage.check_chunk(call, frame)
        else:
            await stage.check_output(call, frame)
    await stage.observe(call)
    outbox.close()
    (batch,) = exporter.batches
    wanted = {names.INPUT_MESSAGES, names.OUTPUT_MESSAGES}
    return {a.key: a.value.string_value for a in batch[0].attributes if a.key in wanted}


async def test_a_tenant_that_policy_names_has_its_content_recorded() -> None:
    found = await content_of(an_asking_call("open", stream=True), STREAM)
    assert texts_of(found[names.OUTPUT_MESSAGES]) == [("assistant", "call [phone]")]
    assert "[email]" in found[names.INPUT_MESSAGES]


async def test_no_other_tenants_content_is_recorded() -> None:
    call = an_asking_call("shut", stream=True)
    assert await content_of(call, STREAM) == {}
    assert "tracing" not in call.notes


async def test_a_recalled_answer_is_recorded_too() -> None:
    changes, _ = WAYS["cache hit"]
    answer = json.dumps({"choices": [{"message": {"content": "known"}}]}).encode()
    recalled = {"recalled": replace(changes["recalled"], frames=(answer,))}
    found = await content_of(an_asking_call("open", **changes | recalled), [])
    assert texts_of(found[names.OUTPUT_MESSAGES]) == [("assistant", "known")]


def test_without_such_a_tenant_no_chunk_is_looked_at() -> None:
    stage = TracingStage(an_outbox(Remembering()), Sampling(), {}, RememberedMetrics())
    assert not implements(stage, Phase.CHECK_CHUNK)
    assert not implements(stage, Phase.CHECK_OUTPUT)


def test_without_a_receiver_the_stage_does_nothing() -> None:
    assert not any(implements(SilentStage(), phase) for phase in Phase)

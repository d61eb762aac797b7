"""Which gates serve a request: LiteLLM's own switches decide, once for each kind of request."""

from typing import Any

import litellm
import pytest
from litellm.types.guardrails import GuardrailEventHooks

from plugins.core.answer import Answer
from plugins.core.call import Call, Step
from plugins.core.errors import InvalidRequest
from plugins.core.stage import Phase, Stage
from plugins.core.verdict import Action, Finding
from plugins.proxy import calls
from plugins.proxy.guardrails import Gates, StageGuardrail, guardrail_class, take_over
from tests.making import a_call


class Gate(Stage):
    """Has every phase that a guardrail's mode decides about, and one that it does not."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def prepare(self, call: Call) -> None: ...

    async def check_input(self, call: Call) -> None: ...

    async def confirm(self, call: Call) -> None: ...

    def listen(self, call: Call, text: str, new: int) -> None: ...

    async def judge(self, call: Call, answer: Answer) -> None: ...

    async def check_output(self, call: Call, answer: bytes) -> None: ...

    def check_chunk(self, call: Call, frame: bytes) -> None: ...


FIRST, SECOND, PLAIN = Gate("first"), Gate("second"), Gate("plain")


def an_entry(stage: Gate, name: str, mode: Any = "pre_call", **options: Any) -> StageGuardrail:
    options = {"default_on": True, **options}
    return guardrail_class(stage.name)(guardrail_name=name, event_hook=mode, **options)


def gates(*entries: StageGuardrail, others: frozenset[str] = frozenset()) -> Gates:
    return Gates((FIRST, SECOND, PLAIN), entries, others)


def who(rota: Any, phase: Phase) -> list[str]:
    return [stage.name for stage in getattr(rota, phase.value)]


def test_what_is_no_gate_serves_every_request() -> None:
    serving = gates().serving({})
    assert serving.stages == (FIRST, SECOND, PLAIN)
    assert who(serving.rota, Phase.CHECK_INPUT) == ["first", "second", "plain"]


def test_a_gate_that_is_not_on_by_default_serves_those_who_ask() -> None:
    made = gates(an_entry(FIRST, "one"), an_entry(SECOND, "two", default_on=False))
    assert made.serving({}).stages == (FIRST, PLAIN)
    assert made.serving({"guardrails": ["two"]}).stages == (FIRST, SECOND, PLAIN)
    assert made.serving({"guardrails": ["one"]}).stages == (FIRST, PLAIN)


BEFORE = {Phase.CHECK_INPUT, Phase.CONFIRM}
AFTER = {Phase.LISTEN, Phase.JUDGE, Phase.CHECK_OUTPUT, Phase.CHECK_CHUNK}


@pytest.mark.parametrize(
    ("mode", "phases"),
    [
        ("pre_call", BEFORE),
        ("during_call", BEFORE),
        ("post_call", AFTER),
        (["pre_call", "post_call"], BEFORE | AFTER),
        ("logging_only", set()),
    ],
)
def test_a_mode_opens_the_phases_of_its_side(mode: Any, phases: set[Phase]) -> None:
    rota = gates(an_entry(FIRST, "one", mode)).serving({}).rota
    has = {phase for phase in BEFORE | AFTER if "first" in who(rota, phase)}
    assert has == phases
    assert ("first" in who(rota, Phase.PREPARE)) == bool(phases)


def test_a_stage_named_twice_has_what_either_entry_gives_it() -> None:
    made = gates(
        an_entry(FIRST, "before", "pre_call"),
        an_entry(FIRST, "after", "post_call", default_on=False),
    )
    assert who(made.serving({}).rota, Phase.JUDGE) == ["second", "plain"]
    asked = made.serving({"guardrails": ["after"]}).rota
    assert who(asked, Phase.JUDGE) == ["first", "second", "plain"]
    assert who(asked, Phase.CHECK_INPUT) == ["first", "second", "plain"]


@pytest.mark.parametrize(("names", "place"), [(["nosuch"], 0), (["one", "nosuch"], 1)])
def test_an_unknown_name_is_refused_with_those_that_are_known(names: list[str], place: int) -> None:
    made = gates(an_entry(FIRST, "one"), others=frozenset({"theirs"}))
    made.serving({"guardrails": ["theirs"]})
    with pytest.raises(InvalidRequest, match="known: one, theirs") as refused:
        made.serving({"guardrails": names})
    assert refused.value.param == f"guardrails[{place}]"
    assert "nosuch" not in refused.value.message


def test_litellm_is_asked_once_for_each_kind_of_request() -> None:
    asked: list[GuardrailEventHooks] = []

    class Counting(guardrail_class("first")):
        def should_run_guardrail(self, data: Any, event_type: GuardrailEventHooks) -> bool:
            asked.append(event_type)
            return super().should_run_guardrail(data, event_type)

    made = gates(Counting(guardrail_name="one", default_on=True))
    for _ in range(5):
        made.serving({"messages": ["each another"]})
    assert len(asked) == 3
    made.serving({"stream": True})
    made.serving({"guardrails": ["one", "one"]})
    made.serving({"guardrails": ["one"]})
    assert len(asked) == 9


@pytest.mark.parametrize("reported", [False, True])
def test_litellm_keeps_our_guardrails_only_where_it_shows_them(
    monkeypatch: pytest.MonkeyPatch, reported: bool
) -> None:
    ours, theirs = an_entry(FIRST, "one"), litellm.integrations.custom_guardrail.CustomGuardrail(
        guardrail_name="theirs"
    )  # fmt: skip
    monkeypatch.setattr(litellm, "callbacks", [theirs, ours])
    found, others = take_over(reported=reported)
    assert (found, others) == ([ours], {"theirs"})
    assert litellm.callbacks == ([theirs, ours] if reported else [theirs])


@pytest.mark.parametrize(
    ("actions", "status"),
    [
        ([], "success"),
        ([Action.FLAG], "guardrail_flagged"),
        ([Action.FLAG, Action.MASK], "guardrail_intervened"),
    ],
)
async def test_litellms_loggers_are_told_once_what_a_gate_found(
    actions: list[Action], status: str
) -> None:
    findings = [Finding("pii", "card_number", action, "messages[0].content") for action in actions]
    steps = [Step("check_input", "first", 100.0, 100.25, None, (0, len(findings)))]
    call = a_call(findings=findings, steps=steps)
    data: dict[str, Any] = {"litellm_call_id": call.id, "metadata": {}}
    guardrail = an_entry(FIRST, "one")
    calls.enter(call)
    try:
        for _ in range(2):
            assert await guardrail.async_pre_call_hook(None, None, data, "completion") is data
    finally:
        calls.leave(call)
    (told,) = data["metadata"]["standard_logging_guardrail_information"]
    assert (told["guardrail_name"], told["guardrail_status"]) == ("one", status)
    assert told["duration"] == pytest.approx(0.25)
    assert [each["action"] for each in told["guardrail_response"]] == [a.value for a in actions]

"""The moderation gate: what it sends, how it reads, what follows, and what when nobody answers."""

import asyncio
import json
import logging
from collections.abc import Sequence

import pytest
from openai.types import ModerationCreateResponse

from plugins.core.alerts import Alert
from plugins.core.answer import Answer
from plugins.core.call import Call, Endpoint
from plugins.core.checks import CheckBook, CheckRule, Mode, OnFailure
from plugins.core.errors import GatewayError
from plugins.core.review import Reason
from plugins.core.verdict import Action, Verdict
from plugins.moderation.api_client import Unreachable
from plugins.moderation.api_rules import (
    LONGEST_ITEM,
    Flagged,
    Item,
    code_of,
    items_of,
    read,
    request_of,
    split,
    surest,
)
from plugins.moderation.api_stage import (
    INCIDENT,
    STAND_IN,
    UNREACHABLE,
    ModerationPolicy,
    ModerationStage,
    outage,
)
from selfhosted.practice.providers.openai.moderations import judge
from tests.making import a_call

HOSTILE = "You are a pathetic idiot."


class Endpointed:
    """Answers as told; remembers what it was asked."""

    def __init__(self, *flagged: Flagged, away: bool = False, hangs: bool = False) -> None:
        self.flagged, self.away, self.hangs = list(flagged), away, hangs
        self.asked: list[Sequence[Item]] = []
        self.given_up = 0
        self.impatient = 0

    async def ask(self, items: Sequence[Item]) -> list[Flagged]:
        self.asked.append(items)
        try:
            if self.hangs:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.away:
            raise Unreachable("refused")
        return self.flagged

    def timed_out(self) -> None:
        self.impatient += 1


class Alerts:
    def __init__(self) -> None:
        self.sent: list[Alert] = []

    def send(self, alert: Alert) -> None:
        self.sent.append(alert)


def _asked(text: str, **changes: object) -> Call:
    return a_call(body={"messages": [{"role": "user", "content": text}]}, **changes)


def _stage(
    endpoint: Endpointed,
    mode: Mode = Mode.BLOCK,
    on_failure: OnFailure = OnFailure.OPEN,
    timeout_s: float = 2.0,
    policy: ModerationPolicy | None = None,
) -> tuple[ModerationStage, Alerts]:
    book = CheckBook({"moderation": CheckRule(mode, on_failure, timeout_s)})
    alerts = Alerts()
    return ModerationStage(book, policy or ModerationPolicy(), endpoint, alerts), alerts


async def _through(stage: ModerationStage, call: Call) -> GatewayError | None:
    assert await stage.check_input(call) is None, "the provider is asked meanwhile"
    refusal = await stage.confirm(call)
    await stage.settle(call)
    return refusal


FLAGGED = Flagged("messages[0].content", "harassment_threatening", 0.97)


@pytest.mark.spec("10.3")
async def test_what_is_flagged_is_blocked_told_and_given_to_a_person() -> None:
    stage, alerts = _stage(Endpointed(FLAGGED))
    call = _asked("I will hurt you")
    refusal = await _through(stage, call)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (400, "content_blocked")
    assert "harassment_threatening" in refusal.message
    assert "hurt" not in refusal.message
    [found] = call.findings
    assert (found.check, found.code, found.action) == ("moderation", FLAGGED.category, Action.BLOCK)
    assert (found.where, found.score) == ("messages[0].content", 0.97)
    assert call.verdict is Verdict.BLOCK
    assert call.review is not None
    assert call.review.reasons == [Reason.MODERATION]
    [alert] = alerts.sent
    assert (alert.name, alert.subject, alert.severity, alert.momentary) == (
        INCIDENT, "acme/harassment_threatening", "high", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "refused", "verdict", "reviewed"),
    [
        (Mode.OFF, False, Verdict.ALLOW, False),
        (Mode.OBSERVE, False, Verdict.ALLOW, False),
        (Mode.FLAG, False, Verdict.FLAG, True),
        (Mode.MASK, False, Verdict.FLAG, True),
        (Mode.BLOCK, True, Verdict.BLOCK, True),
    ],
)
async def test_each_mode_does_what_it_says_to_questions_and_answers(
    mode: Mode, refused: bool, verdict: Verdict, reviewed: bool
) -> None:
    for judges in ("question", "answer"):
        endpoint = Endpointed(FLAGGED)
        stage, _ = _stage(endpoint, mode)
        call = _asked("hello")
        if judges == "question":
            refusal = await _through(stage, call)
        else:
            refusal = await stage.judge(call, Answer((HOSTILE,)))
        assert (refusal is not None) is refused
        assert (call.verdict, call.review is not None) == (verdict, reviewed)
        assert bool(endpoint.asked) is (mode is not Mode.OFF)


async def test_words_of_the_model_and_of_the_application_are_not_judged_again() -> None:
    endpoint = Endpointed()
    stage, _ = _stage(endpoint)
    call = a_call(
        body={
            "messages": [
                {"role": "system", "content": "be kind"},
                {"role": "assistant", "content": "welcome"},
                {"role": "tool", "tool_call_id": "1", "content": "a resume"},
                {"role": "user", "content": "hello"},
            ]
        }
    )
    await _through(stage, call)
    [[item]] = endpoint.asked
    assert item.text == "a resume\n\nhello"


@pytest.mark.parametrize("changes", [{"inner": True}, {"endpoint": Endpoint.MODERATIONS}])
async def test_calls_that_need_no_judgement_ask_for_none(changes: dict[str, object]) -> None:
    endpoint = Endpointed(FLAGGED)
    stage, _ = _stage(endpoint)
    call = a_call(body={"messages": [{"role": "user", "content": "x"}], "input": "x"}, **changes)
    assert await _through(stage, call) is None
    assert not endpoint.asked


@pytest.mark.parametrize("expects", ["known", "follows"])
async def test_where_another_calls_answer_is_expected_nothing_is_asked_before_it_fails_to_come(
    expects: str,
) -> None:
    endpoint = Endpointed(FLAGGED)
    stage, _ = _stage(endpoint)
    call = _asked("x", **{expects: True})
    assert await stage.check_input(call) is None
    await asyncio.sleep(0)
    assert not endpoint.asked
    refusal = await stage.confirm(call)
    assert refusal is not None, "a provider has answered after all, and what was asked is flagged"
    assert len(endpoint.asked) == 1


async def test_a_call_that_ends_before_gives_its_judgement_up() -> None:
    endpoint = Endpointed(hangs=True)
    stage, _ = _stage(endpoint)
    call = _asked("hello")
    await stage.check_input(call)
    await asyncio.sleep(0)
    await stage.settle(call)
    await asyncio.sleep(0)
    assert endpoint.given_up == 1
    assert not call.notes


@pytest.mark.parametrize("endpoint", [Endpointed(away=True), Endpointed(hangs=True)])
async def test_while_nobody_answers_the_offline_classifier_judges_and_says_so(
    endpoint: Endpointed,
) -> None:
    stage, _ = _stage(endpoint, timeout_s=0.02)
    hostile, kind = _asked(HOSTILE), _asked("I led a team of five in Scunthorpe.")
    refusal = await _through(stage, hostile)
    assert refusal is not None
    assert refusal.code == "content_blocked"
    assert [found.code for found in hostile.findings] == [STAND_IN, "toxic_language"]
    assert await _through(stage, kind) is None
    assert [(found.code, found.action) for found in kind.findings] == [(STAND_IN, Action.OBSERVE)]
    assert not kind.shareable
    assert endpoint.impatient == (2 if endpoint.hangs else 0)


async def test_while_nobody_answers_a_closed_gate_refuses() -> None:
    stage, _ = _stage(Endpointed(away=True), on_failure=OnFailure.CLOSED)
    refusal = await _through(stage, _asked("hello"))
    assert refusal is not None
    assert (refusal.status, refusal.code) == (503, "moderation_unavailable")


async def test_an_incident_is_logged_with_its_call_and_categories_and_without_its_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage, alerts = _stage(Endpointed(FLAGGED), Mode.OBSERVE)
    call = _asked("I will hurt you")
    with caplog.at_level(logging.INFO, "sluice.moderation"):
        assert await _through(stage, call) is None
    [line] = caplog.messages
    assert call.id in line
    assert "harassment_threatening" in line
    assert "observe" in line
    assert "hurt" not in line
    assert not alerts.sent, "observing tells nobody"


async def test_each_category_is_one_finding_and_one_alert_wherever_it_was_found() -> None:
    hate = Flagged("messages[1].content", "hate", 0.8)
    weaker = Flagged("messages[2].content", FLAGGED.category, 0.6)
    stage, alerts = _stage(Endpointed(weaker, hate, FLAGGED), Mode.FLAG)
    call = _asked("x")
    assert await _through(stage, call) is None
    assert [(f.code, f.score) for f in call.findings] == [(FLAGGED.category, 0.97), ("hate", 0.8)]
    assert {alert.subject for alert in alerts.sent} == {f"acme/{FLAGGED.category}", "acme/hate"}


async def test_what_is_too_much_to_be_sent_is_judged_offline_or_refused() -> None:
    policy = ModerationPolicy(most_characters=20_000)
    kind, hostile = "I build pipelines. " * 1_500, f"{'I build pipelines. ' * 1_500}{HOSTILE}"
    for on_failure, text, code in (
        (OnFailure.OPEN, kind, None),
        (OnFailure.OPEN, hostile, "content_blocked"),
        (OnFailure.CLOSED, kind, "moderation_too_long"),
    ):
        endpoint = Endpointed()
        stage, _ = _stage(endpoint, on_failure=on_failure, policy=policy)
        call = _asked(text)
        refusal = await _through(stage, call)
        assert (refusal and refusal.code) == code
        assert sum(len(item.text) for item in endpoint.asked[0]) <= 20_000
        assert (STAND_IN in [f.code for f in call.findings]) is (on_failure is OnFailure.OPEN)


@pytest.mark.parametrize("on_failure", OnFailure)
async def test_a_flag_of_the_endpoint_counts_also_where_a_rest_was_not_sent(
    on_failure: OnFailure,
) -> None:
    policy = ModerationPolicy(most_characters=20_000)
    stage, alerts = _stage(Endpointed(FLAGGED), on_failure=on_failure, policy=policy)
    refusal = await _through(stage, _asked("x " * 20_000))
    assert refusal is not None
    assert refusal.code == "content_blocked"
    assert len(alerts.sent) == 1


def test_an_outage_is_told_and_ends() -> None:
    began, ended = outage(away=True), outage(away=False)
    assert (began.name, began.state, ended.state) == (UNREACHABLE, "firing", "resolved")
    assert (began.name, began.subject) == (ended.name, ended.subject)


@pytest.mark.parametrize(
    ("lengths", "most", "sent"),
    [
        ([], 10, 0),
        ([5], 10, 1),
        ([11], 10, 1),
        ([5, 5], 10, 2),
        ([5, 6], 10, 1),
        ([5, 6, 1], 10, 1),
    ],
)
def test_what_is_sent_is_bounded_but_for_the_first(
    lengths: list[int], most: int, sent: int
) -> None:
    items = [Item(str(i), "x" * n) for i, n in enumerate(lengths)]
    within, rest = split(items, most)
    assert [*within, *rest] == items
    assert len(within) == sent


def test_the_surest_place_of_each_category_is_kept() -> None:
    assert surest([]) == []
    found = surest([Flagged("a", "hate", 0.5), Flagged("b", "hate", 0.9), Flagged("c", "x", 0.95)])
    assert found == [Flagged("c", "x", 0.95), Flagged("b", "hate", 0.9)]


async def test_policy_says_which_side_is_judged() -> None:
    endpoint = Endpointed(FLAGGED)
    stage, _ = _stage(endpoint, policy=ModerationPolicy(judges_input=False))
    assert await _through(stage, _asked("x")) is None
    assert await stage.judge(_asked("x"), Answer(("y",))) is not None
    stage, _ = _stage(endpoint, policy=ModerationPolicy(judges_output=False))
    assert await stage.judge(_asked("x"), Answer(("y",))) is None


@pytest.mark.parametrize("lengths", [[1], [10, 20], [LONGEST_ITEM], [LONGEST_ITEM + 1], [50_000]])
def test_all_of_every_text_is_sent_in_bounded_pieces(lengths: list[int]) -> None:
    texts = [(f"t{i}", chr(97 + i) * n) for i, n in enumerate(lengths)]
    items = items_of(texts)
    assert all(len(item.text) <= LONGEST_ITEM for item in items)
    for i, n in enumerate(lengths):
        assert sum(item.text.count(chr(97 + i)) for item in items) >= n


def test_an_answer_is_read_as_the_sdk_reads_it() -> None:
    items = [Item("a", HOSTILE), Item("b", "hello")]
    wire = json.dumps(
        {"id": "modr-1", "model": "m", "results": [judge(item.text) for item in items]}
    ).encode()
    ModerationCreateResponse.model_validate_json(wire)
    assert read(wire, items) == [Flagged("a", "harassment", 0.97)]
    sent = json.loads(request_of("m", items))
    assert sent == {"model": "m", "input": [HOSTILE, "hello"]}


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"", "truncated"),
        (b"<html>", "malformed"),
        (b"{}", "missing required field"),
        (b'{"results": []}', "0 results for 1 inputs"),
        (b'{"results": [{"flagged": 1}]}', "Expected `bool`"),
    ],
)
def test_what_is_no_answer_is_none(wire: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(wire, [Item("", "x")])


@pytest.mark.parametrize(
    ("category", "code"),
    [("self-harm/intent", "self_harm_intent"), ("hate", "hate"), ("Ünknown thing", "flagged")],
)
def test_categories_are_stable_codes(category: str, code: str) -> None:
    assert code_of(category) == code

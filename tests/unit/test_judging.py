"""Judges are asked in order and agree on one ruling; what is not given is forgotten."""

import pytest

from plugins.core.answer import Answer, Fate, Mended
from plugins.core.call import Call
from plugins.core.errors import GatewayError, InvalidRequest
from plugins.core.review import Reason
from plugins.core.stage import Stage, rota_of
from plugins.core.verdict import Action, Finding, Verdict
from plugins.proxy.judging import Judging
from tests.making import a_call

Said = GatewayError | Fate | Mended | None
BLOCKED = InvalidRequest("no", code="content_blocked")
SECRET = Finding("pii", "card_number", Action.FLAG, "answer")


class _Judge(Stage):
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self, says: Said, *, notes: bool = False, keeps: int | None = 0) -> None:
        self._says, self._notes, self._keeps = says, notes, keeps
        self.asked: list[Answer] = []

    async def judge(self, call: Call, answer: Answer) -> Said:
        self.asked.append(answer)
        if self._notes:
            call.note(SECRET)
            call.confidence, call.signals["x"] = 0.4, 1.0
            call.ask_review(Reason.FLAG)
        return self._says

    def keeps_back(self, call: Call) -> int | None:
        return self._keeps


class _Broken(Stage):
    name = "broken"

    async def judge(self, call: Call, answer: Answer) -> Said:
        raise RuntimeError("a bug")

    async def confirm(self, call: Call) -> GatewayError | None:
        raise RuntimeError("a bug")

    def listen(self, call: Call, text: str, new: int) -> GatewayError | None:
        raise RuntimeError("a bug")


class _Confirming(Stage):
    def __init__(self, says: GatewayError | None) -> None:
        self._says = says
        self.asked = 0

    async def confirm(self, call: Call) -> GatewayError | None:
        self.asked += 1
        return self._says


class _Listening(Stage):
    def listen(self, call: Call, text: str, new: int) -> GatewayError | None:
        return None


def _judging(call: Call, *stages: Stage) -> Judging:
    return Judging(call, rota_of(stages))


async def test_each_judge_sees_what_those_before_it_have_mended() -> None:
    call = a_call()
    last = _Judge(None)
    first = _Judge(Mended(("b",)))
    ruling = await _judging(call, first, _Judge(Mended(("c",))), last).judge(Answer(("a",)))
    assert (first.asked[0].text, last.asked[0].text) == ("a", "c")
    assert ruling.texts == ("c",)
    assert call.answer == Answer(("c",))


async def test_a_refusal_ends_the_round() -> None:
    call = a_call()
    unasked = _Judge(None)
    ruling = await _judging(call, _Judge(BLOCKED), unasked).judge(Answer(("a",)))
    assert ruling.refusal is BLOCKED
    assert unasked.asked == []
    assert (call.verdict, call.shareable) == (Verdict.BLOCK, False)


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        ([None, None], None),
        ([Fate.ESCALATE, None], Fate.ESCALATE),
        ([Fate.ESCALATE, Fate.HOLD], Fate.HOLD),
        ([Fate.HOLD, Fate.ESCALATE], Fate.HOLD),
    ],
)
async def test_to_hold_comes_before_to_ask_another(said: list[Said], fate: Fate | None) -> None:
    call = a_call()
    ruling = await _judging(call, *(_Judge(one) for one in said)).judge(Answer(("a",)))
    assert ruling.fate is fate
    assert call.shareable is (fate is None)


async def test_what_was_found_of_an_answer_that_is_not_given_is_forgotten() -> None:
    call = a_call()
    call.note(Finding("prompt_injection", "x", Action.FLAG))
    judging = _judging(call, _Judge(Fate.ESCALATE, notes=True))
    judging.more_tiers = True
    assert await judging.confirm() is None
    ruling = await judging.judge(Answer(("a",)))
    assert judging.escalates(ruling)
    assert len(call.findings) == 2
    judging.set_aside(ruling)
    assert [f.check for f in call.findings] == ["prompt_injection"]
    assert (call.confidence, call.signals, call.answer, call.review) == (None, {}, None, None)
    assert call.steps[-1].found == (1, 1)
    assert ruling.confidence == 0.4


@pytest.mark.parametrize(
    ("more", "best", "escalates"),
    [(True, 0.0, True), (False, 0.0, False), (False, 0.5, True), (False, 0.3, False)],
)
async def test_an_answer_makes_way_for_another_tier_or_for_a_better_one_at_hand(
    more: bool, best: float, escalates: bool
) -> None:
    call = a_call()
    judging = _judging(call, _Judge(Fate.ESCALATE, notes=True))
    judging.more_tiers, judging.best = more, best
    assert judging.escalates(await judging.judge(Answer(("a",)))) is escalates


async def test_a_call_is_confirmed_once() -> None:
    stage = _Confirming(None)
    judging = _judging(a_call(), stage)
    assert await judging.confirm() is None
    assert await judging.confirm() is None
    assert stage.asked == 1


async def test_what_is_not_confirmed_is_refused() -> None:
    call = a_call()
    assert await _judging(call, _Confirming(BLOCKED)).confirm() is BLOCKED
    assert call.verdict is Verdict.BLOCK


async def test_a_bug_refuses_the_answer_and_blames_nobody() -> None:
    call = a_call()
    judging = _judging(call, _Broken())
    errors = [
        await judging.confirm(),
        judging.listen("a", 1),
        (await judging.judge(Answer(("a",)))).refusal,
    ]
    assert [error and error.code for error in errors] == ["internal_error"] * 3
    assert call.verdict is Verdict.ALLOW


async def test_what_a_check_asked_is_not_judged() -> None:
    call = a_call(inner=True)
    judge, confirming = _Judge(BLOCKED), _Confirming(BLOCKED)
    judging = _judging(call, judge, confirming, _Listening())
    assert await judging.confirm() is None
    assert not judging.judges
    assert not judging.listens
    assert (await judging.judge(Answer(("a",)))).refusal is None
    assert judge.asked == []


@pytest.mark.parametrize(
    ("keeps", "listens", "n", "most"),
    [
        ([0], False, 1, 0),
        ([0, 40, 20], False, 1, 40),
        ([40, None], False, 1, None),
        ([0], True, 1, 0),
        ([0], True, 2, None),
        ([0], False, 2, 0),
    ],
)
async def test_a_client_lags_as_far_behind_as_the_most_careful_wants(
    keeps: list[int | None], listens: bool, n: int, most: int | None
) -> None:
    stages: list[Stage] = [_Judge(None, keeps=kept) for kept in keeps]
    stages += [_Listening()] if listens else []
    assert _judging(a_call(body={"n": n}), *stages).keeps_back() == most

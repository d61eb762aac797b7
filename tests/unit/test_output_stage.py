"""Hostile language in answers, and personal data that nobody gave: whole and while they run."""

import asyncio
import time
from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.agent import Agent
from plugins.core.answer import Answer, Mended
from plugins.core.call import Call
from plugins.core.checks import CheckBook, CheckRule, Mode
from plugins.core.errors import InvalidRequest
from plugins.core.judging import BLOCKED
from plugins.core.review import Reason
from plugins.core.source import Source
from plugins.core.verdict import Action, Verdict
from plugins.moderation.output_stage import HELD_BACK, MOST_FINDINGS, OVERLAP, STEP, OutputStage
from tests.making import a_call

HOSTILE = "You are a stupid idiot and nobody wants you."
KIND = "Thank you for your application; we were glad to read it. "
CARD = "4111 1111 1111 1111"
LEAK = f"The card on file is {CARD}."
SSN = "Her SSN is 536-22-1847."
PROMPT = {"messages": [{"role": "user", "content": f"My card is {CARD.replace(' ', '-')}, why?"}]}


def _stage(toxicity: Mode = Mode.FLAG, pii: Mode = Mode.FLAG) -> OutputStage:
    return OutputStage(CheckBook({"toxicity": CheckRule(toxicity), "pii_output": CheckRule(pii)}))


async def _judge(stage: OutputStage, text: str, **changes: object) -> tuple[Call, object]:
    call = a_call(**changes)
    return call, await stage.judge(call, Answer((text,)))


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("mode", "verdict", "reasons"),
    [
        (Mode.OFF, Verdict.ALLOW, None),
        (Mode.OBSERVE, Verdict.ALLOW, None),
        (Mode.FLAG, Verdict.FLAG, [Reason.FLAG]),
        (Mode.MASK, Verdict.ALLOW, None),
        (Mode.BLOCK, Verdict.BLOCK, [Reason.BLOCK]),
    ],
)
@pytest.mark.parametrize(("check", "text"), [("toxicity", HOSTILE), ("pii_output", LEAK)])
async def test_what_is_found_follows_the_checks_mode(
    mode: Mode, verdict: Verdict, reasons: list[Reason] | None, check: str, text: str
) -> None:
    modes = {"toxicity": Mode.OFF, "pii_output": Mode.OFF, check: mode}
    stage = _stage(modes["toxicity"], modes["pii_output"])
    call, said = await _judge(stage, KIND + text)
    assert call.verdict is verdict
    assert (call.review.reasons if call.review else None) == reasons
    assert [f.check for f in call.findings] == ([] if mode is Mode.OFF else [check])
    assert call.shareable == (mode is Mode.OFF)
    if mode is Mode.BLOCK:
        assert isinstance(said, InvalidRequest)
        assert said.code == BLOCKED
        assert CARD not in said.message
    elif mode is Mode.MASK:
        assert isinstance(said, Mended)
        assert text not in said.texts[0]
        assert said.texts[0].startswith(KIND.strip())
    else:
        assert said is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (LEAK, "card_number"),
        (SSN, None),
        ("Use the key AKIAIOSFODNN7EXAMPLQ for it.", "api_key"),
        ("Pay to DE89 3704 0044 0532 0130 00 today.", "iban"),
        ("Write to jane@example.org or call +49 170 1234567.", ""),
        (KIND, ""),
    ],
)
async def test_made_up_numbers_and_secrets_are_found_and_contacts_pass(
    text: str, code: str | None
) -> None:
    call, _ = await _judge(_stage(), text)
    found = [f.code for f in call.findings]
    assert found == ([code] if code else found[:1] if code is None else [])
    if code is None:
        assert found
    for finding in call.findings:
        assert not any(group in finding.excerpt for group in ("4111", "536-22", "3704", "AKIA"))


async def test_what_the_prompt_or_a_source_has_is_no_leak() -> None:
    for changes in (
        {"body": PROMPT},
        {"sources": (Source("resume", f"card {CARD}"),)},
    ):
        call, _ = await _judge(_stage(), LEAK, **changes)
        assert call.findings == []
    call, _ = await _judge(_stage(), LEAK, body={"messages": [{"role": "user", "content": "hi"}]})
    assert len(call.findings) == 1


async def test_places_name_the_choice_the_argument_and_the_stretch() -> None:
    call = a_call()
    answer = Answer((KIND, KIND + LEAK), arguments=("{}", f'{{"note": "{LEAK}"}}'))
    await _stage().judge(call, answer)
    start = len(KIND) + LEAK.index(CARD)
    assert [f.where for f in call.findings] == [
        f"answer[1]:{start}-{start + len(CARD)}",
        f"arguments[1]:{10 + LEAK.index(CARD)}-{10 + LEAK.index(CARD) + len(CARD)}",
    ]


async def test_arguments_cannot_be_masked_and_are_flagged() -> None:
    call = a_call()
    answer = Answer((LEAK,), arguments=(LEAK,))
    said = await _stage(pii=Mode.MASK).judge(call, answer)
    assert said == Mended(("The card on file is [card_number].",))
    assert [f.action for f in call.findings] == [Action.MASK, Action.FLAG]


async def test_findings_are_bounded_and_a_block_is_never_among_those_left_out() -> None:
    stage = _stage(toxicity=Mode.FLAG, pii=Mode.BLOCK)
    call, said = await _judge(stage, f"{HOSTILE}\n" * 30 + LEAK)
    assert isinstance(said, InvalidRequest)
    assert len(call.findings) <= MOST_FINDINGS + 1


async def test_what_a_check_asked_for_itself_is_not_judged() -> None:
    call, said = await _judge(_stage(Mode.BLOCK, Mode.BLOCK), HOSTILE + LEAK, inner=True)
    assert said is None
    assert call.findings == []


async def test_an_agents_own_rule_counts() -> None:
    agents = {"decision": {"toxicity": CheckRule(Mode.BLOCK)}}
    stage = OutputStage(CheckBook({"toxicity": CheckRule(Mode.OBSERVE)}, agents))
    _, said = await _judge(stage, HOSTILE, agent=Agent("decision", ("gpt-4o",)))
    assert isinstance(said, InvalidRequest)
    _, said = await _judge(stage, HOSTILE)
    assert said is None


@pytest.mark.parametrize(
    ("toxicity", "pii", "held"),
    [
        (Mode.FLAG, Mode.FLAG, 0),
        (Mode.OBSERVE, Mode.OFF, 0),
        (Mode.BLOCK, Mode.FLAG, HELD_BACK),
        (Mode.FLAG, Mode.BLOCK, HELD_BACK),
        (Mode.FLAG, Mode.MASK, None),
        (Mode.BLOCK, Mode.MASK, None),
    ],
)
def test_a_stream_is_held_back_only_where_something_could_be_taken_out(
    toxicity: Mode, pii: Mode, held: int | None
) -> None:
    assert _stage(toxicity, pii).keeps_back(a_call(stream=True)) == held
    assert _stage(toxicity, pii).keeps_back(a_call(stream=True, inner=True)) == 0


# -- running streams -------------------------------------------------------------------------------


def _cut(text: str, rng: Random) -> list[str]:
    pieces: list[str] = []
    while text:
        size = rng.choice((1, 2, 3, 5, 8, 40, 300))
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def _stream(
    stage: OutputStage, call: Call, pieces: list[str], *, window: int = 4096
) -> tuple[str, object]:
    """Feed a stream as the driver does; give what the client had of it, and the refusal."""
    text = ""
    given = ""
    for piece in pieces:
        text += piece
        refused = stage.listen(call, text[-max(window, len(piece)) :], len(piece))
        if refused is not None:
            return given, refused
        given = text[: max(len(given), len(text) - HELD_BACK)]
    return given, None


@pytest.mark.spec("10.2")
@given(st.integers(0, 10_000), st.integers(0, 12), st.sampled_from([HOSTILE, LEAK]))
def test_a_running_stream_is_stopped_before_the_client_has_what_blocks(
    seed: int, before: int, bad: str
) -> None:
    rng = Random(seed)  # noqa: S311 - no secret
    text = KIND * before + bad + " " + KIND * 8
    stage, call = _stage(Mode.BLOCK, Mode.BLOCK), a_call(stream=True)
    given_, refused = _stream(stage, call, _cut(text, rng))
    assert isinstance(refused, InvalidRequest)
    assert refused.code == BLOCKED
    assert bad not in given_
    assert (HOSTILE[9:15] not in given_) if bad is HOSTILE else (CARD not in given_)
    assert call.review is not None
    (where, *_) = [f.where for f in call.findings]
    start, end = map(int, where.removeprefix("answer:").split("-"))
    assert bad in text[start - 30 if start > 30 else 0 : end + 30] or text[start:end] in bad


@given(st.integers(0, 10_000))
def test_a_stream_without_anything_bad_runs_to_its_end(seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - no secret
    stage, call = _stage(Mode.BLOCK, Mode.BLOCK), a_call(stream=True)
    _, refused = _stream(stage, call, _cut(KIND * 40, rng))
    assert refused is None
    assert call.findings == []


def test_a_stream_is_not_read_while_nothing_blocks() -> None:
    stage, call = _stage(Mode.FLAG, Mode.MASK), a_call(stream=True)
    _, refused = _stream(stage, call, [HOSTILE] * 20)
    assert refused is None
    assert call.findings == []
    assert call.notes == {}


def test_another_tiers_stream_is_read_from_its_beginning() -> None:
    stage, call = _stage(Mode.BLOCK, Mode.BLOCK), a_call(stream=True)
    _stream(stage, call, [KIND] * 3)
    call.attempts.append(call.attempts[0])
    _, refused = _stream(stage, call, [KIND, HOSTILE, KIND])
    assert isinstance(refused, InvalidRequest)
    assert call.findings[0].where.startswith(f"answer:{len(KIND) - 1}-")


async def test_the_end_of_a_stream_that_was_not_read_is_judged() -> None:
    stage, call = _stage(Mode.BLOCK, Mode.BLOCK), a_call(stream=True)
    assert stage.listen(call, "You idiot.", 10) is None
    assert len("You idiot.") < STEP < OVERLAP
    assert isinstance(await stage.judge(call, Answer((HOSTILE,))), InvalidRequest)


# -- what it costs ---------------------------------------------------------------------------------


def _best_us(work: Mapping[str, object], stage: OutputStage, call: Call) -> float:
    times: list[int] = []
    loop = asyncio.new_event_loop()
    try:
        for _ in range(30):
            start = time.thread_time_ns()
            loop.run_until_complete(stage.judge(call, Answer((str(work["text"]),))))
            times.append(time.thread_time_ns() - start)
    finally:
        loop.close()
    return min(times) / 1000


def test_an_ordinary_answer_costs_little() -> None:
    # 35 us on the machine it was written on, 20 of them reading; 300 is what all checks may take.
    assert _best_us({"text": KIND * 25}, _stage(), a_call()) < 250

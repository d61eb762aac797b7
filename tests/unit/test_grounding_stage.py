"""Answers against their documents, and prejudice in them: which are checked, and what follows."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from bench.accuracy_output.resumes import resume
from plugins.core.agent import Agent
from plugins.core.answer import Answer
from plugins.core.apart import GIVE_WAY_S
from plugins.core.call import Call, Endpoint
from plugins.core.checks import CheckBook, CheckRule, Mode
from plugins.core.errors import InvalidRequest
from plugins.core.review import Reason
from plugins.core.source import About, Source
from plugins.core.verdict import Action, Verdict
from plugins.grounding.policy import BY_AGENT, Basis, Form, GroundingPolicy, policy_of
from plugins.grounding.stage import MOST_FINDINGS, GroundingStage
from tests.asking import RememberedAsker, purposes
from tests.making import a_call

RESUME = """Jane Doe
jane@mail.example | Berlin
Senior Engineer, Acme Inc., Jan 2019 - Present
- Cut delivery costs by 40% with Python and Kubernetes.
Engineer, Foo GmbH, 2015 - 2018
B.Sc. Computer Science, University of Leeds, 2014
"""
RIGHT = {
    "full_name": "Jane Doe",
    "email": "jane@mail.example",
    "experience": [{"title": "Senior Engineer", "company": "Acme Inc.", "start": "2019-01"}],
    "skills": ["Python", "Kubernetes"],
    "education": [{"degree": "Bachelor of Science", "school": "University of Leeds", "year": 2014}],
    "match_score": 0.87,
}
ASKED = {
    "messages": [{"role": "system", "content": "Extract."}, {"role": "user", "content": RESUME}]
}
GIVEN = (Source("resume", RESUME, About.CANDIDATE),)
TRUE = "Jane cut delivery costs by 40% at Acme with Kubernetes."
FALSE = "She then led a team of 25 engineers at Initech in Chicago."
BIASED = "She is too old for this role."


def _agent(name: str) -> Agent:
    return Agent(name, ("gpt-4o",))


def _stage(
    mode: Mode = Mode.FLAG,
    bias: Mode = Mode.FLAG,
    asker: RememberedAsker | None = None,
    **policies: GroundingPolicy,
) -> GroundingStage:
    checks = CheckBook({"groundedness": CheckRule(mode), "bias": CheckRule(bias)})
    return GroundingStage(checks, policies, asker or RememberedAsker())


async def _judge(stage: GroundingStage, text: str, **changes: Any) -> tuple[Call, Any]:
    call = a_call(**changes)
    return call, await stage.judge(call, Answer((text,)))


# -- what is checked -------------------------------------------------------------------------------


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("agent", "changes", "checked"),
    [
        ("resume_parsing", {"body": ASKED}, True),
        ("resume_parsing", {"body": {"messages": [{"role": "user", "content": "Hello"}]}}, False),
        ("resume_parsing", {"body": {"messages": [{"role": "system", "content": RESUME}]}}, False),
        ("explanation", {"body": {"input": RESUME}, "endpoint": Endpoint.RESPONSES}, True),
        ("explanation", {"body": {"prompt": [RESUME]}, "endpoint": Endpoint.COMPLETIONS}, True),
        (
            "matching",
            {
                "body": {"input": [{"role": "user", "content": RESUME}]},
                "endpoint": Endpoint.RESPONSES,
            },
            True,
        ),
        (
            "matching",
            {
                "body": {
                    "messages": [{"role": "user", "content": [{"type": "text", "text": RESUME}]}]
                }
            },
            True,
        ),
        (
            "matching",
            {
                "body": {"input": [{"type": "function_call_output", "output": RESUME}]},
                "endpoint": Endpoint.RESPONSES,
            },
            True,
        ),
        ("matching", {"body": {"messages": [{"role": "tool", "content": RESUME}]}}, True),
        ("matching", {"body": {"messages": [{"role": "assistant", "content": RESUME}]}}, False),
        ("decision", {"body": ASKED}, False),
        ("decision", {"sources": GIVEN}, True),
        (None, {"body": ASKED}, False),
        (None, {"sources": GIVEN}, True),
    ],
)
async def test_answers_are_held_against_documents_where_there_are_some(
    agent: str | None, changes: dict[str, Any], checked: bool
) -> None:
    whose = _agent(agent) if agent else None
    call, _ = await _judge(_stage(), f"{TRUE} {FALSE}", agent=whose, **changes)
    assert ("groundedness" in call.signals) == checked
    assert bool(call.findings) == checked


async def test_what_is_off_or_asked_for_by_a_check_is_not_checked() -> None:
    for stage, changes in (
        (_stage(Mode.OFF, Mode.OFF), {}),
        (_stage(decision=GroundingPolicy(Basis.OFF)), {"agent": _agent("decision")}),
        (_stage(), {"inner": True, "agent": _agent("decision")}),
    ):
        call, said = await _judge(stage, FALSE, sources=GIVEN, **changes)
        assert said is None
        assert call.findings == []
        assert call.signals == {}


def test_agents_have_policies_of_their_own_and_others_the_default() -> None:
    own = GroundingPolicy(Basis.PROMPT, judge="gpt-4o")
    assert policy_of({"decision": own}, "decision") is own
    assert policy_of({}, "decision") is BY_AGENT["decision"]
    assert policy_of({}, None) == policy_of({}, "unheard of") == GroundingPolicy()


# -- structured answers ----------------------------------------------------------------------------


@pytest.mark.spec("10.2")
@pytest.mark.parametrize("written", ["{}", "```json\n{}\n```", "Here it is:\n{}\nDone."])
async def test_right_fields_are_supported_however_the_answer_is_wrapped(written: str) -> None:
    text = written.replace("{}", json.dumps(RIGHT))
    call, said = await _judge(_stage(), text, agent=_agent("resume_parsing"), body=ASKED)
    assert said is None
    assert call.findings == []
    assert call.signals == {"groundedness": 1.0}
    assert call.review is None


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        ({"full_name": "John Smith"}, "answer.full_name", "unsupported_field"),
        ({"email": "jane@mail.test"}, "answer.email", "unsupported_field"),
        ({"skills": ["Python", "Terraform"]}, "answer.skills[1]", "unsupported_field"),
        ({"experience": [{"title": "Senior Engineer", "company": "Acme Inc.", "start": "2015"}]},
         "answer.experience[0].start", "out_of_context"),
        ({"education": [{"degree": "Master of Science", "school": "University of Leeds"}]},
         "answer.education[0].degree", "unsupported_field"),
        ({"years": 17}, "answer.years", "unsupported_field"),
        ({"Jane <Doe>": "Terraform"}, "answer.Jane**Doe*", "unsupported_field"),
    ],
)  # fmt: skip
async def test_a_wrong_field_is_named_by_its_path(
    change: dict[str, Any], where: str, code: str
) -> None:
    text = json.dumps(RIGHT | change)
    call, _ = await _judge(_stage(), text, agent=_agent("resume_parsing"), body=ASKED)
    assert [(f.where, f.code, f.action, f.excerpt) for f in call.findings] == [
        (where, code, Action.FLAG, "")
    ]
    assert 0.5 < call.signals["groundedness"] < 1.0
    assert call.verdict is Verdict.FLAG
    assert call.review is not None
    assert call.review.reasons == [Reason.FLAG]


async def test_findings_are_bounded_and_say_that_there_are_more() -> None:
    text = json.dumps({"skills": [f"Invention{n}" for n in range(60)]})
    call, _ = await _judge(_stage(), text, agent=_agent("resume_parsing"), body=ASKED)
    assert len(call.findings) == MOST_FINDINGS + 1
    assert call.findings[-1].code == "more_findings"
    assert call.signals["groundedness"] == 0.0


# -- prose -----------------------------------------------------------------------------------------


@pytest.mark.spec("10.2")
async def test_a_doubtful_sentence_is_named_by_its_stretch() -> None:
    call, _ = await _judge(_stage(), f"{TRUE} {FALSE}", sources=GIVEN)
    (found,) = call.findings
    assert found.code == "doubtful_sentence"
    start = len(TRUE) + 1
    assert found.where == f"answer:{start}-{start + len(FALSE)}"
    assert call.signals["groundedness"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "text", "places"),
    [
        (Form.EXTRACTION, 'So: {"skill": "Terraform"}', ["answer.skill"]),
        (Form.EXPLANATION, 'So: {"skill": "Terraform"}', ["answer:4-26"]),
        (Form.EXPLANATION, '{"skill": "Terraform"}', ["answer.skill"]),
        (Form.AUTO, '{"skill": "Terraform"}', ["answer.skill"]),
        (Form.AUTO, '["Terraform"]', ["answer[0]"]),
        (Form.AUTO, f"{FALSE}", [f"answer:0-{len(FALSE)}"]),
        (Form.EXTRACTION, f"{FALSE}", [f"answer:0-{len(FALSE)}"]),
    ],
)
async def test_the_policy_says_how_an_answer_is_read(
    kind: Form, text: str, places: list[str]
) -> None:
    stage = _stage(decision=GroundingPolicy(kind=kind))
    call, _ = await _judge(stage, text, agent=_agent("decision"), sources=GIVEN)
    assert [f.where for f in call.findings] == places


async def test_the_worst_of_several_choices_counts() -> None:
    call = a_call(sources=GIVEN)
    await _stage().judge(call, Answer((TRUE, FALSE)))
    assert call.signals["groundedness"] < 0.2
    assert [f.where for f in call.findings] == [f"answer[1]:0-{len(FALSE)}"]


# -- the judge model -------------------------------------------------------------------------------

JUDGED = GroundingPolicy(judge="gpt-4o-mini")


def _says(verdict: str, quote: str = "") -> str:
    return json.dumps({"verdicts": [{"sentence": 1, "verdict": verdict, "quote": quote}]})


@pytest.mark.parametrize(
    ("said", "codes", "score"),
    [
        (_says("supported", "Senior Engineer, Acme Inc."), [], 1.0),
        (_says("supported", "led a team of 25"), ["doubtful_sentence"], None),
        (_says("contradicted"), ["contradicted"], 0.5),
        (_says("unsupported"), ["doubtful_sentence"], None),
        ("I cannot say.", ["doubtful_sentence"], None),
        (None, ["doubtful_sentence"], None),
    ],
)
async def test_a_judge_model_decides_about_doubtful_sentences_and_is_not_believed_blindly(
    said: str | None, codes: list[str], score: float | None
) -> None:
    asker = RememberedAsker(said)
    stage = _stage(asker=asker, decision=JUDGED)
    text = f"{TRUE} {FALSE}"
    call, _ = await _judge(stage, text, agent=_agent("decision"), sources=GIVEN)
    assert [f.code for f in call.findings] == codes
    assert call.signals["groundedness"] == pytest.approx(0.5 if score is None else score, abs=0.05)
    (question,) = asker.asked
    assert (question.purpose, question.model) == ("judge", "gpt-4o-mini")
    assert "Initech" in question.messages[-1]["content"]
    assert RESUME.splitlines()[2] in question.messages[-1]["content"]
    assert "cut delivery" not in question.messages[-1]["content"].partition("</document>")[2]


async def test_a_judge_is_asked_about_sentences_only_and_only_when_there_are_some() -> None:
    asker = RememberedAsker()
    stage = _stage(asker=asker, decision=JUDGED)
    await _judge(stage, TRUE, agent=_agent("decision"), sources=GIVEN)
    await _judge(stage, '{"skill": "Terraform"}', agent=_agent("decision"), sources=GIVEN)
    assert asker.asked == []
    told = json.dumps({"summary": FALSE})
    await _judge(stage, told, agent=_agent("decision"), sources=GIVEN)
    assert purposes(asker.asked) == ["judge"]


# -- bias ------------------------------------------------------------------------------------------


@pytest.mark.spec("10.2")
@pytest.mark.parametrize("agent", ["matching", "screening", "decision", "explanation"])
async def test_agents_that_judge_people_are_read_for_bias(agent: str) -> None:
    call, _ = await _judge(_stage(), BIASED, agent=_agent(agent))
    (found,) = call.findings
    assert (found.check, found.action) == ("bias", Action.FLAG)
    assert found.code.startswith("age_")
    assert found.where.startswith("answer:")
    assert call.review is not None


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("We are an equal opportunity employer, whatever your age or gender.", []),
        ("She volunteers at a mosque.", []),
        ("He lacks experience with Kubernetes.", []),
        (json.dumps({"age": 52, "reason": BIASED}), [Action.FLAG]),
        (json.dumps({"first": "a mother of two", "second": "is a weak fit today"}), []),
    ],
)
async def test_fair_words_pass_and_fields_of_json_are_read_by_themselves(
    text: str, actions: list[Action]
) -> None:
    call, _ = await _judge(_stage(), text, agent=_agent("decision"))
    assert [f.action for f in call.findings] == actions
    if actions:
        assert call.findings[0].where.startswith("answer.reason:")


async def test_a_proxy_is_marked_and_no_more() -> None:
    call, _ = await _judge(
        _stage(bias=Mode.BLOCK), "She is a recent graduate and a digital native.",
        agent=_agent("decision"),
    )  # fmt: skip
    assert {f.action for f in call.findings} <= {Action.OBSERVE}
    assert call.verdict is Verdict.ALLOW
    assert call.findings


async def test_other_agents_and_plain_models_are_read_for_bias_only_when_policy_says_so() -> None:
    for changes in ({"agent": _agent("jd_enrichment")}, {}):
        call, _ = await _judge(_stage(), BIASED, **changes)
        assert call.findings == []
    stage = _stage(jd_enrichment=GroundingPolicy(judges_people=True))
    call, _ = await _judge(stage, BIASED, agent=_agent("jd_enrichment"))
    assert call.findings


# -- what follows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "verdict", "refused"),
    [
        (Mode.OBSERVE, Verdict.ALLOW, False),
        (Mode.FLAG, Verdict.FLAG, False),
        (Mode.MASK, Verdict.FLAG, False),
        (Mode.BLOCK, Verdict.BLOCK, True),
    ],
)
async def test_what_is_found_follows_the_mode(mode: Mode, verdict: Verdict, refused: bool) -> None:
    for stage, text in ((_stage(mode), FALSE), (_stage(Mode.OFF, mode), BIASED)):
        call, said = await _judge(stage, text, agent=_agent("decision"), sources=GIVEN)
        assert call.verdict is verdict
        assert isinstance(said, InvalidRequest) is refused


@pytest.mark.parametrize(
    ("stage", "changes", "held"),
    [
        (_stage(), {"sources": GIVEN}, 0),
        (_stage(Mode.BLOCK), {"sources": GIVEN}, None),
        (_stage(Mode.BLOCK), {}, 0),
        (_stage(Mode.BLOCK), {"sources": GIVEN, "inner": True}, 0),
        (_stage(bias=Mode.BLOCK), {"agent": _agent("decision")}, None),
        (_stage(bias=Mode.BLOCK), {}, 0),
    ],
)
def test_a_stream_is_kept_back_only_where_it_may_be_blocked(
    stage: GroundingStage, changes: dict[str, Any], held: int | None
) -> None:
    assert stage.keeps_back(a_call(stream=True, **changes)) == held


# -- what it costs ---------------------------------------------------------------------------------


async def test_an_answer_without_documents_costs_next_to_nothing() -> None:
    stage, call, answer = _stage(), a_call(body=ASKED), Answer((TRUE * 30,))
    times: list[int] = []
    for _ in range(50):
        start = time.thread_time_ns()
        await stage.judge(call, answer)
        times.append(time.thread_time_ns() - start)
    # 4 us on the machine it was written on.
    assert min(times) < 100_000


@pytest.fixture
def give_way() -> Iterator[None]:
    """Let threads give way as often as in a worker."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(GIVE_WAY_S)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("give_way")
async def test_a_long_resume_is_compared_beside_the_loop() -> None:
    """The loop turns while 40 KB are compared; how quickly is measured, not asserted here."""
    text = "\n".join(resume(seed).text for seed in range(30))[:40_000]
    turns = 0
    done = False

    async def turning() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(turning())
    call = a_call(agent=_agent("resume_parsing"), body={"input": text}, endpoint=Endpoint.RESPONSES)
    await _stage().judge(call, Answer((json.dumps(resume(0).truth),)))
    done = True
    await other
    assert call.signals["groundedness"] > 0.9
    assert turns > 2

"""What of a call comes into the review queue, and what a reviewer will read of it."""

import base64
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.agent import Agent
from plugins.core.answer import Answer
from plugins.core.call import Call, Endpoint, Outcome, Recalled
from plugins.core.errors import Unavailable
from plugins.core.identifiers import new_call_id
from plugins.core.money import ZERO
from plugins.core.review import Reason, ReviewRequest
from plugins.core.source import Source
from plugins.core.verdict import Action, Finding
from plugins.cost.entry import encode
from plugins.cost.stage import LedgerStage
from plugins.lineage.texts import unseal
from plugins.lineage.transit import TransitBox
from plugins.review.docket import LARGE, Heard, ReviewDocket
from plugins.review.dossier import MOST_SHOWN, Dossier, Part, bounded, decoded, encoded
from plugins.review.gathering import dossier_of
from plugins.review.sampling import Sample, chance_of
from plugins.review.stage import ReviewStage
from tests.making import SECRET, a_call
from tests.remembering import RememberedMetrics

MOST = 100_000
ALL, NONE = Sample(1.0), Sample()


class Clear:
    """An envelope that can be read, and that fails when told to."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken

    def seal(self, tenant_id: str, call_id: str, text: bytes) -> bytes:
        if self.broken:
            raise ValueError("no seal")
        return text


def a_docket(sample: Sample = NONE, *, broken: bool = False) -> ReviewDocket:
    return ReviewDocket(Clear(broken=broken), sample, MOST, RememberedMetrics())


def asked_of(*reasons: Reason, **changes: Any) -> Call:
    return a_call(review=ReviewRequest(list(reasons)), **changes)


def read(item: Any) -> Dossier:
    return decoded(base64.b64decode(item["payload"]))


async def test_a_call_that_nobody_asks_about_brings_nothing() -> None:
    call = a_call()
    assert await a_docket().item(call) is None
    assert b'"review"' not in encode(call)


async def test_an_item_carries_the_identifier_that_the_client_was_told() -> None:
    call = asked_of(Reason.FLAG, Reason.HELD)
    item = await a_docket().item(call)
    assert item is not None
    assert call.review is not None
    assert (item["id"], item["holds"]) == (call.review.id, True)
    assert item["reasons"] == ["flag", "held"]
    ended_at = call.started_at + timedelta(seconds=0.6)
    assert item["created_at"] == ended_at.isoformat()
    assert item["due_at"] == (ended_at + timedelta(minutes=15)).isoformat()


async def test_items_are_counted_once_by_their_gravest_reason() -> None:
    metrics = RememberedMetrics()
    docket = ReviewDocket(Clear(), NONE, MOST, metrics)
    await docket.item(asked_of(Reason.FLAG, Reason.MODERATION))
    await docket.item(asked_of(Reason.SAMPLE))
    assert metrics.counts == {
        ("sluice_review_items_total", "moderation"): 1,
        ("sluice_review_items_total", "sample"): 1,
    }


@pytest.mark.parametrize(
    "changes",
    [{"inner": True}, {"inner": True, "review": ReviewRequest([Reason.HELD])}],
)
async def test_what_a_check_asks_for_is_never_looked_at(changes: dict[str, Any]) -> None:
    assert await a_docket(ALL).item(a_call(**changes)) is None


@pytest.mark.spec("5.3")
@pytest.mark.parametrize(
    ("changes", "drawn"),
    [
        ({}, True),
        ({"endpoint": Endpoint.MESSAGES}, True),
        ({"endpoint": Endpoint.EMBEDDINGS}, False),
        ({"endpoint": Endpoint.SPEECH}, False),
        ({"endpoint": Endpoint.MODERATIONS}, False),
        ({"outcome": Outcome.FAILED}, False),
        ({"outcome": Outcome.REFUSED}, False),
        ({"outcome": Outcome.DISCONNECTED}, False),
    ],
)
async def test_answers_with_text_alone_are_drawn(changes: dict[str, Any], drawn: bool) -> None:
    item = await a_docket(ALL).item(a_call(**changes))
    assert (item is not None and item["reasons"] == ["sample"]) is drawn


@pytest.mark.spec("5.3")
def test_an_agents_own_share_comes_before_the_general_one() -> None:
    sample = Sample(0.0, {"matching": 1.0})
    agent = Agent("matching", ("gpt-4o",))
    assert sample.draws(a_call(agent=agent))
    assert not sample.draws(a_call())
    assert not Sample(1.0, {"matching": 0.0}).draws(a_call(agent=agent))
    assert [s.is_empty for s in (NONE, sample, ALL)] == [True, False, False]


@pytest.mark.spec("5.3")
def test_the_draw_is_exact_in_share_and_the_same_for_a_call_wherever_it_is_asked() -> None:
    calls = [a_call(id=f"0190{n:04x}-0000-7000-8000-000000000000") for n in range(20_000)]
    drawn = sum(Sample(0.1).draws(call) for call in calls)
    # Five standard deviations of a binomial of 20,000 draws at 0.1: 212.
    assert abs(drawn - 2_000) < 212
    assert chance_of(calls[0].id) == chance_of(calls[0].id)


@given(st.floats(0, 1), st.floats(0, 1))
def test_who_is_drawn_at_a_share_is_drawn_at_any_larger_one(one: float, other: float) -> None:
    call, small, large = a_call(id=new_call_id()), min(one, other), max(one, other)
    assert Sample(small).draws(call) <= Sample(large).draws(call)


BODIES: list[tuple[Endpoint, dict[str, Any], list[tuple[str, str]]]] = [
    (
        Endpoint.CHAT,
        {
            "messages": [
                {"role": "system", "content": "be fair"},
                {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image"}]},
                {"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]},
                {"role": "tool", "content": "found"},
            ]
        },
        [("system", "be fair"), ("user", "hi"), ("assistant", "{}"), ("tool", "found")],
    ),
    (
        Endpoint.MESSAGES,
        {"system": [{"type": "text", "text": "s"}], "messages": [{"role": "user", "content": "u"}]},
        [("system", "s"), ("user", "u")],
    ),
    (
        Endpoint.RESPONSES,
        {"instructions": "i", "input": "question"},
        [("system", "i"), ("user", "question")],
    ),
    (
        Endpoint.RESPONSES,
        {"input": [{"type": "function_call_output", "output": "42"}, "x"]},
        [("tool", "42"), ("user", "x")],
    ),
    (Endpoint.COMPLETIONS, {"prompt": ["a", "b"]}, [("user", "a"), ("user", "b")]),
    (Endpoint.EMBEDDINGS, {"input": [[1, 2, 3]]}, []),
    (Endpoint.SPEECH, {"input": "say it"}, [("user", "say it")]),
    (Endpoint.TRANSCRIPTIONS, {}, []),
]


@pytest.mark.parametrize(("endpoint", "body", "expected"), BODIES)
async def test_a_reviewer_reads_who_asked_what_on_every_endpoint(
    endpoint: Endpoint, body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    item = await a_docket().item(asked_of(Reason.BLOCK, endpoint=endpoint, body=body))
    assert [(part.name, part.text) for part in read(item).prompt] == expected


async def test_the_answer_comes_with_its_sources_and_with_marks_in_its_first_choice() -> None:
    call = asked_of(
        Reason.FLAG,
        answer=Answer(("since 2011", "since 2012"), ("{}",)),
        sources=(Source("resume", "since 2017"),),
        findings=[
            Finding("groundedness", "number", Action.FLAG, "answer:6-10", "20\x0011", 0.2),
            Finding("toxicity", "x", Action.FLAG, "answer[1]:0-4"),
            Finding("pii", "x", Action.FLAG, "messages[0].content:1-3"),
            Finding("bias", "x", Action.FLAG, "answer:99-120"),
            Finding("bias", "y", Action.FLAG, "answer.years"),
        ],
    )
    item = await a_docket().item(call)
    assert item is not None
    dossier = read(item)
    assert dossier.output == "since 2011"
    assert dossier.sources == (Part("resume", "since 2017"),)
    assert dossier.others == (Part("choice 2", "since 2012"), Part("tool call 1", "{}"))
    assert [(m.start, m.end, m.title) for m in dossier.marks] == [(6, 10, "groundedness: number")]
    assert item["findings"][0]["excerpt"] == "2011"
    assert len(item["findings"]) == 5


async def test_an_answer_that_is_a_tool_call_alone_is_what_is_decided_about() -> None:
    item = await a_docket().item(asked_of(Reason.HELD, answer=Answer(("",), ('{"a":1}', "{}"))))
    assert read(item).output == '{"a":1}'
    assert [part.name for part in read(item).others] == ["tool call 2"]


async def test_a_recalled_answer_is_read_out_of_what_was_kept() -> None:
    body = orjson.dumps({"choices": [{"message": {"content": "again"}}]})
    recalled = Recalled("application/json", (body,), "g", "d", "p", ZERO, 1.0, "hit")
    item = await a_docket(ALL).item(a_call(recalled=recalled))
    assert read(item).output == "again"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_drawn_call_is_heard_though_no_judge_was_asked(stream: bool) -> None:
    stage, call = ReviewStage(ALL, MOST), a_call(stream=stream)
    await stage.prepare(call)
    if stream:
        for word in ("so ", "said"):
            delta = orjson.dumps({"choices": [{"delta": {"content": word}}]})
            stage.check_chunk(call, b"data: " + delta + b"\n\n")
    else:
        await stage.check_output(call, b'{"choices":[{"message":{"content":"so said"}}]}')
    assert read(await a_docket(ALL).item(call)).output == "so said"
    assert call.notes == {}


async def test_no_other_call_is_listened_to() -> None:
    stage, call = ReviewStage(NONE, MOST), a_call()
    await stage.prepare(call)
    stage.check_chunk(call, b"data: {}\n\n")
    await stage.check_output(call, b"{}")
    assert call.notes == {}


def test_hearing_is_bounded() -> None:
    heard = Heard(10)
    for piece in (b"12345678", b"1234", b"12"):
        heard.hear(piece)
    assert (heard.pieces, heard.size) == ([b"12345678"], 14)


async def test_texts_that_cannot_be_kept_cost_the_item_only_where_somebody_waits() -> None:
    item = await a_docket(broken=True).item(asked_of(Reason.FLAG))
    assert item is not None
    assert item["payload"] is None
    with pytest.raises(ValueError, match="no seal"):
        await a_docket(broken=True).item(asked_of(Reason.FLAG, Reason.HELD))


class Log:
    """Remembers settlements."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    async def append(self, entry: bytes) -> str:
        self.entries.append(orjson.loads(entry))
        return "redis"


async def test_an_answer_that_cannot_be_held_is_refused_instead_of_lost() -> None:
    log = Log()
    for reason, refused in ((Reason.FLAG, False), (Reason.HELD, True)):
        stage = LedgerStage({}, log, None, a_docket(broken=True))  # pyright: ignore[reportArgumentType]
        refusal = await stage.settle(asked_of(reason))
        assert isinstance(refusal, Unavailable) is refused
    assert [entry["review"]["reasons"] for entry in log.entries] == [["flag"]]


@pytest.mark.parametrize("size", [10, LARGE // 5 + 1])
async def test_what_is_on_its_way_opens_with_the_installations_secret_alone(size: int) -> None:
    docket = ReviewDocket(TransitBox(SECRET), NONE, MOST, RememberedMetrics())
    text = "Jane " * size
    call = asked_of(Reason.FLAG, answer=Answer((text,)))
    item = await docket.item(call)
    assert item is not None
    sealed = base64.b64decode(item["payload"])
    assert b"Jane" not in sealed
    box, key = TransitBox(SECRET), bytes(32)
    assert box.reseal(key, "globex", call.id, sealed) is None
    assert box.reseal(key, "acme", new_call_id(), sealed) is None
    assert TransitBox(SECRET + "x").reseal(key, "acme", call.id, sealed) is None
    assert box.reseal(key, "acme", call.id, b"short") is None
    again = box.reseal(key, "acme", call.id, sealed)
    assert again is not None
    opened = unseal(key, "acme", call.id, again)
    assert opened is not None
    assert decoded(opened.output).output == text


def test_long_texts_are_cut_where_they_are_longest_and_say_so() -> None:
    parts = (Part("system", "s" * 100), Part("user", "u" * 90_000), Part("user", "v" * 70_000))
    cut = bounded(Dossier(parts, output="o" * 50_001), MOST, whole_output=False)
    assert cut.prompt[0].text == "s" * 100
    assert cut.output.startswith("o" * 50_000 + "\n[... 1 more")
    assert cut.output_cut
    assert all("more characters are not kept]" in part.text for part in cut.prompt[1:])
    assert len(encoded(cut)) < MOST + 500
    whole = bounded(Dossier(parts, output="o" * 90_000), MOST, whole_output=True)
    assert (whole.output, whole.output_cut) == ("o" * 90_000, False)
    assert len(encoded(whole)) < MOST * 1.25 + 500


def test_a_held_answer_beyond_all_bounds_says_that_it_is_not_whole() -> None:
    cut = bounded(Dossier(output="o" * (MOST_SHOWN + 1)), MOST, whole_output=True)
    assert cut.output_cut


@given(st.lists(st.integers(0, 5_000), max_size=12), st.integers(1_000, 8_000))
def test_all_that_fits_stays_whole_and_no_more_is_kept_than_may_be(
    sizes: list[int], most: int
) -> None:
    dossier = Dossier(tuple(Part("user", "x" * size) for size in sizes), output="out")
    cut = bounded(dossier, most, whole_output=False)
    kept = [part.text.partition("\n[...")[0] for part in cut.prompt]
    assert sum(map(len, kept)) <= most
    if sum(sizes) + 3 <= most:
        assert cut == dossier
    shortest_cut = min((len(k) for k, s in zip(kept, sizes, strict=True) if len(k) < s), default=0)
    assert all(len(k) <= shortest_cut or len(k) == s for k, s in zip(kept, sizes, strict=True))


def test_a_dossier_of_an_older_release_is_read() -> None:
    old = b'{"prompt":[],"sources":[],"output":"x","marks":[]}'
    assert decoded(old) == Dossier(output="x")


def test_a_body_that_is_no_request_at_all_makes_an_empty_dossier() -> None:
    for body in ({"messages": 7}, {"messages": [None, 3]}, {"messages": {"role": "user"}}, {}):
        assert isinstance(dossier_of(asked_of(Reason.FLAG, body=body), (), MOST), Dossier)

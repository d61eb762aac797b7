"""Statements: when two are one, and how a call that was just answered is found."""

import asyncio
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plugins.core.errors import GatewayError, InvalidRequest, NotFound, Unavailable
from plugins.core.identifiers import CLOCKS_APART, LONGEST_CALL, may_be_under_way, new_call_id
from plugins.core.tenant import Principal, Role
from plugins.feedback.bodies import ConversionIn, Entity, FeedbackIn
from plugins.feedback.finding import MOST_WAITING, PATIENCE_S, Finder, FoundCall
from plugins.feedback.recorder import Recorder
from plugins.feedback.rules import (
    Conversion,
    Kind,
    Stage,
    Statement,
)
from tests.making import NOON
from tests.remembering import RememberedMetrics, SetClock

CALL = "01a20a98-8cdd-7054-a99b-c7390c6ca338"
_texts = st.one_of(st.none(), st.text(max_size=5))
_statements = st.builds(
    Statement,
    call_id=st.sampled_from([CALL, CALL.replace("8cdd", "8cde")]),
    kind=st.sampled_from(Kind),
    comment=_texts,
    reviewer=_texts,
    key=_texts,
)
_conversions = st.builds(
    Conversion,
    stage=st.sampled_from(Stage),
    call_id=st.none() | st.just(CALL),
    subject=_texts,
    entity_type=_texts,
    entity_id=_texts,
    agent=_texts,
    key=_texts,
)


@given(_statements, _statements)
def test_statements_are_one_by_their_key_or_by_call_kind_and_reviewer(
    one: Statement, other: Statement
) -> None:
    def told(s: Statement) -> object:
        return s.key if s.key is not None else (s.call_id, s.kind, s.reviewer)

    assert (one.once == other.once) == (told(one) == told(other))


@given(_conversions, _conversions)
def test_conversions_are_one_by_their_key_or_by_stage_and_whom(
    one: Conversion, other: Conversion
) -> None:
    def told(c: Conversion) -> object:
        whom = (c.stage, c.call_id, c.subject, c.entity_type, c.entity_id)
        return c.key if c.key is not None else whom

    assert (one.once == other.once) == (told(one) == told(other))


def _id_of(age: timedelta, version: int = 7) -> str:
    ms = int((NOON - age).timestamp() * 1000)
    value = ms << 80 | version << 76 | 0x2 << 62 | 12345
    return str(UUID(int=value))


@pytest.mark.parametrize(
    ("call_id", "waited_for"),
    [
        (_id_of(timedelta(0)), True),
        (_id_of(LONGEST_CALL), True),
        (_id_of(LONGEST_CALL + timedelta(seconds=1)), False),
        (_id_of(-CLOCKS_APART), True),
        (_id_of(-CLOCKS_APART - timedelta(seconds=1)), False),
        (_id_of(timedelta(0), version=4), False),
        ("00000000-0000-0000-0000-000000000000", False),
        ("ffffffff-ffff-7fff-bfff-ffffffffffff", False),
    ],
)
def test_only_a_young_call_of_ours_is_waited_for(call_id: str, waited_for: bool) -> None:
    assert may_be_under_way(call_id, NOON) is waited_for


def test_our_own_identifiers_are_waited_for() -> None:
    assert may_be_under_way(new_call_id(), datetime.fromtimestamp(time.time(), UTC))


# --- finding -------------------------------------------------------------------------------------
class Ledger:
    """Calls that appear after a while; tells how often it was asked."""

    def __init__(
        self, clock: SetClock, appears_s: dict[str, float], *, behind: bool = False
    ) -> None:
        self.clock, self.appears_s, self.behind = clock, appears_s, behind
        self.looks = 0

    async def look(
        self, tenant_id: str | None, call_ids: Collection[str]
    ) -> Mapping[str, FoundCall]:
        self.looks += 1
        return {
            c: FoundCall(c, "acme", NOON, "matching", "gpt-4o")
            for c in call_ids
            if self.clock.passed_s >= self.appears_s.get(c, 1e9) and tenant_id in {None, "acme"}
        }

    async def backlog(self) -> bool:
        return self.behind

    async def sleep(self, seconds: float) -> None:
        self.clock.passed_s += seconds

    def finder(self) -> Finder:
        return Finder(self.look, self.backlog, self.clock, self.sleep)


def _young(clock: SetClock) -> str:
    ms = int(clock.now().timestamp() * 1000)
    return str(UUID(int=ms << 80 | 7 << 76 | 0x2 << 62 | 99))


async def test_a_call_that_was_just_answered_is_waited_for() -> None:
    clock = SetClock()
    call = _young(clock)
    found = await Ledger(clock, {call: 1.2}).finder().find("acme", [call])
    assert found[call].agent == "matching"
    assert 1.2 <= clock.passed_s < 1.5


@pytest.mark.parametrize(
    ("behind", "refusal", "code"),
    [(False, NotFound, "call_not_found"), (True, Unavailable, "call_not_recorded_yet")],
)
async def test_patience_ends_in_404_or_in_503_while_the_ledger_is_behind(
    behind: bool, refusal: type[GatewayError], code: str
) -> None:
    clock = SetClock()
    call = _young(clock)
    with pytest.raises(refusal) as refused:
        await Ledger(clock, {}, behind=behind).finder().find("acme", [call])
    assert refused.value.code == code
    assert PATIENCE_S - 0.01 <= clock.passed_s < PATIENCE_S + 0.3


async def test_a_made_up_call_is_refused_at_once_whatever_else_is_in_the_batch() -> None:
    clock = SetClock()
    ledger, call = Ledger(clock, {}), _young(clock)
    with pytest.raises(NotFound, match=_id_of(timedelta(days=2))):
        await ledger.finder().find("acme", [call, _id_of(timedelta(days=2))])
    assert (clock.passed_s, ledger.looks) == (0.0, 1)


async def test_another_tenants_call_is_as_unknown_as_none() -> None:
    clock = SetClock()
    call = _id_of(timedelta(days=1))
    ledger = Ledger(clock, {call: 0.0})
    assert call in await ledger.finder().find(None, [call])
    with pytest.raises(NotFound, match="no call"):
        await ledger.finder().find("globex", [call])


async def test_only_so_many_requests_wait_at_once() -> None:
    clock = SetClock()
    call, go = _young(clock), asyncio.Event()
    ledger = Ledger(clock, {})

    async def sleep(_: float) -> None:
        await go.wait()
        clock.passed_s += PATIENCE_S

    finder = Finder(ledger.look, ledger.backlog, clock, sleep)
    waiting = [asyncio.create_task(finder.find("acme", [call])) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(NotFound):
        await finder.find("acme", [call])  # at once
    assert clock.passed_s == 0
    go.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(end, NotFound) for end in ended)


# --- bodies --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body",
    [
        {"call_id": CALL, "kind": "thumbs_sideways"},
        {"call_id": "17", "kind": "accepted"},
        {"call_id": CALL, "kind": "accepted", "tenant_id": "globex"},
        {"call_id": CALL, "kind": "accepted", "comment": "x" * 2_001},
        {"call_id": CALL, "kind": "accepted", "comment": "a\x00b"},
        {"call_id": CALL, "kind": "accepted", "reviewer": "x" * 129},
        {"call_id": CALL, "kind": "accepted", "reviewer": ""},
        {"call_id": CALL, "kind": "accepted", "idempotency_key": " "},
    ],
)
def test_a_malformed_statement_is_refused(body: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        FeedbackIn.model_validate(body)


TENANT = Principal("key0000001", "acme")
ADMIN = Principal("key0000002", "", Role.ADMIN)


@pytest.mark.parametrize(
    ("who", "given", "words"),
    [
        (TENANT, ConversionIn(stage=Stage.HIRED), "exactly one"),
        (TENANT, ConversionIn(stage=Stage.HIRED, call_id=UUID(CALL), subject="c-1"), "exactly one"),
        (
            TENANT,
            ConversionIn(stage=Stage.HIRED, subject="c-1", entity=Entity(type="cv", id="1")),
            "exactly one",
        ),
        (ADMIN, ConversionIn(stage=Stage.HIRED, subject="c-1"), "belongs to a tenant"),
        (
            TENANT,
            ConversionIn(stage=Stage.HIRED, call_id=UUID(CALL), agent="matching"),
            "remove `agent`",
        ),
        (TENANT, ConversionIn(stage=Stage.HIRED, subject="c-1", agent="oracle"), "no agent"),
    ],
)
async def test_a_conversion_that_is_about_nobody_or_two_is_refused(
    who: Principal, given: ConversionIn, words: str
) -> None:
    clock = SetClock()
    finder = Ledger(clock, {}).finder()
    recorder = Recorder(None, finder, RememberedMetrics(), {"matching"}, {"gpt-4o"})  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidRequest, match=words):
        await recorder.conversions(who, [given])

"""Statements, conversions, quotas and the review queue's gauges on real PostgreSQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.alerts.sink import AlertSink
from plugins.core.clock import SystemClock
from plugins.core.errors import Conflict, Unavailable
from plugins.core.identifiers import new_call_id
from plugins.cost.entry import encode
from plugins.cost.store import STREAM, LedgerStore, is_behind
from plugins.feedback.families import QUALITY
from plugins.feedback.finding import FoundCall
from plugins.feedback.quality import Quality
from plugins.feedback.rules import Conversion, Kind, Stage, Statement
from plugins.feedback.store import BEHIND_S, FeedbackStore, Thumb
from plugins.quota.families import USED_RATIO
from plugins.quota.rules import Level, Use
from plugins.quota.store import QuotaStore
from plugins.quota.watch import LEASE, QuotaWatch
from plugins.review.backlog import Backlog
from plugins.review.families import OLDEST, OPEN
from plugins.review.rules import Reason, State
from plugins.review.store import NewItem, Reviewer, ReviewStore, Taken
from plugins.store.database import create_engine
from plugins.store.redis import RedisLink
from plugins.store.tables import ai_conversions, ai_feedback, tenants
from tests.making import NOON, SEALS, a_call
from tests.remembering import SetClock
from tests.stores.conftest import empty


async def _called(
    engine: AsyncEngine, tenant_id: str = "acme", count: int = 1, **changes: Any
) -> list[FoundCall]:
    """Put calls into the ledger, as the feedback finds them."""
    calls = [a_call(tenant_id, **changes) for _ in range(count)]
    await LedgerStore(engine, SEALS).record([encode(call) for call in calls])
    found = await FeedbackStore(engine).calls(None, [call.id for call in calls])
    return [found[call.id] for call in calls]


async def _say(engine: AsyncEngine, calls: Sequence[FoundCall], *said: Statement) -> list[bool]:
    kept = await FeedbackStore(engine).add(said, {call.call_id: call for call in calls})
    return [one.is_new for one in kept]


async def _age(engine: AsyncEngine, **by: Any) -> None:
    """Make all statements older."""
    then = datetime.now(UTC) - timedelta(**by)
    async with engine.begin() as connection:
        await connection.execute(update(ai_feedback).values(created_at=then, stated_at=then))


@pytest.mark.spec("12.1")
async def test_a_statement_is_joined_to_agent_and_model_of_its_call(engine: AsyncEngine) -> None:
    (call,) = await _called(engine)
    store = FeedbackStore(engine)
    said = Statement(call.call_id, Kind.THUMBS_UP, comment="well said", reviewer="u-1")
    (kept,) = await store.add([said], {call.call_id: call})
    assert kept.is_new
    (row,) = await store.listed("acme", call.call_id, 10)
    assert (row["model"], row["agent"], row["kind"]) == ("gpt-4o", None, "thumbs_up")
    assert (row["comment"], row["reviewer"], row["call_started_at"]) == ("well said", "u-1", NOON)
    assert await store.listed("globex", call.call_id, 10) == []
    assert await store.listed(None, None, 10) == [row]


async def test_calls_are_found_for_their_own_tenant_only(engine: AsyncEngine) -> None:
    (call,) = await _called(engine)
    store = FeedbackStore(engine)
    assert list(await store.calls("acme", [call.call_id])) == [call.call_id]
    assert await store.calls("globex", [call.call_id]) == {}
    assert await store.calls("acme", [new_call_id()]) == {}


@pytest.mark.spec("12.1")
async def test_what_is_said_again_is_said_once(engine: AsyncEngine) -> None:
    (call,) = await _called(engine)
    up = Statement(call.call_id, Kind.THUMBS_UP, reviewer="u-1")
    keyed = replace(up, key="k-1")
    assert await _say(engine, [call], up) == [True]
    assert await _say(engine, [call], up, up, keyed, keyed) == [False, False, True, False]
    assert await _say(engine, [call], replace(up, reviewer="u-2")) == [True]
    assert await _say(engine, [call], replace(up, kind=Kind.ACCEPTED)) == [True]
    assert len(await FeedbackStore(engine).listed("acme", None, 100)) == 4


async def test_a_hundred_at_once_from_many_sides_are_each_kept_once(engine: AsyncEngine) -> None:
    calls = await _called(engine, count=50)
    said = [Statement(c.call_id, k) for c in calls for k in (Kind.ACCEPTED, Kind.THUMBS_UP)]
    sides = [_say(engine, calls, *said[::step]) for step in (1, -1, 1, -1)]
    new = await asyncio.gather(*sides)
    assert sum(map(sum, new)) == 100
    assert len(await FeedbackStore(engine).listed(None, None, 500)) == 100


async def test_a_key_that_stands_for_something_else_keeps_nothing_of_its_batch(
    engine: AsyncEngine,
) -> None:
    (call, other) = await _called(engine, count=2)
    keyed = Statement(call.call_id, Kind.ACCEPTED, key="k-1")
    await _say(engine, [call], keyed)
    fresh = Statement(other.call_id, Kind.OVERRIDDEN)
    for clash in (replace(keyed, call_id=other.call_id), replace(keyed, kind=Kind.OVERRIDDEN)):
        with pytest.raises(Conflict, match="another statement") as refused:
            await _say(engine, [call, other], fresh, clash)
        assert refused.value.code == "idempotency_key_reused"
    assert len(await FeedbackStore(engine).listed(None, None, 10)) == 1
    (stranger,) = await _called(engine, "globex")
    assert await _say(engine, [stranger], replace(keyed, call_id=stranger.call_id)) == [True]


# --- the score -----------------------------------------------------------------------------------
@pytest.mark.spec("9.1")
async def test_the_score_is_the_share_of_thumbs_up_by_model(engine: AsyncEngine) -> None:
    calls = await _called(engine, count=4)
    up = [Statement(c.call_id, Kind.THUMBS_UP) for c in calls[:3]]
    await _say(engine, calls, *up, Statement(calls[3].call_id, Kind.THUMBS_DOWN))
    await _say(engine, calls, *(Statement(c.call_id, Kind.OVERRIDDEN) for c in calls))
    assert await FeedbackStore(engine).scores() == {"gpt-4o": 0.75}
    quality = Quality(FeedbackStore(engine), frozenset({"gpt-4o"}), SystemClock())
    assert await quality.read() == {QUALITY: {("gpt-4o",): 0.75}}
    unknown = Quality(FeedbackStore(engine), frozenset({"mistral"}), SystemClock())
    assert await unknown.read() == {QUALITY: {}}
    await _age(engine, days=31)
    assert await quality.read() == {QUALITY: {}}


async def test_who_changes_their_mind_counts_by_their_last_word(engine: AsyncEngine) -> None:
    (call,) = await _called(engine)
    up = Statement(call.call_id, Kind.THUMBS_UP, reviewer="u-1")
    down = replace(up, kind=Kind.THUMBS_DOWN)
    store = FeedbackStore(engine)
    for said, score in [(up, 1.0), (down, 0.0), (up, 1.0), (up, 1.0), (down, 0.0)]:
        await _say(engine, [call], said)
        assert await store.scores() == {"gpt-4o": score}
    await _say(engine, [call], replace(up, reviewer="u-2"))
    assert await store.scores() == {"gpt-4o": 0.5}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(Kind), st.sampled_from("ab"))))
async def test_summary_and_list_agree_whatever_is_said(
    engine: AsyncEngine, said: list[tuple[int, Kind, str]]
) -> None:
    await empty(engine)
    calls = await _called(engine, count=4)
    new = [
        (await _say(engine, calls, Statement(calls[i].call_id, kind, reviewer=who)))[0]
        for i, kind, who in said
    ]
    assert sum(new) == len(set(said))
    today = datetime.now(UTC).date()
    rows, _ = await FeedbackStore(engine).summary("acme", today - timedelta(days=1), today)
    counted = sum(row[kind.value] for row in rows for kind in Kind)
    assert counted == len(await FeedbackStore(engine).listed("acme", None, 500)) == len(set(said))


async def test_thumbs_are_given_once_in_order_and_not_before_they_are_settled(
    engine: AsyncEngine,
) -> None:
    calls = await _called(engine, count=3)
    kinds = (Kind.THUMBS_UP, Kind.THUMBS_DOWN, Kind.THUMBS_UP)
    for call, kind in zip(calls, kinds, strict=True):
        await _say(engine, calls, Statement(call.call_id, kind))
        await _say(engine, calls, Statement(call.call_id, Kind.ACCEPTED))
    heard: list[Thumb] = []

    async def hear(thumb: Thumb) -> None:
        heard.append(thumb)

    quality = Quality(FeedbackStore(engine), frozenset({"gpt-4o"}), SystemClock(), hear)
    await quality.read()
    assert heard == []
    await _age(engine, seconds=BEHIND_S + 1)
    for _ in range(2):
        await quality.read()
    assert [(t.model, t.score) for t in heard] == [
        ("gpt-4o", 1.0),
        ("gpt-4o", 0.0),
        ("gpt-4o", 1.0),
    ]
    await _age(engine, days=91)
    heard.clear()
    await Quality(FeedbackStore(engine), frozenset({"gpt-4o"}), SystemClock(), hear).read()
    assert heard == []


# --- conversions ---------------------------------------------------------------------------------
@pytest.mark.spec("12.1")
async def test_a_candidate_reaches_a_stage_once(engine: AsyncEngine) -> None:
    (call,) = await _called(engine)
    store = FeedbackStore(engine)
    hired = Conversion(Stage.HIRED, call_id=call.call_id)
    subject = Conversion(Stage.HIRED, subject="c-1", agent="matching")
    entity = Conversion(Stage.HIRED, entity_type="application", entity_id="a-1")
    for expected in (True, False):
        kept = await store.convert("acme", [hired, subject, entity], {call.call_id: call})
        assert [one.is_new for one in kept] == [expected] * 3
    (kept,) = await store.convert("globex", [subject], {})
    assert kept.is_new
    assert kept.row["agent"] == "matching"
    today = datetime.now(UTC).date()
    _, rows = await store.summary("acme", today - timedelta(days=1), today)
    reached = {(row["agent"], row["stage"]): row["count"] for row in rows}
    assert reached == {("matching", "hired"): 1, (None, "hired"): 2}


# --- erasure -------------------------------------------------------------------------------------
@pytest.mark.spec("14.2")
async def test_erasing_leaves_no_byte_of_who_and_what_and_every_count(engine: AsyncEngine) -> None:
    calls = await _called(engine, count=2)
    store = FeedbackStore(engine)
    secret = "Jane Q. Applicant, jane@example.test"
    for call in calls:
        up = Statement(call.call_id, Kind.THUMBS_UP, secret, f"reviewer {secret}")
        await _say(engine, calls, up, replace(up, kind=Kind.ACCEPTED, key=secret + call.call_id))
    gone = Conversion(Stage.HIRED, subject=secret)
    await store.convert("acme", [gone, Conversion(Stage.HIRED, subject="c-2")], {})
    before = await store.scores()
    assert await store.erase("globex", [calls[0].call_id], [secret]) == 0
    assert await store.erase("acme", [calls[0].call_id], [secret]) == 3
    assert await store.scores() == before
    async with engine.connect() as connection:
        said = (await connection.execute(select(ai_feedback))).mappings().all()
        reached = (await connection.execute(select(ai_conversions))).mappings().all()
    erased = [row for row in said if row["call_id"] == calls[0].call_id]
    assert len(said) == 4
    assert secret not in str(erased) + str(reached)
    assert [row["comment"] for row in erased] == [None, None]
    assert len({row["reviewer"] for row in erased}) == 1  # still one person, nobody knows who
    assert {row["comment"] for row in said if row not in erased} == {secret}
    digests = {bytes(row["once"]) for row in erased}
    up = Statement(calls[0].call_id, Kind.THUMBS_UP, reviewer=f"reviewer {secret}")
    assert up.once not in digests
    assert {row["subject"] for row in reached} == {None, "c-2"}


# --- outages -------------------------------------------------------------------------------------
async def test_with_postgresql_away_every_reading_says_so_and_states_nothing() -> None:
    engine = create_engine("postgresql://nobody@127.0.0.1:1/none")
    store = FeedbackStore(engine)
    for read in (
        Quality(store, frozenset(), SystemClock()).read,
        Backlog(engine).read,
        lambda: QuotaStore(engine).uses(NOON.date()),
        lambda: store.listed(None, None, 1),
    ):
        with pytest.raises(Unavailable):
            await read()
    await engine.dispose()


async def test_the_ledger_is_behind_when_its_oldest_settlement_waits(link: RedisLink) -> None:
    now = datetime.now(UTC)
    assert not await is_behind(link, now)
    await link.send("XADD", STREAM, "*", "e", "x")
    assert not await is_behind(link, datetime.now(UTC))
    assert await is_behind(link, datetime.now(UTC) + timedelta(seconds=3))


# --- quotas --------------------------------------------------------------------------------------
async def _tenant(engine: AsyncEngine, tenant_id: str, quota_usd: str | None) -> None:
    quota = None if quota_usd is None else Decimal(quota_usd)
    async with engine.begin() as connection:
        row = {"tenant_id": tenant_id, "name": tenant_id, "monthly_quota_usd": quota}
        await connection.execute(tenants.insert().values(**row))


@pytest.mark.spec("11.3")
async def test_a_months_spend_is_the_ledgers_sum_for_those_with_a_quota(
    engine: AsyncEngine,
) -> None:
    for tenant_id, quota in (("acme", "1.5"), ("globex", "2"), ("free", None)):
        await _tenant(engine, tenant_id, quota)
    edges = [
        datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    ]
    for at in edges:
        await _called(engine, "acme", started_at=at, cost_usd=Decimal("0.4"))
    await _called(engine, "free", started_at=edges[1])
    month = edges[1].date()
    assert await QuotaStore(engine).uses(month) == [
        Use("acme", month, Decimal("0.8"), Decimal("1.5")),
        Use("globex", month, Decimal(0), Decimal(2)),
    ]


@pytest.mark.spec("11.3")
async def test_each_alert_is_raised_once_a_month_by_one_of_many_workers(
    engine: AsyncEngine,
) -> None:
    store = QuotaStore(engine)
    use = Use("acme", NOON.date().replace(day=1), Decimal(9), Decimal(10))
    claims = await asyncio.gather(*(store.claim(use, Level.WARNING) for _ in range(6)))
    assert sum(claims) == 1
    over = replace(use, spent_usd=Decimal(11))
    assert await store.claim(over, Level.EXCEEDED)
    assert not await store.claim(over, Level.EXCEEDED)
    raised = replace(over, quota_usd=Decimal(12))  # a new quota has alerts of its own
    assert await store.claim(raised, Level.EXCEEDED)
    assert not await store.claim(raised, Level.WARNING)  # it would come too late
    assert await store.claim(
        replace(use, month=NOON.date().replace(month=12, day=1)), Level.WARNING
    )


@pytest.mark.spec("11.3")
async def test_one_worker_reads_warns_and_alerts_and_another_follows_it(
    engine: AsyncEngine, link: RedisLink
) -> None:
    await _tenant(engine, "acme", "1")
    clock, alerts = SetClock(), AlertSink()
    reader, idle = (QuotaWatch(QuotaStore(engine), link, alerts, clock) for _ in range(2))
    told: list[tuple[float, int]] = []
    for cost in ("0.79", "0.01", "0.2", "0.01", "5"):
        await _called(engine, "acme", started_at=clock.now(), cost_usd=Decimal(cost))
        for _ in range(2):
            read = await reader.read()
        told.append((read[USED_RATIO]["acme",], len(alerts.alerts)))
        assert await idle.read() == {}
    assert told == [(0.79, 0), (0.8, 1), (1.0, 1), (1.01, 2), (6.01, 2)]
    assert [a.name for a in alerts.alerts] == ["tenant_quota_warning", "tenant_quota_exceeded"]
    await link.send("DEL", LEASE)  # as when it runs out
    assert (await idle.read())[USED_RATIO] == {("acme",): 6.01}
    assert await reader.read() == {}
    assert len(alerts.alerts) == 2
    clock.passed_s = 30 * 86_400  # the next month
    assert (await idle.read())[USED_RATIO] == {("acme",): 0.0}


async def test_a_reader_that_cannot_read_lets_another_try(
    engine: AsyncEngine, link: RedisLink
) -> None:
    await _tenant(engine, "acme", "1")
    nowhere = create_engine("postgresql://nobody@127.0.0.1:1/none")
    cut_off = QuotaWatch(QuotaStore(nowhere), link, AlertSink(), SetClock())
    other = QuotaWatch(QuotaStore(engine), link, AlertSink(), SetClock())
    with pytest.raises(Unavailable):
        await cut_off.read()
    assert (await other.read())[USED_RATIO] == {("acme",): 0.0}
    assert await cut_off.read() == {}  # it does not take the lease from who can
    await nowhere.dispose()


# --- the review queue's gauges -------------------------------------------------------------------
async def test_the_backlog_counts_what_has_no_decision(engine: AsyncEngine) -> None:
    backlog = Backlog(engine)
    assert await backlog.read() == {OPEN: {(): 0.0}, OLDEST: {(): 0.0}}
    queue, reviewer = ReviewStore(engine), Reviewer("anna", None)
    now = datetime.now(UTC)
    await queue.add(
        [
            NewItem(new_call_id(), "acme", None, [Reason.FLAG], now - timedelta(minutes=minutes))
            for minutes in (3, 2, 1)
        ]
    )
    for decision in (Taken(State.REJECTED, "made up", None, "k"), None):
        item = await queue.claim_next(reviewer)
        assert item is not None
        if decision is not None:
            await queue.decide(reviewer, item["id"], item["version"], decision)
    read = await backlog.read()
    assert read[OPEN] == {(): 2.0}
    assert 119 <= read[OLDEST][()] < 150

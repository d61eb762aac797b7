"""The review queue on real PostgreSQL: nothing is lost, and nothing decided twice."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.errors import Conflict, NotFound
from plugins.core.identifiers import new_call_id
from plugins.review.forgetting import ReviewForgetting
from plugins.review.rules import DECISIONS, Reason, State
from plugins.review.store import NewItem, Reviewer, ReviewStore, Taken
from plugins.store.tables import review_items

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ANNA, BEN = Reviewer("anna", "acme"), Reviewer("ben", "acme")


def _yes(key: str) -> Taken:
    return Taken(State.APPROVED, "", None, key)


def _item(*reasons: Reason, tenant: str = "acme", minutes: int = 0) -> NewItem:
    return NewItem(
        call_id=new_call_id(),
        tenant_id=tenant,
        agent="matching",
        reasons=reasons or (Reason.FLAG,),
        answered_at=NOW + timedelta(minutes=minutes),
        payload=b"sealed",
    )


@pytest.fixture
def store(engine: AsyncEngine) -> ReviewStore:
    return ReviewStore(engine)


async def _only(store: ReviewStore, who: Reviewer = ANNA) -> str:
    (item,) = await store.items(who)
    return str(item["id"])


async def test_a_call_has_one_item_however_often_it_is_given(store: ReviewStore) -> None:
    item = _item()
    assert await store.add([item]) == 1
    assert await store.add([item, _item()]) == 1
    assert len(await store.items(ANNA)) == 2


async def test_what_is_due_first_is_worked_first_whatever_came_first(store: ReviewStore) -> None:
    await store.add([_item(Reason.SAMPLE), _item(Reason.FLAG, minutes=1)])
    await store.add([_item(Reason.FLAG, Reason.HELD, minutes=2), _item(Reason.FLAG, minutes=-5)])
    taken = [await store.claim_next(ANNA) for _ in range(4)]
    assert [row and row["reasons"][-1] for row in taken] == ["held", "flag", "flag", "sample"]
    assert taken[1] is not None
    assert taken[1]["created_at"] == NOW - timedelta(minutes=5)
    assert await store.claim_next(ANNA) is None


async def test_pages_follow_one_another_without_gap_or_repetition(store: ReviewStore) -> None:
    await store.add([_item(minutes=n % 3) for n in range(11)])
    seen: list[str] = []
    while page := await store.items(ANNA, limit=4, after=seen[-1] if seen else None):
        seen += [str(item["id"]) for item in page]
    assert len(seen) == len(set(seen)) == 11


async def test_decided_items_are_listed_newest_first_page_by_page(store: ReviewStore) -> None:
    await store.add([_item(minutes=n) for n in range(5)])
    await store.add([_item(tenant="other"), _item(minutes=9)])
    decided: list[str] = []
    for _ in range(5):
        row = await store.claim_next(ANNA)
        assert row is not None
        await store.decide(ANNA, row["id"], row["version"], _yes(str(row["id"])))
        decided.insert(0, str(row["id"]))
    seen: list[str] = []
    while page := await store.decided(ANNA, limit=2, before=seen[-1] if seen else None):
        seen += [str(item["id"]) for item in page]
    assert seen == decided
    assert await store.decided(Reviewer("cleo", "other")) == []
    with pytest.raises(NotFound):
        await store.decided(Reviewer("cleo", "other"), before=decided[0])


async def test_a_claimed_item_is_nobody_elses_until_its_lease_is_over(engine: AsyncEngine) -> None:
    store = ReviewStore(engine, lease=timedelta(milliseconds=300))
    await store.add([_item()])
    item_id = await _only(store)
    await store.claim(ANNA, item_id)
    with pytest.raises(Conflict) as refused:
        await store.claim(BEN, item_id)
    assert refused.value.code == "review_claimed"
    assert await store.claim_next(BEN) is None
    await asyncio.sleep(0.35)
    taken = await store.claim_next(BEN)
    assert taken is not None
    assert taken["claimed_by"] == "ben"
    with pytest.raises(Conflict) as refused:
        await store.decide(ANNA, item_id, 2, _yes("k"))
    assert refused.value.code == "review_not_claimed"


async def test_who_is_late_may_still_decide_when_nobody_else_has_come(engine: AsyncEngine) -> None:
    store = ReviewStore(engine, lease=timedelta(milliseconds=1))
    await store.add([_item()])
    row = await store.claim(ANNA, await _only(store))
    await asyncio.sleep(0.01)
    _, decided = await store.decide(ANNA, row["id"], row["version"], _yes("k"))
    assert decided


async def test_a_decision_that_is_sent_again_is_the_same_decision(store: ReviewStore) -> None:
    await store.add([_item()])
    row = await store.claim(ANNA, await _only(store))
    first, decided = await store.decide(ANNA, row["id"], row["version"], _yes("key-1"))
    again, twice = await store.decide(ANNA, row["id"], row["version"], _yes("key-1"))
    assert (decided, twice) == (True, False)
    assert first == again
    with pytest.raises(Conflict) as refused:
        await store.decide(ANNA, row["id"], row["version"], _yes("key-2"))
    assert refused.value.code == "review_decided"


async def test_who_looked_at_an_older_version_must_look_again(store: ReviewStore) -> None:
    await store.add([_item()])
    row = await store.claim(ANNA, await _only(store))
    await store.release(ANNA, row["id"])
    await store.claim(ANNA, row["id"])
    with pytest.raises(Conflict) as refused:
        await store.decide(ANNA, row["id"], row["version"], _yes("k"))
    assert refused.value.code == "review_changed"


@pytest.mark.spec("13.2")
async def test_a_tenants_reviewer_sees_only_that_tenants_items(store: ReviewStore) -> None:
    await store.add([_item(tenant="other"), _item()])
    (own,) = await store.items(ANNA)
    everything = await store.items(Reviewer("root", None))
    foreign = next(str(i["id"]) for i in everything if i["id"] != own["id"])
    for attempt in (
        store.item(ANNA, foreign),
        store.claim(ANNA, foreign),
        store.release(ANNA, foreign),
        store.decide(ANNA, foreign, 1, _yes("k")),
        store.items(ANNA, after=foreign),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert len(everything) == 2
    claimed = await store.claim_next(ANNA)
    assert claimed is not None
    assert claimed["id"] == own["id"]
    assert await store.claim_next(ANNA) is None


@pytest.mark.spec("10.2")
async def test_of_many_reviewers_at_one_item_exactly_one_decides(store: ReviewStore) -> None:
    await store.add([_item()])
    item_id = await _only(store)
    crowd = [Reviewer(f"r{n}", "acme") for n in range(12)]

    async def work(who: Reviewer) -> bool:
        try:
            row = await store.claim(who, item_id)
            return (await store.decide(who, item_id, row["version"], _yes(who.key_id)))[1]
        except Conflict:
            return False

    assert sum(await asyncio.gather(*map(work, crowd))) == 1


async def _work_through(store: ReviewStore, who: Reviewer, draw: random.Random) -> dict[str, int]:
    """Decide until nothing is left; crash, hesitate and repeat oneself at random."""
    decided: dict[str, int] = {}
    idle = 0
    while idle < 20:
        row = await store.claim_next(who)
        if row is None:
            idle += 1
            await asyncio.sleep(0.02)
            continue
        idle = 0
        if draw.random() < 0.15:
            continue  # the browser crashed: the lease runs out
        if draw.random() < 0.1:
            await asyncio.sleep(0.15)  # longer than the lease
        key = f"{who.key_id}-{row['version']}"
        for _ in range(draw.choice((1, 1, 2))):  # a click that is repeated
            try:
                _, now = await store.decide(who, row["id"], row["version"], _yes(key))
                decided[row["id"]] = decided.get(row["id"], 0) + now
            except Conflict:
                pass
    return decided


@pytest.mark.spec("10.2")
async def test_two_reviewers_and_500_items_with_crashes_decide_each_once(
    engine: AsyncEngine, store: ReviewStore
) -> None:
    hasty = ReviewStore(engine, lease=timedelta(milliseconds=100))
    await store.add([_item(minutes=n) for n in range(500)])
    found = await asyncio.gather(
        _work_through(hasty, ANNA, random.Random(1)),  # noqa: S311 - to be repeatable
        _work_through(hasty, BEN, random.Random(2)),  # noqa: S311
    )
    times: dict[str, int] = {}
    for one in found:
        for item_id, count in one.items():
            times[item_id] = times.get(item_id, 0) + count
    async with engine.begin() as connection:
        final = [state.value for state in DECISIONS]
        done = await connection.scalar(select(func.count()).where(review_items.c.state.in_(final)))
    assert done == 500
    assert sorted(times.values()) == [1] * 500


@pytest.mark.spec("14.2")
async def test_erasing_a_call_takes_its_texts_and_leaves_that_it_was_decided(
    engine: AsyncEngine, store: ReviewStore
) -> None:
    first, second = _item(), _item(Reason.HELD)
    await store.add([replace(first, findings=[{"excerpt": "Jane D."}]), second])
    row = await store.claim(ANNA, (await store.of_call("acme", first.call_id))["id"])
    taken = Taken(State.EDITED, "Jane is right", b"sealed answer", "k")
    await store.decide(ANNA, row["id"], row["version"], taken)
    forgetting = ReviewForgetting(engine)
    calls = [first.call_id]
    assert await forgetting.forget("acme", "jane", calls, dry_run=True) == 1
    assert await forgetting.forget("other", "jane", calls, dry_run=False) == 0
    assert await forgetting.forget("acme", "jane", calls, dry_run=False) == 1
    assert await forgetting.forget("acme", "jane", calls, dry_run=False) == 0
    assert await forgetting.forget("acme", "jane", [], dry_run=False) == 0
    left = await store.of_call("acme", first.call_id)
    assert (left["payload"], left["answer"], left["findings"]) == (None, None, [])
    assert (left["state"], left["decision"]) == ("edited", {"reason": ""})
    assert (await store.of_call("acme", second.call_id))["payload"] == b"sealed"

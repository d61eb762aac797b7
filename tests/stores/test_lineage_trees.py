"""Trees of calls out of real PostgreSQL: whole, bounded, and each tenant's own."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.call import Call, Context
from plugins.core.clock import SystemClock
from plugins.core.errors import NotFound
from plugins.cost.entry import encode
from plugins.cost.store import LedgerStore
from plugins.lineage import trees
from plugins.lineage.routes import _tree
from plugins.lineage.trees import LineageStore, moment_of
from tests.making import NOON, SEALS, a_call

NOW = SystemClock().now()


def a_child(parent: Call | str | None, tenant: str = "acme", **context: Any) -> Call:
    named = parent.id if isinstance(parent, Call) else parent
    return a_call(tenant, context=Context(parent_call_id=named, **context), started_at=NOW)


async def _recorded(engine: AsyncEngine, *calls: Call) -> LineageStore:
    await LedgerStore(engine, SEALS).record([encode(call) for call in calls])
    return LineageStore(engine)


def _ids(rows: list[Any]) -> set[str]:
    return {row["call_id"] for row in rows}


@pytest.mark.spec("14.1")
async def test_any_call_of_a_tree_leads_to_the_whole_tree(engine: AsyncEngine) -> None:
    root = a_child(None)
    left, right = a_child(root), a_child(root)
    leaf = a_child(left)
    apart = a_child(None)
    store = await _recorded(engine, root, left, right, leaf, apart)
    for call in (root, left, right, leaf):
        rows = await store.of_call("acme", call.id)
        assert _ids(rows) == {root.id, left.id, right.id, leaf.id}
    assert _ids(await store.of_call(None, apart.id)) == {apart.id}


async def test_a_record_leads_to_all_trees_that_touch_it(engine: AsyncEngine) -> None:
    parse = a_child(None, entity_type="resume", entity_id="r1")
    match, other = a_child(parse), a_child(None, entity_type="resume", entity_id="r1")
    beside = a_child(None, entity_type="job", entity_id="r1")
    store = await _recorded(engine, parse, match, other, beside)
    assert _ids(await store.of_entity("acme", "resume", "r1")) == {parse.id, match.id, other.id}
    with pytest.raises(NotFound, match="no call is about resume/r2"):
        await store.of_entity("acme", "resume", "r2")


async def test_parents_in_a_circle_end(engine: AsyncEngine) -> None:
    one, two = a_child(None), a_child(None)
    one.context, two.context = Context(parent_call_id=two.id), Context(parent_call_id=one.id)
    own = a_child(None)
    own.context = Context(parent_call_id=own.id)
    store = await _recorded(engine, one, two, own)
    assert _ids(await store.of_call("acme", one.id)) == {one.id, two.id}
    assert _ids(await store.of_call("acme", own.id)) == {own.id}
    told = _tree(await store.of_call("acme", one.id), {}, truncated=False)
    assert len(told.roots) == 1


async def test_a_parent_of_another_tenant_is_no_parent(engine: AsyncEngine) -> None:
    theirs = a_child(None, "globex")
    mine = a_child(theirs)
    store = await _recorded(engine, theirs, mine)
    assert _ids(await store.of_call("acme", mine.id)) == {mine.id}
    assert _ids(await store.of_call(None, theirs.id)) == {theirs.id}
    with pytest.raises(NotFound):
        await store.of_call("acme", theirs.id)


@pytest.mark.parametrize("parent", ["no uuid", "", "0" * 36, "%", str(uuid.UUID(int=0)).upper()])
async def test_whatever_is_claimed_as_a_parent_breaks_nothing(
    engine: AsyncEngine, parent: str
) -> None:
    call = a_child(parent)
    store = await _recorded(engine, call)
    assert _ids(await store.of_call("acme", call.id)) == {call.id}


async def test_a_tree_is_cut_at_its_bound_and_says_so(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "MOST_CALLS", 10)
    root = a_child(None)
    store = await _recorded(engine, root, *(a_child(root) for _ in range(30)))
    assert len(await store.of_call("acme", root.id)) == 11


async def test_a_long_chain_of_calls_is_followed_to_its_end(engine: AsyncEngine) -> None:
    calls = [a_child(None)]
    for _ in range(300):
        calls.append(a_child(calls[-1]))
    store = await _recorded(engine, *calls)
    rows = await store.of_call("acme", calls[-1].id)
    told = _tree(rows, {}, truncated=False)
    assert max(call.depth for call in told.calls) == 300
    assert told.roots == [calls[0].id]


async def test_a_call_whose_identifier_lies_about_its_time_is_found(engine: AsyncEngine) -> None:
    early = a_call(started_at=NOON - timedelta(days=700))
    old = a_call(started_at=NOON)
    old.id = str(uuid.uuid4())
    store = await _recorded(engine, early, old)
    assert _ids(await store.of_call("acme", early.id)) == {early.id}
    assert _ids(await store.of_call("acme", old.id)) == {old.id}


def test_an_identifier_tells_its_moment() -> None:
    found = moment_of(a_call().id)
    assert found is not None
    assert abs((found - SystemClock().now()).total_seconds()) < 5
    assert moment_of(str(uuid.uuid4())) is None
    assert moment_of("f306a6e1-dbd9-7261-a529-98205c8675a4") is None


async def test_an_identifier_of_the_far_future_is_unknown_like_any_other(
    engine: AsyncEngine,
) -> None:
    store = LineageStore(engine)
    for far in ("f306a6e1-dbd9-7261-a529-98205c8675a4", "ffffffff-ffff-7fff-bfff-ffffffffffff"):
        with pytest.raises(NotFound):
            await store.of_call("acme", far)

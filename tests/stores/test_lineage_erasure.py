# ruff: noqa: S608 - names of columns that the database itself told
"""After an erasure no byte of the subject is left: not in a table, a key, a spool or an export."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.cache.copies import Copies
from plugins.cache.entry import Entry
from plugins.cache.forgetting import CacheForgetting
from plugins.cache.rules import CachePolicy, Sealer
from plugins.cache.sharing import Sharing
from plugins.cache.store import CacheStore, Slot
from plugins.core.answer import Answer
from plugins.core.call import Call, Context
from plugins.core.clock import SystemClock
from plugins.core.errors import NotFound
from plugins.core.review import Reason, ReviewRequest
from plugins.core.source import Source
from plugins.core.verdict import Action, Finding
from plugins.cost.drain import Drain
from plugins.cost.entry import encode
from plugins.cost.spool import Spool
from plugins.cost.stage import LedgerStage
from plugins.cost.store import LedgerStore, SettlementLog
from plugins.lineage.erasure import Eraser
from plugins.lineage.export import Wanted, export, verify_pack
from plugins.lineage.keys import KeyBox, TenantKeys
from plugins.lineage.retention import Retention
from plugins.lineage.stage import LineageStage
from plugins.lineage.texts import TextPolicy, unseal
from plugins.lineage.transit import KeyTransfer, TransitBox
from plugins.lineage.trees import LineageStore
from plugins.lineage.vault import TextVault
from plugins.lineage.verify import verify
from plugins.review.docket import ReviewDocket
from plugins.review.dossier import decoded
from plugins.review.forgetting import ReviewForgetting
from plugins.review.sampling import Sample
from plugins.store.redis import RedisLink
from plugins.store.tables import (
    erasures,
    ledger,
    ledger_rejects,
    lineage_texts,
    review_items,
    tenants,
)
from tests.making import SEALS, SECRET, a_call
from tests.remembering import RememberedMetrics, SetClock

SUBJECT = "jane.doe@example.com"
CLOCK = SystemClock()
SEALER = Sealer(SECRET)


@pytest_asyncio.fixture
async def world(
    engine: AsyncEngine, link: RedisLink, redis: Redis, tmp_path: Path
) -> AsyncIterator["World"]:
    async with engine.begin() as connection:
        await connection.execute(
            tenants.insert(), [{"tenant_id": t, "name": t} for t in ("acme", "globex")]
        )
    yield World(engine, link, redis, tmp_path)


class World:
    """All places where something of a call is kept."""

    def __init__(self, engine: AsyncEngine, link: RedisLink, redis: Redis, folder: Path) -> None:
        self.engine, self.redis, self.folder = engine, redis, folder
        self.spool = Spool(folder / "spool")
        self.keys = TenantKeys(engine, KeyBox(SECRET), CLOCK)
        transit = TransitBox(SECRET)
        self.store = LedgerStore(engine, SEALS, KeyTransfer(transit, self.keys))
        self.stage = LineageStage(self.keys, TextPolicy(keep_text=True))
        self.log = SettlementLog(link, self.spool)
        self.docket = ReviewDocket(transit, Sample(), 100_000, RememberedMetrics())
        self.ledger = LedgerStage({}, self.log, self.stage, self.docket)
        self.vault = TextVault(self.keys)
        self.drain = Drain(link, self.spool, self.store, engine, CLOCK)
        self.cache = CacheStore(link, SEALER, CachePolicy(), CLOCK)
        self.sharing = Sharing(self.cache, Copies(CLOCK), CLOCK)
        self.eraser = Eraser(
            engine, SEALS, CacheForgetting(self.cache, SEALER), CLOCK, ReviewForgetting(engine)
        )

    async def settle(self, call: Call, answer: bytes = b'{"answer": "yes"}') -> Call:
        """Take a call through lineage's phases and the ledger's."""
        await self.stage.prepare(call)
        await self.stage.check_output(call, answer)
        assert await self.ledger.settle(call) is None
        return call

    async def recorded(self) -> None:
        while await self.drain.step() or await self.redis.xlen("sluice:{ledger}:settlements"):
            pass

    async def found_in(self, needle: str = SUBJECT) -> set[str]:
        """Look for the bytes everywhere."""
        found: set[str] = set()
        async with self.engine.connect() as connection:
            columns = await connection.execute(
                text(
                    "SELECT table_name, column_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND table_name NOT LIKE 'pg_%'"
                )
            )
            for table, column in columns.all():
                query = text(
                    f'SELECT 1 FROM "{table}" WHERE "{column}"::text LIKE :text'
                    f' OR "{column}"::text LIKE :hex LIMIT 1'
                )
                values = {"text": f"%{needle}%", "hex": f"%{needle.encode().hex()}%"}
                if (await connection.execute(query, values)).first():
                    found.add(f"{table}.{column}")
        async for key in self.redis.scan_iter():
            if needle in f"{key} {await self._value(key)}":
                found.add("redis")
        for path in self.folder.rglob("*"):
            if path.is_file() and needle.encode() in path.read_bytes():
                found.add(path.name)
        return found

    async def _value(self, key: bytes) -> Any:
        """Read a key of whatever kind; what DUMP gives is compressed."""
        client: Any = self.redis
        read = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"set": client.smembers,
            b"zset": lambda k: client.zrange(k, 0, -1),
            b"stream": client.xrange,
        }
        return await read[await client.type(key)](key)


def janes(**changes: Any) -> Call:
    """A call about the subject, which its text and a finding's excerpt name too."""
    context = Context(SUBJECT, f"session of {SUBJECT}", "resume", f"resume of {SUBJECT}")
    call = a_call(
        context=context,
        body={"model": "gpt-4o", "messages": [{"role": "user", "content": f"I am {SUBJECT}"}]},
        findings=[Finding("pii", "email", Action.FLAG, "messages[0]:5", SUBJECT, 1.0)],
        started_at=CLOCK.now(),
    )
    for name, value in changes.items():
        setattr(call, name, value)
    return call


def child_of(parent: Call, **changes: Any) -> Call:
    """A call that uses another one's output and does not say whom it is about."""
    return a_call(context=Context(parent_call_id=parent.id), started_at=CLOCK.now(), **changes)


async def _rows(world: World) -> dict[str, Any]:
    async with world.engine.connect() as connection:
        return {row.call_id: row for row in await connection.execute(select(ledger))}


@pytest.mark.spec("14.2")
async def test_no_byte_of_the_subject_is_left_and_the_chain_verifies(world: World) -> None:
    parent = await world.settle(janes())
    child = await world.settle(
        child_of(parent, body={"messages": [{"role": "user", "content": SUBJECT}]})
    )
    grandchild = await world.settle(child_of(child))
    other = await world.settle(janes(context=Context("john")), b"{}")
    await world.recorded()
    assert "ledger.subject" in await world.found_in()
    counted = await world.eraser.erase("acme", SUBJECT, by="test", dry_run=True)
    assert (counted.calls, counted.texts) == (3, 3)
    assert (await verify(world.engine, SEALS)).erased == 0
    done = await world.eraser.erase("acme", SUBJECT, by="test")
    assert (done.calls, done.texts, done.cached, done.rejects) == (3, 3, 0, 0)
    # What is left is of another call, whose own subject it is not.
    left = await world.found_in()
    assert left == {f"{t}.excerpts" for t in ("ledger", _partition(other))}
    rows = await _rows(world)
    for call in (parent, child, grandchild):
        row = rows[call.id]
        assert (row.subject, row.session, row.entity_id, row.salt) == (None, None, None, None)
        assert row.erased_at is not None
        assert (row.output_tokens, row.entity_type) == (150, call.context.entity_type)
    assert rows[other.id].subject == "john"
    report = await verify(world.engine, SEALS)
    assert (report.faults, report.erased) == ([], 3)


def _partition(call: Call) -> str:
    return f"ledger_{call.started_at:%Y_%m}"


async def test_an_erasure_is_recorded_with_who_and_when_and_again_does_nothing(
    world: World,
) -> None:
    await world.settle(janes())
    await world.recorded()
    await world.eraser.erase("acme", SUBJECT, by="key abc")
    again = await world.eraser.erase("acme", SUBJECT, by="key def")
    assert (again.calls, again.texts) == (0, 0)
    async with world.engine.connect() as connection:
        kept = (await connection.execute(select(erasures).order_by(erasures.c.id))).all()
    assert [(row.ordered_by, row.calls) for row in kept] == [("key abc", 1), ("key def", 0)]
    assert kept[0].subject_hash == SEALS.subject("acme", SUBJECT)
    assert (await verify(world.engine, SEALS)).faults == []


@pytest.mark.parametrize("way", ["stream", "spool"])
async def test_what_is_still_on_its_way_is_erased_as_it_is_recorded(world: World, way: str) -> None:
    if way == "stream":
        parent = await world.settle(janes())
        late = await world.settle(child_of(parent))
    else:
        parent, late = janes(), None
        await world.stage.prepare(parent)
        await world.spool.append(encode(parent, await world.stage.evidence(parent)))
        world.spool.close_file()
    await world.eraser.erase("acme", SUBJECT, by="test")
    assert await world.found_in()
    await world.recorded()
    assert await world.found_in() == set()
    rows = await _rows(world)
    assert rows[parent.id].erased_at is not None
    assert late is None or rows[late.id].erased_at is not None
    report = await verify(world.engine, SEALS)
    assert (report.faults, report.erased) == ([], len(rows))


async def test_a_child_recorded_before_its_late_parent_goes_with_it(world: World) -> None:
    parent = janes()
    child = await world.settle(child_of(parent, body={"prompt": SUBJECT}))
    await world.recorded()
    await world.settle(parent)
    await world.eraser.erase("acme", SUBJECT, by="test")
    assert (await _rows(world))[child.id].erased_at is None
    await world.recorded()
    assert {row.erased_at is None for row in (await _rows(world)).values()} == {False}
    assert (await verify(world.engine, SEALS)).faults == []


async def test_a_late_child_of_an_erased_call_goes_too(world: World) -> None:
    parent = await world.settle(janes())
    await world.recorded()
    child = child_of(parent)
    await world.eraser.erase("acme", SUBJECT, by="test")
    await world.settle(child)
    await world.recorded()
    assert (await _rows(world))[child.id].erased_at is not None


async def test_a_subject_that_comes_again_later_is_recorded_as_before(world: World) -> None:
    await world.eraser.erase("acme", SUBJECT, by="test")
    later = janes(started_at=CLOCK.now() + timedelta(seconds=5))
    await world.settle(later)
    await world.recorded()
    assert (await _rows(world))[later.id].subject == SUBJECT


async def test_another_tenants_subject_of_the_same_name_stays(world: World) -> None:
    theirs = janes()
    theirs.principal = replace(theirs.principal, tenant_id="globex")
    await world.settle(theirs)
    await world.recorded()
    assert (await world.eraser.erase("acme", SUBJECT, by="test")).calls == 0
    assert (await _rows(world))[theirs.id].subject == SUBJECT


async def test_a_tenant_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(NotFound, match="nobody"):
        await world.eraser.erase("nobody", SUBJECT, by="test")


async def test_settlements_that_were_set_aside_lose_their_subject(world: World) -> None:
    bad = encode(janes()).replace(b'"input_tokens":250', b'"input_tokens":-1')
    await world.store.record([bad, bad[:-40], b'{"tenant_id": "globex", "subject": "jane"}'])
    assert "ledger_rejects.entry" in await world.found_in()
    done = await world.eraser.erase("acme", SUBJECT, by="test")
    assert done.rejects == 2
    assert await world.found_in() == set()
    async with world.engine.connect() as connection:
        kept = (await connection.execute(select(ledger_rejects.c.entry))).scalars().all()
    assert len(kept) == 3
    assert sum('"input_tokens": -1' in entry for entry in kept) == 1


async def test_a_settlement_that_is_set_aside_after_the_erasure_comes_without_its_subject(
    world: World,
) -> None:
    bad = encode(janes()).replace(b'"input_tokens":250', b'"input_tokens":-1')
    await world.eraser.erase("acme", SUBJECT, by="test")
    for _ in range(2):
        await world.store.record([bad])
    assert await world.found_in() == set()
    async with world.engine.connect() as connection:
        [kept] = (await connection.execute(select(ledger_rejects.c.entry))).scalars()
    assert '"input_tokens":-1' in kept


def _slot(name: bytes) -> Slot:
    return Slot(SEALER.tag("acme"), name.ljust(16, b"."))


ENTRY = Entry("application/json", (SUBJECT.encode(),), "g", "d", "p", "0.1", 0.0, 3600)


async def _kept(world: World, call: Call, name: bytes) -> Slot:
    slot = _slot(name)
    assert await world.cache.keep(slot, ENTRY, "", SEALER.about(call))
    return slot


async def test_the_subjects_answers_and_those_of_its_calls_children_leave_the_cache(
    world: World,
) -> None:
    parent = await world.settle(janes())
    await world.recorded()
    await _kept(world, parent, b"own")
    await _kept(world, child_of(parent), b"child")
    stays = await _kept(world, janes(context=Context("john")), b"john's")
    assert "redis" in await world.found_in()
    assert (await world.eraser.erase("acme", SUBJECT, by="t", dry_run=True)).cached == 2
    assert (await world.eraser.erase("acme", SUBJECT, by="t")).cached == 2
    assert isinstance(await world.cache.look(stays, "", lead=False), Entry)
    [held] = await world.cache.count([SEALER.tag("acme")])
    assert held.entries == 1
    await world.cache.clear(SEALER.tag("acme"))
    assert "redis" not in await world.found_in()


async def test_the_answer_of_a_call_under_way_does_not_come_after_the_erasure(
    world: World,
) -> None:
    running = janes()
    await world.eraser.erase("acme", SUBJECT, by="t")
    slot = await _kept(world, running, b"late")
    assert await world.cache.look(slot, "", lead=False) == "lead"
    later = janes(started_at=CLOCK.now() + timedelta(seconds=1))
    slot = await _kept(world, later, b"later")
    assert isinstance(await world.cache.look(slot, "", lead=False), Entry)


async def test_who_was_given_anothers_answer_is_noted_too(world: World) -> None:
    slot = await _kept(world, janes(context=Context("john")), b"shared")
    about = SEALER.about(janes())
    assert about is not None
    world.sharing.note(slot, ENTRY, about)
    while world.sharing._tasks:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    assert (await world.eraser.erase("acme", SUBJECT, by="t")).cached == 1


async def test_names_in_the_cache_expire_with_their_entries(world: World) -> None:
    await _kept(world, janes(), b"own")
    names = [key async for key in world.redis.scan_iter("*:n:*")]
    assert len(names) == 1
    assert 3500 < await world.redis.ttl(names[0]) <= 3600
    assert SUBJECT.encode() not in names[0]


async def test_while_the_cache_is_away_the_rest_is_erased_and_that_is_said(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = CacheStore(
        RedisLink("unix:///nowhere/redis.sock", CLOCK), SEALER, CachePolicy(), CLOCK
    )
    eraser = Eraser(world.engine, SEALS, CacheForgetting(nowhere, SEALER), CLOCK)
    await world.settle(janes())
    await world.recorded()
    done = await eraser.erase("acme", SUBJECT, by="t")
    assert (done.calls, done.cached) == (1, None)
    assert "the cache is away" in caplog.text


async def test_an_export_after_an_erasure_holds_nothing_of_the_subject_and_verifies(
    world: World,
) -> None:
    for _ in range(5):
        await world.settle(janes())
        await world.settle(janes(context=Context("john"), findings=[]))
    await world.recorded()
    await world.eraser.erase("acme", SUBJECT, by="t")
    today = CLOCK.now().date()
    pack = world.folder / "pack"
    wanted = Wanted("acme", today - timedelta(days=1), today)
    manifest = await export(world.engine, SEALS, wanted, pack)
    assert (manifest["records"], manifest["from_seq"], manifest["to_seq"]) == (10, 1, 10)
    assert verify_pack(pack, SEALS) == (10, [])
    assert await world.found_in() == set()


async def test_kept_text_opens_for_its_tenant_and_call_alone_and_goes_in_time(
    world: World,
) -> None:
    call = await world.settle(janes(), b"the answer")
    await world.recorded()
    sealed = (await LineageStore(world.engine).texts([call.id]))[call.id]
    key = await world.keys.find("acme")
    assert key is not None
    opened = unseal(key, "acme", call.id, sealed)
    assert opened is not None
    assert (SUBJECT.encode() in opened.input, opened.output) == (True, b"the answer")
    assert unseal(key, "globex", call.id, sealed) is None
    assert unseal(key, "acme", a_call().id, sealed) is None
    assert unseal(bytes(32), "acme", call.id, sealed) is None
    clock = SetClock()
    await Retention(world.engine, clock).sweep()
    assert await _texts(world) == 1
    clock.passed_s = 40 * 86_400 + (CLOCK.now() - clock.now()).total_seconds()
    assert await Retention(world.engine, clock).sweep() == 1
    assert await _texts(world) == 0


async def _texts(world: World) -> int:
    async with world.engine.connect() as connection:
        return len((await connection.execute(select(lineage_texts.c.call_id))).all())


def looked_at(**changes: Any) -> Call:
    """A call about the subject that a person shall look at, and whose caller waits."""
    answer = Answer((f"{SUBJECT} fits", f"{SUBJECT} does not"), (f'{{"to": "{SUBJECT}"}}',))
    request = ReviewRequest([Reason.SOFT_REJECT, Reason.HELD])
    return janes(answer=answer, sources=(Source("resume", SUBJECT),), review=request, **changes)


async def _items(world: World) -> dict[str, Any]:
    async with world.engine.connect() as connection:
        return {row.call_id: row for row in await connection.execute(select(review_items))}


def _sealed_parts(lines: list[bytes]) -> list[bytes]:
    """Give what a settlement carries to a reviewer, out of its base64."""
    found = (json.loads(line)["review"] for line in lines)
    return [base64.b64decode(item["payload"]) for item in found]


@pytest.mark.spec("10.2", "14.2")
async def test_an_item_comes_with_its_row_and_is_nowhere_in_clear(world: World) -> None:
    call = await world.settle(looked_at(findings=[]))
    stream = await world.redis.xrange("sluice:{ledger}:settlements")
    [on_its_way] = _sealed_parts([fields[b"e"] for _, fields in stream])
    assert SUBJECT.encode() not in on_its_way
    await world.recorded()
    item = (await _items(world))[call.id]
    assert call.review is not None
    assert (item.id, item.holds, item.state) == (call.review.id, True, "open")
    assert item.reasons == ["soft_reject", "held"]
    assert (item.due_at - item.created_at).total_seconds() == 15 * 60
    sealed = bytes(item.payload)
    assert sealed != on_its_way
    assert await world.vault.open("acme", call.id, on_its_way) is None
    text = await world.vault.open("acme", call.id, sealed)
    assert text is not None
    dossier = decoded(text)
    assert dossier.output == f"{SUBJECT} fits"
    assert [part.name for part in dossier.others] == ["choice 2", "tool call 1"]
    assert dossier.sources[0].text == SUBJECT
    assert not await world.found_in(f"{SUBJECT} fits")


async def test_a_call_that_is_recorded_twice_has_one_item(world: World) -> None:
    entry = encode(call := looked_at(), {}, await world.docket.item(call))
    await world.store.record([entry, entry])
    await world.store.record([entry])
    assert len(await _items(world)) == 1


@pytest.mark.spec("14.2")
@pytest.mark.parametrize("order", ["recorded first", "erased first", "in a spool file"])
async def test_an_erased_subjects_items_lose_their_texts_also_when_they_come_late(
    world: World, order: str
) -> None:
    call = looked_at()
    if order == "in a spool file":
        await world.spool.append(encode(call, {}, await world.docket.item(call)))
        world.spool.close_file()
    else:
        await world.settle(call)
    if order == "recorded first":
        await world.recorded()
    await world.eraser.erase("acme", SUBJECT, by="test")
    await world.recorded()
    item = (await _items(world))[call.id]
    assert (item.payload, item.answer, item.findings, item.state) == (None, None, [], "open")
    assert item.erased_at is not None
    assert item.version == 2
    assert await world.found_in() == set()


async def test_a_late_childs_item_goes_with_its_parent(world: World) -> None:
    parent = await world.settle(janes())
    await world.recorded()
    child = child_of(parent, review=ReviewRequest([Reason.FLAG]), answer=Answer((SUBJECT,)))
    await world.eraser.erase("acme", SUBJECT, by="test")
    await world.settle(child)
    await world.recorded()
    assert (await _items(world))[child.id].payload is None


async def test_an_item_of_a_tenant_whose_key_was_destroyed_comes_without_texts(
    world: World,
) -> None:
    await world.settle(looked_at(context=Context("john")))
    await world.recorded()
    async with world.engine.begin() as connection:
        await connection.execute(text("UPDATE tenant_keys SET wrapped = ''"))
    fresh = TenantKeys(world.engine, KeyBox(SECRET), CLOCK)
    store = LedgerStore(world.engine, SEALS, KeyTransfer(TransitBox(SECRET), fresh))
    late = looked_at(context=Context("john"))
    await store.record([encode(late, {}, await world.docket.item(late))])
    assert (await _items(world))[late.id].payload is None
    before = next(item for key, item in (await _items(world)).items() if key != late.id)
    assert await TextVault(fresh).open("acme", before.call_id, bytes(before.payload)) is None


async def test_what_was_said_before_a_key_was_deleted_does_not_come_back_under_the_next(
    world: World,
) -> None:
    before = looked_at(context=Context("john"))
    carried = encode(before, {}, await world.docket.item(before))
    await world.settle(looked_at(context=Context("john")))
    await world.recorded()
    async with world.engine.begin() as connection:
        await connection.execute(text("DELETE FROM tenant_keys"))
    await asyncio.sleep(0.002)  # identifiers tell the time to the millisecond
    after = looked_at(context=Context("john"))
    await world.store.record([carried, encode(after, {}, await world.docket.item(after))])
    items = await _items(world)
    assert items[before.id].payload is None
    fresh = TextVault(TenantKeys(world.engine, KeyBox(SECRET), CLOCK))
    # Within a minute this worker still knows the old key; what it seals then opens for nobody.
    assert await fresh.open("acme", after.id, bytes(items[after.id].payload)) is None
    keys = TenantKeys(world.engine, KeyBox(SECRET), CLOCK)
    store = LedgerStore(world.engine, SEALS, KeyTransfer(TransitBox(SECRET), keys))
    later = looked_at(context=Context("john"))
    await store.record([encode(later, {}, await world.docket.item(later))])
    assert await fresh.open("acme", later.id, bytes((await _items(world))[later.id].payload))


async def test_a_settlement_that_was_set_aside_loses_its_item_too(world: World) -> None:
    call = looked_at()
    entry = encode(call, {}, await world.docket.item(call))
    bad = entry.replace(b'"input_tokens":250', b'"input_tokens":-1')
    cut = bad[: bad.index(b'"payload":"') + 100]
    await world.store.record([bad, cut])
    await world.eraser.erase("acme", SUBJECT, by="test")
    async with world.engine.connect() as connection:
        kept = (await connection.execute(select(ledger_rejects.c.entry))).scalars().all()
    assert len(kept) == 2
    assert not any(json.loads(entry)["review"] for entry in kept if entry.endswith("}"))
    assert not any('"payload":"' in entry for entry in kept)


async def test_texts_that_can_never_be_sealed_cost_nobody_the_row_or_the_item(
    world: World,
) -> None:
    call = looked_at(id="ffffffff-ffff-4fff-8fff-ffffffffffff")  # not of this gateway's making
    async with world.engine.begin() as connection:
        await connection.execute(text("INSERT INTO key_destructions VALUES ('acme', now())"))
    await world.store.record([encode(call, {}, await world.docket.item(call))])
    assert (await _items(world))[call.id].payload is None
    assert call.id in await _rows(world)


@pytest.mark.parametrize(
    "review",
    [
        {},
        "flag",
        {"id": "x", "reasons": ["flag"], "holds": False},
        {"id": "0" * 36, "reasons": [], "holds": False},
    ],
)
async def test_an_item_that_cannot_be_read_costs_nobody_the_row(
    world: World, review: Any, caplog: pytest.LogCaptureFixture
) -> None:
    call = janes()
    await world.store.record([encode(call, {}, review)])
    assert call.id in await _rows(world)
    assert await _items(world) == {}
    assert "review item that cannot be read" in caplog.text

"""Decisions leave the queue: to tenants' webhooks, into feedback, and as JSON lines."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.alerts.sink import AlertSink
from plugins.core.clock import SystemClock
from plugins.core.errors import Conflict, NotFound, Unavailable
from plugins.core.identifiers import new_call_id
from plugins.core.review import Reason
from plugins.core.signing import SIGNATURE, TIMESTAMP, derived_secret, verify
from plugins.cost.entry import encode
from plugins.cost.store import LedgerStore
from plugins.lineage.keys import KeyBox, TenantKeys
from plugins.lineage.vault import TextVault
from plugins.review import work as review_work
from plugins.review.delivering import UNDELIVERED, Deliveries, Reply, pause_after
from plugins.review.dossier import Dossier, Part, encoded
from plugins.review.export import PAGE, ReviewExport, Wanted
from plugins.review.outbox import Outbox
from plugins.review.retention import ReviewRetention
from plugins.review.rules import Decision, State
from plugins.review.store import NewItem, Reviewer, ReviewStore
from plugins.review.work import Work
from plugins.store.tables import review_deliveries, review_items, tenants
from tests.making import SEALS, SECRET, a_call
from tests.remembering import RememberedMetrics

ANNA = Reviewer("anna", "acme")
CLOCK = SystemClock()
SALT = b"salt of sixteen."
URL = "https://acme.example/reviews"
OUTPUT = "Write to jane@example.com: she worked at Acme since 2011."


class Told:
    """Remembers the decisions it was told of, and cannot hear when told to."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.error: Exception | None = None

    async def __call__(self, row: Mapping[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.rows.append(row)


@dataclass
class Receiver:
    """A webhook: answers the given statuses one after the other, then 200."""

    replies: list[Reply] = field(default_factory=list[Reply])
    came: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    wait_s: float = 0.0

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        self.came.append((url, body, dict(headers)))
        await asyncio.sleep(self.wait_s)
        return self.replies.pop(0) if self.replies else Reply(200)


class Desk:
    """A queue with all that leaves it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.store = ReviewStore(engine)
        self.vault = TextVault(TenantKeys(engine, KeyBox(SECRET), CLOCK))
        self.told, self.receiver = Told(), Receiver()
        self.metrics, self.alerts = RememberedMetrics(), AlertSink()
        self.work = Work(self.store, self.vault, self.told, metrics=self.metrics)

    def deliveries(self, **changes: Any) -> Deliveries:
        made: dict[str, Any] = {
            "outbox": Outbox(self.engine),
            "work": self.work,
            "carry": self.receiver,
            "secret": SECRET,
            "alerts": self.alerts,
            "metrics": self.metrics,
            "clock": CLOCK,
            "chance": lambda: 0.0,
            "patience_s": 3600.0,
        }
        return Deliveries(**(made | changes))

    async def add(
        self, *reasons: Reason, tenant: str = "acme", dossier: Dossier | None = None
    ) -> str:
        """Put an item in; gives its identifier."""
        item_id, call_id = new_call_id(), new_call_id()
        written = encoded(dossier or Dossier((Part("user", "who?"),), output=OUTPUT))
        payload = await self.vault.seal(tenant, call_id, written)
        wanted = reasons or (Reason.HELD,)
        await self.store.add(
            [
                NewItem(
                    call_id,
                    tenant,
                    "matching",
                    wanted,
                    datetime.now(UTC) - timedelta(minutes=5),
                    holds=Reason.HELD in wanted,
                    findings=[{"check": "bias", "code": "x", "excerpt": "J..", "where": "answer"}],
                    payload=payload,
                    id=item_id,
                )
            ]
        )
        return item_id

    async def decide(self, item_id: str, decision: Decision | None = None) -> Mapping[str, Any]:
        row = await self.store.claim(Reviewer("anna", None), item_id)
        wanted = decision or Decision(State.EDITED, "wrong year", "since 2017")
        who = Reviewer("anna", None)
        return await self.work.decide(who, item_id, row["version"], wanted, "key")

    async def make_due(self) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text("UPDATE review_deliveries SET due_at = now()"))

    async def row(self, item_id: str) -> Any:
        query = select(review_deliveries).where(review_deliveries.c.item_id == item_id)
        async with self.engine.connect() as connection:
            return (await connection.execute(query)).first()

    async def stated(self, item_id: str) -> bool:
        query = select(review_items.c.stated_at).where(review_items.c.id == item_id)
        async with self.engine.connect() as connection:
            return (await connection.execute(query)).scalar_one() is not None


@pytest_asyncio.fixture
async def desk(engine: AsyncEngine) -> AsyncIterator[Desk]:
    hooked = {"review_webhook_url": URL, "review_webhook_salt": SALT}
    async with engine.begin() as connection:
        for tenant, more in (("acme", hooked), ("globex", {}), ("initech", hooked)):
            await connection.execute(tenants.insert().values(tenant_id=tenant, name=tenant, **more))
    yield Desk(engine)


@pytest.mark.spec("10.2")
async def test_a_decision_about_a_held_answer_reaches_its_tenant_signed(desk: Desk) -> None:
    item_id = await desk.add()
    decided = await desk.decide(item_id)
    assert await desk.deliveries().step() == 1
    [(url, body, headers)] = desk.receiver.came
    assert url == URL
    secret = derived_secret(SECRET, "acme", SALT)
    assert verify(secret, headers[SIGNATURE], headers[TIMESTAMP], body, datetime.now(UTC))
    told = json.loads(body)
    assert datetime.fromisoformat(told.pop("decided_at")) == decided["decided_at"]
    assert told == {
        "review_id": item_id,
        "call_id": decided["call_id"],
        "state": "edited",
        "text": "since 2017",
        "reason": "wrong year",
    }
    row = await desk.row(item_id)
    assert (row.delivered_at is not None, row.tries, row.last_error) == (True, 1, None)
    await desk.make_due()
    assert await desk.deliveries().step() == 0


@pytest.mark.parametrize(
    ("tenant", "reason"), [("acme", Reason.FLAG), ("globex", Reason.HELD), ("nobody", Reason.HELD)]
)
async def test_nothing_is_sent_where_nobody_waits_or_nobody_listens(
    desk: Desk, tenant: str, reason: Reason
) -> None:
    await desk.decide(await desk.add(reason, tenant=tenant))
    assert await desk.deliveries().step() == 0


async def test_what_does_not_arrive_is_tried_again_with_longer_pauses(desk: Desk) -> None:
    item_id = await desk.add()
    await desk.decide(item_id)
    desk.receiver.replies = [Reply(500), Reply(None, "no connection"), Reply(404), Reply(302)]
    pauses: list[float] = []
    for _ in range(4):
        assert await desk.deliveries().step() == 1
        row = await desk.row(item_id)
        async with desk.engine.connect() as connection:
            now = (await connection.execute(text("SELECT now()"))).scalar_one()
        pauses.append((row.due_at - now).total_seconds())
        assert await desk.deliveries().step() == 0
        await desk.make_due()
    assert [round(pause) for pause in pauses] == [2, 4, 8, 16]
    assert row.last_error == "status 302"
    await desk.deliveries().step()
    assert (await desk.row(item_id)).delivered_at is not None
    assert desk.metrics.counts["sluice_review_deliveries_total", "again"] == 4
    assert desk.metrics.counts["sluice_review_deliveries_total", "delivered"] == 1
    assert desk.alerts.alerts == []


def test_pauses_double_up_to_ten_minutes_and_half_of_them_is_chance() -> None:
    assert [pause_after(n, 0.0) for n in (1, 2, 9, 10, 500)] == [2, 4, 512, 600, 600]
    assert pause_after(10, 1.0) == 300


async def test_what_never_arrives_is_given_up_and_people_are_told(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    item_id = await desk.add()
    await desk.decide(item_id)
    desk.receiver.replies = [Reply(503)]
    await desk.deliveries(patience_s=1.0).step()
    row = await desk.row(item_id)
    assert (row.given_up_at is not None, row.last_error) == (True, "status 503")
    [alert] = desk.alerts.alerts
    assert (alert.name, alert.subject, alert.momentary) == (UNDELIVERED, "acme", True)
    assert desk.metrics.counts["sluice_review_deliveries_total", "given_up"] == 1
    assert URL not in caplog.text + alert.summary
    await desk.make_due()
    assert await desk.deliveries().step() == 0


async def test_a_webhook_that_was_taken_away_is_not_sent_to(desk: Desk) -> None:
    item_id = await desk.add()
    await desk.decide(item_id)
    async with desk.engine.begin() as connection:
        gone = {"review_webhook_url": None, "review_webhook_salt": None}
        await connection.execute(tenants.update().values(**gone))
    await desk.deliveries().step()
    assert desk.receiver.came == []
    assert (await desk.row(item_id)).given_up_at is not None


async def test_many_workers_send_each_decision_once(desk: Desk) -> None:
    items = [await desk.add(tenant=t) for t in ("acme", "initech") * 6]
    for item_id in items:
        await desk.decide(item_id)
    desk.receiver.wait_s = 0.01
    workers = [desk.deliveries() for _ in range(4)]
    while sum(await asyncio.gather(*(worker.step() for worker in workers))):
        pass
    sent = [json.loads(body)["review_id"] for _, body, _ in desk.receiver.came]
    assert sorted(sent) == sorted(items)


async def test_one_tenants_backlog_keeps_no_other_waiting(desk: Desk) -> None:
    for _ in range(5):
        await desk.decide(await desk.add())
    late = await desk.add(tenant="initech")
    await desk.decide(late)
    assert await desk.deliveries().step() == 2
    assert (await desk.row(late)).delivered_at is not None


async def test_what_a_worker_died_over_is_sent_by_another_after_its_lease(desk: Desk) -> None:
    item_id = await desk.add()
    await desk.decide(item_id)
    hasty = Outbox(desk.engine, timedelta(milliseconds=50))
    [claimed] = await hasty.claim(1)
    assert await desk.deliveries().step() == 0
    await asyncio.sleep(0.06)
    assert await desk.deliveries().step() == 1
    # Whoever comes back from the dead changes nothing any more.
    await hasty.again(claimed, 0.0, "late")
    assert (await desk.row(item_id)).delivered_at is not None


async def test_an_erased_item_is_told_of_without_its_text(desk: Desk) -> None:
    item_id = await desk.add()
    await desk.decide(item_id)
    async with desk.engine.begin() as connection:
        await connection.execute(text("UPDATE review_items SET answer = NULL, payload = NULL"))
    await desk.deliveries().step()
    assert json.loads(desk.receiver.came[0][1])["text"] is None


async def test_a_delivery_that_fails_here_is_tried_again_too(desk: Desk) -> None:
    await desk.decide(await desk.add())

    async def broken(url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        raise RuntimeError("a bug")

    await desk.deliveries(carry=broken).step()
    assert desk.metrics.counts["sluice_review_deliveries_total", "again"] == 1


@pytest.mark.spec("12.1")
async def test_a_decision_is_told_once_and_counted_with_the_time_it_took(desk: Desk) -> None:
    item_id = await desk.add(Reason.HELD, Reason.FLAG)
    await desk.decide(item_id)
    assert [row["id"] for row in desk.told.rows] == [item_id]
    assert await desk.stated(item_id)
    assert desk.metrics.counts["sluice_review_decisions_total", "edited"] == 1
    [(name, seconds, labels)] = desk.metrics.observed
    assert (name, labels) == ("sluice_review_decision_seconds", ("held",))
    assert 300 <= seconds < 360


@pytest.mark.spec("12.1")
@pytest.mark.parametrize(
    ("error", "told_later"),
    [
        (Unavailable("away"), True),
        (RuntimeError("a bug"), True),
        (NotFound("no such call"), False),
        (Conflict("another's key"), False),
    ],
)
async def test_what_could_not_be_told_is_told_later_unless_it_never_can(
    desk: Desk, error: Exception, told_later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.told.error = error
    item_id = await desk.add()
    await desk.decide(item_id)
    assert await desk.stated(item_id) is not told_later
    assert await desk.work.catch_up() == 0  # who decided it may be at it still
    monkeypatch.setattr(review_work, "LET_BE", timedelta())
    desk.told.error = None
    assert await desk.work.catch_up() == int(told_later)
    assert len(desk.told.rows) == int(told_later)
    assert await desk.work.catch_up() == 0


async def test_a_decision_whose_worker_died_becomes_feedback_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    item_id = await desk.add()
    await desk.decide(item_id)
    async with desk.engine.begin() as connection:
        await connection.execute(text("UPDATE review_items SET stated_at = NULL"))
    monkeypatch.setattr(review_work, "LET_BE", timedelta())
    assert await desk.work.catch_up() == 1
    assert len(desk.told.rows) == 2  # at least once; whoever hears it knows it again
    assert await desk.stated(item_id)


async def test_an_answer_that_was_cut_is_not_given_as_if_it_were_whole(desk: Desk) -> None:
    cut = Dossier(output="beginning", output_cut=True)
    held, flagged = await desk.add(dossier=cut), await desk.add(Reason.FLAG, dossier=cut)
    with pytest.raises(Conflict) as refused:
        await desk.decide(held, Decision(State.APPROVED))
    assert refused.value.code == "review_output_cut"
    row = await desk.decide(flagged, Decision(State.APPROVED))
    assert await desk.work.released(await desk.store.item(ANNA, row["id"])) is None


async def test_nobody_words_an_answer_of_which_the_texts_are_erased(desk: Desk) -> None:
    item_id = await desk.add()
    async with desk.engine.begin() as connection:
        await connection.execute(text("UPDATE review_items SET payload = NULL, erased_at = now()"))
    with pytest.raises(Conflict) as refused:
        await desk.decide(item_id)
    assert refused.value.code == "review_erased"
    assert (await desk.decide(item_id, Decision(State.REJECTED, "unseen")))["state"] == "rejected"


async def test_who_asks_a_moment_after_the_call_is_asked_to_come_again(desk: Desk) -> None:
    call = a_call(id=new_call_id())
    assert await desk.store.awaited("acme", call.id) is None
    assert await desk.store.awaited_item("acme", new_call_id()) is None
    await LedgerStore(desk.engine, SEALS).record([encode(call)])
    with pytest.raises(NotFound):
        await desk.store.awaited("acme", call.id)
    assert await desk.store.awaited("globex", call.id) is None  # as for a call that is not there
    old = "01900000-0000-7000-8000-000000000000"
    for asked in (desk.store.awaited("acme", old), desk.store.awaited_item("acme", old)):
        with pytest.raises(NotFound):
            await asked
    item_id = await desk.add()
    row = await desk.store.awaited_item("acme", item_id)
    assert row is not None
    assert (await desk.store.awaited("acme", row["call_id"]) or {})["id"] == item_id
    assert await desk.store.awaited_item("globex", item_id) is None


async def _lines(desk: Desk, keep_days: int = 0, tenant: str | None = None) -> list[Any]:
    export = ReviewExport(desk.engine, desk.work, keep_days)
    today = datetime.now(UTC).date()
    wanted = Wanted(today - timedelta(days=1), today + timedelta(days=1), tenant)
    return [json.loads(line) async for line in export.lines(wanted)]


@pytest.mark.spec("12.4", "12.1")
async def test_decided_items_are_exported_masked_where_the_tenant_keeps_texts(desk: Desk) -> None:
    call = a_call(id=new_call_id(), confidence=0.4)
    await LedgerStore(desk.engine, SEALS).record([encode(call)])
    await desk.add()  # undecided
    approved, edited = await desk.add(), await desk.add()
    async with desk.engine.begin() as connection:
        change = review_items.update().where(review_items.c.id == edited)
        payload = await desk.vault.seal("acme", call.id, encoded(Dossier(output=OUTPUT)))
        await connection.execute(change.values(call_id=call.id, payload=payload))
    await desk.decide(approved, Decision(State.APPROVED))
    told = Decision(State.EDITED, "call jane@example.com", "ask jane@example.com")
    await desk.decide(edited, told)
    first, second = await _lines(desk, keep_days=30)
    assert (first["state"], first["right"], first["texts"]) == ("approved", True, "masked")
    masked = "Write to [email]: she worked at Acme since 2011."
    assert first["output"] == first["target"] == masked
    assert first["prompt"] == [{"name": "user", "text": "who?"}]
    assert (second["right"], second["target"], second["reason"]) == (
        False,
        "ask [email]",
        "call [email]",
    )
    assert (second["model"], second["confidence"]) == ("gpt-4o", 0.4)
    assert all("excerpt" not in finding for finding in first["findings"])


@pytest.mark.parametrize(
    ("own_days", "default_days", "texts"),
    [(None, 0, "not_kept"), (None, 30, "masked"), (0, 30, "not_kept"), (5, 0, "masked")],
)
async def test_texts_leave_by_what_the_tenant_has_said(
    desk: Desk, own_days: int | None, default_days: int, texts: str
) -> None:
    await desk.decide(await desk.add())
    async with desk.engine.begin() as connection:
        await connection.execute(tenants.update().values(keep_text_days=own_days))
    [line] = await _lines(desk, default_days)
    assert line["texts"] == texts
    assert ("output" in line) is (texts == "masked")


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ("created_at = now() - interval '31 days'", "not_kept"),
        ("erased_at = now()", "erased"),
        ("payload = NULL", "gone"),
    ],
)
async def test_texts_that_are_too_old_or_gone_are_said_to_be(
    desk: Desk, change: str, texts: str
) -> None:
    await desk.decide(await desk.add())
    async with desk.engine.begin() as connection:
        await connection.execute(text(f"UPDATE review_items SET {change}"))  # noqa: S608 - above
    [line] = await _lines(desk, 30)
    assert (line["texts"], "output" in line) == (texts, False)


async def test_an_export_of_many_pages_has_each_item_once_and_one_tenants_only(
    desk: Desk,
) -> None:
    items = [await desk.add(Reason.FLAG) for _ in range(PAGE + 5)]
    foreign = await desk.add(Reason.FLAG, tenant="initech")
    async with desk.engine.begin() as connection:
        # All at one moment, so that pages must go on within it.
        decided = "state = 'approved', claimed_by = 'a', decided_at = now(), decision = '{}'"
        await connection.execute(text(f"UPDATE review_items SET {decided}"))  # noqa: S608 - above
    found = [line["review_id"] for line in await _lines(desk, tenant="acme")]
    assert sorted(found) == sorted(items)
    assert len(await _lines(desk)) == PAGE + 6
    assert foreign in [line["review_id"] for line in await _lines(desk)]
    export = ReviewExport(desk.engine, desk.work, 0)
    assert [1 async for _ in export.lines(Wanted(date(2020, 1, 1), date(2020, 1, 2)))] == []


@pytest.mark.spec("14.2")
async def test_the_texts_of_decided_items_are_deleted_in_time_and_no_others(desk: Desk) -> None:
    old, fresh, waiting = [await desk.add(Reason.FLAG) for _ in range(3)]
    for item_id in (old, fresh):
        await desk.decide(item_id)
    async with desk.engine.begin() as connection:
        aged = review_items.update().where(review_items.c.id != fresh)
        at = datetime.now(UTC) - timedelta(days=181)
        await connection.execute(aged.values(created_at=at))
        await connection.execute(aged.where(review_items.c.id == old).values(decided_at=at))
    retention = ReviewRetention(desk.engine, 180)
    assert [await retention.sweep(), await retention.sweep()] == [1, 0]
    kept = {i: await desk.store.item(ANNA, i) for i in (old, fresh, waiting)}
    assert [row["payload"] is None for row in kept.values()] == [True, False, False]
    assert [row["answer"] is None for row in kept.values()] == [True, False, True]
    assert (kept[old]["state"], kept[old]["decision"]) == ("edited", {"reason": "wrong year"})

"""From a call to the queue and back, through a running gateway that is killed on the way."""

import asyncio
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from plugins.core.identifiers import new_call_id
from plugins.core.signing import SIGNATURE, TIMESTAMP, verify
from plugins.store.database import create_engine
from selfhosted.engines import EmbeddedPostgres, EmbeddedRedis
from tests.gateway.probe import HOLD, SOFT_REJECT
from tests.gateway.receivers import Receiver
from tests.gateway.running import Gateway, eventually, running

SECRET_TEXT = "ask Jane about her years at Initech"


@dataclass
class Queue:
    """A gateway in which some answers are not good enough, and whose engines the test holds."""

    gateway: Gateway
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis

    def worker_pids(self) -> list[int]:
        """The proxy's process and its workers, as they are now."""
        ready = json.loads((self.gateway.data_dir.parent / "ready.json").read_bytes())
        parent = int(ready["pids"]["proxy"])
        children = Path(f"/proc/{parent}/task/{parent}/children")
        return [parent, *map(int, children.read_text().split())] if children.exists() else []

    def kill(self) -> None:
        for pid in self.worker_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def until_up(self) -> None:
        def up() -> bool:
            try:
                return self.gateway.admin("GET", "/sluice/me").status_code == 200
            except httpx.HTTPError:
                return False

        eventually(up, bool, 90)


@pytest.fixture(scope="module")
def queue(new_folder: Callable[[str], Path]) -> Iterator[Queue]:
    folder = new_folder("queue")
    with (
        EmbeddedPostgres(folder / "engines") as postgres,
        EmbeddedRedis(folder / "engines") as redis,
        running(
            folder, probe=True, DATABASE_URL=postgres.plain_url, REDIS_URL=redis.url
        ) as gateway,
    ):
        yield Queue(gateway, postgres, redis)


@dataclass
class Desk:
    """A tenant and its reviewers."""

    gateway: Gateway
    tenant_id: str = ""
    key: str = ""
    reviewers: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.tenant_id = self.gateway.new_tenant()
        self.key = self.gateway.new_key(self.tenant_id)
        self.reviewers = [self.gateway.new_key(self.tenant_id, role="reviewer") for _ in range(2)]
        for who in (self.key, *self.reviewers):
            eventually(
                lambda who=who: self.gateway.request("GET", "/sluice/me", who).status_code,
                lambda status: status == 200,
            )

    def call(self, session: str, **body: Any) -> httpx.Response:
        return self.gateway.chat(self.key, headers={"x-sluice-session": session}, **body)

    def verdict(self, call_id: str) -> dict[str, Any]:
        answer = self.gateway.request("GET", f"/sluice/calls/{call_id}/review", self.key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def items(self, *states: str) -> list[dict[str, Any]]:
        params = {"limit": 200, **({"state": states} if states else {})}
        answer = self.gateway.request("GET", "/sluice/reviews", self.reviewers[0], params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def decide(self, item_id: str, decision: str, **more: str) -> dict[str, Any]:
        ask, who = self.gateway.request, self.reviewers[0]
        item = ask("POST", f"/sluice/reviews/{item_id}/claim", who).json()
        body = {"version": item["version"], "decision": decision, "key": "k", **more}
        decided = ask("POST", f"/sluice/reviews/{item_id}/decision", who, json=body)
        assert decided.status_code == 200, decided.text
        return item


@pytest.fixture
def desk(queue: Queue) -> Desk:
    return Desk(queue.gateway)


def _recorded(desk: Desk, call_id: str) -> dict[str, Any]:
    return eventually(lambda: desk.verdict(call_id), lambda v: v["state"] != "pending")


@pytest.mark.spec("10.2", "12.1")
def test_a_held_answer_waits_for_a_person_and_is_then_released(desk: Desk) -> None:
    messages = [
        {"role": "system", "content": "be fair"},
        {"role": "user", "content": SECRET_TEXT},
    ]
    answer = desk.call(HOLD, messages=messages)
    assert answer.json() == {"object": "sluice.review", "state": "pending"}
    call_id, review_id = (answer.headers[f"x-sluice-{n}-id"] for n in ("call", "review"))
    # Asked at once, it is never unknown.
    assert desk.verdict(call_id)["state"] in {"pending", "open"}
    waiting = _recorded(desk, call_id)
    assert (waiting["review_id"], waiting["state"], waiting["text"]) == (review_id, "open", None)
    [item] = desk.items()
    assert (item["id"], item["reasons"], item["holds"]) == (review_id, ["held"], True)
    read = desk.decide(review_id, "approved")
    assert [part["name"] for part in read["prompt"]] == ["system", "user"]
    assert read["prompt"][1]["text"] == SECRET_TEXT
    released = desk.verdict(call_id)
    assert (released["state"], released["text"]) == ("approved", read["output"])
    assert read["output"]
    path = f"/sluice/reviews/{review_id}/answer"
    assert desk.gateway.request("GET", path, desk.key).json() == released
    said = desk.gateway.request("GET", f"/sluice/feedback?call_id={call_id}", desk.key).json()
    assert [one["kind"] for one in said] == ["accepted"]


def test_a_soft_reject_is_looked_at_with_its_findings_and_nothing_else_is(desk: Desk) -> None:
    call_id = desk.call(SOFT_REJECT).headers["x-sluice-call-id"]
    other = desk.call("ordinary").headers["x-sluice-call-id"]
    _recorded(desk, call_id)
    desk.gateway.call_row(other)
    [item] = desk.items()
    assert item["reasons"] == ["soft_reject"]
    assert item["findings"][0]["code"] == "unfounded"
    ask = desk.gateway.request
    assert ask("GET", f"/sluice/calls/{other}/review", desk.key).status_code == 404
    foreign = Desk(desk.gateway)
    answer = ask("GET", f"/sluice/calls/{call_id}/review", foreign.key)
    made_up = ask("GET", f"/sluice/calls/{new_call_id()}/review", foreign.key)
    assert answer.json()["state"] == made_up.json()["state"] == "pending"
    assert answer.headers["retry-after"] == "1"


@pytest.mark.spec("10.2")
def test_a_decision_reaches_the_tenants_webhook_signed_and_a_dead_one_later(desk: Desk) -> None:
    receiver = Receiver(status=503)
    receiver.start()
    path = f"/sluice/tenants/{desk.tenant_id}"
    try:
        sent = {"review_webhook_url": f"{receiver.url}/hook"}
        secret = desk.gateway.admin("PATCH", path, json=sent).json()["review_webhook_secret"]
        listed = desk.gateway.admin("GET", "/sluice/tenants").text
        assert secret.startswith("whsec_")
        assert secret not in listed
        answer = desk.call(HOLD)
        review_id = answer.headers["x-sluice-review-id"]
        _recorded(desk, answer.headers["x-sluice-call-id"])
        desk.decide(review_id, "edited", reason="wrong", text="since 2017")
        eventually(lambda: len(receiver.came), lambda count: count >= 1, 15)
        receiver.behave()
        eventually(lambda: len(receiver.came), lambda count: count >= 2, 15)
        for came in receiver.came:
            signed = came.headers[SIGNATURE], came.headers[TIMESTAMP]
            assert verify(secret, *signed, came.body, datetime.now(UTC))
            assert came.path == "/hook"
            assert (came.json["review_id"], came.json["text"]) == (review_id, "since 2017")
        time.sleep(3)  # a sender that goes on would show in this time
        assert len(receiver.came) == 2
    finally:
        receiver.stop()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://127.0.0.1/hook",
        "https://user:word@example.com/hook",
        "https:///hook",
        "https://example.com:0/",
        "https://example.com/a b",
        "not an address",
    ],
)
def test_decisions_are_sent_to_no_address_that_others_could_read(desk: Desk, url: str) -> None:
    path = f"/sluice/tenants/{desk.tenant_id}"
    refused = desk.gateway.admin("PATCH", path, json={"review_webhook_url": url})
    assert refused.status_code == 400
    own = desk.gateway.request("PATCH", path, desk.key, json={"review_webhook_url": None})
    assert own.status_code == 403


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@pytest.mark.spec("10.2")
@pytest.mark.parametrize("redis_too", [False, True])
def test_an_item_is_there_though_its_worker_was_killed_before_it_was_recorded(
    queue: Queue, desk: Desk, redis_too: bool
) -> None:
    frozen = _tree(queue.postgres.pid or 0)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        if redis_too:
            queue.redis.stop(hard=True)  # it is in a file of the worker's then
        answers = [desk.call(HOLD) for _ in range(5)]
        queue.kill()
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        if redis_too:
            queue.redis.start()
    queue.until_up()
    for answer in answers:
        assert answer.status_code == 200, answer.text
        found = eventually(
            lambda answer=answer: desk.verdict(answer.headers["x-sluice-call-id"]),
            lambda verdict: verdict["state"] == "open",
            30,
        )
        assert found["review_id"] == answer.headers["x-sluice-review-id"]
    assert len(desk.items()) == 5


@dataclass
class Person:
    """A reviewer whose browser crashes, who clicks twice, and whose gateway dies meanwhile."""

    desk: Desk
    key: str
    draw: random.Random
    done: threading.Event
    decided: Counter[str] = field(default_factory=Counter[str])

    def work(self) -> None:
        while not self.done.is_set():
            with suppress(httpx.HTTPError):
                item = self._next()
                if item is None:
                    time.sleep(0.1)
                elif self.draw.random() > 0.15:  # else the browser crashed: it is found again
                    self._decide(item)

    def _next(self) -> dict[str, Any] | None:
        ask = self.desk.gateway.request
        answer = ask("POST", "/sluice/reviews/next", self.key)
        if answer.status_code == 200:
            return answer.json()
        mine = ask("GET", "/sluice/reviews?state=claimed&limit=200", self.key)
        own = [i for i in mine.json() if i["claimed_by"] == self.key[3:13]] if mine else []
        return self.draw.choice(own) if own else None

    def _decide(self, item: dict[str, Any]) -> None:
        key = new_call_id()
        body = {"version": item["version"], "decision": "rejected", "reason": "no", "key": key}
        path = f"/sluice/reviews/{item['id']}/decision"
        for _ in range(self.draw.choice((1, 1, 2))):
            answer = self.desk.gateway.request("POST", path, self.key, json=body)
            if answer.status_code == 200:
                self.decided[item["id"]] = 1


def _work_off(queue: Queue, desk: Desk, count: int, kills: int) -> None:
    draw = random.Random(20261124)  # noqa: S311 - moments of a test
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.call(SOFT_REJECT), range(count)))
    asked = {answer.headers["x-sluice-review-id"] for answer in answers}
    assert len(asked) == count
    done = threading.Event()
    people = [
        Person(desk, key, random.Random(n), done)  # noqa: S311
        for n, key in enumerate(desk.reviewers)
    ]
    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(person.work) for person in people]
        try:
            for _ in range(kills):
                time.sleep(draw.uniform(0.3, 2.0))
                queue.kill()
                queue.until_up()
            eventually(lambda: _decided(queue, desk), lambda n: n[0] >= count, 60 + count)
        finally:
            done.set()
        for work in working:
            work.result()
    found, stated = eventually(lambda: _decided(queue, desk), lambda n: n[1] >= count, 60)
    assert (found, stated) == (count, count)
    both = people[0].decided.keys() & people[1].decided.keys()
    assert not both, "two reviewers were told that they decided the same item"
    seen = {item["id"] for item in _all_decided(desk)}
    assert seen == asked


def _all_decided(desk: Desk) -> list[dict[str, Any]]:
    today = datetime.now(UTC).date()
    params = {
        "first": str(today - timedelta(days=1)),
        "last": str(today),
        "tenant_id": desk.tenant_id,
    }
    answer = desk.gateway.admin("GET", "/sluice/reviews/export", params=params)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [line | {"id": line["review_id"]} for line in lines]


def _decided(queue: Queue, desk: Desk) -> tuple[int, int]:
    """How many items are decided, and how many statements say so."""

    async def counted() -> tuple[int, int]:
        engine = create_engine(queue.postgres.url)
        try:
            async with engine.connect() as connection:
                found = await connection.exec_driver_sql(
                    "SELECT (SELECT count(*) FROM review_items WHERE tenant_id = $1"
                    " AND decided_at IS NOT NULL), (SELECT count(*) FROM ai_feedback"
                    " WHERE tenant_id = $1 AND kind = 'overridden')",
                    (desk.tenant_id,),
                )
                items, statements = found.one()
                return items, statements
        finally:
            await engine.dispose()

    return asyncio.run(counted())


@pytest.mark.spec("10.2")
def test_two_reviewers_decide_each_item_once_though_the_gateway_dies(
    queue: Queue, desk: Desk
) -> None:
    _work_off(queue, desk, 30, kills=1)


@pytest.mark.torture
@pytest.mark.timeout(1500)
@pytest.mark.spec("10.2")
def test_two_reviewers_and_500_items_with_ten_kills(queue: Queue, desk: Desk) -> None:
    _work_off(queue, desk, 500, kills=10)

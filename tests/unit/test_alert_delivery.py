"""Queues, retries and their ends, with a clock that is moved by hand."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.alerts.backoff import Answer, Schedule, meaning, retry_after_s
from plugins.alerts.delivery import Delivery, Target
from plugins.alerts.dispatch import INTAKE_SIZE, Dispatcher
from plugins.alerts.http import HttpPost, Received, Undeliverable
from plugins.alerts.notice import Notice, Outgoing
from plugins.alerts.pending import Pending
from plugins.alerts.webhook import WebhookSender
from plugins.core.alerts import SEVERITIES, Alert
from tests.remembering import RememberedMetrics, SetClock

SECRET_URL = "https://hooks.example/very-secret"


def _alert(subject: str = "openai", severity: str = "critical", **more: object) -> Alert:
    return Alert("circuit_breaker_opened", subject, "it opened", severity, **more)


@dataclass
class Receiver:
    """Answers what it is told to, and remembers what came."""

    answers: list[Received | Undeliverable] = field(default_factory=list)
    came: list[Outgoing] = field(default_factory=list)

    async def __call__(self, outgoing: Outgoing) -> Received:
        self.came.append(outgoing)
        answer = self.answers.pop(0) if self.answers else Received(200)
        if isinstance(answer, Undeliverable):
            raise answer
        return answer


@dataclass
class Made:
    receiver: Receiver
    metrics: RememberedMetrics
    clock: SetClock
    delivery: Delivery

    def tell(self, alert: Alert, *, repeated: bool = False) -> None:
        now = self.clock.now()
        self.delivery.accept(Notice(alert, now, now, repeated))

    def outcomes(self) -> dict[str, int]:
        return {key[2]: int(count) for key, count in self.metrics.counts.items()}

    async def pass_s(self, seconds: float) -> None:
        """Let time pass as `run` would: wake whenever something is due."""
        end_s = self.clock.passed_s + seconds
        while True:
            await self.delivery.step()
            due_s = self.delivery.pending.next_due_s()
            if due_s is None or due_s - 1_000 > end_s:
                break
            self.clock.passed_s = max(due_s - 1_000, self.clock.passed_s)
        self.clock.passed_s = end_s


@pytest.fixture
def made() -> Made:
    receiver, metrics, clock = Receiver(), RememberedMetrics(), SetClock()
    target = Target("hook", "webhook", WebhookSender(SECRET_URL), frozenset(SEVERITIES))
    delivery = Delivery(target, receiver, metrics, clock, lambda: 0.0)
    return Made(receiver, metrics, clock, delivery)


async def test_an_alert_is_delivered_once(made: Made) -> None:
    made.tell(_alert())
    await made.pass_s(3_600)
    assert len(made.receiver.came) == 1
    assert made.outcomes() == {"delivered": 1}


@pytest.mark.parametrize(
    "failure",
    [Received(500), Received(503), Received(429), Received(408), Undeliverable("no connection")],
)
async def test_what_may_pass_is_tried_again_until_it_is_taken(
    made: Made, failure: Received | Undeliverable
) -> None:
    made.receiver.answers = [failure] * 4
    made.tell(_alert())
    await made.pass_s(14.9)
    assert (len(made.receiver.came), len(made.delivery.pending)) == (4, 1)  # at 0, 1, 3, 7 s
    await made.pass_s(0.2)
    assert (len(made.receiver.came), len(made.delivery.pending)) == (5, 0)
    assert made.outcomes() == {"again": 4, "delivered": 1}


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 413, 422])
async def test_what_will_never_pass_is_tried_once_and_said(
    made: Made, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    made.receiver.answers = [Received(status)] * 9
    made.tell(_alert())
    await made.pass_s(3_600)
    assert len(made.receiver.came) == 1
    assert made.outcomes() == {"refused": 1}
    assert f"status {status}" in caplog.text
    assert "very-secret" not in caplog.text


async def test_a_receiver_that_stays_away_is_given_up_on_after_a_quarter_of_an_hour(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    made.receiver.answers = [Undeliverable("no connection")] * 99
    made.tell(_alert())
    await made.pass_s(840)
    assert len(made.delivery.pending) == 1
    await made.pass_s(60)  # the try after that would come too late
    assert len(made.delivery.pending) == 0
    assert made.outcomes()["given_up"] == 1
    assert "no connection" in caplog.text


async def test_retry_after_is_respected(made: Made) -> None:
    made.receiver.answers = [Received(429, "120")]
    made.tell(_alert())
    await made.pass_s(119)
    assert len(made.receiver.came) == 1
    await made.pass_s(2)
    assert len(made.receiver.came) == 2


async def test_one_alert_that_waits_holds_back_no_other_but_its_own_end(made: Made) -> None:
    made.receiver.answers = [Received(500)]
    made.tell(_alert("openai"))
    await made.delivery.step()
    made.tell(_alert("openai", resolved=True))
    made.tell(_alert("vllm"))
    await made.pass_s(10)
    told = [(b"openai" in o.body, b"resolved" in o.body) for o in made.receiver.came]
    assert told == [(True, False), (False, False), (True, False), (True, True)]


async def test_a_bug_in_a_sender_stops_nothing(made: Made) -> None:
    made.tell(_alert(labels={"a": object()}))
    made.tell(_alert("vllm"))
    await made.pass_s(1)
    assert made.outcomes() == {"refused": 1, "delivered": 1}


async def test_a_sender_hears_only_of_its_severities(made: Made) -> None:
    made.delivery.target = replace(made.delivery.target, severities={"critical"})
    for severity in SEVERITIES:
        made.tell(_alert(severity, severity))
    await made.pass_s(1)
    assert [b'"critical"' in one.body for one in made.receiver.came] == [True]


async def test_what_is_told_again_is_neither_retried_nor_queued_twice(made: Made) -> None:
    made.receiver.answers = [Received(500)]
    made.tell(_alert(), repeated=True)
    made.tell(_alert(), repeated=True)
    assert len(made.delivery.pending) == 1
    await made.pass_s(3_600)
    assert len(made.receiver.came) == 1
    assert made.outcomes() == {"given_up": 1}


async def test_a_full_queue_drops_the_least_grave_counts_and_says_it(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    made.delivery.pending = Pending(2)
    made.tell(_alert("a", "medium"))
    made.tell(_alert("b", "critical"))
    made.tell(_alert("c", "high"))
    await made.pass_s(1)
    subjects = [next(s for s in "abc" if f'"subject":"{s}"'.encode() in o.body)
                for o in made.receiver.came]  # fmt: skip
    assert subjects == ["b", "c"]
    assert made.outcomes() == {"dropped": 1, "delivered": 2}
    assert "(a)" in caplog.text


# --- the queue's laws ----------------------------------------------------------------------------
NOTICES = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(SEVERITIES)), max_size=40)


def _notice(subject: str, severity: str) -> Notice:
    now = SetClock().now()
    return Notice(_alert(subject, severity), now, now)


@given(NOTICES, st.integers(1, 8))
def test_the_queue_keeps_the_gravest_in_the_order_they_came(
    told: list[tuple[str, str]], size: int
) -> None:
    pending = Pending(size)
    came = [_notice(*one) for one in told]
    dropped = [gone for notice in came if (gone := pending.push(notice)) is not None]
    kept = [waiting.notice for waiting in pending]
    assert len(kept) == min(len(came), size)
    assert sorted(map(id, kept + dropped)) == sorted(map(id, came))
    assert [id(n) for n in came if any(n is k for k in kept)] == [id(n) for n in kept]
    assert sorted(n.rank for n in kept) == sorted(n.rank for n in came)[:size]


@given(NOTICES, st.lists(st.integers(0, 5), max_size=40))
def test_within_a_subject_nothing_overtakes(told: list[tuple[str, str]], dues: list[int]) -> None:
    pending = Pending(100)
    for one in told:
        pending.push(_notice(*one))
    came = [waiting.notice for waiting in pending]
    for waiting, due_s in zip(pending, dues, strict=False):
        waiting.due_s = due_s
    left: list[Notice] = []
    now_s = 0.0
    while len(pending):
        due_s = pending.next_due_s()
        assert due_s is not None
        now_s = max(now_s, due_s)
        waiting = pending.due(now_s)
        assert waiting is not None, "what next_due_s promises is due then"
        pending.remove(waiting)
        left.append(waiting.notice)
    for subject in "abcde":
        assert [id(n) for n in left if n.alert.subject == subject] == [
            id(n) for n in came if n.alert.subject == subject
        ]


# --- the schedule's laws -------------------------------------------------------------------------
@given(
    st.integers(1, 10_000),
    st.floats(0, 5_000),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 10_000),
)
def test_a_pause_is_bounded_and_never_shorter_than_asked(
    tried: int, age_s: float, chance: float, asked_s: float
) -> None:
    schedule = Schedule()
    pause_s = schedule.pause_s(tried, age_s, chance=chance, retry_after_s=asked_s)
    if pause_s is None:
        return
    assert tried < schedule.tries
    assert age_s + pause_s <= schedule.age_s
    assert pause_s >= asked_s
    assert schedule.first_s * (1 - schedule.jitter) <= pause_s
    assert pause_s <= max(schedule.longest_s, asked_s)


@given(st.floats(0, 1, exclude_max=True))
def test_every_delivery_comes_to_an_end(chance: float) -> None:
    schedule, age_s, tried = Schedule(), 0.0, 1
    while (pause_s := schedule.pause_s(tried, age_s, chance=chance)) is not None:
        age_s += pause_s
        tried += 1
    assert tried <= schedule.tries
    assert age_s <= schedule.age_s


def test_pauses_double_up_to_a_minute() -> None:
    pauses = [Schedule().pause_s(tried, 0, chance=0) for tried in range(1, 10)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Answer.DELIVERED),
        (204, Answer.DELIVERED),
        (299, Answer.DELIVERED),
        (300, Answer.REFUSED),
        (400, Answer.REFUSED),
        (407, Answer.REFUSED),
        (408, Answer.AGAIN),
        (409, Answer.REFUSED),
        (428, Answer.REFUSED),
        (429, Answer.AGAIN),
        (499, Answer.REFUSED),
        (500, Answer.AGAIN),
        (599, Answer.AGAIN),
    ],
)
def test_what_an_answer_means(status: int, answer: Answer) -> None:
    assert meaning(status) is answer


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("17", 17),
        (" 17 ", 17),
        ("-1", 0),
        ("soon", 0),
        ("9" * 400, 999_999_999),
        ("Tue, 24 Nov 2026 12:01:00 GMT", 60),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 12:01:00 -0000", 60),
    ],
)
def test_retry_after_is_seconds_or_a_date(stated: str | None, seconds: float) -> None:
    assert retry_after_s(stated, datetime(2026, 11, 24, 12, tzinfo=UTC)) == seconds


# --- HTTP ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError(f"to {SECRET_URL}"), "no connection"),
        (httpx.ReadTimeout(f"from {SECRET_URL}"), "no answer within 5 s"),
        (httpx.RemoteProtocolError(f"from {SECRET_URL}"), "RemoteProtocolError"),
        (httpx.UnsupportedProtocol(f"of {SECRET_URL}"), "UnsupportedProtocol"),
    ],
)
async def test_a_fault_of_the_network_names_no_address(error: Exception, said: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(Undeliverable, match=said) as caught:
        await HttpPost(httpx.MockTransport(fail))(Outgoing(SECRET_URL, b"{}"))
    assert "very-secret" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"location": "http://169.254.169.254/"})

    received = await HttpPost(httpx.MockTransport(answer))(Outgoing(SECRET_URL, b"{}"))
    assert (received.status, asked) == (302, [SECRET_URL])


# --- the dispatcher ------------------------------------------------------------------------------
class OneWorker:
    """Claims everything."""

    async def claim(self, alert: Alert, at: datetime) -> Notice | None:
        return Notice(alert, at, at)


class Broken:
    async def claim(self, alert: Alert, at: datetime) -> Notice | None:
        raise RuntimeError("a bug")


MakeDispatcher = Callable[[object], Dispatcher]


@pytest.fixture
def dispatcher(made: Made) -> MakeDispatcher:
    return lambda claims: Dispatcher(claims, [made.delivery], made.metrics, made.clock)  # type: ignore[arg-type]


async def test_sending_only_puts_the_alert_aside(made: Made, dispatcher: MakeDispatcher) -> None:
    port = dispatcher(OneWorker())
    port.send(_alert())
    assert (made.receiver.came, len(made.delivery.pending)) == ([], 0)
    await port.take_in()
    await made.delivery.step()
    assert len(made.receiver.came) == 1
    key = ("sluice_alerts_total", "circuit_breaker_opened", "critical", "firing")
    assert made.metrics.counts[key] == 1


async def test_an_alert_that_cannot_be_claimed_is_delivered_all_the_same(
    made: Made, dispatcher: MakeDispatcher
) -> None:
    port = dispatcher(Broken())
    port.send(_alert())
    await port.take_in()
    await made.delivery.step()
    assert len(made.receiver.came) == 1


async def test_a_flood_of_alerts_is_bounded_and_counted(
    made: Made, dispatcher: MakeDispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    port = dispatcher(OneWorker())
    for number in range(INTAKE_SIZE + 5):
        port.send(_alert(str(number), "medium"))
    assert made.metrics.counts["sluice_alert_deliveries_total", "intake", "dropped"] == 5


async def test_a_test_alert_tells_of_each_sender_and_disturbs_nothing(
    made: Made, dispatcher: MakeDispatcher
) -> None:
    made.receiver.answers = [Received(404)]
    (tested,) = await dispatcher(OneWorker()).test()
    assert (tested.tried.answer, tested.tried.status) == (Answer.REFUSED, 404)
    assert len(made.delivery.pending) == 0
    assert not made.metrics.counts


def test_an_age_is_counted_from_when_it_was_raised_not_from_the_first_try(made: Made) -> None:
    late = Schedule().pause_s(1, timedelta(minutes=15).total_seconds(), chance=0)
    assert late is None

"""What each sender writes, against the shape that its receiver documents."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.alerts import alertmanager, slack, webhook
from plugins.alerts.alertmanager import AlertmanagerSender, label_name
from plugins.alerts.log import LogSender
from plugins.alerts.notice import Notice
from plugins.alerts.slack import SlackSender, escaped
from plugins.alerts.webhook import WebhookSender
from plugins.core.alerts import Alert
from plugins.core.signing import SIGNATURE, TIMESTAMP, sign, verify

AT = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
SINCE = AT - timedelta(minutes=7)
SECRET = "a shared secret of some length"
URL = "https://hooks.example/T0/B0/very-secret"
ALERT = Alert(
    "circuit_breaker_opened",
    "openai",
    "OpenAI circuit breaker opened",
    "critical",
    labels={"provider": "openai"},
)
FIRING = Notice(ALERT, AT, AT)
OVER = Notice(replace(ALERT, resolved=True), AT, SINCE)
NOW = AT + timedelta(seconds=30)


# --- webhook -------------------------------------------------------------------------------------
@pytest.mark.spec("8.3")
def test_a_webhook_gets_the_alert_as_plain_json() -> None:
    made = WebhookSender(URL).request(OVER, NOW)
    assert (made.url, dict(made.headers)) == (URL, {})
    body = orjson.loads(made.body)
    assert re.fullmatch(r"[0-9a-f]{32}", body.pop("id"))
    assert body == {
        "name": "circuit_breaker_opened",
        "subject": "openai",
        "state": "resolved",
        "severity": "critical",
        "summary": "OpenAI circuit breaker opened",
        "labels": {"provider": "openai"},
        "at": "2026-11-24T12:00:00.250Z",
        "since": "2026-11-24T11:53:00.250Z",
    }


def test_every_try_of_one_alert_has_its_id_and_a_fresh_timestamp() -> None:
    sender = WebhookSender(URL, SECRET)
    first, second = sender.request(FIRING, NOW), sender.request(FIRING, NOW + timedelta(minutes=9))
    assert first.body == second.body
    assert int(second.headers[TIMESTAMP]) - int(first.headers[TIMESTAMP]) == 540
    assert orjson.loads(first.body)["id"] != orjson.loads(sender.request(OVER, NOW).body)["id"]


def test_the_signature_is_hmac_sha256_over_timestamp_and_body() -> None:
    # printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'a shared secret of some length'
    expected = "9a0699a62272b8dca6335ca88d932e811e780ef687af10baaa0afb46a44aa17f"
    assert sign(SECRET, "1700000000", b'{"a":1}') == f"v1={expected}"


@pytest.mark.parametrize(
    ("change", "genuine"),
    [
        ({}, True),
        ({"body": b"{}"}, False),
        ({"secret": SECRET + "!"}, False),
        ({"signature": ""}, False),
        ({"signature": "v1="}, False),
        ({"signature": "v1=" + "0" * 64}, False),
        ({"signature": "v1=ü"}, False),
        ({"timestamp": ""}, False),
        ({"timestamp": "now"}, False),
        ({"timestamp": "-5"}, False),
        ({"timestamp": "٣"}, False),
        ({"timestamp": str(int(NOW.timestamp()) + 1)}, False),
        ({"now": NOW + timedelta(seconds=299)}, True),
        ({"now": NOW + timedelta(seconds=301)}, False),
        ({"now": NOW - timedelta(seconds=301)}, False),
    ],
)
def test_a_receiver_can_tell_a_genuine_fresh_request(change: dict, genuine: bool) -> None:
    made = WebhookSender(URL, SECRET).request(FIRING, NOW)
    arguments = {
        "secret": SECRET,
        "signature": made.headers[SIGNATURE],
        "timestamp": made.headers[TIMESTAMP],
        "body": made.body,
        "now": NOW,
    }
    assert verify(**(arguments | change)) is genuine


@given(st.text(min_size=16), st.binary(), st.binary())
def test_a_signature_holds_for_its_own_body_alone(secret: str, body: bytes, other: bytes) -> None:
    secret = secret.encode("utf-8", "replace").decode()
    stamp = str(int(NOW.timestamp()))
    signed = sign(secret, stamp, body)
    assert verify(secret, signed, stamp, body, NOW)
    assert verify(secret, signed, stamp, other, NOW) is (body == other)


# --- Slack ---------------------------------------------------------------------------------------
def _checked_slack(message: dict) -> None:
    """Check against docs.slack.dev, "secondary message attachments"."""
    assert set(message) == {"text", "attachments"}
    assert isinstance(message["text"], str)
    assert message["text"]
    for attachment in message["attachments"]:
        assert set(attachment) == {"fallback", "color", "fields", "footer", "ts"}
        assert re.fullmatch(r"#[0-9a-f]{6}", attachment["color"])
        assert isinstance(attachment["ts"], int)
        for one in attachment["fields"]:
            assert [type(one[name]) for name in ("title", "value", "short")] == [str, str, bool]
            assert set(one) == {"title", "value", "short"}


@pytest.mark.spec("8.3")
def test_slack_gets_the_sentence_and_the_facts() -> None:
    made = SlackSender(URL).request(FIRING, NOW)
    message = orjson.loads(made.body)
    _checked_slack(message)
    assert message["text"] == "Critical: OpenAI circuit breaker opened"
    values = {f["title"]: f["value"] for f in message["attachments"][0]["fields"]}
    assert values == {"alert": ALERT.name, "subject": "openai", "provider": "openai"}


@pytest.mark.parametrize(
    ("alert", "colour"),
    [
        (ALERT, slack.COLOURS["critical"]),
        (replace(ALERT, severity="high"), slack.COLOURS["high"]),
        (replace(ALERT, severity="medium"), slack.COLOURS["medium"]),
        (replace(ALERT, severity="unheard-of"), slack.OTHERWISE),
        (replace(ALERT, resolved=True), slack.RESOLVED),
    ],
)
def test_slack_colours_by_severity_and_what_is_over_in_green(alert: Alert, colour: str) -> None:
    assert slack.payload(Notice(alert, AT, AT))["attachments"][0]["color"] == colour


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;"),
        ("&lt;", "&amp;lt;"),
        ("plain", "plain"),
    ],
)
def test_nothing_in_a_text_is_a_mention_or_a_link(text: str, shown: str) -> None:
    assert escaped(text) == shown


@given(st.text(max_size=4_000), st.dictionaries(st.text(), st.text(), max_size=30))
def test_slack_takes_any_alert(text: str, labels: dict[str, str]) -> None:
    message = slack.payload(Notice(replace(ALERT, summary=text, labels=labels), AT, AT))
    _checked_slack(message)
    assert not set("<>") & set(str(message))
    assert len(message["attachments"][0]["fields"]) <= slack.FIELD_LIMIT


# --- Alertmanager --------------------------------------------------------------------------------
def _checked_alertmanager(alerts: list[dict]) -> None:
    """`postableAlerts` of api/v2/openapi.yaml in prometheus/alertmanager."""
    for alert in alerts:
        assert {"labels"} <= set(alert) <= {"labels", "annotations", "startsAt", "endsAt"}
        for name, value in (alert["labels"] | alert["annotations"]).items():
            assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name)
            assert isinstance(value, str)
        begins, ends = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
        assert begins <= ends


@pytest.mark.spec("8.3")
def test_alertmanager_is_told_of_what_fires_and_until_when_that_counts() -> None:
    made = AlertmanagerSender("http://am:9093/", resend_s=60).request(FIRING, NOW)
    assert made.url == "http://am:9093/api/v2/alerts"
    alerts = orjson.loads(made.body)
    _checked_alertmanager(alerts)
    assert alerts == [
        {
            "labels": {
                "alertname": "circuit_breaker_opened",
                "severity": "critical",
                "subject": "openai",
                "service": "sluice",
                "provider": "openai",
            },
            "annotations": {"summary": "OpenAI circuit breaker opened"},
            "startsAt": "2026-11-24T12:00:00.250Z",
            "endsAt": "2026-11-24T12:04:30.250Z",
        }
    ]


def test_alertmanager_is_told_of_an_end_under_the_same_labels() -> None:
    sender = AlertmanagerSender("http://am:9093", resend_s=60)
    (begun,), (over,) = (orjson.loads(sender.request(n, NOW).body) for n in (FIRING, OVER))
    _checked_alertmanager([over])
    assert over["labels"] == begun["labels"]
    assert (over["startsAt"], over["endsAt"]) == (
        "2026-11-24T11:53:00.250Z",
        "2026-11-24T12:00:00.250Z",
    )


def test_an_end_that_a_slow_clock_puts_before_its_beginning_is_moved() -> None:
    skewed = Notice(OVER.alert, AT, AT + timedelta(seconds=2))
    made = AlertmanagerSender("http://am", resend_s=60).request(skewed, NOW)
    _checked_alertmanager(orjson.loads(made.body))


@given(st.text())
def test_any_name_becomes_one_that_prometheus_takes(name: str) -> None:
    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", label_name(name))


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=8))
def test_alertmanager_takes_any_labels_and_ours_win(labels: dict[str, str]) -> None:
    alert = alertmanager.payload(Notice(replace(ALERT, labels=labels), AT, AT), NOW)
    _checked_alertmanager([alert])
    assert alert["labels"]["alertname"] == ALERT.name


# --- what they share -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "sender",
    [WebhookSender(URL, SECRET), SlackSender(URL), AlertmanagerSender(URL, 60)],
    ids=["webhook", "slack", "alertmanager"],
)
def test_nothing_secret_shows_when_a_request_is_printed(sender: WebhookSender) -> None:
    made = sender.request(FIRING, NOW)
    assert "very-secret" not in repr(made)
    assert "v1=" not in repr(made)


@pytest.mark.spec("8.3")
def test_the_log_has_one_line_with_the_sentence(caplog: pytest.LogCaptureFixture) -> None:
    LogSender().request(FIRING, NOW)
    assert caplog.messages == [
        "firing [critical] circuit_breaker_opened: OpenAI circuit breaker opened"
    ]


def test_a_webhook_without_a_secret_is_not_signed() -> None:
    assert webhook.SIGNATURE not in WebhookSender(URL).request(FIRING, NOW).headers

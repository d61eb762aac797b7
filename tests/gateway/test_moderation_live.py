"""The moderation endpoint as a gate of a running proxy: questions, answers, streams, outages."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.receivers import Receiver
from tests.gateway.running import UNCACHED, Gateway, eventually, running

HOSTILE = "I will hurt you and your family."
TOXIC = "You are a pathetic idiot and a moron, shut up!"
"""Hostile in the offline list's eyes."""
ORDINARY = "Ten years of SQL: SELECT, JOIN, DROP TABLE. Dick Scunthorpe, killer apps."
PATH = "/moderations"
ANSWERED = {"kind": "answer", "text": HOSTILE, "path": "/chat/completions"}
CHECKS = {"pii": "off", "sql_injection": "off", "profanity": "off", "prompt_injection": "off"}
OPEN = {"action": "block", "on_failure": "open", "timeout_s": 1.0}
AGENTS = {
    "open": {"tiers": ["gpt-4o"], "checks": {"moderation": OPEN}},
    "closed": {"tiers": ["gpt-4o"], "checks": {"moderation": OPEN | {"on_failure": "closed"}}},
    "flagging": {"tiers": ["gpt-4o"], "checks": {"moderation": "flag"}},
    "unmoderated": {"tiers": ["gpt-4o"], "checks": {"moderation": "off"}},
}
FAULTS: dict[str, dict[str, Any]] = {
    "slow": {"kind": "stall", "for_s": 20},
    "full": {"kind": "status", "status": 429, "retry_after_s": 20},
    "failing": {"kind": "status", "status": 500},
    "unauthorised": {"kind": "status", "status": 401},
    "cut": {"kind": "cut"},
    "garbage": {"kind": "malformed"},
}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def moderated(new_folder: Callable[[str], Path], receiver: Receiver) -> Iterator[Gateway]:
    """One worker, so that what it has learned of an outage is known to all calls."""
    policy = {
        "agents": AGENTS,
        "checks": CHECKS,
        "rate_limits": {},
        "alerts": {"senders": [{"kind": "webhook", "url": receiver.url}]},
    }
    with running(new_folder("moderation"), policy=policy) as started:
        yield started
        log = (started.data_dir.parent / "up.log").read_text()
        assert "Unclosed" not in log
        assert HOSTILE not in log, "what was flagged is never logged"


@pytest.fixture(autouse=True)
def _healed(moderated: Gateway) -> Iterator[None]:
    """No test leaves a faulty provider, or a spared endpoint, to the next."""
    yield
    moderated.mend()
    eventually(
        lambda: moderated.chat(model="flagging").headers["x-sluice-call-id"],
        lambda call_id: not moderated.call_row(call_id)["findings"],
        limit_s=20,
    )


def _asked(gateway: Gateway, since: int) -> list[dict[str, Any]]:
    return gateway.practice_requests(since, moderation=True)


def _last(gateway: Gateway) -> int:
    seen = gateway.practice_requests(moderation=True)
    return seen[-1]["seq"] if seen else 0


def _says(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _row(gateway: Gateway, answer: httpx.Response) -> dict[str, Any]:
    return gateway.call_row(answer.headers["x-sluice-call-id"])


def _codes(row: dict[str, Any]) -> set[str]:
    return {found["code"] for found in row["findings"] if found["check"] == "moderation"}


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": _says(HOSTILE)}),
    "completions": ("/v1/completions", {"prompt": HOSTILE}),
    "responses": ("/v1/responses", {"input": HOSTILE}),
    "messages": ("/v1/messages", {"max_tokens": 64, "messages": _says(HOSTILE)}),
}


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", BODIES)
def test_a_flagged_question_gets_no_answer_and_its_incident_is_in_the_row(
    moderated: Gateway, name: str, stream: bool
) -> None:
    path, body = BODIES[name]
    asked = {"model": "open", "stream": stream, **body}
    answer = moderated.request("POST", path, moderated.demo_key, json=asked)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error.get("code", "content_blocked") == "content_blocked"
    assert "harassment_threatening" in error["message"]
    assert "hurt" not in answer.text
    row = _row(moderated, answer)
    assert (row["outcome"], row["status"]) == ("refused", 400)
    assert _codes(row) == {"harassment_threatening", "harassment", "violence"}
    assert row["input_tokens"] > 0, "the provider was asked meanwhile, and is paid"
    assert float(row["cost_usd"]) > 0


@pytest.mark.parametrize("name", ["embeddings", "speech"])
def test_texts_that_are_not_for_a_chat_are_moderated_too(moderated: Gateway, name: str) -> None:
    path, body = {
        "embeddings": ("/v1/embeddings", {"model": "text-embedding-ada-002", "input": HOSTILE}),
        "speech": ("/v1/audio/speech", {"model": "tts-1", "input": HOSTILE, "voice": "alloy"}),
    }[name]
    answer = moderated.request("POST", path, moderated.demo_key, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_blocked")


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("stream", [False, True])
def test_a_flagged_answer_is_kept_back_and_charged(moderated: Gateway, stream: bool) -> None:
    with moderated.faulty("openai", ANSWERED):
        answer = moderated.chat(model="open", stream=stream)
    if stream:
        # Its text was given as it came: the end says that it is not to be used.
        assert '"finish_reason":"content_filter"' in answer.text.replace(" ", "")
        assert answer.text.rstrip().endswith("data: [DONE]")
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_blocked")
        assert "hurt" not in answer.text
    row = _row(moderated, answer)
    assert row["outcome"] == "refused"
    assert "harassment_threatening" in _codes(row)
    assert row["output_tokens"] > 0
    assert float(row["cost_usd"]) > 0


def test_openais_sdk_reads_the_refusal(moderated: Gateway) -> None:
    client = openai.OpenAI(
        base_url=f"{moderated.base_url}/v1", api_key=moderated.demo_key, max_retries=0
    )
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="open", messages=[{"role": "user", "content": HOSTILE}]
        )
    assert caught.value.code == "content_blocked"


def test_flag_lets_go_and_off_does_not_ask(moderated: Gateway) -> None:
    answer = moderated.chat(model="flagging", messages=_says(HOSTILE))
    assert answer.status_code == 200
    row = _row(moderated, answer)
    assert (row["verdict"], "violence" in _codes(row)) == ("flag", True)
    before = _last(moderated)
    assert moderated.chat(model="unmoderated", messages=_says(HOSTILE)).status_code == 200
    assert not _asked(moderated, before)


def test_ordinary_hiring_text_passes_with_one_request_each_way(moderated: Gateway) -> None:
    before = _last(moderated)
    answer = moderated.chat(model="open", messages=_says(ORDINARY))
    assert answer.status_code == 200, answer.text
    assert not _row(moderated, answer)["findings"]
    assert len(_asked(moderated, before)) == 2


def test_an_answer_from_the_cache_is_not_moderated_again(moderated: Gateway) -> None:
    asked = {"model": "open", "messages": _says("how do I write a cover letter?"), "temperature": 0}
    kept = {"headers": {"cache-control": "max-age=60"}}
    assert moderated.chat(**asked, **kept).headers["x-sluice-cache"] == "miss"
    hit = eventually(
        lambda: (_last(moderated), moderated.chat(**asked, **kept)),
        lambda found: found[1].headers["x-sluice-cache"] == "hit",
    )
    assert hit[1].status_code == 200
    assert not _asked(moderated, hit[0])


@pytest.mark.parametrize("name", FAULTS)
def test_while_the_endpoint_is_away_an_open_gate_judges_offline_and_a_closed_one_refuses(
    moderated: Gateway, name: str
) -> None:
    with moderated.faulty("openai", FAULTS[name] | {"path": PATH}):
        passed = moderated.chat(model="open", messages=_says(ORDINARY))
        blocked = moderated.chat(model="open", messages=_says(TOXIC))
        refused = moderated.chat(model="closed", messages=_says(ORDINARY))
    assert passed.status_code == 200, passed.text
    assert _codes(_row(moderated, passed)) == {"stand_in"}
    assert (blocked.status_code, blocked.json()["error"]["code"]) == (400, "content_blocked")
    assert _codes(_row(moderated, blocked)) == {"stand_in", "toxic_language"}
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "moderation_unavailable")
    assert _row(moderated, refused)["outcome"] == "refused"


def test_an_outage_costs_three_calls_their_patience_and_the_others_nothing(
    moderated: Gateway,
) -> None:
    with moderated.faulty("openai", FAULTS["slow"] | {"path": PATH}):
        took_s = [
            moderated.chat(model="open", messages=_says(f"{ORDINARY} {n}")).elapsed.total_seconds()
            for n in range(5)
        ]
    # Question and answer of the first two calls: three failures in a row.
    assert took_s[0] > 0.9
    assert max(took_s[2:]) < 0.9, took_s


def test_a_flood_of_one_kind_is_told_once(moderated: Gateway, receiver: Receiver) -> None:
    tenant = moderated.new_tenant()
    key = moderated.new_key(tenant)
    for n in range(5):
        said = _says(f"{HOSTILE} {n}")
        assert moderated.chat(key, model="open", messages=said).status_code == 400

    def told() -> list[dict[str, Any]]:
        alerts = [came.json for came in list(receiver.came)]
        return [a for a in alerts if a["labels"].get("tenant") == tenant]

    alerts = eventually(told, lambda found: len(found) >= 3)
    assert sorted(a["labels"]["category"] for a in alerts) == [
        "harassment",
        "harassment_threatening",
        "violence",
    ]
    assert {(a["name"], a["severity"]) for a in alerts} == {("moderation_incident", "high")}
    assert "hurt" not in str(alerts)


def test_what_is_asked_of_the_endpoint_is_counted(moderated: Gateway) -> None:
    moderated.chat(model="open", messages=_says(HOSTILE))
    page = moderated.admin("GET", "/metrics", headers=UNCACHED).text
    assert 'sluice_moderation_requests_total{outcome="flagged"}' in page
    assert "sluice_moderation_seconds_bucket" in page

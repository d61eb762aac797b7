"""Feedback, quality, drift and quotas through a gateway with two workers, over real sockets."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from openai import OpenAI
from prometheus_client.parser import text_string_to_metric_families

from plugins.core.identifiers import new_call_id
from tests.gateway.receivers import Receiver
from tests.gateway.running import ROOT, UNCACHED, Gateway, eventually, running
from tests.gateway.test_cli_live import sluice, told

TOKEN = "scrape-token-of-enough-length"
ROUND_S = 45.0
"""Quality and quotas are read every 30 seconds."""


@dataclass
class Judged:
    """A gateway and whom it tells."""

    gateway: Gateway
    webhook: Receiver

    def value(self, name: str, **labels: str) -> float | None:
        """Sum the samples that have these labels; None without any."""
        answer = self.gateway.request("GET", "/metrics", TOKEN)
        answer.raise_for_status()
        found = [
            sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def count(self, name: str, **labels: str) -> float:
        return self.value(name, **labels) or 0.0

    def alerts(self, name: str, subject: str) -> list[Any]:
        came = [one.json for one in self.webhook.came]
        return [a for a in came if a["name"] == name and a["subject"].startswith(subject)]

    def answered(self, key: str, **body: Any) -> str:
        """Have a call answered; gives its identifier."""
        answer = self.gateway.chat(key, **{"model": "matching", **body})
        assert answer.status_code == 200
        return answer.headers["x-sluice-call-id"]

    def state(self, key: str, **body: Any) -> Any:
        return self.gateway.request("POST", "/sluice/feedback", key, json=body)


@pytest.fixture(scope="module")
def judged(new_folder: Callable[[str], Path]) -> Iterator[Judged]:
    folder = new_folder("feedback")
    webhook = Receiver()
    webhook.start()
    config = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    config["sluice"]["alerts"] = {
        "senders": [
            {"kind": "log"},
            {"kind": "webhook", "url": "os.environ/T_HOOK", "secret": "os.environ/T_SECRET"},
        ]
    }
    path = folder / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config))
    variables = {
        "T_HOOK": f"{webhook.url}/hook",
        "T_SECRET": "a-secret-that-the-webhook-shares",
        "SLUICE_METRICS_TOKEN": TOKEN,
    }
    with running(folder, workers=2, config=path, **variables) as gateway:
        yield Judged(gateway, webhook)
    webhook.stop()


@pytest.mark.spec("12.1")
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_can_be_judged_the_moment_it_is_there(judged: Judged, stream: bool) -> None:
    key = judged.gateway.new_key()
    client = OpenAI(base_url=f"{judged.gateway.base_url}/v1", api_key=key, max_retries=0)
    for _ in range(5):
        raw = client.with_raw_response.chat.completions.create(
            model="matching",
            messages=[{"role": "user", "content": "hello"}],
            stream=stream,
            extra_headers=UNCACHED,
        )
        answer = raw.parse()
        if stream:
            for _ in answer:
                pass
        call_id = raw.headers["x-sluice-call-id"]
        began_s = time.monotonic()
        kept = judged.state(key, call_id=call_id, kind="thumbs_up")
        print(f"kept after {time.monotonic() - began_s:.3f} s")
        assert kept.status_code == 201, kept.text
        assert (kept.json()["agent"], kept.json()["model"]) == ("matching", "gpt-4o")
        assert time.monotonic() - began_s < 3


@pytest.mark.spec("12.1")
def test_a_statement_is_kept_and_counted_once_and_seen_by_its_own_tenant(judged: Judged) -> None:
    key, stranger = judged.gateway.new_key(), judged.gateway.new_key()
    call_id = judged.answered(key)
    said = {"call_id": call_id, "kind": "overridden", "comment": "wrong town", "reviewer": "u-1"}
    name, labels = "sluice_feedback_total", {"agent": "matching", "kind": "overridden"}
    before = judged.count(name, model="gpt-4o", **labels)
    statuses = [judged.state(key, **said).status_code for _ in range(4)]
    assert statuses == [201, 200, 200, 200]
    assert judged.count(name, model="gpt-4o", **labels) == before + 1
    path = f"/sluice/feedback?call_id={call_id}"
    (kept,) = judged.gateway.request("GET", path, key).json()
    assert (kept["comment"], kept["reviewer"]) == ("wrong town", "u-1")
    assert judged.gateway.request("GET", path, stranger).json() == []
    assert judged.gateway.admin("GET", path).json() == [kept]
    erase = {"call_ids": [call_id]}
    for who, erased in ((stranger, 0), (key, 1)):
        done = judged.gateway.request("POST", "/sluice/feedback/erase", who, json=erase)
        assert done.json() == {"erased": erased}
    (kept,) = judged.gateway.request("GET", path, key).json()
    assert kept["comment"] is None
    assert "u-1" not in kept["reviewer"]


@pytest.mark.spec("12.1")
@pytest.mark.spec("13.2")
def test_nobody_judges_a_call_that_is_not_theirs_or_is_none(judged: Judged) -> None:
    key, stranger = judged.gateway.new_key(), judged.gateway.new_key()
    call_id = judged.answered(key)
    judged.gateway.call_row(call_id)
    name = "sluice_feedback_total"
    before = judged.count(name)
    for who, which in (
        (stranger, call_id),
        (key, str(uuid.uuid4())),
        (key, "01a20a98-8cdd-7054-a99b-c7390c6ca338"),
        (key, new_call_id()),  # may have just been answered: this one is waited for
    ):
        refused = judged.state(who, call_id=which, kind="thumbs_down")
        assert refused.status_code == 404, refused.text
        assert refused.json()["error"]["code"] == "call_not_found"
        assert which in refused.json()["error"]["message"]
    assert judged.state(key, call_id="17", kind="thumbs_down").status_code == 400
    assert judged.state(key, call_id=call_id, kind="meh").status_code == 400
    assert judged.gateway.request("GET", "/sluice/feedback", None).status_code == 401
    items = [{"call_id": c, "kind": "accepted"} for c in (call_id, str(uuid.uuid4()))]
    batch = judged.gateway.request("POST", "/sluice/feedback/batch", key, json={"items": items})
    assert batch.status_code == 404
    assert judged.gateway.request("GET", "/sluice/feedback", key).json() == []
    assert judged.count(name) == before


def test_a_batch_of_a_hundred_is_kept_whole(judged: Judged) -> None:
    key = judged.gateway.new_key()
    with ThreadPoolExecutor(8) as crowd:
        calls = list(crowd.map(lambda _: judged.answered(key), range(50)))
    items = [{"call_id": c, "kind": k} for c in calls for k in ("thumbs_down", "accepted")]
    before = judged.count("sluice_feedback_total")
    for expected in (True, False):
        answer = judged.gateway.request(
            "POST", "/sluice/feedback/batch", key, json={"items": items}
        )
        assert answer.status_code == 200, answer.text
        assert [one["is_new"] for one in answer.json()] == [expected] * 100
    assert [one["call_id"] for one in answer.json()] == [item["call_id"] for item in items]
    assert judged.count("sluice_feedback_total") == before + 100
    too_many = {"items": [*items, items[0]]}
    refused = judged.gateway.request("POST", "/sluice/feedback/batch", key, json=too_many)
    assert refused.status_code == 400


@pytest.mark.spec("12.1")
def test_conversions_are_counted_once_for_the_agent_of_their_call(judged: Judged) -> None:
    key = judged.gateway.new_key()
    call_id = judged.answered(key)
    name = "sluice_conversions_total"
    before = judged.count(name, agent="matching", stage="hired"), judged.count(name, agent="none")
    for body, status in (
        ({"stage": "hired", "call_id": call_id}, 201),
        ({"stage": "hired", "call_id": call_id}, 200),
        ({"stage": "shortlisted", "subject": "c-1"}, 201),
        ({"stage": "shortlisted", "subject": "c-1", "call_id": call_id}, 400),
        ({"stage": "hired", "call_id": str(uuid.uuid4())}, 404),
    ):
        answer = judged.gateway.request("POST", "/sluice/conversions", key, json=body)
        assert answer.status_code == status, answer.text
    after = judged.count(name, agent="matching", stage="hired"), judged.count(name, agent="none")
    assert after == (before[0] + 1, before[1] + 1)


@pytest.mark.spec("9.1")
def test_the_quality_of_a_model_is_read_from_what_people_said(judged: Judged) -> None:
    key = judged.gateway.new_key()
    kinds = ("thumbs_up", "thumbs_up", "thumbs_up", "thumbs_down")
    for kind in kinds:
        call_id = judged.answered(key, model="mistral")
        assert judged.state(key, call_id=call_id, kind=kind).status_code == 201
    assert judged.value("sluice_quality_score", model="text-embedding-ada-002") is None
    eventually(
        lambda: judged.value("sluice_quality_score", model="mistral"),
        lambda score: score == 0.75,
        limit_s=ROUND_S,
    )
    assert judged.value("sluice_reviews_open") == 0
    assert judged.value("sluice_review_oldest_seconds") == 0


@pytest.mark.spec("9.1")
def test_a_model_that_begins_to_answer_at_length_is_told_once(judged: Judged) -> None:
    key = judged.gateway.new_key()
    text = "Please tell me about the town and the people who live in it. " * 12
    body = {"model": "llama-3", "messages": [{"role": "user", "content": text}]}
    name, labels = "sluice_drift_changes_total", {"model": "llama-3", "signal": "output_tokens"}

    client = httpx.Client(
        base_url=judged.gateway.base_url,
        headers=UNCACHED | {"authorization": f"Bearer {key}"},
        limits=httpx.Limits(max_keepalive_connections=0),  # so that both workers get their share
        timeout=60,
    )

    def call(limit: int) -> int:
        answer = client.post("/v1/chat/completions", json=body | {"max_tokens": limit})
        assert answer.status_code == 200
        return int(answer.json()["usage"]["completion_tokens"])

    with client, ThreadPoolExecutor(16) as crowd:
        assert set(crowd.map(call, [4] * 1_200)) == {4}
        assert judged.count("sluice_drift_detected", **labels) == 0
        for _ in range(10):
            assert min(crowd.map(call, [48] * 100)) >= 16
            if judged.count(name, **labels):
                break
        list(crowd.map(call, [48] * 300))  # the other worker finds it too
    alerts = lambda: judged.alerts("model_drift_detected", "llama-3 output_tokens")  # noqa: E731
    eventually(alerts, bool)
    assert judged.count(name, **labels) == 1
    eventually(lambda: judged.value("sluice_drift_detected", **labels), lambda v: v == 1, 3)
    time.sleep(0.5)  # a second one would have come by now
    (alert,) = alerts()
    assert alert["severity"] == "medium"
    assert alert["labels"] == {"model": "llama-3", "signal": "output_tokens"}
    assert alert["summary"].startswith("Model drift detected: output tokens of llama-3 went up")


@pytest.mark.spec("11.3")
def test_a_tenant_over_its_quota_is_told_of_once_and_goes_on(judged: Judged) -> None:
    near, over = judged.gateway.new_tenant(), judged.gateway.new_tenant()
    keys = {tenant: judged.gateway.new_key(tenant) for tenant in (near, over)}
    for tenant, key in keys.items():
        call_id = judged.answered(key)
        cost = float(judged.gateway.call_row(call_id)["cost_usd"])
        quota = f"{cost * (1.1 if tenant == near else 0.9):.9f}"
        path = f"/sluice/tenants/{tenant}"
        changed = judged.gateway.admin("PATCH", path, json={"monthly_quota_usd": quota})
        assert float(changed.json()["monthly_quota_usd"]) == float(quota)
    ratio = "sluice_tenant_quota_used_ratio"
    for tenant, share in ((near, 1 / 1.1), (over, 1 / 0.9)):
        eventually(
            lambda t=tenant: judged.value(ratio, tenant=t),
            lambda v, s=share: v is not None and abs(v - s) < 1e-3,
            limit_s=ROUND_S,
        )
    (warned,) = eventually(lambda: judged.alerts("tenant_quota_warning", near), bool)
    (told_of,) = eventually(lambda: judged.alerts("tenant_quota_exceeded", over), bool)
    assert warned["summary"].startswith(f"Tenant {near} at 80 % of its AI quota")
    assert told_of["summary"].startswith(f"Tenant {over} exceeded AI quota")
    assert told_of["severity"] == "high"
    assert judged.gateway.chat(keys[over]).status_code == 200  # a quota warns only
    done = sluice(judged.gateway, "tenants", "set", over, "--monthly-quota", "none")
    assert done.returncode == 0, done.stderr
    eventually(lambda: judged.value(ratio, tenant=over), lambda v: v is None, limit_s=ROUND_S)
    assert judged.alerts("tenant_quota_warning", over) == []
    assert len(judged.alerts("tenant_quota_exceeded", over)) == 1


def test_the_command_states_lists_sums_and_erases(judged: Judged) -> None:
    gateway = judged.gateway
    tenant = gateway.new_tenant()
    key = gateway.new_key(tenant)
    call_id = judged.answered(key)
    words = ("feedback", "add", call_id, "thumbs_down", "--comment", "too [bold]curt[/]")
    assert told(gateway, *words, "--reviewer", "u-9")["is_new"]
    assert "known already" in sluice(gateway, *words, "--reviewer", "u-9").stdout
    hired = told(gateway, "feedback", "convert", "hired", "--call", call_id)
    assert hired["agent"] == "matching"
    told(gateway, "feedback", "convert", "hired", "--subject", "c-1", key=key)
    listed = sluice(gateway, "feedback", "list", "--call", call_id).stdout
    assert "too [bold]curt[/]" in listed
    summary = told(gateway, "feedback", "summary", "--tenant", tenant, "--days", "7")
    (said,) = summary["feedback"]
    assert (said["agent"], said["model"], said["thumbs_down"]) == ("matching", "gpt-4o", 1)
    assert (said["score"], said["override_rate"]) == (0.0, None)
    stages = {(r["agent"], r["stage"]): r["count"] for r in summary["conversions"]}
    assert stages == {("matching", "hired"): 1, (None, "hired"): 1}
    assert "matching" in sluice(gateway, "feedback", "summary").stdout
    assert told(gateway, "feedback", "erase", call_id) == {"erased": 1}
    assert "curt" not in sluice(gateway, "feedback", "list", "--call", call_id).stdout
    missing = sluice(gateway, "feedback", "add", str(uuid.uuid4()), "accepted")
    assert missing.returncode == 1
    assert "call_not_found" in missing.stderr
    refused = sluice(gateway, "tenants", "set", tenant, "--monthly-quota", "plenty")
    assert refused.returncode == 1
    assert "no quota" in refused.stderr
    made = told(gateway, "tenants", "create", f"{tenant}-b", "--monthly-quota", "49.90")
    assert made["monthly_quota_usd"] == "49.9"
    assert "49.9" in sluice(gateway, "tenants", "list").stdout


def _processes(parent: int) -> list[int]:
    """Give a process and its children."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [parent, *map(int, children)]


def test_while_postgresql_hangs_nothing_old_is_stated_and_calls_go_on(judged: Judged) -> None:
    key = judged.gateway.new_key()
    call_id = judged.answered(key)
    assert judged.state(key, call_id=call_id, kind="thumbs_up").status_code == 201
    eventually(lambda: judged.value("sluice_quality_score"), lambda v: v is not None, ROUND_S)
    time.sleep(2.5)  # each worker has read the new key by then; nothing tells which have
    pids = {name.lower(): int(pid) for name, pid in judged.gateway.ready["pids"].items()}
    frozen = _processes(pids["postgresql"])
    for process in frozen:
        os.kill(process, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        for name in ("sluice_reviews_open", "sluice_quality_score"):
            eventually(lambda n=name: judged.value(n), lambda v: v is None, limit_s=2 * ROUND_S)
            print(f"{name} is absent after {time.monotonic() - began_s:.0f} s")
        began_s = time.monotonic()
        assert judged.gateway.chat(key).status_code == 200
        assert time.monotonic() - began_s < 2
        refused = judged.state(key, call_id=call_id, kind="accepted")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
    finally:
        for process in frozen:
            os.kill(process, signal.SIGCONT)
    eventually(lambda: judged.value("sluice_reviews_open"), lambda v: v == 0, limit_s=ROUND_S)
    eventually(lambda: judged.value("sluice_quality_score"), lambda v: v is not None, ROUND_S)
    assert judged.state(key, call_id=call_id, kind="accepted").status_code == 201

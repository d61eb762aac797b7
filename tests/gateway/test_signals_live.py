"""Alerts and metrics of a gateway with two workers, over real sockets."""

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from plugins.core.signing import SIGNATURE, TIMESTAMP, verify
from plugins.metrics import slots
from tests.gateway.receivers import Came, Receiver
from tests.gateway.running import ROOT, Gateway, eventually, free_port, running
from tests.gateway.test_cli_live import sluice

SECRET = "a-secret-that-the-webhook-shares"
TOKEN = "scrape-token-of-enough-length"
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@dataclass
class Told:
    """A gateway and those whom it tells."""

    gateway: Gateway
    webhook: Receiver
    slack: Receiver
    alertmanager: Receiver
    real_url: str | None

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        return self.webhook, self.slack, self.alertmanager

    def came(self, receiver: Receiver, state: str, subject: str = "openai") -> list[Came]:
        """What of a state of openai's circuit has come to a receiver."""
        return [one for one in receiver.came if _read(one) == (state, subject)]

    def scrape(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        answer = self.gateway.request("GET", "/metrics", TOKEN)
        answer.raise_for_status()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return sum(
            value
            for (found, has), value in self.scrape().items()
            if found == name and labels.items() <= dict(has).items()
        )


def _read(came: Came) -> tuple[str, str]:
    """State and subject of a request, whichever receiver's shape it has."""
    body = came.json
    if isinstance(body, list):
        over = datetime.fromisoformat(body[0]["endsAt"]) <= datetime.now(UTC)
        return "resolved" if over else "firing", body[0]["labels"]["subject"]
    if "attachments" in body:
        fields = {f["title"]: f["value"] for f in body["attachments"][0]["fields"]}
        return "resolved" if body["text"].startswith("Resolved") else "firing", fields["subject"]
    return body["state"], body["subject"]


def _config(folder: Path, *, real: bool) -> Path:
    config = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    senders: list[dict[str, Any]] = [
        {"kind": "log"},
        {"kind": "webhook", "url": "os.environ/T_HOOK", "secret": "os.environ/T_SECRET"},
        {"kind": "slack", "url": "os.environ/T_SLACK"},
        {"kind": "alertmanager", "url": "os.environ/T_AM", "resend_s": 3600},
    ]
    if real:
        url = "os.environ/T_REAL"
        senders.append({"kind": "alertmanager", "name": "real", "url": url, "resend_s": 1})
    config["sluice"]["alerts"] = {"senders": senders}
    config["sluice"]["breaker"] = {"cool_off_s": 1, "longest_cool_off_s": 2}
    path = folder / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@contextlib.contextmanager
def _real_alertmanager(folder: Path) -> Iterator[str | None]:
    if ALERTMANAGER is None:
        yield None
        return
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    port = free_port()
    command = [ALERTMANAGER, f"--config.file={config}", f"--storage.path={folder / 'am'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def told(new_folder: Callable[[str], Path]) -> Iterator[Told]:
    folder = new_folder("signals")
    receivers = [Receiver(), Receiver(), Receiver()]
    for receiver in receivers:
        receiver.start()
    webhook, slack, alertmanager = receivers
    with _real_alertmanager(folder) as real_url:
        variables = {
            "T_HOOK": f"{webhook.url}/hook/very-secret-path",
            "T_SECRET": SECRET,
            "T_SLACK": f"{slack.url}/services/T0/B0/very-secret-path",
            "T_AM": alertmanager.url,
            "T_REAL": real_url or "",
            "SLUICE_METRICS_TOKEN": TOKEN,
        }
        config = _config(folder, real=real_url is not None)
        with running(folder, workers=2, config=config, **variables) as gateway:
            yield Told(gateway, webhook, slack, alertmanager, real_url)
        log = (folder / "sluice" / "logs" / "proxy.log").read_text()
    for receiver in receivers:
        receiver.stop()
    assert "very-secret-path" not in log
    assert SECRET not in log


@pytest.fixture(autouse=True)
def _fresh(told: Told) -> Iterator[None]:
    yield
    for receiver in told.receivers:
        receiver.behave()
    for provider in ("openai", "vllm", "cohere"):
        told.gateway.faulted.add(provider)
    told.gateway.mend()
    _await_delivery(told)
    for receiver in told.receivers:
        receiver.came.clear()


def _await_delivery(told: Told) -> None:
    """Wait until every alert raised has been delivered to each receiver."""

    def undelivered() -> list[float]:
        raised = told.value("sluice_alerts_total")
        name = "sluice_alert_deliveries_total"
        senders = ("webhook", "slack", "alertmanager")
        return [raised - told.value(name, sender=s, outcome="delivered") for s in senders]

    time.sleep(0.3)  # what was raised a moment ago is counted by now
    eventually(undelivered, lambda missing: not any(missing), limit_s=70)


def _break(told: Told) -> None:
    """Let openai's circuit open by failures that clients do not notice."""
    told.gateway.faults("openai", {"kind": "status", "status": 503})
    for _ in range(4):
        assert told.gateway.chat(model="matching").status_code == 200


def _mend(told: Told) -> None:
    """Let a probe find openai well again."""
    told.gateway.faults("openai")
    eventually(
        lambda: told.gateway.chat(model="matching").headers["x-sluice-tier"],
        lambda tier: tier == "primary",
        limit_s=15,
    )


@pytest.mark.spec("8.3")
def test_an_opened_circuit_reaches_each_receiver_once_and_so_does_its_end(told: Told) -> None:
    began_s = time.monotonic()
    _break(told)
    for receiver in told.receivers:
        eventually(lambda r=receiver: len(told.came(r, "firing")), lambda n: n == 1)
    print(f"told {max(r.came[0].at_s for r in told.receivers) - began_s:.3f} s after the fault")
    _mend(told)
    for receiver in told.receivers:
        eventually(lambda r=receiver: len(told.came(r, "resolved")), lambda n: n == 1)
    time.sleep(1.5)  # a second one would have come by now
    counts = [(len(told.came(r, "firing")), len(told.came(r, "resolved"))) for r in told.receivers]
    assert counts == [(1, 1)] * 3
    assert "OpenAI circuit breaker opened" in told.slack.came[0].json["text"]
    hook = told.webhook.came[0]
    now = datetime.now(UTC)
    signature = hook.headers[SIGNATURE], hook.headers[TIMESTAMP]
    assert verify(SECRET, *signature, hook.body, now)
    assert not verify(SECRET, *signature, hook.body + b" ", now)
    over = told.came(told.alertmanager, "resolved")[0].json[0]
    assert over["startsAt"] == told.came(told.alertmanager, "firing")[0].json[0]["startsAt"]


@pytest.mark.spec("8.3")
def test_every_change_of_a_circuit_is_counted_once_for_all_workers(told: Told) -> None:
    name = "sluice_circuit_changes_total"
    labels = [("open", "breaker"), ("half_open", "breaker"), ("closed", "breaker")]
    before = [told.value(name, provider="openai", to=to, by=by) for to, by in labels]
    assert told.value("sluice_circuit_state", provider="openai") == 0
    _break(told)
    eventually(lambda: told.value("sluice_circuit_state", provider="openai"), lambda v: v == 2, 3)
    _mend(told)
    eventually(lambda: told.value("sluice_circuit_state", provider="openai"), lambda v: v == 0, 3)
    after = [told.value(name, provider="openai", to=to, by=by) for to, by in labels]
    opened, probed, closed = (a - b for a, b in zip(after, before, strict=True))
    assert closed == 1
    assert opened == probed  # each probe that failed has opened it anew


def test_an_operators_hand_is_told_as_such(told: Told) -> None:
    name = "sluice_circuit_changes_total"
    before = told.value(name, provider="vllm", by="operator")
    told.gateway.admin("POST", "/sluice/circuits/vllm", json={"state": "open"})
    eventually(lambda: told.came(told.slack, "firing", "vllm"), bool)
    told.gateway.admin("POST", "/sluice/circuits/vllm", json={"state": "auto"})
    eventually(lambda: told.came(told.slack, "resolved", "vllm"), bool)
    assert told.value(name, provider="vllm", by="operator") - before == 2
    text = told.came(told.slack, "firing", "vllm")[0].json["text"]
    assert text == "Critical: vLLM circuit breaker opened by hand"


def _p50_ms(told: Told, calls: int = 60) -> tuple[float, float]:
    """Median and maximum of calls one after another, milliseconds."""
    took: list[float] = []
    headers = {"authorization": f"Bearer {told.gateway.demo_key}"}
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    with httpx.Client(base_url=told.gateway.base_url, headers=headers, timeout=30) as client:
        for _ in range(calls):
            began_s = time.perf_counter()
            assert client.post("/v1/chat/completions", json=body).status_code == 200
            took.append((time.perf_counter() - began_s) * 1000)
    return statistics.median(took), max(took)


@pytest.mark.parametrize("trouble", ["down", "stalls", "500", "429"])
def test_a_receiver_in_trouble_costs_no_call_anything_and_is_told_once_it_is_back(
    told: Told, trouble: str
) -> None:
    hook = told.webhook
    well = _p50_ms(told)
    again = told.value("sluice_alert_deliveries_total", sender="webhook", outcome="again")
    if trouble == "down":
        hook.stop()
    hook.stall_s = 60 if trouble == "stalls" else 0
    hook.status = int(trouble) if trouble.isdigit() else 200
    hook.retry_after = "2" if trouble == "429" else None
    told.gateway.admin("POST", "/sluice/circuits/cohere", json={"state": "open"})
    eventually(lambda: told.came(told.slack, "firing", "cohere"), bool)  # nobody else waits
    ill = _p50_ms(told)
    print(f"{trouble}: p50 {well[0]:.1f} -> {ill[0]:.1f} ms, most {well[1]:.0f} -> {ill[1]:.0f}")
    assert ill[0] < 2 * well[0] + 20
    assert ill[1] < 4_000  # less than the time that one try may take
    waiting = lambda: told.value("sluice_alert_queue", sender="webhook")  # noqa: E731 - in place
    eventually(waiting, lambda length: length == 1, limit_s=3)
    eventually(
        lambda: told.value("sluice_alert_deliveries_total", sender="webhook", outcome="again"),
        lambda value: value > again,
        limit_s=15,
    )
    hook.behave()
    _await_delivery(told)
    eventually(waiting, lambda length: length == 0, limit_s=3)
    assert len({one.json["id"] for one in hook.came}) == 1  # all tries are of one alert
    assert len(hook.came) >= (1 if trouble == "down" else 2)
    assert len(told.came(told.slack, "firing", "cohere")) == 1
    if trouble == "429":
        pauses = [b.at_s - a.at_s for a, b in zip(hook.came, hook.came[1:], strict=False)]
        assert min(pauses) >= 2


@pytest.mark.spec("8.3")
def test_with_redis_away_people_are_told_all_the_same(told: Told) -> None:
    redis = _pids(told)["redis"]
    told.gateway.faults("openai", {"kind": "status", "status": 503})
    os.kill(redis, signal.SIGSTOP)
    try:
        for _ in range(12):  # each worker counts its own
            assert told.gateway.chat(model="matching").status_code == 200
        eventually(lambda: told.came(told.webhook, "firing"), bool)
        eventually(
            lambda: told.value("sluice_store_away", store="redis"), lambda away: away == 1, 3
        )
        time.sleep(1)  # the other worker may have opened its own
        assert 1 <= len(told.came(told.webhook, "firing")) <= 2
    finally:
        os.kill(redis, signal.SIGCONT)
    eventually(lambda: told.value("sluice_store_away"), lambda away: away == 0, 5)
    _mend(told)


@pytest.mark.skipif(ALERTMANAGER is None, reason="no alertmanager is installed here")
@pytest.mark.spec("8.3")
def test_a_real_alertmanager_shows_the_alert_as_long_as_it_fires(told: Told) -> None:
    def active() -> list[Any]:
        answer = httpx.get(f"{told.real_url}/api/v2/alerts", params={"active": "true"}).json()
        return [a for a in answer if a["labels"].get("subject") == "vllm"]

    told.gateway.admin("POST", "/sluice/circuits/vllm", json={"state": "open"})
    (alert,) = eventually(active, bool)
    assert alert["labels"]["alertname"] == "circuit_breaker_opened"
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["summary"] == "vLLM circuit breaker opened by hand"
    end = time.monotonic() + 6  # it would end 4 s after it was last told
    while time.monotonic() < end:
        assert len(active()) == 1
        time.sleep(0.25)
    told.gateway.admin("POST", "/sluice/circuits/vllm", json={"state": "auto"})
    eventually(active, lambda found: not found, limit_s=3)


# --- metrics -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "status"),
    [("none", 401), ("made up", 401), ("tenant", 403), ("administrator", 200), ("token", 200)],
)
def test_metrics_are_for_an_administrator_or_the_scraper(told: Told, key: str, status: int) -> None:
    keys = {
        "none": None,
        "made up": "sk-0123456789-" + "a" * 38,
        "tenant": told.gateway.demo_key,
        "administrator": told.gateway.admin_key,
        "token": TOKEN,
    }
    answer = told.gateway.request("GET", "/metrics", keys[key])
    assert answer.status_code == status
    assert told.gateway.request("POST", "/metrics", told.gateway.admin_key).status_code == 403
    if status == 200:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "litellm" not in answer.text
        assert "acme" not in answer.text


def test_the_tokens_only_door_is_metrics(told: Told) -> None:
    assert told.gateway.request("GET", "/sluice/circuits", TOKEN).status_code == 401
    assert told.gateway.chat(TOKEN).status_code == 401


CALLS = "sluice_calls_total"


def _call(told: Told, calls: int) -> None:
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: told.gateway.chat(model="gpt-4o"), range(calls)))
    assert {answer.status_code for answer in answers} == {200}


def test_counts_are_those_of_all_workers_whoever_is_asked(told: Told) -> None:
    names = (CALLS, "sluice_call_duration_seconds_count", "sluice_attempts_total")
    before = [told.value(name) for name in names]

    def since() -> list[float]:
        return [told.value(name) - was for name, was in zip(names, before, strict=True)]

    _call(told, 80)
    assert told.gateway.chat(model="no-such-model").status_code in {400, 403, 404}
    eventually(since, lambda found: found == [81, 81, 80], limit_s=2)
    for _ in range(10):  # each over a new connection, to whichever worker takes it
        assert since() == [81, 81, 80]
    assert told.value(CALLS, outcome="refused") >= 1


def test_counts_outlive_a_worker_that_is_killed(told: Told) -> None:
    parent = _pids(told)["proxy"]
    workers = _workers(parent)
    assert len(workers) == 2
    before = told.value(CALLS)
    _call(told, 20)
    eventually(lambda: told.value(CALLS), lambda found: found == before + 20, limit_s=2)
    os.kill(workers[0], signal.SIGKILL)
    eventually(
        lambda: (workers[0] not in _workers(parent), len(_workers(parent))),
        lambda found: found == (True, 2),
        limit_s=30,
    )
    assert told.value(CALLS) == before + 20
    eventually(lambda: _places(told), lambda held: held == 2, limit_s=60)
    _call(told, 20)
    eventually(lambda: told.value(CALLS), lambda found: found == before + 40, limit_s=2)


def test_a_streams_first_byte_is_timed(told: Told) -> None:
    name = "sluice_first_byte_seconds_count"
    before = told.value(name, agent="matching", endpoint="chat")
    assert told.gateway.chat(model="matching", stream=True).status_code == 200
    eventually(
        lambda: told.value(name, agent="matching", endpoint="chat"),
        lambda found: found == before + 1,
        limit_s=2,
    )


def test_a_scrape_stops_no_call_for_long(told: Told) -> None:
    quiet = _p50_ms(told, 120)
    took: list[float] = []
    with ThreadPoolExecutor(1) as scraper:
        done = scraper.submit(_scrape_until, told, time.monotonic() + 3, took)
        scraped = _p50_ms(told, 120)
        done.result()
    print(
        f"scrapes: p50 {statistics.median(took):.1f} ms, most {max(took):.1f};"
        f" calls: p50 {quiet[0]:.1f} -> {scraped[0]:.1f} ms, most {quiet[1]:.0f} ->"
        f" {scraped[1]:.0f}"
    )
    assert statistics.median(took) < 100


def _scrape_until(told: Told, end_s: float, took: list[float]) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=told.gateway.base_url, headers=headers) as client:
        while time.monotonic() < end_s:
            began_s = time.perf_counter()
            client.get("/metrics").raise_for_status()
            took.append((time.perf_counter() - began_s) * 1000)
            time.sleep(0.1)


# --- the command ---------------------------------------------------------------------------------
def test_the_test_command_says_for_each_sender_what_happened(told: Told) -> None:
    told.slack.status = 404
    done = sluice(told.gateway, "alerts", "test")
    assert done.returncode == 1
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "delivered" in rows["webhook"]
    assert "delivered" in rows["alertmanager"]
    assert "failed" in rows["slack"]
    assert "404" in rows["slack"]
    assert "very-secret" not in done.stdout + done.stderr
    assert [one.json["name"] for one in told.webhook.came] == ["sluice_test"]
    told.slack.status = 200
    assert sluice(told.gateway, "alerts", "test").returncode == 0
    refused = told.gateway.request("POST", "/sluice/alerts/test", told.gateway.demo_key)
    assert refused.status_code == 403


def _pids(told: Told) -> dict[str, int]:
    ready = json.loads((told.gateway.data_dir.parent / "ready.json").read_text())
    return {name.lower(): int(pid) for name, pid in ready["pids"].items()}


def _workers(parent: int) -> list[int]:
    """Uvicorn's workers; its resource tracker is a child too."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [
        int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def _places(told: Told) -> int:
    """How many workers hold a place of the metrics."""
    folder = told.gateway.data_dir / "metrics"
    return sum(slots._is_held(lock) for lock in folder.glob("place-*.lock"))

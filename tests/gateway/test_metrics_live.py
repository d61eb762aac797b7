"""After a mixed load on two workers metrics say what the ledger says, and Prometheus reads them."""

import asyncio
import itertools
import json
import math
import shutil
import socket
import statistics
import struct
import subprocess
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from bench.metrics_reader import ACCEPT_OPEN_METRICS, Page, read
from plugins.core.errors import RateLimited
from plugins.store.database import create_engine
from plugins.store.tables import ledger
from tests.gateway.running import ROOT, Gateway, eventually, free_port, running

TOKEN = "scrape-token-of-enough-length"
PROMETHEUS = shutil.which("prometheus")
TEXT = [{"role": "user", "content": "What is the weather in Oslo?"}]
LONG = [{"role": "system", "content": "word " * 6000}, *TEXT]
"""Long enough for the providers to cache it."""
UNKNOWN_KEY = "sk-0123456789-" + "a" * 38


@dataclass
class Load:
    """A gateway after its load, and what the ledger holds of it."""

    gateway: Gateway
    key: str
    turned_away: Tally[str]
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    after: Page = field(default_factory=lambda: Page({}, {}))
    """The metrics at the moment in which `rows` were all there is."""

    def page(self) -> Page:
        """One scrape, by whichever worker."""
        headers = {"accept": ACCEPT_OPEN_METRICS}
        answer = self.gateway.request("GET", "/metrics", TOKEN, headers=headers)
        answer.raise_for_status()
        return read(answer.text)

    def counted(self, *columns: str) -> dict[tuple[str, ...], float]:
        """Count the ledger's rows by some columns, as labels say them."""
        return dict(Tally(tuple(row[c] or "none" for c in columns) for row in self.rows))

    def sums(self, column: str, *by: str) -> dict[tuple[str, ...], Any]:
        """Sum up one column by others; what is 0 is left out."""
        sums: dict[tuple[str, ...], Decimal] = {}
        for row in self.rows:
            key = tuple(row[c] or "none" for c in by)
            sums[key] = sums.get(key, Decimal(0)) + row[column]
        return {key: pytest.approx(float(value)) for key, value in sums.items() if value}


def _rows(gateway: Gateway) -> list[dict[str, Any]]:
    """The whole ledger."""

    async def fetch() -> list[dict[str, Any]]:
        engine = create_engine(gateway.ready["database_url"])
        try:
            async with engine.connect() as connection:
                return [dict(row) for row in (await connection.execute(select(ledger))).mappings()]
        finally:
            await engine.dispose()

    return asyncio.run(fetch())


def _leave(gateway: Gateway, key: str) -> None:
    """Begin a stream and go away once some of it has come."""
    host, port = gateway.base_url.removeprefix("http://").split(":")
    raw = json.dumps({"model": "matching", "stream": True, "messages": TEXT}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: sluice\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    link = socket.create_connection((host, int(port)), timeout=30)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with link:
        link.sendall(head.encode() + raw)
        got = b""
        while b"is " not in got:
            part = link.recv(65536)
            assert part, got
            got += part


def _sound(gateway: Gateway, key: str) -> list[Callable[[], httpx.Response]]:
    """Calls of every endpoint that well providers answer."""

    def chat(model: str, **body: Any) -> Callable[[], httpx.Response]:
        return lambda: gateway.chat(key, **{"model": model, "messages": TEXT} | body)

    def post(path: str, **body: Any) -> Callable[[], httpx.Response]:
        return lambda: gateway.request("POST", path, key, json=body)

    agents = ("resume_parsing", "jd_enrichment", "matching", "screening", "voice_interview")
    usual = [chat(agent, stream=stream) for agent in agents for stream in (False, True)]
    usual += [chat(model) for model in ("gpt-4o", "claude-3-5-sonnet", "llama-3", "decision")]
    usual += [
        post("/v1/embeddings", model="embedding", input="ten years of Python"),
        post("/v1/messages", model="decision", max_tokens=64, messages=TEXT),
        post("/v1/responses", model="gpt-4o", input="hello"),
        post("/v1/completions", model="gpt-4o", prompt="hello"),
        post("/v1/moderations", input="hello"),
        post("/v1/audio/speech", model="tts-1", input="Good morning", voice="alloy"),
    ]
    cached = {"cache-control": ""}
    known = [chat("explanation", headers=cached) for _ in range(6)]
    return [*usual * 5, *known]


def _cached_by_providers(gateway: Gateway, key: str) -> None:
    """Long prompts that come again: written to the providers' own caches, then read from there."""
    for model in ("gpt-4o", "claude-3-5-sonnet") * 4:
        assert gateway.chat(key, model=model, messages=LONG).status_code == 200


def _in_a_crowd(work: list[Callable[[], httpx.Response]], status: int = 200) -> None:
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda one: one(), work))
    assert {answer.status_code for answer in answers} == {status}


def _transcribe(gateway: Gateway, key: str) -> None:
    body = {"model": "tts-1", "input": "Good day", "voice": "alloy", "response_format": "wav"}
    spoken = gateway.request("POST", "/v1/audio/speech", key, json=body)
    files, data = {"file": ("a.wav", spoken.content)}, {"model": "whisper-1"}
    heard = gateway.request("POST", "/v1/audio/transcriptions", key, files=files, data=data)
    assert heard.status_code == 200


def _troubled(gateway: Gateway, key: str) -> None:
    """Calls that fail, fall back, waste a try, break off, wait for another, or are left."""
    with gateway.faulty("openai", {"kind": "status", "status": 500}):
        _in_a_crowd([lambda: gateway.chat(key, model="matching")] * 2)
        assert gateway.chat(key, model="gpt-4o").status_code == 502
    with gateway.faulty("openai", {"kind": "empty"}):
        _in_a_crowd([lambda: gateway.chat(key, model="screening")] * 2)
    stall = {"kind": "stream_stall", "after_chunks": 3, "for_s": 0.3}
    with gateway.faulty("openai", stall, {"kind": "stream_cut", "after_chunks": 4}):
        assert "stream_broken" in gateway.chat(key, model="matching", stream=True).text
    with gateway.faulty("openai", {"kind": "stream_stall", "after_chunks": 3, "for_s": 5}):
        _leave(gateway, key)
    with gateway.faulty("openai", {"kind": "latency", "ms": 400}):
        same = {"model": "gpt-4o", "temperature": 0.25, "headers": {"cache-control": ""}}
        _in_a_crowd([lambda: gateway.chat(key, **same)] * 6)


def _refused(gateway: Gateway, key: str) -> Tally[str]:
    """Calls that policy refuses, and requests that never become calls; gives their codes."""
    assert gateway.chat(key, model="gpt-9").status_code == 404
    few = gateway.new_key(requests_per_minute=1)
    assert gateway.chat(few).status_code == 200
    assert gateway.chat(few).status_code == RateLimited.status
    away = [
        gateway.chat(UNKNOWN_KEY),
        gateway.chat(UNKNOWN_KEY),
        gateway.chat(key, model=7),
        gateway.chat(key, colour="red"),
        gateway.request("POST", "/v1/chat/completions", key, content=b"{"),
        gateway.chat(gateway.admin_key),
        gateway.request("GET", "/key/list", key),
        gateway.request("GET", "/metrics", key),
        gateway.request("GET", "/sluice/spend", None),
    ]
    return Tally(answer.json()["error"]["code"] for answer in away)


@pytest.fixture(scope="module")
def load(new_folder: Callable[[str], Path]) -> Iterator[Load]:
    """The mixed load, once; what the ledger has of it when it has settled."""
    policy = {"metrics": {"tenants": ["measured"]}}
    folder = new_folder("metrics")
    with running(folder, workers=2, policy=policy, SLUICE_METRICS_TOKEN=TOKEN) as gateway:
        gateway.admin("POST", "/sluice/tenants", json={"tenant_id": "measured"})
        key = gateway.new_key("measured")
        _in_a_crowd(_sound(gateway, key))
        _in_a_crowd([lambda: gateway.chat(model="matching")] * 3)
        _transcribe(gateway, key)
        _cached_by_providers(gateway, key)
        _troubled(gateway, key)
        turned_away = _refused(gateway, key)
        made = Load(gateway, key, turned_away)

        def settled() -> bool:
            made.after, made.rows = made.page(), _rows(gateway)
            return made.after.total("sluice_calls_total") == len(made.rows)

        eventually(settled, bool, limit_s=15)
        assert len(made.rows) > 120
        yield made


@pytest.mark.spec("9.1")
def test_every_call_is_counted_as_its_row_says(load: Load) -> None:
    labels = ("agent", "model", "endpoint", "outcome", "tier", "cache")
    columns = ("agent", "model_served", "endpoint", "outcome", "tier", "cache")
    found = load.after.by("sluice_calls_total", *labels)
    assert found == load.counted(*columns)
    for word, place in (("disconnected", 3), ("failed", 3), ("refused", 3), ("coalesced", 5)):
        assert any(key[place] == word for key in found), word


@pytest.mark.spec("9.1")
@pytest.mark.parametrize("kind", ["input", "output", "cached_input", "cache_write"])
def test_tokens_are_the_ledgers(load: Load, kind: str) -> None:
    by = {
        (agent, model): value
        for (agent, model, k), value in load.after.by(
            "sluice_tokens_total", "agent", "model", "kind"
        ).items()
        if k == kind
    }
    assert by == load.sums(f"{kind}_tokens", "agent", "model_served")
    assert by


@pytest.mark.spec("9.1")
def test_dollars_are_the_ledgers(load: Load) -> None:
    page = load.after
    assert page.by("sluice_cost_usd_total", "agent", "model") == load.sums(
        "cost_usd", "agent", "model_served"
    )
    wasted = page.total("sluice_attempts_total", error_class="EmptyAnswer")
    assert wasted == 2  # and their dollars are in the sums above
    causes = page.by("sluice_saved_usd_total", "cause")
    assert set(causes) == {("cache",), ("coalesced",), ("provider_cache",)}
    known = page.total("sluice_saved_usd_total") - causes["provider_cache",]
    assert known == pytest.approx(float(sum(row["saved_usd"] for row in load.rows)))


def test_speech_and_audio_are_the_ledgers(load: Load) -> None:
    page = load.after
    by = ("agent", "model_served")
    assert page.by("sluice_characters_total", "agent", "model") == load.sums("characters", *by)
    assert page.by("sluice_audio_seconds_total", "agent", "model") == load.sums("audio_s", *by)


@pytest.mark.spec("9.1")
def test_tries_and_skipped_tiers_are_those_of_the_rows(load: Load) -> None:
    entries = list(itertools.chain.from_iterable(row["attempts"] for row in load.rows))
    tries = [one for one in entries if "deployment" in one]
    page = load.after
    expected = Tally((one["provider"], one["group"], one["error_class"] or "none") for one in tries)
    assert page.by("sluice_attempts_total", "provider", "model", "error_class") == expected
    assert page.total("sluice_tiers_skipped_total") == len(entries) - len(tries)
    timed = page.by("sluice_attempt_duration_seconds_count", "provider", "model")
    assert timed == Tally((one["provider"], one["group"]) for one in tries)


@pytest.mark.spec("9.1")
def test_latencies_are_those_of_the_rows(load: Load) -> None:
    page = load.after
    assert page.by("sluice_call_duration_seconds_count", "agent", "endpoint") == load.counted(
        "agent", "endpoint"
    )
    took_s = sum(row["latency_ms"] for row in load.rows) / 1000
    found_s = page.total("sluice_call_duration_seconds_sum")
    assert found_s == pytest.approx(took_s, abs=0.0005 * len(load.rows))
    streams = [row for row in load.rows if row["stream"] and row["first_byte_ms"] is not None]
    assert page.total("sluice_first_byte_seconds_count") == len(streams)
    waited = page.by("sluice_calls_total", "cache").get(("coalesced",), 0)
    assert page.total("sluice_overhead_seconds_count") == len(load.rows) - waited
    for share in (0.5, 0.95):
        ordered = sorted(row["latency_ms"] / 1000 for row in load.rows)
        exact_s = ordered[math.ceil(share * len(ordered)) - 1]
        lower, upper = page.bounds_of("sluice_call_duration_seconds", share)
        assert lower - 0.001 <= exact_s <= upper + 0.001


def test_the_gateways_own_time_is_seen_by_stage(load: Load) -> None:
    page = load.after
    steps = page.by("sluice_stage_seconds_count", "stage", "phase")
    assert steps["door", "auth"] == steps["door", "read"] == len(load.rows)
    assert steps["ledger", "settle"] == len(load.rows)
    overhead_s = page.total("sluice_overhead_seconds_sum")
    assert 0 < overhead_s < page.total("sluice_call_duration_seconds_sum")


def test_tenants_are_named_only_where_they_are_listed(load: Load) -> None:
    page = load.after
    measured = [row for row in load.rows if row["tenant_id"] == "measured"]
    assert set(page.by("sluice_tenant_calls_total", "tenant")) == {("measured",), ("other",)}
    assert page.total("sluice_tenant_calls_total", tenant="measured") == len(measured)
    assert page.total("sluice_tenant_calls_total") == len(load.rows)
    cost_usd = page.by("sluice_tenant_cost_usd_total", "tenant")
    assert cost_usd["measured",] == pytest.approx(float(sum(row["cost_usd"] for row in measured)))
    tokens = sum(row["input_tokens"] + row["output_tokens"] for row in measured)
    found = page.by("sluice_tenant_tokens_total", "tenant", "kind")
    assert found["measured", "input"] + found["measured", "output"] == tokens


def test_requests_that_never_became_calls_are_counted_by_their_code(load: Load) -> None:
    found = load.after.by("sluice_door_refusals_total", "code")
    assert found == {(code,): count for code, count in load.turned_away.items()}
    assert len(found) >= 6


def test_all_that_the_gateway_does_has_a_word_of_its_own(load: Load) -> None:
    others = {
        name
        for name, found in load.after.samples.items()
        for labels in found
        if "other" in dict(labels).values() and not name.startswith("sluice_tenant_")
    }
    assert others == set()


def test_states_are_read_once_a_second(load: Load) -> None:
    page = load.page()
    assert page.total("sluice_build_info") == 1
    used = page.by("sluice_limit_used_ratio", "provider", "kind")
    assert set(used) == set(itertools.product(("openai", "anthropic"), ("requests", "tokens")))
    assert all(0 < share < 1 for share in used.values())
    eventually(lambda: load.page().total("sluice_settlements_waiting"), lambda n: n == 0, 5)
    assert "sluice_settlements_waiting" in load.page().samples


def test_settlements_that_cannot_be_recorded_are_seen_to_wait(load: Load) -> None:
    """PostgreSQL's lock stands for a slow PostgreSQL."""

    async def held() -> float:
        engine = create_engine(load.gateway.ready["database_url"])
        try:
            async with engine.begin() as connection:
                await connection.exec_driver_sql("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
                await asyncio.to_thread(load.gateway.chat, load.key)
                return await asyncio.to_thread(
                    eventually,
                    lambda: load.page().total("sluice_settlements_waiting"),
                    lambda waiting: waiting >= 1,
                    5,
                )
        finally:
            await engine.dispose()

    asyncio.run(held())
    eventually(lambda: load.page().total("sluice_settlements_waiting"), lambda n: n == 0, 8)


def test_a_page_takes_a_few_milliseconds(load: Load) -> None:
    took: list[float] = []
    for _ in range(30):
        began_s = time.perf_counter()
        load.gateway.request("GET", "/metrics", TOKEN).raise_for_status()
        took.append((time.perf_counter() - began_s) * 1000)
    print(f"a scrape over a new connection: p50 {statistics.median(took):.1f} ms, {max(took):.1f}")
    assert statistics.median(took) < 100


TRACED = (
    "sluice_attempt_duration_seconds",
    "sluice_call_duration_seconds",
    "sluice_first_byte_seconds",
    "sluice_overhead_seconds",
)


def test_latencies_point_at_traces_of_calls(load: Load) -> None:
    traces = load.page().traces
    assert set(traces) == set(TRACED)
    own = {row["call_id"].replace("-", "") for row in _rows(load.gateway)}
    assert {trace for found in traces.values() for trace in found.values()} <= own


def _questions() -> list[str]:
    """The expressions of docs/metrics.md."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    lines = text.partition("```promql\n")[2].partition("```")[0].splitlines()
    questions = [line for line in lines if not line.startswith("#")]
    assert len(questions) >= 5
    return questions


@pytest.fixture
def prometheus(load: Load, new_folder: Callable[[str], Path]) -> Iterator[str]:
    """A real Prometheus that scrapes the gateway once a second; gives its address."""
    folder, port = new_folder("prometheus"), free_port()
    (folder / "token").write_text(TOKEN)
    target = load.gateway.base_url.removeprefix("http://")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        f"  - {{job_name: sluice, authorization: {{credentials_file: {folder / 'token'}}},\n"
        f"     static_configs: [{{targets: ['{target}']}}]}}\n"
    )
    command = [str(PROMETHEUS), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", "--enable-feature=exemplar-storage"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)
    said = (folder / "prometheus.log").read_text()
    assert "level=error" not in said, said
    assert "ingesting" not in said, said  # "Error on ingesting out-of-order exemplars" and its like


def _asked(url: str, path: str, **params: Any) -> Any:
    try:
        answer = httpx.get(f"{url}/api/v1/{path}", params=params, timeout=10)
        return answer.json()["data"] if answer.status_code == 200 else None
    except httpx.TransportError:
        return None  # it is starting


@pytest.mark.skipif(PROMETHEUS is None, reason="no Prometheus is installed here")
def test_a_real_prometheus_keeps_the_figures_and_the_traces(load: Load, prometheus: str) -> None:
    def value() -> float:
        found = _asked(prometheus, "query", query="sum(sluice_calls_total)")
        return float(found["result"][0]["value"][1]) if found and found["result"] else -1.0

    eventually(value, lambda found: found == load.page().total("sluice_calls_total"), 30)
    traceparent = f"00-{'4bf92f3577b34da6a3ce929d0e0e4736'}-00f067aa0ba902b7-01"
    unsampled = f"00-{'5bf92f3577b34da6a3ce929d0e0e4736'}-00f067aa0ba902b7-00"
    for context in (traceparent, unsampled):
        headers = {"traceparent": context}
        assert load.gateway.chat(load.key, stream=True, headers=headers).status_code == 200

    def kept() -> dict[str, set[str]]:
        """Traces by family, as Prometheus has them."""
        now = time.time()
        span = {"start": now - 600, "end": now + 600}
        found: dict[str, set[str]] = {}
        for family in TRACED:
            series = _asked(prometheus, "query_exemplars", query=f"{family}_bucket", **span) or ()
            traces = (e["labels"]["trace_id"] for one in series for e in one["exemplars"])
            found[family] = set(traces)
        return found

    for question in _questions():
        # A rate takes two scrapes.
        eventually(
            lambda q=question: (q, _asked(prometheus, "query", query=q)),
            lambda answer: bool(answer[1] and answer[1]["result"]),
        )

    wanted = "4bf92f3577b34da6a3ce929d0e0e4736"
    traces = eventually(kept, lambda f: all(wanted in one for one in f.values()), 20)
    assert not any("5bf92f3577b34da6a3ce929d0e0e4736" in one for one in traces.values())
    print({family: len(found) for family, found in traces.items()})

"""Nothing a client can send breaks the gateway, or gets anything out of it (SPEC 11.2)."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway.assault import (
    FOREIGN_MARKS,
    Assault,
    cast_actors,
    resident_bytes,
    send_wire,
    workers,
)
from tests.gateway.mutations import Actors, Hostile
from tests.gateway.running import Gateway, eventually, running

SEED = 20261123
MOST_GROWTH = 0.15


@pytest.fixture(scope="module")
def actors(gateway: Gateway) -> Actors:
    return cast_actors(gateway)


@pytest.fixture(scope="module")
def besieged(new_folder: Callable[[str], Path]) -> Iterator[Gateway]:
    """A gateway of the torture's own."""
    with running(new_folder("besieged"), workers=1) as started:
        yield started


def _spent(gateway: Gateway, actors: Actors) -> object:
    query = {"tenant_id": actors.foreign_tenant}
    return gateway.admin("GET", "/sluice/spend", params=query).json()["rows"]


def _assert_rows_are_the_callers(gateway: Gateway, actors: Actors, answered: set[str]) -> None:
    """Each answered call stands in its own tenant's ledger, and is not there for another."""
    with httpx.Client(base_url=gateway.base_url, timeout=30) as client:
        for call_id in answered:
            mine = eventually(
                lambda call_id=call_id: _asked(client, actors.keys["own"], call_id),
                lambda answer: answer.status_code == 200,
            )
            assert mine.json()["call_id"] == call_id
            assert _asked(client, actors.foreign_key, call_id).status_code == 404


def _asked(client: httpx.Client, key: str, call_id: str) -> httpx.Response:
    return client.get(f"/sluice/calls/{call_id}", headers={"authorization": f"Bearer {key}"})


def _assert_log_is_clean(gateway: Gateway, actors: Actors) -> None:
    log = Path(gateway.data_dir / "logs" / "proxy.log").read_text(errors="replace")
    assert not re.findall(r".*canary-[0-9a-f]{16}.*", log)[:3]
    assert not re.findall(r".*sk-[0-9A-Za-z]{10}-[0-9A-Za-z]{38}.*", log)[:3]
    assert not [mark for mark in FOREIGN_MARKS if mark in log]


async def _besiege(gateway: Gateway, actors: Actors, count: int, warm_up: int) -> None:
    assault = Assault(gateway, actors, SEED)
    before, foreign_before = workers(gateway), _spent(gateway, actors)
    warm = await assault.run(range(count, count + warm_up))
    began, resident = time.monotonic(), resident_bytes(before)
    found = await assault.run(range(count))
    took = time.monotonic() - began
    after = resident_bytes(before)
    growth = max(after[pid] / size for pid, size in resident.items()) - 1
    print(f"\n{count} malformed requests in {took:.0f} s, {len(found.answered)} of them answered")
    print("statuses:", dict(sorted(found.statuses.items())))
    print("codes:", dict(found.codes.most_common()))
    sizes = [f"{resident[pid] / 2**20:.0f} -> {after[pid] / 2**20:.0f} MiB" for pid in resident]
    print(f"memory of each process after {warm_up} to warm up: {sizes}; most {growth:+.1%}")
    print("slowest:", [(f"{s:.1f} s", n, kind[:60]) for s, n, kind in found.slowest])
    faults = warm.faults + found.faults
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])
    assert workers(gateway) == before, "a worker died"
    for _ in range(8):
        assert gateway.chat(actors.keys["own"]).status_code == 200
    assert growth < MOST_GROWTH
    assert _spent(gateway, actors) == foreign_before
    _assert_rows_are_the_callers(gateway, actors, found.answered)
    _assert_log_is_clean(gateway, actors)


@pytest.mark.spec("11.2")
async def test_a_thousand_malformed_requests_break_nothing_and_learn_nothing(
    gateway: Gateway, actors: Actors
) -> None:
    await _besiege(gateway, actors, 1000, 3000)


PROBES = {
    "completions take no tokens": ("/v1/completions", {"model": "gpt-4o", "prompt": [1, 2]}),
    "nor lists of them": ("/v1/completions", {"model": "gpt-4o", "prompt": [[1], [2]]}),
    "nor nothing": ("/v1/completions", {"model": "gpt-4o", "prompt": None}),
    "an embedding by a model that reads text alone": (
        "/v1/embeddings",
        {"model": "embed-english-v3.0", "input": [1, 2]},
    ),
    "a conversation in which nobody speaks": (
        "/v1/messages",
        {
            "model": "gpt-4o",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}],
        },
    ),
    "a JSON schema without the schema": (
        "/v1/chat/completions",
        {
            "model": "claude-3-5-sonnet",
            "messages": [{"role": "user", "content": "hello"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n"}},
        },
    ),
}
"""What fitted the providers' schemas and still failed inside the gateway."""


@pytest.mark.parametrize("name", PROBES)
def test_what_litellm_would_stumble_over_is_refused_before(gateway: Gateway, name: str) -> None:
    path, body = PROBES[name]
    answer = gateway.request("POST", path, gateway.demo_key, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"]


ADVISED = [
    [{"role": "system", "content": "hello"}],
    [
        {"role": "user", "content": "hello"},
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "c",
                    "type": "function",
                    "function": {"name": "f", "arguments": "born 1980-01-01 in Utrecht"},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "hello"},
    ],
]


@pytest.mark.parametrize("messages", ADVISED)
def test_litellms_advice_to_operators_and_quotes_of_the_prompt_stay_inside(
    gateway: Gateway, messages: list[object]
) -> None:
    answer = gateway.chat(model="claude-3-5-sonnet", messages=messages)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "provider_refused_request")
    assert "litellm" not in answer.text.lower()
    assert "Utrecht" not in answer.text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["llama-3", "mistral"])
def test_responses_reach_models_that_speak_chat_alone(
    gateway: Gateway, model: str, stream: bool
) -> None:
    body = {"model": model, "input": "hello", "stream": stream}
    answer = gateway.request("POST", "/v1/responses", gateway.demo_key, json=body)
    assert answer.status_code == 200, answer.text
    assert "error" not in answer.text or '"error":null' in answer.text.replace(" ", "")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "", "é"])
def test_json_is_json_whatever_its_content_type_says(gateway: Gateway, kind: str) -> None:
    answer = gateway.request(
        "POST",
        "/v1/moderations",
        gateway.demo_key,
        content=b'{"input": "hello"}',
        headers={"content-type": kind.encode()},
    )
    assert answer.status_code == 200, answer.text


def test_a_recording_whose_header_lies_is_no_servers_fault(gateway: Gateway) -> None:
    sound = b"RIFF\x24\x00\x00\x00WAVEfmt \xff\xff\x00\x00" + bytes(60)
    answer = gateway.request(
        "POST",
        "/v1/audio/transcriptions",
        gateway.demo_key,
        data={"model": "whisper-1"},
        files={"file": ("a.wav", sound, "audio/wav")},
    )
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"[" * 200_000, "invalid_json"),
        (b'{"tenant_id": ' + b"9" * 5000 + b"}", "invalid_json"),
        (b'{"tenant_id": "a", "\\ud800": 1}', "invalid_request"),
        (b'{"tenant_id": "a", "name": "\\ud800"}', "invalid_request"),
        (b'{"tenant_id": "\xff"}', "invalid_json"),
        (b" " * 2_000_001, "request_too_large"),
    ],
)
def test_our_own_routes_say_what_is_wrong_with_a_body(
    gateway: Gateway, raw: bytes, code: str
) -> None:
    headers = {"content-type": "application/json"}
    answer = gateway.admin("POST", "/sluice/tenants", content=raw, headers=headers)
    assert (answer.status_code < 500, answer.json()["error"]["code"]) == (True, code)


def test_a_tenant_that_cannot_be_is_refused_in_a_query(gateway: Gateway) -> None:
    assert gateway.admin("GET", "/sluice/spend?tenant_id=%00").status_code == 400


@pytest.mark.parametrize("size", [1_000_000, 10_000_000])
async def test_a_client_that_closes_hears_why_its_body_was_refused(
    gateway: Gateway, size: int
) -> None:
    head = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    request = Hostile(0, "unread body", "canary", path="/v1/responses")
    request.wire = [head + b"content-length: %d\r\n\r\n" % size, bytes(size)]
    url = httpx.URL(gateway.base_url)
    for _ in range(5):
        answer = await send_wire(url.host, url.port or 0, request)
        assert (answer.status, b"invalid_api_key" in answer.body) == (401, True)


async def test_no_body_is_asked_for_before_the_key_is_good(gateway: Gateway) -> None:
    head = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
    url = httpx.URL(gateway.base_url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(head + b"content-length: 100\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()
    await writer.wait_closed()


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.spec("11.2")
async def test_ten_thousand_malformed_requests_break_nothing_and_learn_nothing(
    besieged: Gateway,
) -> None:
    await _besiege(besieged, cast_actors(besieged), 10_000, 2000)

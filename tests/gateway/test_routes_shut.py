"""Of all of LiteLLM's routes only the model calls are open, and nothing else behind tricks."""

import asyncio
import http.client
import json
import os
import re
import socket
import subprocess
import sys
from typing import Any

import httpx
import pytest

from plugins.proxy.endpoints import HEALTH, MODEL_LISTS, MODEL_PATHS
from plugins.proxy.metrics_page import METRICS_PATH
from tests.gateway.running import ROOT, Gateway

DUMP = """
import json, sys, warnings
warnings.simplefilter("ignore")
from litellm.proxy import _lazy_features
from litellm.proxy.proxy_server import app
_lazy_features.register_all_features(app)
found = []
for route in app.routes:
    expand = getattr(route, "effective_route_contexts", None)
    for one in expand() if expand else [route]:
        found.append([one.path, sorted(getattr(one, "methods", None) or [])])
json.dump(found, sys.stdout)
"""
"""Every route that LiteLLM has, those included that it mounts at their first request."""
MADE_UP = "sk-0123456789-" + "a" * 38
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
SHUT = {401, 403}


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, str]]:
    """Give (method, path) of all that LiteLLM would serve, parameters filled in."""
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    dumped = subprocess.run(
        [sys.executable, "-c", DUMP], cwd=ROOT, env=env, capture_output=True, check=True
    )
    found = {
        (method, re.sub(r"\{[^}]*\}", "x", path) or "/")
        for path, methods in json.loads(dumped.stdout)
        for method in methods or ("GET", "POST")
    }
    assert len(found) > 900
    assert ("POST", "/key/generate") in found
    assert ("POST", "/v1/messages") in found  # mounted at its first request
    return sorted(found)


def _served(method: str, path: str) -> bool:
    return (
        (method == "POST" and path in MODEL_PATHS)
        or (method == "GET" and path in MODEL_LISTS)
        or path in HEALTH
    )


async def _statuses(
    gateway: Gateway, wanted: list[tuple[str, str]], key: str | None
) -> dict[tuple[str, str], int]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    gate = asyncio.Semaphore(16)
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=60) as client:

        async def ask(method: str, path: str) -> int:
            async with gate:
                body: dict[str, Any] = {} if method in {"GET", "HEAD"} else {"json": {}}
                return (await client.request(method, path, **body)).status_code

        answers = await asyncio.gather(*(ask(*one) for one in wanted))
    return dict(zip(wanted, answers, strict=True))


@pytest.mark.spec("13.2")
@pytest.mark.parametrize("holder", ["tenant", "administrator"])
async def test_a_good_key_opens_only_what_is_served(
    gateway: Gateway, routes: list[tuple[str, str]], holder: str
) -> None:
    key = gateway.demo_key if holder == "tenant" else gateway.admin_key
    opened = set() if holder == "tenant" else {("GET", METRICS_PATH)}
    shut = [one for one in routes if not _served(*one) and one not in opened]
    statuses = await _statuses(gateway, shut, key)
    assert {one: s for one, s in statuses.items() if s != 403} == {}


@pytest.mark.spec("13.2")
@pytest.mark.parametrize("key", [None, MADE_UP])
async def test_without_a_good_key_nothing_opens(
    gateway: Gateway, routes: list[tuple[str, str]], key: str | None
) -> None:
    closed = [one for one in routes if one[1] not in HEALTH]
    statuses = await _statuses(gateway, closed, key)
    assert {one: s for one, s in statuses.items() if s != 401} == {}


@pytest.mark.parametrize("key", ["sk-sluice", "sk-1234", "warm-up", "null", "Bearer", "x" * 5000])
def test_no_key_of_litellms_own_opens_anything(gateway: Gateway, key: str) -> None:
    for path in ("/key/list", "/v1/models", "/sluice/me"):
        assert gateway.request("GET", path, key).status_code == 401
    assert gateway.chat(key).status_code == 401


async def test_no_other_method_opens_a_path(
    gateway: Gateway, routes: list[tuple[str, str]]
) -> None:
    """A part of the paths is enough here: an unserved path is shut whatever the method."""
    paths = [*MODEL_PATHS, *MODEL_LISTS, *sorted({path for _, path in routes})[::8]]
    wanted = [(m, p) for p in paths for m in METHODS if not _served(m, p)]
    statuses = await _statuses(gateway, wanted, gateway.demo_key)
    assert {one: s for one, s in statuses.items() if s != 403} == {}


def test_a_served_path_answers_an_empty_body_with_a_plain_refusal(gateway: Gateway) -> None:
    for path in MODEL_PATHS:
        answer = gateway.request("POST", path, gateway.demo_key, json={})
        assert answer.status_code == 400, path
        assert answer.json()["error"]["type"] == "invalid_request_error"


TRICKS = [
    "//key/list",
    "/v1/../key/list",
    "/v1/%2e%2e/key/list",
    "/v1/%2E%2E%2Fkey/list",
    "/%2e%2e/key/list",
    "/key/list/",
    "/key/list//",
    "/KEY/LIST",
    "/key/list;a=b",
    "/key;/list",
    "/key/list%00",
    "/key/list%20",
    "/key%2flist",
    "/key\\list",
    "/./key/list",
    "/key/./list",
    "/v1/chat/completions/../../../key/list",
    "/v1/chat/completions/",
    "/V1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat/completions;x",
    "/v1/chat/completions%00",
    "/health/readiness/../../key/list",
    "/health/readiness/",
    "/health/readiness%2f..%2fkey/list",
    "/health",
    "/metrics/",
    "//metrics",
    "/metrics;x",
    "/sluice",
    "/openai/v1/chat/completions",
    "/anthropic/v1/messages",
    "/engines/gpt-4o/chat/completions",
    "/",
    "*",
]
"""Sent byte for byte: a client library would clean them up first."""
OWN_TRICKS = [
    "/%73luice/../key/list",
    "/sluice/../key/list",
    "/sluice/%2e%2e/key/list",
    "/sluice/..;/key/list",
    "/sluice//key/list",
    "/sluice/key/list",
    "/sluice/",
    "/sluice/keys/",
    "/sluice/KEYS",
    "/sluice/docs",
]


def _raw(gateway: Gateway, method: str, target: str, key: str | None) -> int:
    host, port = gateway.base_url.removeprefix("http://").split(":")
    line = f"{method} {target} HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n"
    if key is not None:
        line += f"Authorization: Bearer {key}\r\n"
    body = "{}" if method == "POST" else ""
    line += f"Content-Length: {len(body)}\r\n\r\n{body}"
    with socket.create_connection((host, int(port)), timeout=30) as link:
        link.sendall(line.encode("latin-1"))
        answer = http.client.HTTPResponse(link, method=method)
        answer.begin()
        answer.read()
        return answer.status


@pytest.mark.spec("13.2")
@pytest.mark.parametrize("target", TRICKS)
def test_a_path_in_disguise_opens_nothing(gateway: Gateway, target: str) -> None:
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        for key in (gateway.demo_key, gateway.admin_key):
            assert _raw(gateway, method, target, key) in {400, 403}, method
        assert _raw(gateway, method, target, None) in {400, 401}, method


@pytest.mark.parametrize("target", OWN_TRICKS)
def test_our_own_prefix_leads_nowhere_else(gateway: Gateway, target: str) -> None:
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        assert _raw(gateway, method, target, gateway.demo_key) in {403, 404}, method
        assert _raw(gateway, method, target, gateway.admin_key) in {403, 404}, method
        assert _raw(gateway, method, target, None) == 401, method


@pytest.mark.parametrize("path", ["/tenants", "/keys/0123456789/revoke", "/keys"])
def test_administration_is_shut_to_tenants(gateway: Gateway, path: str) -> None:
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        answer = gateway.request(method, f"/sluice{path}", gateway.demo_key, json={})
        assert answer.status_code in {403, 404, 405}, (method, answer.text)


@pytest.mark.parametrize(
    "path", ["/v1/realtime?model=gpt-4o", "/realtime", "/openai/v1/realtime", "/vertex_ai/live"]
)
def test_websockets_are_refused(gateway: Gateway, path: str) -> None:
    host, port = gateway.base_url.removeprefix("http://").split(":")
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: sluice",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Authorization: Bearer {gateway.demo_key}",
    ]
    with socket.create_connection((host, int(port)), timeout=30) as link:
        link.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = int(link.recv(4096).split(b" ", 2)[1])
    assert status in SHUT

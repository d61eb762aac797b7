"""Sends hostile requests to a running gateway and judges every answer."""

import asyncio
import collections
import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from plugins.proxy.endpoints import MODEL_PATHS
from tests.gateway.hostile_values import MESSAGES
from tests.gateway.mutations import Actors, Generator, Hostile
from tests.gateway.running import ROOT, Gateway, eventually

CLIENTS = 8
ANSWER_LIMIT_S = 60.0
SECRET_NAME = "zq-foreign-name-7e1"
SECRET_LABEL = "zq-foreign-label-4c9"
SECRET_SUBJECT = "zq-foreign-subject-b52"
FOREIGN_MARKS = (SECRET_NAME, SECRET_LABEL, SECRET_SUBJECT)
INSIDE = [
    "litellm", "traceback", f"{ROOT}/".lower(), f"{Path.home()}/".lower(), "site-packages",
    '.py"', ".py'", "127.0.0.1:",
    "localhost:", "postgres", "redis", "asyncpg", "sqlalchemy", "pydantic", "msgspec", "starlette",
    "fastapi", "uvicorn", "api_base", "hosted_vllm", "object at 0x", "exception",
]  # fmt: skip
"""Words of the inside: none comes out unless the client said it first."""
_KEY = re.compile(r"sk-[0-9A-Za-z]{10}-[0-9A-Za-z]{38}")
_CANARY = re.compile(r"canary-[0-9a-f]{16}")
_CODE = re.compile(r"[a-z][a-z0-9_]{2,40}")
_TYPES = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "request_too_large",
}


@dataclass
class Answer:
    """What came back; status 0 when nothing did."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Findings:
    """What an assault brought to light."""

    faults: list[str] = field(default_factory=list)
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    codes: collections.Counter[str] = field(default_factory=collections.Counter)
    answered: set[str] = field(default_factory=set)
    slowest: list[tuple[float, int, str]] = field(default_factory=list)

    def say(self, request: Hostile, answer: Answer, what: str) -> None:
        head = answer.body[:300].decode("utf-8", "backslashreplace")
        self.faults.append(
            f"#{request.number} [{request.kind}] {request.method} {request.path[:60]!a}"
            f" -> {answer.status}: {what}: {head}"
        )


def cast_actors(gateway: Gateway) -> Actors:
    """Make the tenants and keys of the play."""
    own, foreign, spare, shut = (gateway.new_tenant() for _ in range(4))
    in_time = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    spare_key = gateway.new_key(spare)
    keys = {
        "own": gateway.new_key(own),
        "narrow": gateway.new_key(own, agents=["matching"], models=["gpt-4o"]),
        "admin": gateway.admin_key,
        "revoked": gateway.new_key(spare),
        "expired": gateway.new_key(spare, expires_at=in_time),
        "suspended": gateway.new_key(shut),
    }
    named = gateway.new_key(foreign, label=SECRET_LABEL)
    secret_tenant = f"zq-{foreign}"
    made = gateway.admin(
        "POST", "/sluice/tenants", json={"tenant_id": secret_tenant, "name": SECRET_NAME}
    )
    made.raise_for_status()
    called = gateway.chat(named, headers={"x-sluice-subject": SECRET_SUBJECT})
    called.raise_for_status()
    call_id = called.headers["x-sluice-call-id"]
    gateway.call_row(call_id)
    gateway.admin("POST", f"/sluice/keys/{keys['revoked'][3:13]}/revoke").raise_for_status()
    gateway.admin("PATCH", f"/sluice/tenants/{shut}", json={"active": False}).raise_for_status()
    for who in ("revoked", "expired", "suspended"):
        for _ in range(4):  # every worker knows
            eventually(
                lambda who=who: gateway.request("GET", "/sluice/me", keys[who]).status_code,
                lambda status: status == 401,
            )
    return Actors(keys, named, foreign, call_id, spare, spare_key[3:13])


def judge(request: Hostile, answer: Answer, actors: Actors, found: Findings) -> None:
    """Hold one answer against every promise."""
    found.statuses[answer.status] += 1
    if answer.status == 0:
        if not request.cut:
            found.say(request, answer, "no answer")
        return
    if answer.status >= 500:
        found.say(request, answer, "server error")
    _judge_secrets(request, answer, actors, found)
    if answer.status >= 400 and request.method != "HEAD":
        _judge_error(request, answer, found)
    call_id = answer.header("x-sluice-call-id")
    if answer.status == 200 and request.path in MODEL_PATHS and call_id:
        found.answered.add(call_id)


def _judge_secrets(request: Hostile, answer: Answer, actors: Actors, found: Findings) -> None:
    heads = "\n".join(f"{name}: {value}" for name, value in answer.headers)
    text = heads + "\n" + answer.body.decode("utf-8", "replace")
    for what in (*_keys_in(request, answer, text, actors), *_told(request, answer, text, actors)):
        found.say(request, answer, what)
    canaries = set(_CANARY.findall(text))
    if canaries - {request.canary}:
        found.say(request, answer, "the prompt of another call")
    if answer.status >= 400 and canaries:
        found.say(request, answer, "the prompt in an error")


def _keys_in(request: Hostile, answer: Answer, text: str, actors: Actors) -> Iterator[str]:
    made_key = answer.status == 201 and request.path.startswith("/sluice/keys")
    if not made_key and _KEY.search(text):
        yield "a key"
    if any(key.lower() in text.lower() for key in [*actors.keys.values(), actors.foreign_key]):
        yield "one of the actors' keys"


def _told(request: Hostile, answer: Answer, text: str, actors: Actors) -> Iterator[str]:
    """What the client did not know before and must not learn."""
    said, lower = request.said, text.lower()
    marks = [*FOREIGN_MARKS, actors.foreign_tenant, actors.foreign_call]
    if actors.keys["admin"].lower() in said:
        marks = []
    described = request.path == "/sluice/openapi.json" and answer.status == 200
    for word in [*marks, *([] if described else INSIDE)]:
        if word in lower and word not in said:
            yield repr(word)


def _judge_error(request: Hostile, answer: Answer, found: Findings) -> None:
    if request.wire is not None and answer.header("x-sluice-call-id") is None:
        # What is no HTTP is answered by the HTTP server itself, in a few plain words.
        found.codes["(http server)"] += 1
        if answer.status not in {400, 403, 404, 426, 431} or len(answer.body) > 100:
            found.say(request, answer, "not the HTTP server's plain refusal")
        return
    try:
        body: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found.say(request, answer, "no JSON")
        return
    anthropic = request.method == "POST" and re.split("[?#]", request.path)[0] == MESSAGES
    outer = {"type", "error", "request_id"} if anthropic else {"error"}
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or set(body) - {"x_review"} != outer:
        found.say(request, answer, "not the endpoint's shape")
        return
    code, kind = error.get("code"), error.get("type")
    found.codes[f"{answer.status} {code}"] += 1
    if not isinstance(code, str) or not _CODE.fullmatch(code) or kind not in _TYPES:
        found.say(request, answer, f"code {code!r}, type {kind!r}")
    if not isinstance(error.get("message"), str) or not 10 < len(error["message"]) < 2000:
        found.say(request, answer, "no proper message")


async def send_wire(host: str, port: int, request: Hostile) -> Answer:
    """Send bytes as they are; a request that is cut ends with the client's end of file."""
    reader, writer = await asyncio.open_connection(host, port, limit=2**24)
    try:
        try:
            pieces = request.as_wire()
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if request.cut:
                writer.write_eof()
            raw = await reader.read()
        except ConnectionError:
            raw = b""
        return parsed(raw)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def parsed(raw: bytes) -> Answer:
    """Read one HTTP/1.1 answer whose connection was closed after it."""
    while raw.startswith(b"HTTP/1.1 1"):
        raw = raw.partition(b"\r\n\r\n")[2]
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        return Answer(0, [], raw)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
    if ("transfer-encoding", "chunked") in headers:
        whole = b""
        while body:
            size, _, rest = body.partition(b"\r\n")
            length = int(size, 16)
            whole, body = whole + rest[:length], rest[length + 2 :] if length else b""
        body = whole
    else:
        length = next((int(v) for n, v in headers if n == "content-length"), None)
        body = body if length is None else body[:length]
    return Answer(int(first.split()[1]), headers, body)


class Assault:
    """Many clients at once.

    Args:
        gateway: under attack.
        actors: of the play.
        seed: of every request.
    """

    def __init__(self, gateway: Gateway, actors: Actors, seed: int) -> None:
        self._gateway = gateway
        self._actors = actors
        self._make = Generator(seed, actors)
        self._url = httpx.URL(gateway.base_url)

    async def run(self, numbers: range) -> Findings:
        """Send these requests; gives what was found."""
        found = Findings()
        waiting = iter(numbers)
        await asyncio.gather(*(self._client(waiting, found) for _ in range(CLIENTS)))
        return found

    async def one(self, number: int) -> tuple[Hostile, Answer]:
        """Send one request, to look at it closely."""
        async with httpx.AsyncClient(timeout=ANSWER_LIMIT_S) as client:
            request = self._make(number)
            return request, await self._send(client, request)

    async def _client(self, waiting: Any, found: Findings) -> None:
        limits = httpx.Limits(keepalive_expiry=2.0)
        async with httpx.AsyncClient(timeout=ANSWER_LIMIT_S, limits=limits) as client:
            for number in waiting:
                request = self._make(number)
                began = time.monotonic()
                try:
                    async with asyncio.timeout(ANSWER_LIMIT_S):
                        answer = await self._send(client, request)
                except (TimeoutError, httpx.HTTPError) as error:
                    answer = Answer(0, [], repr(error).encode())
                    request.cut = False
                judge(request, answer, self._actors, found)
                found.slowest.append((time.monotonic() - began, number, request.kind))
                found.slowest = sorted(found.slowest, reverse=True)[:5]

    async def _send(self, client: httpx.AsyncClient, request: Hostile) -> Answer:
        clean = all(
            value == value.strip() and not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value)
            for _, value in request.headers
        )
        if request.wire is not None or not clean:
            request.wire = request.wire or request.as_wire()
            assert self._url.port is not None
            return await send_wire(self._url.host, self._url.port, request)
        url = self._gateway.base_url + request.path + ("?" + request.query if request.query else "")
        sent = await client.request(
            request.method, url, headers=request.headers, content=request.body
        )
        return Answer(sent.status_code, list(sent.headers.items()), sent.content)


def workers(gateway: Gateway) -> dict[int, str]:
    """The proxy's processes that serve: pid to start time, so that no reused pid deceives."""
    ready = orjson.loads((gateway.data_dir.parent / "ready.json").read_bytes())
    pids = [int(ready["pids"]["proxy"])]
    for pid in pids:  # grows while it is read
        pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return {
        pid: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] for pid in pids
    }


def resident_bytes(pids: dict[int, str]) -> dict[int, int]:
    """Resident memory of each of these processes."""
    found = {}
    for pid in pids:
        size = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        assert size is not None
        found[pid] = int(size[1]) * 1024
    return found

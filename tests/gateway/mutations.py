"""Requests nobody should send: one seeded generator for everything a hostile client may try.

Request `n` of a seed is always the same, so a failure names all that is needed to see it again.
"""

# ruff: noqa: E501 - tables, one case a line

import base64
import copy
import io
import json
import random
import struct
import wave
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from plugins.proxy.schema.chat import Chat
from plugins.proxy.schema.completions import Completions
from plugins.proxy.schema.embeddings import Embeddings
from plugins.proxy.schema.messages import Messages
from plugins.proxy.schema.moderations import Moderations
from plugins.proxy.schema.responses import Responses
from plugins.proxy.schema.speech import Speech
from tests.gateway.hostile_values import (
    CHAT,
    COMPLETIONS,
    CONTEXT_HEADERS,
    EDGES,
    EMBEDDINGS,
    HOST_ROUTES,
    HUGE,
    JSON_PATHS,
    MESSAGES,
    METHODS,
    MODERATIONS,
    ODD_TEXTS,
    RESPONSES,
    SPEECH,
    SPOOFED_HEADERS,
    STEERING,
    STEERING_HEADERS,
    TRANSCRIPTIONS,
    Json,
    bodies,
)

Rng = random.Random

_SCHEMAS: dict[str, type[msgspec.Struct]] = {
    CHAT: Chat,
    COMPLETIONS: Completions,
    EMBEDDINGS: Embeddings,
    RESPONSES: Responses,
    MESSAGES: Messages,
    MODERATIONS: Moderations,
    SPEECH: Speech,
}
_PATH_SHARES = [10, 2, 2, 5, 5, 1, 1]


@dataclass(frozen=True)
class Actors:
    """Who calls, and what they must never learn.

    Args:
        keys: `own` and `narrow` of one tenant; `admin`, `revoked`, `expired`, `suspended`.
        foreign_key: a good key of another tenant; never sent whole.
        foreign_tenant: that other tenant.
        foreign_call: a call of the other tenant.
        spare_tenant: may be suspended, has keys that may be revoked.
        spare_key_id: of a key that may be rotated.
    """

    keys: dict[str, str]
    foreign_key: str
    foreign_tenant: str
    foreign_call: str
    spare_tenant: str
    spare_key_id: str


@dataclass
class Hostile:
    """One request.

    Args:
        number: with the seed, all that made it.
        kind: what is wrong with it.
        canary: stands in its prompt; must come back in no error and in no log.
        wire: pieces for the socket when an HTTP client would not send such a thing.
        cut: the client stops writing, or goes away, before the request is whole.
        who: whose key it bears.
    """

    number: int
    kind: str
    canary: str
    method: str = "POST"
    path: str = CHAT
    query: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    wire: list[bytes] | None = None
    cut: bool = False
    who: str = "own"

    @property
    def said(self) -> str:
        """All that the client said itself, to tell an echo from a leak."""
        parts = [*(b": ".join(pair) for pair in self.headers), self.body, *(self.wire or ())]
        raw = b"\n".join([self.path.encode(errors="replace"), self.query.encode(), *parts])
        return raw.decode("utf-8", "replace").lower()

    def as_wire(self) -> list[bytes]:
        """The same as bytes, for a sender that has no opinion of its own."""
        if self.wire is not None:
            return self.wire
        target = self.path + ("?" + self.query if self.query else "")
        lines = [f"{self.method} {target} HTTP/1.1".encode("utf-8", "surrogateescape")]
        lines += [b"host: gateway", b"connection: close"]
        lines += [name + b": " + value for name, value in self.headers]
        lines += [b"content-length: %d" % len(self.body), b"", self.body]
        return [b"\r\n".join(lines)]


class Generator:
    """Makes hostile requests by number.

    Args:
        seed: of everything.
        actors: whose keys are used and misused.
    """

    def __init__(self, seed: int, actors: Actors) -> None:
        self._seed = seed
        self._actors = actors
        self._kinds: list[tuple[int, Callable[[Hostile, Rng], None]]] = [
            (34, self._structure),
            (6, self._edges),
            (10, self._broken_json),
            (2, self._size),
            (9, self._steering),
            (8, self._keys),
            (6, self._header_values),
            (8, self._routes),
            (9, self._own_routes),
            (5, self._multipart),
            (7, self._wire),
        ]

    def __call__(self, number: int) -> Hostile:
        rng = random.Random(f"{self._seed}:{number}")  # noqa: S311 - reproducible, not secret
        make = rng.choices([m for _, m in self._kinds], [w for w, _ in self._kinds])[0]
        made = Hostile(number, make.__name__.strip("_"), f"canary-{rng.getrandbits(64):016x}")
        made.headers = [(b"content-type", b"application/json")]
        make(made, rng)
        if made.wire is None and not any(n.lower() == b"authorization" for n, _ in made.headers):
            key = self._actors.keys.get(made.who)
            if key:
                made.headers.append((b"authorization", b"Bearer " + key.encode()))
        return made

    def _valid(self, made: Hostile, rng: Rng) -> Json:
        made.path = rng.choices(JSON_PATHS, _PATH_SHARES)[0]
        return copy.deepcopy(rng.choice(bodies(made.canary)[made.path]))

    # --- bodies ------------------------------------------------------------------------------

    def _structure(self, made: Hostile, rng: Rng) -> None:
        body = self._valid(made, rng)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            body, what = mutated(body, rng)
            made.kind += " " + what
        if rng.random() < 0.05:
            made.who = "narrow"
        made.body = encoded(body)

    def _edges(self, made: Hostile, rng: Rng) -> None:
        """Fields that every schema has, at the edges of what may pass: LiteLLM must bear them."""
        body = self._valid(made, rng)
        known = sorted(EDGES.keys() & set(_SCHEMAS[made.path].__struct_fields__))
        for name in rng.sample(known, min(rng.choice([1, 1, 2, 3]), len(known))):
            body[name] = rng.choice(EDGES[name])
            made.kind += f" {name}={str(body[name])[:20]!a}"
        made.body = encoded(body)

    def _broken_json(self, made: Hostile, rng: Rng) -> None:
        good = encoded(self._valid(made, rng))
        what, made.body = rng.choice(_BREAKS)(good, made.canary, rng)
        made.kind += " " + what

    def _size(self, made: Hostile, rng: Rng) -> None:
        body = self._valid(made, rng)
        text = f"hello {made.canary} "
        choice = rng.randrange(7)
        if choice == 0:
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text * 60_000}]}
            made.path = CHAT
        elif choice == 1:
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text * 100_000}]}
            made.path = CHAT
        elif choice == 2:
            body["messages"] = [{"role": "user", "content": made.canary}] * 5000
        elif choice == 3:
            body["metadata"] = {f"k{n}": "v" for n in range(50_000)}
        elif choice == 4:
            body["k" * 500_000] = 1
        elif choice == 5:
            body["input"] = [text] * rng.choice([2048, 2049, 50_000])
        else:
            body["tools"] = [[]] * 200_000
        made.kind += f" {choice}"
        made.body = encoded(body)

    def _steering(self, made: Hostile, rng: Rng) -> None:
        body = self._valid(made, rng)
        name, value = rng.choice(STEERING)
        where = rng.choice(["body", "body", "metadata", "header", "query", "spoof", "message"])
        foreign = self._actors.foreign_tenant
        if value == "other":
            value = foreign
        if where == "body":
            body[name] = value
        elif where == "metadata":
            body["metadata"] = {name: rng.choice([value, foreign, json.dumps(value)])}
        elif where == "header":
            header = rng.choice(STEERING_HEADERS)
            made.headers.append(
                (header.encode(), str(rng.choice([foreign, "0", "1", "{}"])).encode())
            )
        elif where == "query":
            made.query = f"{name}=1&api-version=2024&tenant_id={foreign}"
        elif where == "spoof":
            made.headers.append((rng.choice(SPOOFED_HEADERS).encode(), foreign.encode()))
            body["metadata"] = {"tenant_id": foreign, "team_id": foreign}
            body["user"] = foreign
        else:
            target = rng.choice(list(_objects(body)))
            target[name] = value
        made.kind += f" {where} {name if where in {'body', 'metadata', 'message'} else ''}"
        made.body = encoded(body)

    # --- who and where -----------------------------------------------------------------------

    def _keys(self, made: Hostile, rng: Rng) -> None:
        body = self._valid(made, rng)
        keys = self._actors.keys
        own = keys["own"]
        made.body = encoded(body)
        if rng.random() < 0.1:
            made.body = b" " * 1_000_000 + made.body
        name, value = rng.choice(
            [
                ("authorization", b"Bearer " + keys["admin"].encode()),
                ("authorization", b"Bearer " + keys["revoked"].encode()),
                ("authorization", b"Bearer " + keys["expired"].encode()),
                ("authorization", b"Bearer " + keys["suspended"].encode()),
                ("x-api-key", keys["revoked"].encode()),
                ("authorization", b"Bearer " + own[:-1].encode()),
                ("authorization", b"Bearer " + own.encode() + b"0"),
                ("authorization", b"Bearer " + own.swapcase().encode()),
                ("authorization", b"Bearer " + own[:14].encode() + self._actors.foreign_key[14:].encode()),
                ("authorization", b"Bearer sk-\xc3\xa9\xff\xfe" + own[3:].encode()),
                ("authorization", "Bearer sk-ключ".encode()),
                ("authorization", b"Bearer sk-" + "\uff11".encode() * 10 + own[13:].encode()),
                ("authorization", b"Bearer "),
                ("authorization", b"Bearer"),
                ("authorization", b""),
                ("authorization", b"Basic " + base64.b64encode(b"user:" + own.encode())),
                ("authorization", own.encode()),
                ("authorization", b"Bearer Bearer " + own.encode()),
                ("authorization", b"Bearer sk-sluice"),
                ("authorization", b"Bearer sk-1234"),
                ("authorization", b"Bearer null"),
                ("authorization", b"Bearer " + b"k" * 20_000),
                ("authorization", b"Bearer ' OR '1'='1"),
                ("authorization", b"Bearer " + b"sk-0000000000-" + b"0" * 38),
                ("api-key", own.encode()),
                ("x-goog-api-key", own.encode()),
                ("ocp-apim-subscription-key", own.encode()),
                ("cookie", b"token=" + own.encode()),
            ]
        )  # fmt: skip
        made.headers.append((name.encode(), value))
        made.who = "nobody"
        made.kind += f" {name} {value[:12]!r}"

    def _header_values(self, made: Hostile, rng: Rng) -> None:
        body = self._valid(made, rng)
        made.body = encoded(body)
        choice = rng.randrange(4)
        if choice == 0:
            kind = rng.choice(
                ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                 "multipart/form-data; boundary=x", "application/json; charset=utf-16",
                 "application/json; charset=nonsense", "application/xml", "*/*", ";;;", "é",
                 "application/octet-stream", "application/cbor", "text/event-stream"]
            )  # fmt: skip
            made.headers = [(b"content-type", kind.encode())]
            if rng.random() < 0.3:
                made.headers.append((b"content-type", b"application/json"))
            made.kind += f" content-type {kind}"
        elif choice == 1:
            name = rng.choice(CONTEXT_HEADERS)
            value = rng.choice(
                [b"", b" ", b"\x01\x02", b"a\tb", b"\x7f", b"\x1b[31m", b"\xff\xfe", "é".encode(),
                 "👍".encode(), b"x" * 257, b"x" * 256, b"x" * 8000, b"'; DROP TABLE ledger; --",
                 self._actors.foreign_call.encode()]
            )  # fmt: skip
            made.headers.append((name.encode(), value))
            made.headers += [(name.encode(), b"second")] if rng.random() < 0.2 else []
            made.kind += f" {name} {value[:12]!r}"
        elif choice == 2:
            name, value = rng.choice(
                [("accept", b"\xff"), ("accept", b"text/event-stream"), ("user-agent", b"\xff" * 900),
                 ("traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"),
                 ("traceparent", b"\xff"), ("tracestate", b"x" * 5000), ("tracestate", b"=,=,=,;"),
                 ("anthropic-version", b"1066-10-14"), ("anthropic-beta", b"x,y,z"),
                 ("content-encoding", b"gzip"), ("content-encoding", b"br"), ("expect", b"nonsense"),
                 ("host", b"evil.example"), ("x-forwarded-for", b"127.0.0.1"),
                 ("x-forwarded-proto", b"\xff"), ("x-original-url", b"/sluice/tenants"),
                 ("x-http-method-override", b"DELETE"), ("range", b"bytes=0-0"), ("trailer", b"x"),
                 ("origin", b"http://evil.example"), ("if-none-match", b"*")]
            )  # fmt: skip
            made.headers.append((name.encode(), value))
            made.kind += f" {name} {value[:12]!r}"
        else:
            made.headers += [
                (f"x-junk-{n}".encode(), b"v" * 50) for n in range(rng.choice([90, 500]))
            ]
            made.kind += " many"

    def _routes(self, made: Hostile, rng: Rng) -> None:
        made.method = rng.choice(METHODS)
        choice = rng.randrange(3)
        if choice == 0:
            made.path = rng.choice(HOST_ROUTES)
        elif choice == 1:
            made.path = rng.choice([*JSON_PATHS, TRANSCRIPTIONS, "/v1/models", "/health/readiness"])
        else:
            good = rng.choice([*JSON_PATHS, "/sluice/tenants", "/sluice/me", "/v1/models"])
            made.path = rng.choice(
                [good + "/", "/" + good, good + "//", "/sluice/.." + good, "/%2e%2e" + good,
                 good.replace("/", "%2f"), good.upper(), good + "%00", good + ";x=y", good + "/.",
                 "/./" + good, good + "%20", good + "?/../key/info", "/sluice/%2e%2e/key/generate",
                 "/sluice/../key/list", "/v1/../key/info", good + "%ff%fe", good + "%ed%a0%80",
                 good + "/" + "a" * 5000, "/sluice" , "/sluice/", "/sluice//tenants",
                 "/sluice/tenants/", "/health/readiness/../../key/info", "*", "http://evil/" + good,
                 good + "#frag", "/" + "../" * 50 + "etc/passwd", good + "\\..\\x"]
            )  # fmt: skip
            made.method = rng.choice(["GET", "POST", "POST", "HEAD"])
        made.who = rng.choice(["own", "own", "admin", "nobody"])
        if rng.random() < 0.6:
            made.body = encoded(copy.deepcopy(bodies(made.canary)[CHAT][0]))
        made.kind += f" {made.method} {made.path[:40]}"
        made.wire = self._bearing(made)

    def _bearing(self, made: Hostile) -> list[bytes]:
        """Straight to the socket: clients tidy paths and refuse methods."""
        key = self._actors.keys.get(made.who)
        if key:
            made.headers.append((b"authorization", b"Bearer " + key.encode()))
        return made.as_wire()

    def _own_routes(self, made: Hostile, rng: Rng) -> None:
        spare, key_id = self._actors.spare_tenant, self._actors.spare_key_id
        made.who = rng.choice(["admin", "admin", "admin", "own", "nobody"])
        odd = rng.choice([*ODD_TEXTS, self._actors.foreign_tenant, "0001-01-01", "9999-12-31"])
        method, path, body = rng.choice(
            [
                ("POST", "/sluice/tenants", {"tenant_id": f"h-{made.canary[7:]}", "name": "n"}),
                ("PATCH", f"/sluice/tenants/{spare}", {"active": True}),
                ("PATCH", f"/sluice/tenants/{quoted(odd)}-x", {"active": True}),
                ("POST", "/sluice/keys", {
                    "tenant_id": spare, "role": "tenant", "label": "l", "agents": ["matching"],
                    "models": ["gpt-4o"], "expires_at": "2999-01-01T00:00:00Z",
                }),
                ("POST", f"/sluice/keys/{key_id}/rotate", {"grace_s": 60}),
                ("POST", f"/sluice/keys/{quoted(odd)}/rotate", {"grace_s": 60}),
                ("POST", f"/sluice/keys/{quoted(odd)}/revoke", None),
                ("GET", f"/sluice/calls/{quoted(odd)}", None),
                ("GET", f"/sluice/calls/{self._actors.foreign_call}", None),
                ("GET", "/sluice/spend", None),
                ("GET", "/sluice/keys", None),
                ("GET", "/sluice/me", None),
                ("GET", "/sluice/openapi.json", None),
                ("GET", f"/sluice/{quoted(odd)}", None),
            ]
        )  # fmt: skip
        made.method, made.path = method, path
        if path == "/sluice/calls/" + self._actors.foreign_call:
            made.who = "own"
        if body is not None:
            if rng.random() < 0.7:
                body, what = mutated(body, rng)
                made.kind += " " + what
            made.body = encoded(body)
            if rng.random() < 0.25:
                what, made.body = rng.choice(_BREAKS)(made.body, made.canary, rng)
                made.kind += " " + what
            if rng.random() < 0.1:
                made.headers = [(b"content-type", rng.choice([b"text/plain", b"\xff", b""]))]
        if rng.random() < 0.5 or path == "/sluice/spend":
            name = rng.choice(["first", "last", "by", "tenant_id", "limit", "cursor", quoted(odd)])
            made.query = f"{name}={quoted(odd)}"
            if rng.random() < 0.3:
                made.query += rng.choice(
                    ["&" + made.query, "&by=day&by=day", "&first=2026-01-01&last=2025-01-01",
                     "&tenant_id=%00", "&tenant_id=%ff", "&first=2026-02-30", "&" * 300,
                     "&first=0001-01-01", "&last=9999-12-31", "&x=" + "y" * 9000]
                )  # fmt: skip
        made.kind += f" {method} {path[:30]} {made.query[:30]} as {made.who}"
        made.wire = self._bearing(made)

    # --- forms and the wire ------------------------------------------------------------------

    def _multipart(self, made: Hostile, rng: Rng) -> None:  # noqa: C901 - a list of cases
        made.path = TRANSCRIPTIONS
        fields: list[tuple[bytes, bytes, bytes | None]] = [
            (b"model", b"whisper-1", None),
            (b"prompt", made.canary.encode(), None),
            (b"file", _sound(rng), b"a.wav"),
        ]
        boundary = b"sluiceboundary"
        kind = b"multipart/form-data; boundary=" + boundary
        choice = rng.randrange(17)
        if choice == 0:
            fields.pop(rng.randrange(3))
        elif choice == 1:
            fields.append(rng.choice(fields))
        elif choice == 2:
            name, value = rng.choice(
                [(b"response_format", b"exe"), (b"temperature", b"NaN"), (b"temperature", b"1e999"),
                 (b"stream", b"true"), (b"language", b"\xff\xfe"), (b"api_base", b"http://x"),
                 (b"timestamp_granularities[]", b"word"), (b"metadata", b"{}"), (b"user", b"x"),
                 (b"chunking_strategy[type]", b"x"), (b"", b"x"), (b"\xff", b"x"), (b"model[]", b"x"),
                 (b"response_format", b"text"), (b"response_format", b"srt"), (b"temperature", b"0"),
                 (b"response_format", b"verbose_json"), (b"prompt\x00", b"x"), (b"a" * 9000, b"b")]
            )  # fmt: skip
            fields.append((name, value, None))
            made.kind += f" {name[:20]!r}={value!r}"
        elif choice == 3:
            fields += [(b"x%d" % n, b"y", None) for n in range(100)]
        elif choice == 4:
            fields[2] = (b"file", rng.randbytes(rng.choice([0, 1, 7, 40, 3000])), b"a.wav")
        elif choice == 5:
            fields[2] = (
                b"file",
                b"x",
                rng.choice([b"../../x.wav", b"\xff.wav", b"a\x00.wav", b"n" * 9000, b"x.exe", b""]),
            )
        elif choice == 6:
            fields.append((b"file2", b"x", b"b.wav"))
        elif choice == 7:
            kind = rng.choice(
                [b"multipart/form-data", b"multipart/form-data; boundary=", b"application/json",
                 b"multipart/form-data; boundary=other", b"multipart/mixed; boundary=" + boundary,
                 kind + b"; charset=nonsense", b"multipart/form-data; boundary=\xff",
                 b"multipart/form-data; boundary=" + b"b" * 300, kind + b"; boundary=x",
                 b'multipart/form-data; boundary="' + boundary, b"MULTIPART/FORM-DATA; boundary=" + boundary,
                 b"multipart/form-dataX; boundary=" + boundary]
            )  # fmt: skip
        elif choice == 8:
            fields[0] = (
                b"model",
                rng.choice([b"", b"\xff", b"nonsense", b"gpt-4o", b"x" * 9000]),
                None,
            )
        made.body = form(fields, boundary)
        if choice == 9:
            made.body = made.body[: rng.randrange(len(made.body))]
        elif choice == 10:
            made.body = _flipped(made.body, rng)
        elif choice == 11:
            made.body = b"\r\n" * 200_000 + made.body
        elif choice == 12:
            made.body = (
                b"--" + boundary + b"\r\n" + b"X-Header: y\r\n" * 5000 + b"\r\nx\r\n" + made.body
            )
        elif choice == 13:
            made.body = b""
        elif choice == 14:
            made.body = made.body.replace(b"form-data", b"attachment", 1)
        elif choice == 15 and rng.random() < 0.2:
            made.body = form([*fields[:2], (b"file", bytes(27_000_000), b"a.wav")], boundary)
        made.headers = [(b"content-type", kind)]
        made.kind += f" {choice} {kind[:60]!r}" if choice == 7 else f" {choice}"

    def _wire(self, made: Hostile, rng: Rng) -> None:
        body = encoded(self._valid(made, rng))
        key = b"authorization: Bearer " + self._actors.keys["own"].encode()
        start = b"POST " + made.path.encode() + b" HTTP/1.1"
        usual = [b"host: gateway", b"connection: close", b"content-type: application/json", key]
        length = b"content-length: %d" % len(body)

        def request(*lines: bytes, line: bytes = start, after: bytes = body) -> bytes:
            return b"\r\n".join([line, *usual, *lines, b"", after])

        chunked = b"transfer-encoding: chunked"
        chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i : i + 1]) for i in range(len(body)))
        whole = request(length)
        choice = rng.randrange(30)
        options: list[Callable[[], list[bytes]]] = [
            lambda: [request(b"content-length: %d" % (len(body) + 10))],
            lambda: [request(b"content-length: %d" % max(len(body) - 9, 0))],
            lambda: [request(b"content-length: -5")],
            lambda: [request(b"content-length: abc")],
            lambda: [request(b"content-length: " + b"9" * rng.choice([12, 18, 25, 5000]))],
            lambda: [request(length, b"content-length: 3")],
            lambda: [request(length, chunked)],
            lambda: [request(chunked, after=chunks + b"0\r\n\r\n")],
            lambda: [request(chunked, after=chunks)],
            lambda: [request(chunked, after=b"zz\r\n" + body)],
            lambda: [request(chunked, after=b"ffffffffffffffffff\r\n" + body)],
            lambda: [request(chunked, after=b"5;" + b"x" * 9000 + b"\r\nhello\r\n0\r\n\r\n")],
            lambda: [request(b"transfer-encoding: gzip, chunked", after=chunks + b"0\r\n\r\n")],
            lambda: [request(b"transfer-encoding: nonsense", length)],
            lambda: [bytes([byte]) for byte in whole],
            lambda: [whole[: rng.randrange(len(whole))]],
            lambda: [request(length, line=b"POST " + made.path.encode() + b" HTTP/9.9")],
            lambda: [request(length, line=b"POST " + made.path.encode())],
            lambda: [request(length, line=b"PO\x00ST / HTTP/1.1")],
            lambda: [request(length, line=b"POST /\xff\xfe HTTP/1.1")],
            lambda: [request(length, line=b"POST /" + b"a" * 70_000 + b" HTTP/1.1")],
            lambda: [request(b"x-sluice-subject: a\x00b", length)],
            lambda: [request(b"x-sluice-subject: a\rb\r\n c", length)],
            lambda: [request(b"x-big: " + b"v" * 200_000, length)],
            lambda: [request(*(b"x-%d: v" % n for n in range(20_000)), length)],
            lambda: [rng.randbytes(rng.choice([1, 50, 5000]))],
            lambda: [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)],
            lambda: [request(b"upgrade: websocket", b"sec-websocket-version: 13",
                             b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", after=b"",
                             line=start.replace(b"POST", b"GET")).replace(b"connection: close", b"connection: upgrade")],
            lambda: [request(length).replace(b"\r\n", b"\n")],
            lambda: [request(b"expect: 100-continue", length)],
        ]  # fmt: skip
        made.wire = options[choice]()
        made.cut = choice in {0, 4, 8, 9, 10, 12, 15, 17, 25, 26}
        made.kind += f" {choice}"


def encoded(value: Json) -> bytes:
    """As JSON; now and then Python's own NaN and unescaped text, as careless clients send them."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))[:6000]


def form(fields: list[tuple[bytes, bytes, bytes | None]], boundary: bytes) -> bytes:
    out = b""
    for name, value, file in fields:
        out += b"--" + boundary + b'\r\ncontent-disposition: form-data; name="' + name + b'"'
        if file is not None:
            out += b'; filename="' + file + b'"\r\ncontent-type: audio/wav'
        out += b"\r\n\r\n" + value + b"\r\n"
    return out + b"--" + boundary + b"--\r\n"


def _sound(rng: Rng) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    made = bytearray(file.getvalue())
    if rng.random() < 0.4:  # a header that lies
        at = rng.choice([4, 16, 20, 22, 24, 28, 32, 34, 40])
        struct.pack_into("<H", made, at, rng.choice([0, 1, 0xFFFF, 0x7FFF]))
    return bytes(made)


# --- structure -----------------------------------------------------------------------------------


def _objects(value: Json) -> list[dict[str, Json]]:
    found = []
    if isinstance(value, dict):
        found.append(value)
        for inner in value.values():
            found += _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            found += _objects(inner)
    return found


def _places(value: Json) -> list[tuple[Json, Json]]:
    """Every container with a key or index in it."""
    found: list[tuple[Json, Json]] = []
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in pairs:
        found.append((value, key))
        found += _places(inner)
    return found


def _nested(rng: Rng, value: Json) -> Json:
    for _ in range(rng.choice([1, 2, 33, 200])):
        value = rng.choice([[value], {"type": value}, {"content": value}])
    return value


def strange(rng: Rng) -> Json:
    """A value that is of no use where it stands."""
    return rng.choice(
        [None, True, False, [], {}, [[]], [{}], [None], {"": None}, {"type": "text"},
         {"type": "nonsense"}, float("nan"), float("inf"), -float("inf"), rng.choice(HUGE),
         rng.choice(HUGE), rng.choice(ODD_TEXTS), rng.choice(ODD_TEXTS), rng.choice(ODD_TEXTS),
         "\ud800", [1, "a", None], {"a": {"b": {"c": []}}}, "a" * 40_000, list(range(300))]
    )  # fmt: skip


def mutated(body: Json, rng: Rng) -> tuple[Json, str]:  # noqa: C901 - a list of cases
    """Change one thing anywhere in a body; gives the body and what was done."""
    places = _places(body)
    if not places:
        return strange(rng), "replaced"
    container, key = rng.choice(places)
    what = rng.choice(
        ["drop", "retype", "retype", "retype", "rename", "nest", "repeat", "add", "root"]
    )
    if what == "drop":
        del container[key]
    elif what == "retype":
        container[key] = strange(rng)
    elif what == "rename" and isinstance(container, dict):
        new = rng.choice([key + "s", key.upper(), "", rng.choice(ODD_TEXTS), "__proto__", "\ud800"])
        container[new] = container.pop(key)
    elif what == "nest":
        container[key] = _nested(rng, container[key])
    elif what == "repeat" and isinstance(container, list):
        container.extend([copy.deepcopy(container[key])] * rng.choice([1, 200, 3000]))
    elif what == "add" and isinstance(container, dict):
        container[
            rng.choice([*ODD_TEXTS, "logprobs", "n", "audio", "modalities", "store", "name"])
        ] = strange(rng)
    elif what == "root" and rng.random() < 0.3:
        return rng.choice([[body], strange(rng), json.dumps(body, default=str)]), what
    else:
        container[key] = rng.choice(ODD_TEXTS) if isinstance(container[key], str) else strange(rng)
    return body, f"{what} {str(key)[:20]!a}"


# --- bytes ---------------------------------------------------------------------------------------

Break = Callable[[bytes, str, Rng], tuple[str, bytes]]


def _flipped(raw: bytes, rng: Rng) -> bytes:
    out = bytearray(raw)
    for _ in range(rng.choice([1, 3, 20])):
        out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def _at(raw: bytes, rng: Rng, what: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + what + raw[at:]


def _in_text(raw: bytes, canary: str, what: bytes) -> bytes:
    return raw.replace(canary.encode(), canary.encode() + what)


_BREAKS: list[Break] = [
    lambda raw, _, rng: ("truncated", raw[: rng.randrange(len(raw))]),
    lambda raw, _, rng: ("flipped", _flipped(raw, rng)),
    lambda raw, _, rng: ("inserted", _at(raw, rng, rng.randbytes(rng.choice([1, 4, 40])))),
    lambda raw, c, rng: (
        "utf-8",
        _in_text(raw, c, rng.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])),
    ),
    lambda raw, c, rng: (
        "escape",
        _in_text(raw, c, rng.choice([b"\\ud800", b"\\udc00\\ud800", b"\\u0000", b"\\uZZZZ", b"\\x41", b"\\", b"\x00", b"\x1f", b"\n"])),
    ),
    lambda raw, _, rng: (
        "number",
        raw[:-1] + b',"temperature":' + rng.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x10", b"01", b"1.", b"+1", b"9" * 5000, b"1e-99999", b"--1"]) + b"}",
    ),
    lambda raw, _, __: ("bom", b"\xef\xbb\xbf" + raw),
    lambda raw, _, rng: ("encoding", raw.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-32", "utf-16-be", "utf-7"]), "replace")),
    lambda raw, _, __: ("single quotes", raw.replace(b'"', b"'")),
    lambda raw, _, __: ("comma", raw[:-1] + b",}"),
    lambda raw, _, __: ("comment", b"/* x */" + raw),
    lambda raw, _, __: ("two documents", raw + raw),
    lambda raw, _, __: ("repeated keys", raw[:-1] + b"," + raw[1:]),
    lambda raw, _, rng: ("repeated model", raw[:-1] + b',"model":' + rng.choice([b"1", b'"gpt-4o"', b"null", b'"x"']) + b"}"),
    lambda raw, _, rng: ("deep", raw[:-1] + b',"tools":' + b"[" * (n := rng.choice([40, 1000, 90_000, 300_000])) + b"]" * n + b"}"),
    lambda raw, _, rng: ("deep objects", raw[:-1] + b',"x":' + b'{"a":' * (n := rng.choice([40, 900, 50_000])) + b"1" + b"}" * n + b"}"),
    lambda raw, _, rng: ("nothing", rng.choice([b"", b" ", b"\n" * 1000, b"\x00", b"null", b"0", b"[]", b'""', b"{}", b"true"])),
    lambda raw, _, rng: ("noise", rng.randbytes(rng.choice([1, 100, 100_000]))),
    lambda raw, _, __: ("form", b"model=gpt-4o&messages=hello"),
    lambda raw, _, rng: ("many keys", raw[:-1] + b"".join(b',"k%d":1' % n for n in range(rng.choice([10, 20_000]))) + b"}"),
]  # fmt: skip

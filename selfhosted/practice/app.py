"""The ASGI application: finds provider and handler, plays the reply, applies the faults."""

import asyncio
import logging
from collections.abc import Sequence
from typing import cast

import msgspec

from selfhosted.practice.admin import Admin
from selfhosted.practice.asgi import ClientGoneError, Receive, Scope, Send
from selfhosted.practice.faults import NO_FAULT, Plan
from selfhosted.practice.http1 import Connection
from selfhosted.practice.journal import Seen
from selfhosted.practice.state import State
from selfhosted.practice.wire import Call, Headers, Provider, Refused, Reply, Stream, Whole

ABORTED = 499
_log = logging.getLogger(__name__)
_HEALTH = Whole(b'{"status":"ok"}')


class _ModelOnly(msgspec.Struct):
    model: str | None = None


_model_decoder = msgspec.json.Decoder(_ModelOnly)


class Practice:
    """All practice providers behind one ASGI callable.

    Args:
        providers: the wire protocols.
        state: faults, journal and prefixes; lives as long as the server.
        chunk_delay_s: pause after each chunk of a stream, seconds.
    """

    def __init__(
        self, providers: Sequence[Provider], state: State, *, chunk_delay_s: float = 0.0
    ) -> None:
        self._providers = {p.name: p for p in providers}
        self._state = state
        self._admin = Admin(state)
        self._chunk_delay_s = chunk_delay_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"]
        name, slash, rest = path[1:].partition("/")
        provider = self._providers.get(name)
        if provider is not None:
            await self._provide(provider, slash + rest, scope, receive, send)
        elif name == "_practice":
            body = await _body(receive)
            await _send_whole(send, await self._admin.answer(scope, rest, body))
        elif path == "/health":
            await _send_whole(send, _HEALTH)
        else:
            known = ", ".join(f"/{p}" for p in self._providers)
            text = f'{{"error":"no such path; providers are under {known}"}}'
            await _send_whole(send, Whole(text.encode(), 404))

    async def _provide(
        self, provider: Provider, path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        state = self._state
        trace = headers.get(b"traceparent")
        method: str = scope["method"]
        seen = state.journal.open(
            provider.name, method, path, trace.decode("latin-1") if trace else None
        )
        try:
            call = Call(
                provider.name,
                method,
                path,
                scope["query_string"],
                headers,
                await _body(receive),
                NO_FAULT,
                state,
                seen.seq,
                int(seen.time),
            )
            call.plan = self._plan(call)
            seen.faults = call.plan.fired
            reply = self._reply(provider, call)
            seen.model, seen.stream, seen.body_hash = call.model, call.stream, call.digest
            await self._play(_Line(scope, receive, send, seen), call, reply)
        except (ClientGoneError, asyncio.CancelledError):
            seen.aborted = True
            seen.status = seen.status or ABORTED
            raise
        finally:
            state.journal.close(seen)

    def _plan(self, call: Call) -> Plan:
        programme = self._state.programmes.get(call.provider)
        if not programme:
            return NO_FAULT
        model = None
        if programme.needs_model:
            try:
                model = _model_decoder.decode(call.body).model
            except (msgspec.DecodeError, UnicodeDecodeError):
                model = None
        return programme.plan(call.path, model)

    def _reply(self, provider: Provider, call: Call) -> Reply:
        try:
            return _handle(provider, call)
        except Refused as fault:
            return provider.refuse(fault)
        except Exception:  # noqa: BLE001  # a defect here must look like one of the provider's
            _log.exception("no answer to %s %s of %s", call.method, call.path, provider.name)
            return provider.refuse(Refused(500, "The practice provider failed; see its log."))

    async def _play(self, line: "_Line", call: Call, reply: Reply) -> None:
        plan = call.plan
        if plan.wait_s:
            await line.pause(plan.wait_s)
        if plan.cut is not None:
            line.reset()
            return
        request_id = ((b"x-request-id", call.make_id("req_").encode()),)
        if isinstance(reply, Whole):
            if plan.malformed is not None and reply.status < 400:
                reply.body = reply.body[: len(reply.body) // 2]
            line.seen.status = reply.status
            await _send_whole(line.send, reply, request_id)
        else:
            line.seen.status = 200
            await self._play_stream(line, plan, reply, request_id)

    async def _play_stream(self, line: "_Line", plan: Plan, reply: Stream, extra: Headers) -> None:
        await line.send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": (*reply.headers, (b"cache-control", b"no-cache"), *extra),
            }
        )
        await line.write(b"".join(reply.head))
        delay = self._chunk_delay_s
        for i, chunk in enumerate(reply.chunks):
            if plan.fired and not await _hit(line, plan, i):
                return
            broken = plan.malformed is not None and plan.malformed.after_chunks == i
            await line.write(b'data: {"broken": \n\n' if broken else chunk)
            await asyncio.sleep(delay)
        if plan.fired and not await _hit(line, plan, len(reply.chunks), end=True):
            return
        await line.write(b"".join(reply.tail), more=False)


def _handle(provider: Provider, call: Call) -> Reply:
    if not provider.authorised(call):
        raise provider.key_missing
    fault = call.plan.status
    if fault is not None:
        text = fault.message or f"Practice fault: the provider answers {fault.status}."
        reply = provider.refuse(Refused(fault.status, text))
        if fault.retry_after_s is not None:
            reply.headers = (*reply.headers, (b"retry-after", b"%g" % fault.retry_after_s))
        return reply
    handler = provider.route(call.method, call.path)
    if handler is None:
        raise Refused(404, f"Invalid URL ({call.method} {call.path})")
    return handler(call)


async def _hit(line: "_Line", plan: Plan, sent: int, *, end: bool = False) -> bool:
    """Apply stream faults after `sent` chunks; tell whether the stream goes on.

    At the end of the chunks, a fault meant for a later chunk applies too: a stream shorter than
    expected still stalls and still ends without its end.
    """
    stall, cut = plan.stream_stall, plan.stream_cut
    if stall is not None and (stall.after_chunks == sent or (end and stall.after_chunks > sent)):
        await line.pause(stall.for_s)
    if cut is not None and (cut.after_chunks == sent or (end and cut.after_chunks > sent)):
        line.hang_up()
        return False
    return True


class _Line:
    """The way back to one client."""

    __slots__ = ("_receive", "_scope", "seen", "send")

    def __init__(self, scope: Scope, receive: Receive, send: Send, seen: Seen) -> None:
        self._scope = scope
        self._receive = receive
        self.send = send
        self.seen = seen

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Send a part of the body."""
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def pause(self, seconds: float) -> None:
        """Wait, unless the client leaves first.

        Raises:
            ClientGoneError: when it does.
        """
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return
        raise ClientGoneError("the client left while it was kept waiting")

    def reset(self) -> None:
        """Reset the connection."""
        self._connection.reset()

    def hang_up(self) -> None:
        """Close the connection without completing the answer."""
        self._connection.hang_up()

    @property
    def _connection(self) -> Connection:
        return cast("Connection", self._scope["extensions"]["practice.connection"])


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError("the client left before its request was complete")
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _send_whole(send: Send, reply: Whole, extra: Headers = ()) -> None:
    headers = (*reply.headers, *extra)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})

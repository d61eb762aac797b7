"""The door: an ASGI wrap around LiteLLM's application that every request passes first.

It knows three kinds of paths: model calls, which it authenticates, validates, admits, hands to
LiteLLM and settles; the gateway's own routes; and all others of LiteLLM's, which stay shut for
everybody, whatever LiteLLM itself would say.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from plugins.agents.rules import Catalogue
from plugins.core.agent import TimeLimits
from plugins.core.call import Call, Endpoint, Step
from plugins.core.clock import Clock
from plugins.core.errors import Forbidden, GatewayError, InvalidRequest, Unavailable
from plugins.core.identifiers import new_call_id
from plugins.core.source import sources_of
from plugins.core.tenant import Principal, Role
from plugins.core.trace import trace_of
from plugins.policy import Limits
from plugins.proxy import calls
from plugins.proxy.delivery import Delivery, EndAttempt, Message, Send
from plugins.proxy.endpoints import HEALTH, MODEL_LISTS, MODEL_PATHS
from plugins.proxy.entering import enter, recall
from plugins.proxy.forms import parse_transcription
from plugins.proxy.guardrails import Serving
from plugins.proxy.inbound import (
    anthropic_version_of,
    cache_control_of,
    closes,
    context_of,
    discard_body,
    read_body,
    token_of,
)
from plugins.proxy.metrics_page import METRICS_PATH
from plugins.proxy.outbound import Outbound
from plugins.proxy.refusals import Reply, refuse
from plugins.proxy.schema import BodyLimits, parse_body
from plugins.proxy.settling import observe_all
from plugins.proxy.streams import asks_for_usage
from plugins.proxy.tiers import App, Presence, Receive, Replay, Scope, Tiers
from plugins.tenancy.rules import unknown_key
from plugins.tenancy.store import KeyDirectory
from plugins.web.pages import CONSOLE

OWN_PREFIX: Final = "/sluice/"
PRINCIPAL_KEY: Final = "sluice.principal"
CALL_ID_KEY: Final = "sluice.call_id"
_DEFAULT_MODELS: Final = {Endpoint.MODERATIONS: "omni-moderation-latest"}
"""What a client gets that names no model, where the provider's API allows that."""
_CHAT_STREAMS: Final = frozenset({Endpoint.CHAT, Endpoint.COMPLETIONS})

_log: Final = logging.getLogger("sluice.door")


class Door:
    """Stands before LiteLLM's application.

    Args:
        host: LiteLLM's application.
        own: the gateway's own routes, under `/sluice/`.
        metrics: serves `GET /metrics`, and decides who may.
        directory: tells who holds a key.
        catalogue: names for `/v1/models`.
        serving: gives the stages that serve a request, by its body.
        end_attempt: closes the attempt that runs.
        limits: bounds of a request.
        time_limits: of calls that name a plain model.
        refused: hears the code of each refusal of a request that never became a call.
        clock: wall and monotonic time.
    """

    def __init__(
        self,
        *,
        host: App,
        own: App,
        metrics: App,
        directory: KeyDirectory,
        catalogue: Catalogue,
        serving: Callable[[Mapping[str, Any]], Serving],
        end_attempt: EndAttempt,
        limits: Limits,
        time_limits: TimeLimits,
        refused: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._host: Final = host
        self._own: Final = own
        self._metrics: Final = metrics
        self._directory: Final = directory
        self._catalogue: Final = catalogue
        self._serving: Final = serving
        self._end_attempt: Final = end_attempt
        self._time_limits: Final = time_limits
        self._refused: Final = refused
        self._limits: Final = limits
        self._body_limits: Final = BodyLimits(max_bytes=limits.body_bytes)
        self._clock: Final = clock
        self._tasks: Final[set[asyncio.Task[Any]]] = set()
        self.ready = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            # No model endpoint of ours speaks it; LiteLLM's would bypass the ledger.
            await send({"type": "websocket.close", "code": 1008, "reason": "not served"})
        else:
            await self._host(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        endpoint = MODEL_PATHS.get(path) if scope["method"] == "POST" else None
        call_id = new_call_id()
        line = _Line(receive, send)
        try:
            await self._route(path, endpoint, call_id, scope, line.receive, line.send)
        except GatewayError as error:
            await self._turn_away(error, endpoint, call_id, scope, line)
        except Exception:
            if line.answering:
                raise
            _log.exception("request %s failed inside the gateway", call_id)
            await self._turn_away(_failed(), endpoint, call_id, scope, line)

    async def _route(
        self,
        path: str,
        endpoint: Endpoint | None,
        call_id: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        if endpoint is not None:
            await self._serve_call(endpoint, call_id, scope, receive, send)
        elif path in HEALTH:
            await self._say_health(send, path)
        elif path.startswith(OWN_PREFIX):
            await self._serve_own(call_id, scope, receive, send)
        elif path == METRICS_PATH and scope["method"] == "GET":
            await self._metrics(scope, receive, send)
        elif path in MODEL_LISTS and scope["method"] == "GET":
            await self._list_models(await self._principal(scope), send)
        else:
            await self._principal(scope)
            raise Forbidden(
                f"this gateway does not open {scope['method']} {path[:128]!r}; it serves"
                " models under /v1 and its own routes under /sluice",
                code="route_not_allowed",
            )

    async def _principal(self, scope: Scope) -> Principal:
        token = token_of(scope["headers"])
        verdict = unknown_key() if not token else await self._directory.authenticate(token)
        if isinstance(verdict, GatewayError):
            raise verdict
        return verdict

    async def _serve_call(
        self, endpoint: Endpoint, call_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        arrived_s = self._clock.monotonic_s()
        principal = await self._principal(scope)
        known_s = self._clock.monotonic_s()
        if principal.role is not Role.TENANT:
            raise Forbidden(
                f"this key is of role {principal.role.value!r} and calls no models; use a tenant's",
                code="tenant_key_required",
            )
        raw, body = await self._body(endpoint, scope, receive)
        if raw is None:
            return
        call = self._call(endpoint, call_id, principal, scope, body)
        call.arrived_s = arrived_s
        call.steps += (
            Step("auth", "", arrived_s, known_s),
            Step("read", "", known_s, call.started_s),
        )
        hide_usage = call.stream and endpoint in _CHAT_STREAMS and not asks_for_usage(body)
        serving = self._serving(call.body)
        rota = serving.rota
        delivery = Delivery(call, send, rota, self._end_attempt, hide_usage=hide_usage)
        try:
            refusal = await enter(call, rota)
            if refusal is not None:
                await delivery.refuse(refusal)
            elif (recalled := await recall(call, rota)) is not None:
                await delivery.recall(recalled)
            else:
                form = raw if endpoint is Endpoint.TRANSCRIPTIONS else None
                outbound = Outbound(call, form, rota.shape, ask_usage=hide_usage)
                call.time_limits = (call.agent and call.agent.time_limits) or self._time_limits
                tiers = Tiers(self._host, call, delivery, outbound, serving.stages)
                await self._carry(call, delivery, tiers, scope, receive)
        except Exception:
            if delivery.settled:
                raise
            # A stage failed before a provider was asked: the call has its row all the same.
            _log.exception("call %s failed inside the gateway", call.id)
            await delivery.fail(_failed())
        finally:
            call.closed_s = self._clock.monotonic_s()
            self._background(observe_all(call, rota.observe))

    async def _carry(
        self, call: Call, delivery: Delivery, tiers: Tiers, scope: Scope, receive: Receive
    ) -> None:
        """Let the tiers answer; whatever happens, the call is settled once."""
        calls.enter(call)
        presence = Presence(receive, delivery)
        work: asyncio.Task[Any] = asyncio.current_task()  # pyright: ignore[reportAssignmentType]
        watching = self._background(presence.watch(work))
        try:
            await tiers.run(scope, presence)
        except asyncio.CancelledError:
            # The client went away, or the worker stops: the row is written all the same.
            await asyncio.shield(self._background(delivery.abandon()))
            if not presence.left:
                raise
        finally:
            if presence.left:
                work.uncancel()
            watching.cancel()
            calls.leave(call)

    async def _body(
        self, endpoint: Endpoint, scope: Scope, receive: Receive
    ) -> tuple[bytes | None, dict[str, Any]]:
        headers = scope["headers"]
        if endpoint is Endpoint.TRANSCRIPTIONS:
            raw = await read_body(receive, headers, self._limits.audio_bytes)
            return raw, {} if raw is None else await parse_transcription(raw, headers)
        raw = await read_body(receive, headers, self._limits.body_bytes)
        return raw, {} if raw is None else parse_body(endpoint, raw, self._body_limits)

    def _call(
        self,
        endpoint: Endpoint,
        call_id: str,
        principal: Principal,
        scope: Scope,
        body: dict[str, Any],
    ) -> Call:
        model = body.setdefault("model", _DEFAULT_MODELS.get(endpoint))
        if not isinstance(model, str):
            raise InvalidRequest(
                "`model` is missing; name an agent or a model (`GET /v1/models` lists them)",
                param="model",
                code="missing_parameter",
            )
        notes = {"audio_s": body.pop("_audio_s")} if "_audio_s" in body else {}
        version = anthropic_version_of(scope["headers"]) if endpoint is Endpoint.MESSAGES else None
        context = context_of(scope["headers"], body.get("metadata"))
        return Call(
            id=call_id,
            endpoint=endpoint,
            principal=principal,
            model_asked=model,
            body=body,
            started_at=self._clock.now(),
            started_s=self._clock.monotonic_s(),
            stream=body.get("stream") is True,
            context=context,
            trace=trace_of(call_id, context.traceparent),
            cache_control=cache_control_of(scope["headers"]),
            variants={"anthropic-version": version} if version else {},
            sources=sources_of(body),
            notes=notes,
        )

    async def _serve_own(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        # A browser shows a session's cookie instead of a key: the console's pages ask for it.
        if not scope["path"].startswith(CONSOLE):
            scope[PRINCIPAL_KEY] = await self._principal(scope)
        scope[CALL_ID_KEY] = call_id
        raw = await read_body(receive, scope["headers"], self._limits.body_bytes)
        if raw is not None:
            await self._own(scope, Replay(raw, receive), send)

    async def _turn_away(
        self,
        error: GatewayError,
        endpoint: Endpoint | None,
        call_id: str,
        scope: Scope,
        line: "_Line",
    ) -> None:
        self._refused(error.code)
        await self._reply(refuse(error, endpoint, call_id), scope, line)

    async def _reply(self, reply: Reply, scope: Scope, line: "_Line") -> None:
        start = {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
        await line.send(start)
        await line.send({"type": "http.response.body", "body": reply.body, "more_body": True})
        if not line.heard and closes(scope):
            await discard_body(line.receive, self._limits.audio_bytes)
        await line.send({"type": "http.response.body", "body": b""})

    async def _list_models(self, principal: Principal, send: Send) -> None:
        names = self._catalogue.visible_to(principal)
        entries = [
            {"id": name, "object": "model", "created": 0, "owned_by": "sluice"} for name in names
        ]
        await _send_json(send, 200, {"object": "list", "data": entries})

    async def _say_health(self, send: Send, path: str) -> None:
        ready = self.ready or path != "/health/readiness"
        status = "ready" if ready else "starting"
        await _send_json(send, 200 if ready else Unavailable.status, {"status": status})

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)

    def _background(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task


class _Line:
    """A client's two channels, and how far each has come."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive: Final = receive
        self._send: Final = send
        self.heard = False
        """All has been read that the client sends."""
        self.answering = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.heard = self.heard or not message.get("more_body")
        return message

    async def send(self, message: Message) -> None:
        self.answering = True
        await self._send(message)


def _failed() -> GatewayError:
    return GatewayError("the gateway failed at this request; it is logged by its id")


async def _send_json(send: Send, status: int, answer: dict[str, Any]) -> None:
    body = orjson.dumps(answer)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

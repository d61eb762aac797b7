"""Between LiteLLM and the client: reads the answer along, settles the call, then lets the end go.

Nothing that tells a client "this is the whole answer" leaves before the ledger row is durable:
whole answers wait altogether, streams wait with their last frame.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, Final

from plugins.core.call import Call, Endpoint, Outcome, Usage, UsageSource
from plugins.core.errors import GatewayError, ProviderFailed
from plugins.core.money import printed_usd
from plugins.core.stage import Phase, Stage, implements
from plugins.proxy.answers import heard_seconds, seconds, text_of, usage_of
from plugins.proxy.counting import counted
from plugins.proxy.host_errors import read_host_error
from plugins.proxy.refusals import error_frame, refuse
from plugins.proxy.streams import StreamFollower, json_or_none

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
EndAttempt = Callable[[Call, str | None, object], Awaitable[None]]

_log: Final = logging.getLogger("sluice.door")
_OK: Final = 200
_FIRST_ERROR: Final = 400
_CLIENT_LEFT: Final = 499
"""LiteLLM's answer when the client is gone, and ours in the ledger; no standard has a number."""
USAGE_BY_HOST: Final = "usage_by_host"
"""Note on a call whose stream's usage LiteLLM has counted itself, since the provider gave none."""
_GENERATIVE: Final = frozenset(
    {Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES}
)


class AnswerEnded(OSError):  # noqa: N818 - an end, not an error
    """The answer was ended early, by a refusal or an error; nothing more of it is wanted."""


class Delivery:
    """One call's way back to its client; stands in for ASGI's `send`.

    Args:
        call: what is answered.
        send: the client's.
        stages: all that are on, in order.
        end_attempt: closes the attempt that succeeded.
        hide_usage: the client did not ask for the closing usage chunk of its stream.
    """

    def __init__(
        self,
        call: Call,
        send: Send,
        stages: Sequence[Stage],
        end_attempt: EndAttempt,
        *,
        hide_usage: bool,
    ) -> None:
        self._call: Final = call
        self._send: Final = send
        self._settlers: Final = [s for s in stages if implements(s, Phase.SETTLE)]
        self._judges: Final = [s for s in stages if implements(s, Phase.CHECK_OUTPUT)]
        self._readers: Final = [s for s in stages if implements(s, Phase.CHECK_CHUNK)]
        self._end_attempt: Final = end_attempt
        self._follower: Final = StreamFollower(call.endpoint, hide_usage=hide_usage)
        self._start: Message = {}
        self._body: list[bytes] = []
        self._held: list[bytes] = []
        self._streaming = False
        self._settling: asyncio.Task[GatewayError | None] | None = None
        self.settled = False
        self.finished = False

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message of LiteLLM's answer.

        Raises:
            AnswerEnded: when the client was given the end of the answer already: LiteLLM then lets
                go of the provider's stream, as it does when a client goes away.
        """
        if self.finished:
            if message.get("more_body"):
                raise AnswerEnded
            return
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            body: bytes = message.get("body", b"")
            more = bool(message.get("more_body"))
            if self._streaming:
                await self._stream(body, more=more)
            else:
                self._body.append(body)
                if not more:
                    await self._whole(b"".join(self._body))

    async def refuse(self, error: GatewayError) -> None:
        """Answer with a refusal in place of what LiteLLM would have said."""
        self._call.outcome = Outcome.REFUSED
        await self._fail(error)

    async def abandon(self) -> None:
        """Settle a call whose client went away, or whose answer never came to an end."""
        call = self._call
        if self.settled:
            return
        call.outcome = Outcome.DISCONNECTED
        call.error_class = "ClientDisconnected"
        if call.attempts:
            # What was sent is charged, also when nothing came back before the client left.
            call.deployment = call.deployment or _last_deployment(call)
            call.usage = await self._stream_usage()
        await self._end_attempt(call, call.error_class, _CLIENT_LEFT)
        await self._settle(_CLIENT_LEFT)

    async def break_off(self, error_class: str) -> None:
        """End an answer that LiteLLM left without one."""
        if self.finished:
            return
        self._call.error_class = error_class
        if self._streaming:
            await self._end_broken_stream()
        else:
            self._call.outcome = Outcome.FAILED
            await self._fail(read_host_error(self._call, 500, b""))

    async def _begin(self, message: Message) -> None:
        self._start = message
        call = self._call
        headers: dict[bytes, bytes] = dict(message.get("headers") or ())
        if message["status"] < _FIRST_ERROR:
            deployment = headers.get(b"x-litellm-model-id", b"").decode("latin-1")
            call.deployment = deployment or _last_deployment(call)
        content_type = headers.get(b"content-type", b"")
        if message["status"] == _OK and content_type.startswith(b"text/event-stream"):
            self._streaming = True
            await self._send_start(_OK, [(b"content-type", content_type)])

    async def _whole(self, body: bytes) -> None:
        status: int = self._start["status"]
        call = self._call
        if status == _CLIENT_LEFT:
            await self.abandon()
            return
        if status >= _FIRST_ERROR:
            call.outcome = Outcome.REFUSED if call.refusal else Outcome.FAILED
            if not call.refusal:
                call.error_class = _error_class(call)
            await self._fail(read_host_error(call, status, body))
            return
        await self._end_attempt(call, None, status)
        call.usage = await self._whole_usage(body)
        for judge in self._judges:
            verdict = await judge.check_output(call, body)
            if isinstance(verdict, GatewayError):
                await self._refuse_answer(verdict)
                return
            body = body if verdict is None else verdict
        call.outcome = Outcome.ANSWERED
        unrecorded = await self._settle(status)
        if unrecorded is not None:
            await self._send_refusal(unrecorded)
            return
        content_type = dict(self._start["headers"]).get(b"content-type", b"application/json")
        extra = [
            (b"content-type", content_type),
            (b"content-length", str(len(body)).encode()),
            (b"x-sluice-cost-usd", printed_usd(call.cost_usd).encode()),
        ]
        await self._send_start(status, extra)
        await self._send_body(body)

    async def _stream(self, data: bytes, *, more: bool) -> None:
        if self._call.first_byte_s is None and data:
            self._call.first_byte_s = time.monotonic()
        now, held = self._follower.feed(data)
        try:
            for frame in map(self._judged, now):
                if frame:
                    await self._send_body(frame, more=True)
            self._held += map(self._judged, held)
        except GatewayError as refusal:
            await self._refuse_answer(refusal)
            return
        if self._follower.failed or (not more and not self._follower.ended):
            self._call.error_class = _error_class(self._call, "StreamBroken")
            await self._end_broken_stream()
        elif self._follower.ended and not self.settled:
            await self._end_stream()
        if not more and not self.finished:
            await self._send_body(b"")

    def _judged(self, frame: bytes) -> bytes:
        """Let the stages read one frame.

        Raises:
            GatewayError: when one refuses it.
        """
        for reader in self._readers:
            verdict = reader.check_chunk(self._call, frame)
            if isinstance(verdict, GatewayError):
                raise verdict
            frame = frame if verdict is None else verdict
        return frame

    async def _end_stream(self) -> None:
        await self._end_attempt(self._call, None, _OK)
        self._call.usage = await self._stream_usage()
        self._call.outcome = Outcome.ANSWERED
        unrecorded = await self._settle(_OK)
        held = b"".join(self._held)
        self._held = []
        if unrecorded is not None:
            held = error_frame(unrecorded, self._call.endpoint, self._call.id)
        await self._send_body(held, more=unrecorded is None)

    async def _end_broken_stream(self) -> None:
        """Say in the stream that it is not whole; what was used is charged."""
        call = self._call
        await self._end_attempt(call, call.error_class, None)
        call.usage = await self._stream_usage()
        call.outcome = Outcome.FAILED
        await self._settle(_OK)
        error = call.refusal or ProviderFailed(
            "the provider broke the stream off; what came is not the whole answer",
            code="stream_broken",
        )
        await self._send_body(error_frame(error, call.endpoint, call.id))

    async def _refuse_answer(self, error: GatewayError) -> None:
        """Keep an answer back that a check refused; what it consumed is charged all the same."""
        call = self._call
        call.refusal = error
        call.outcome = Outcome.REFUSED
        if not self._streaming:
            await self._fail(error)
            return
        await self._end_attempt(call, None, _OK)
        call.usage = await self._stream_usage()
        await self._settle(_OK)
        await self._send_body(error_frame(error, call.endpoint, call.id))

    async def _fail(self, error: GatewayError) -> None:
        call = self._call
        call.error_class = call.error_class or type(error).__name__
        await self._end_attempt(call, call.error_class, None)
        unrecorded = await self._settle(error.status)
        await self._send_refusal(unrecorded or error)

    async def _settle(self, status: int) -> GatewayError | None:
        """Run `settle` once; an answer that cannot be recorded is not given.

        A client that goes away meanwhile cancels this task, never the settlement.
        """
        call = self._call
        if self.settled:
            return None
        self.settled = True
        call.status = status
        call.ended_s = time.monotonic()
        self._settling = asyncio.create_task(self._settle_all())
        return await asyncio.shield(self._settling)

    async def _settle_all(self) -> GatewayError | None:
        refusal: GatewayError | None = None
        for stage in self._settlers:
            try:
                refusal = await stage.settle(self._call) or refusal
            except Exception:  # noqa: BLE001 - one stage's bug must not keep the others back
                _log.exception("stage %s failed to settle call %s", stage.name, self._call.id)
        return refusal

    async def _whole_usage(self, body: bytes) -> Usage:
        call = self._call
        if call.endpoint is Endpoint.SPEECH:
            return replace(await counted(call, "", None), source=UsageSource.PROVIDER)
        answer = json_or_none(body) or {}
        stated = usage_of(call.endpoint, answer)
        if call.endpoint is Endpoint.TRANSCRIPTIONS and (stated is None or stated.is_empty):
            length = seconds(answer.get("duration")) or call.notes.get("audio_s", 0)
            length = length or heard_seconds(str(answer.get("text", "")).encode() or body)
            return Usage(audio_s=seconds(float(length)), source=UsageSource.COUNTED)
        if call.endpoint is Endpoint.MODERATIONS:
            return stated or Usage()
        if stated is not None and _believable(call.endpoint, stated, answer):
            return stated
        return await counted(call, text_of(call.endpoint, answer), None)

    async def _stream_usage(self) -> Usage:
        follower = self._follower
        stated = follower.usage
        whole = stated is not None and follower.ended and follower.usage_is_whole
        # Nobody writes text from no tokens; gathering it is dear, so only for a zero.
        if stated is not None and whole and (stated.output_tokens or not follower.written_text()):
            by_host = USAGE_BY_HOST in self._call.notes
            return replace(stated, source=UsageSource.COUNTED) if by_host else stated
        return await counted(self._call, follower.written_text(), stated)

    async def _send_start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, *call_headers(self._call)],
            }
        )

    async def _send_body(self, body: bytes, *, more: bool = False) -> None:
        if not more:
            self.finished = True
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _send_refusal(self, error: GatewayError) -> None:
        reply = refuse(error, self._call.endpoint, self._call.id)
        named = {name for name, _ in reply.headers}
        headers = [*reply.headers, *(h for h in call_headers(self._call) if h[0] not in named)]
        await self._send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )
        await self._send_body(reply.body)


def call_headers(call: Call) -> list[tuple[bytes, bytes]]:
    """Say in headers what was served, by which tier, and whose practice it was."""
    served = call.served
    headers = [
        (b"x-sluice-call-id", call.id),
        (b"x-request-id", call.id),
        (b"x-sluice-agent", call.agent_name),
        (b"x-sluice-tier", call.tier),
        (b"x-sluice-model", served.group if served else None),
        (b"x-sluice-cache", call.cache),
        (b"x-sluice-practice", "true" if call.practice else None),
    ]
    return [(name, value.encode("latin-1", "replace")) for name, value in headers if value]


def _believable(endpoint: Endpoint, stated: Usage, answer: dict[str, Any]) -> bool:
    """Tell whether stated usage can be true: nobody writes text from no tokens."""
    if not stated.input_tokens:
        return bool(stated.audio_s)
    if endpoint in _GENERATIVE and not stated.output_tokens:
        return not text_of(endpoint, answer)
    return True


def _last_deployment(call: Call) -> str | None:
    return call.attempts[-1].deployment if call.attempts else None


def _error_class(call: Call, otherwise: str = "HostError") -> str:
    failed = [a.error_class for a in call.attempts if a.error_class]
    return failed[-1] if failed else otherwise

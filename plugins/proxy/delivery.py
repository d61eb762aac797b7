"""Between LiteLLM and the client: reads the answer along, settles the call, then lets the end go.

Nothing that tells a client "this is the whole answer" leaves before the ledger row is durable:
whole answers wait altogether, streams wait with their last frame.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from plugins.core.agent import TimeLimits
from plugins.core.call import (
    EMPTY_ANSWER,
    Attempt,
    Call,
    Outcome,
    Recalled,
    Usage,
)
from plugins.core.errors import GatewayError, ProviderFailed
from plugins.core.money import printed_usd
from plugins.core.stage import Phase, Rota
from plugins.proxy.consumption import stream_usage, whole_usage
from plugins.proxy.emptiness import has_content, is_empty, is_empty_stream
from plugins.proxy.passage import (
    Empty,
    Failure,
    Passage,
    Silence,
)
from plugins.proxy.refusals import error_frame, refuse
from plugins.proxy.settling import call_headers, settle_all
from plugins.proxy.steps import timed
from plugins.proxy.streams import StreamFollower, json_or_none

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
EndAttempt = Callable[[Call, str | None, object], Awaitable[None]]

_log: Final = logging.getLogger("sluice.door")
_OK: Final = 200
_FIRST_ERROR: Final = 400
_AT_ONCE: Final = 32
"""Frames of a known answer that are sent before other calls have their turn."""
CLIENT_LEFT: Final = 499
"""LiteLLM's answer when the client is gone, and ours in the ledger; no standard has a number."""
BROKEN: Final = "StreamBroken"


class AnswerEnded(OSError):  # noqa: N818 - an end, not an error
    """The answer was ended early, by a refusal or an error; nothing more of it is wanted."""


class Delivery:
    """One call's way back to its client; stands in for ASGI's `send` in each try of a provider.

    Nothing reaches the client before a try has content to give, so that a failing one can be
    followed by the next tier's: `failure` then says what went wrong.

    Args:
        call: what is answered.
        send: the client's.
        rota: the stages of each phase.
        end_attempt: closes the attempt that runs.
        hide_usage: the client did not ask for the closing usage chunk of its stream.
    """

    def __init__(
        self,
        call: Call,
        send: Send,
        rota: Rota,
        end_attempt: EndAttempt,
        *,
        hide_usage: bool,
    ) -> None:
        self._call: Final = call
        self._send: Final = send
        self._settlers: Final = rota.settle
        self._judges: Final = rota.check_output
        self._readers: Final = rota.check_chunk
        self._end_attempt: Final = end_attempt
        self._hide_usage: Final = hide_usage
        self._tried: Passage | None = None
        self._opened = False
        self._settling: asyncio.Task[GatewayError | None] | None = None
        self.settled = False
        self.finished = False

    def begin(self, group: str, limits: TimeLimits) -> Silence:
        """Expect the answer of a model group; gives the clock that ends its silence."""
        self._tried = self._passage(group, limits)
        return self._tried.silence

    @property
    def _try(self) -> Passage:
        """Give what has come of the try that runs; an answer that is recalled needs none."""
        if self._tried is None:
            self._tried = self._passage("", TimeLimits())
        return self._tried

    @property
    def failure(self) -> Failure | None:
        """Say why the try gave nothing to deliver, or None."""
        return self._try.failure

    def _passage(self, group: str, limits: TimeLimits) -> Passage:
        call = self._call
        follower = StreamFollower(call.endpoint, hide_usage=self._hide_usage)
        return Passage(group, follower, Silence(limits, stream=call.stream))

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message of LiteLLM's answer.

        Raises:
            AnswerEnded: when nothing more of this answer is wanted: LiteLLM then lets go of the
                provider's stream, as it does when a client goes away.
        """
        if self.finished or self._try.failure is not None:
            if message.get("more_body"):
                raise AnswerEnded
            return
        if message["type"] == "http.response.start":
            self._begin(message)
        elif message["type"] == "http.response.body":
            body: bytes = message.get("body", b"")
            more = bool(message.get("more_body"))
            self._try.silence.heard()
            if self._try.streaming:
                await self._stream(body, more=more)
            else:
                self._try.body.append(body)
                if not more:
                    self._try.silence.over()
                    await self._whole(b"".join(self._try.body))

    async def refuse(self, error: GatewayError) -> None:
        """Answer with a refusal in place of what LiteLLM would have said."""
        self._call.outcome = Outcome.REFUSED
        self._call.refusal = error
        await self._fail(error)

    async def fail(self, error: GatewayError) -> None:
        """Answer with a failure of the gateway's own."""
        self._call.outcome = Outcome.FAILED
        await self._fail(error)

    async def give_up(self, failures: Sequence[Failure], error: GatewayError) -> None:
        """End a call for which no tier has an answer.

        Args:
            failures: of all tries, in order; an answer without content among them is given.
            error: what the client is told otherwise.
        """
        call = self._call
        for failure in failures:
            if failure.empty is not None:
                await self._deliver_empty(failure.empty)
                return
        call.outcome = Outcome.FAILED if failures else Outcome.REFUSED
        call.error_class = failures[-1].error_class if failures else None
        await self._fail(error)

    async def recall(self, recalled: Recalled) -> None:
        """Give an answer that is known already; it is settled before its first byte."""
        call = self._call
        call.recalled, call.cache = recalled, recalled.how
        call.saved_usd, call.practice = recalled.saved_usd, recalled.practice
        call.outcome = Outcome.ANSWERED
        call.first_byte_s = time.monotonic()
        unrecorded = await self._settle(_OK)
        if unrecorded is not None:
            await self._send_refusal(unrecorded)
            return
        headers = [
            (b"content-type", recalled.content_type.encode("latin-1")),
            (b"age", str(int(recalled.age_s)).encode()),
        ]
        if not call.stream:
            headers += [
                (b"content-length", str(len(recalled.frames[0])).encode()),
                (b"x-sluice-cost-usd", b"0"),
            ]
        await self._send_start(_OK, headers)
        *first, last = recalled.frames
        for number, frame in enumerate(first, 1):
            await self._send_body(frame, more=True)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        await self._send_body(last)

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
            call.usage = await stream_usage(call, self._try.follower)
        await self._end_attempt(call, call.error_class, CLIENT_LEFT)
        await self._settle(CLIENT_LEFT)
        self.finished = True

    async def break_off(self, error_class: str) -> None:
        """End a try that LiteLLM left without an end, or that was silent for too long."""
        if self.finished or self._try.failure is not None:
            return
        if self._opened:
            self._call.error_class = error_class
            await self._end_broken_stream()
        else:
            await self._fail_try(error_class)

    async def _fail_try(
        self, error_class: str, status: int | None = None, body: bytes = b""
    ) -> None:
        """Note that this try gives nothing; the door asks the next tier, or gives up."""
        passage = self._try
        passage.silence.over()
        await self._end_attempt(self._call, error_class, status)
        passage.failure = Failure(passage.group, status, error_class, body)

    def _begin(self, message: Message) -> None:
        passage, call = self._try, self._call
        passage.status = message["status"]
        passage.headers = dict(message.get("headers") or ())
        if passage.status < _FIRST_ERROR:
            deployment = passage.headers.get(b"x-litellm-model-id", b"").decode("latin-1")
            call.deployment = deployment or _last_deployment(call)
        is_stream = passage.content_type.startswith(b"text/event-stream")
        passage.streaming = passage.status == _OK and is_stream

    async def _whole(self, body: bytes) -> None:
        status, call = self._try.status, self._call
        if status == CLIENT_LEFT:
            await self.abandon()
            return
        if status >= _FIRST_ERROR:
            if call.refusal is not None:
                await self.refuse(call.refusal)
            else:
                await self._fail_try(_error_class(call), _status(call, status), body)
            return
        answer = json_or_none(body) or {}
        call.usage = await whole_usage(call, answer, body)
        if is_empty(call, answer, body):
            await self._fail_empty((body,))
            return
        await self._end_attempt(call, None, status)
        await self._deliver_whole(status, body)

    async def _deliver_whole(self, status: int, body: bytes) -> None:
        call = self._call
        call.content_type = self._try.content_type.decode("latin-1")
        for judge in self._judges:
            work = judge.check_output(call, body)
            verdict = await timed(call, Phase.CHECK_OUTPUT, judge, work)
            if isinstance(verdict, GatewayError):
                await self._refuse_answer(verdict)
                return
            body = body if verdict is None else verdict
        call.outcome = Outcome.ANSWERED
        unrecorded = await self._settle(status)
        if unrecorded is not None:
            await self._send_refusal(unrecorded)
            return
        extra = [
            (b"content-type", self._try.content_type),
            (b"content-length", str(len(body)).encode()),
            (b"x-sluice-cost-usd", printed_usd(call.cost_usd).encode()),
        ]
        await self._send_start(status, extra)
        await self._send_body(body)

    async def _fail_empty(self, frames: tuple[bytes, ...]) -> None:
        """Note that this try's answer has no content; what it consumed is charged all the same."""
        call, passage = self._call, self._try
        empty = Empty(call.deployment, passage.content_type, frames, call.usage)
        if call.attempts:
            call.attempts[-1].usage = call.usage
        await self._fail_try(EMPTY_ANSWER, _OK)
        call.deployment, call.usage = None, Usage()
        passage.failure = Failure(passage.group, _OK, EMPTY_ANSWER, empty=empty)

    async def _deliver_empty(self, empty: Empty) -> None:
        """Give an answer without content after all: no tier had a better one."""
        call = self._call
        call.deployment, call.usage = empty.deployment, empty.usage
        for attempt in call.attempts:
            if attempt.deployment == empty.deployment:
                attempt.usage = None  # it is the call's own now
        self._try.headers = {b"content-type": empty.content_type}
        if not empty.content_type.startswith(b"text/event-stream"):
            await self._deliver_whole(_OK, empty.frames[0])
            return
        call.outcome = Outcome.ANSWERED
        unrecorded = await self._settle(_OK)
        self._try.waiting = []
        await self._open()
        last = error_frame(unrecorded, call.endpoint, call.id) if unrecorded else None
        await self._send_body(last or b"".join(empty.frames))

    async def _stream(self, data: bytes, *, more: bool) -> None:
        passage = self._try
        now, held = passage.follower.feed(data)
        passage.held += held
        try:
            if self._opened:
                await self._pass_on(now)
                await self._go_on(more=more)
                return
            passage.waiting += now
            if any(has_content(self._call.endpoint, frame) for frame in now):
                await self._open()
                await self._go_on(more=more)
            else:
                await self._still_waiting(more=more)
        except GatewayError as refusal:
            await self._refuse_answer(refusal)

    async def _open(self) -> None:
        """Tell the client that its stream begins, and give it what has come so far."""
        passage = self._try
        passage.silence.pause()
        self._opened = True
        self._call.first_byte_s = time.monotonic()
        self._call.content_type = passage.content_type.decode("latin-1")
        await self._send_start(_OK, [(b"content-type", passage.content_type)])
        waiting, passage.waiting = passage.waiting, []
        await self._pass_on(waiting)

    async def _pass_on(self, frames: Sequence[bytes]) -> None:
        """Give the client frames; while it takes them, the provider's clock stands still."""
        silence = self._try.silence
        silence.pause()
        for frame in map(self._judged, frames):
            if frame:
                await self._send_body(frame, more=True)
        silence.heard()

    async def _still_waiting(self, *, more: bool) -> None:
        """Look whether a stream that has shown no content yet has come to an end."""
        call, passage, follower = self._call, self._try, self._try.follower
        if follower.failed or (not more and not follower.ended):
            await self._fail_try(_error_class(call, BROKEN), _status(call, None))
        elif not more:
            frames = (*passage.waiting, *passage.held)
            if is_empty_stream(call, frames):
                call.usage = await stream_usage(call, self._try.follower)
                await self._fail_empty(frames)
            else:
                await self._open()
                await self._go_on(more=False)

    async def _go_on(self, *, more: bool) -> None:
        passage, follower = self._try, self._try.follower
        if follower.failed or (not more and not follower.ended):
            self._call.error_class = _error_class(self._call, BROKEN)
            await self._end_broken_stream()
        elif follower.ended and not self.settled:
            passage.silence.over()
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
        """Settle a whole stream, then let its last frames go.

        Raises:
            GatewayError: when a stage refuses one of them.
        """
        call = self._call
        held, self._try.held = b"".join(map(self._judged, self._try.held)), []
        await self._end_attempt(call, None, _OK)
        call.usage = await stream_usage(call, self._try.follower)
        call.outcome = Outcome.ANSWERED
        unrecorded = await self._settle(_OK)
        if unrecorded is not None:
            held = error_frame(unrecorded, call.endpoint, call.id)
        await self._send_body(held, more=unrecorded is None)

    async def _end_broken_stream(self) -> None:
        """Say in the stream that it is not whole; what was used is charged."""
        call = self._call
        await self._end_attempt(call, call.error_class, None)
        call.usage = await stream_usage(call, self._try.follower)
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
        if not self._opened:
            await self._fail(error)
            return
        await self._end_attempt(call, None, _OK)
        call.usage = await stream_usage(call, self._try.follower)
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
        self._settling = asyncio.create_task(settle_all(call, self._settlers))
        return await asyncio.shield(self._settling)

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


def _last_deployment(call: Call) -> str | None:
    return call.attempts[-1].deployment if call.attempts else None


def _this_attempt(call: Call) -> Attempt | None:
    """Give the attempt that the running try has made, or None when it made none."""
    attempt = call.attempts[-1] if call.attempts else None
    return attempt if attempt and attempt.group == call.group else None


def _error_class(call: Call, otherwise: str = "HostError") -> str:
    attempt = _this_attempt(call)
    return (attempt and attempt.error_class) or otherwise


def _status(call: Call, otherwise: int | None) -> int | None:
    """Give what the provider answered; LiteLLM's own answer may be another."""
    attempt = _this_attempt(call)
    return attempt.status if attempt and attempt.error_class else otherwise

"""Between LiteLLM and the client: reads the answer along, settles the call, then lets the end go.

Whole answers take the way of `whole.py`, streams that of `streaming.py`; this tells them apart and
ends the calls that come to no answer.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from plugins.core.agent import TimeLimits
from plugins.core.call import EMPTY_ANSWER, NOT_CONFIDENT, Call, Outcome, Recalled
from plugins.core.errors import GatewayError
from plugins.core.stage import Rota
from plugins.proxy.consumption import stream_usage, whole_usage
from plugins.proxy.emptiness import is_empty
from plugins.proxy.judging import Judging, adopt
from plugins.proxy.outlet import OK, EndAttempt, Message, Outlet, Send
from plugins.proxy.passage import EarlyEnd, Failure, Kept, Passage, Silence
from plugins.proxy.streaming import BROKEN, StreamedAnswer
from plugins.proxy.streams import StreamFollower, json_or_none
from plugins.proxy.trying import (
    error_class_of,
    fail_try,
    last_deployment,
    set_aside,
    status_of,
)
from plugins.proxy.whole import WholeAnswer

__all__ = ["BROKEN", "CLIENT_LEFT", "AnswerEnded", "Delivery", "EndAttempt", "Message", "Send"]

_FIRST_ERROR: Final = 400
_AT_ONCE: Final = 32
"""Frames of a known answer that are sent before other calls have their turn."""
CLIENT_LEFT: Final = 499
"""LiteLLM's answer when the client is gone, and ours in the ledger; no standard has a number."""


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
        self._rota: Final = rota
        self._hide_usage: Final = hide_usage
        self._outlet: Final = Outlet(call, send, rota, end_attempt)
        self._judging: Final = Judging(call, rota)
        self._whole: Final = WholeAnswer(call, self._outlet, self._judging, rota.check_output)
        self._tried: Passage | None = None
        self._stream: StreamedAnswer | None = None
        self._early_end: EarlyEnd | None = None

    def begin(
        self,
        group: str,
        limits: TimeLimits,
        *,
        more_tiers: bool = False,
        early_end: EarlyEnd | None = None,
    ) -> Silence:
        """Expect the answer of a model group; gives the clock that ends its silence.

        Args:
            group: that is asked.
            limits: of its silence.
            more_tiers: another model could be asked after it.
            early_end: ends the pass when nothing more of the answer is wanted.
        """
        self._early_end = early_end
        self._judging.more_tiers = more_tiers
        self._tried, self._stream = self._passage(group, limits), None
        return self._tried.silence

    @property
    def settled(self) -> bool:
        """Tell whether the call has its row."""
        return self._outlet.settled

    @property
    def finished(self) -> bool:
        """Tell whether the client has been given its last byte."""
        return self._outlet.finished

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
            AnswerEnded: when nothing more of this answer is wanted, and nothing else can end it.
        """
        if self._unwanted():
            self._let_go(message)
            return
        if message["type"] == "http.response.start":
            self._begin(message)
        elif message["type"] == "http.response.body":
            body: bytes = message.get("body", b"")
            more = bool(message.get("more_body"))
            self._try.silence.heard()
            if self._try.streaming:
                await self._streamed().take(body, more=more)
                if self._unwanted():
                    self._let_go(message)
            else:
                self._try.body.append(body)
                if not more:
                    self._try.silence.over()
                    await self._take_whole(b"".join(self._try.body))

    def _unwanted(self) -> bool:
        return self.finished or self._try.failure is not None

    def _let_go(self, message: Message) -> None:
        """Let go of the provider, where it has more to say than is wanted."""
        if not message.get("more_body"):
            return
        if self._early_end is None:
            raise AnswerEnded
        self._early_end.ask()

    async def refuse(self, error: GatewayError) -> None:
        """Answer with a refusal in place of what LiteLLM would have said."""
        await self._outlet.refuse(error)

    async def fail(self, error: GatewayError) -> None:
        """Answer with a failure of the gateway's own."""
        self._call.outcome = Outcome.FAILED
        await self._outlet.fail(error)

    async def give_up(self, failures: Sequence[Failure], error: GatewayError) -> None:
        """End a call for which no tier has a good answer.

        Args:
            failures: of all tries, in order; the best of the answers among them is given.
            error: what the client is told otherwise.
        """
        call = self._call
        answers = [failure.kept for failure in failures if failure.kept is not None]
        if answers:
            await self._give_kept(max(answers, key=lambda kept: kept.worth))
            return
        call.outcome = Outcome.FAILED if failures else Outcome.REFUSED
        call.error_class = failures[-1].error_class if failures else None
        await self._outlet.fail(error)

    async def recall(self, recalled: Recalled) -> None:
        """Give an answer that is known already; it is settled before its first byte."""
        call, outlet = self._call, self._outlet
        call.recalled, call.cache = recalled, recalled.how
        call.saved_usd, call.practice = recalled.saved_usd, recalled.practice
        call.confidence, call.calibrated = recalled.confidence, recalled.calibrated
        call.outcome = Outcome.ANSWERED
        call.first_byte_s = time.monotonic()
        unrecorded = await outlet.settle(OK)
        if unrecorded is not None:
            await outlet.say(unrecorded)
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
        await outlet.start(OK, headers)
        *first, last = recalled.frames
        for number, frame in enumerate(first, 1):
            await outlet.give(frame, more=True)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        await outlet.give(last)

    async def abandon(self) -> None:
        """Settle a call whose client went away, or whose answer never came to an end."""
        call, outlet = self._call, self._outlet
        if outlet.settled:
            return
        call.outcome = Outcome.DISCONNECTED
        call.error_class = "ClientDisconnected"
        if call.attempts and call.attempts[-1].usage is None:
            # What was sent is charged, also when nothing came back before the client left.
            call.deployment = call.deployment or last_deployment(call)
            if call.usage.is_empty:
                call.usage = await stream_usage(call, self._try.follower)
        await outlet.end_attempt(call.error_class, CLIENT_LEFT)
        await outlet.settle(CLIENT_LEFT)
        outlet.finished = True

    async def break_off(self, error_class: str) -> None:
        """End a try that LiteLLM left without an end, or that was silent for too long."""
        if self.finished or self._try.failure is not None:
            return
        if self._stream is not None:
            await self._stream.break_off(error_class)
        else:
            await fail_try(self._try, self._outlet, error_class)

    def _begin(self, message: Message) -> None:
        passage, call = self._try, self._call
        passage.status = message["status"]
        passage.headers = dict(message.get("headers") or ())
        if passage.status < _FIRST_ERROR:
            deployment = passage.headers.get(b"x-litellm-model-id", b"").decode("latin-1")
            call.deployment = deployment or last_deployment(call)
        is_stream = passage.content_type.startswith(b"text/event-stream")
        passage.streaming = passage.status == OK and is_stream

    def _streamed(self) -> StreamedAnswer:
        if self._stream is None:
            self._stream = StreamedAnswer(
                self._call,
                self._try,
                self._outlet,
                self._judging,
                self._rota.check_chunk,
                asks_usage=not self._hide_usage,
            )
        return self._stream

    async def _take_whole(self, body: bytes) -> None:
        passage, call, outlet = self._try, self._call, self._outlet
        status = passage.status
        if status == CLIENT_LEFT:
            await self.abandon()
            return
        if status >= _FIRST_ERROR:
            if call.refusal is not None:
                await self.refuse(call.refusal)
            else:
                refused = status_of(call, status)
                await fail_try(passage, outlet, error_class_of(call), refused, body)
            return
        answer = json_or_none(body) or {}
        call.usage = await whole_usage(call, answer, body)
        kept = Kept(call.deployment, passage.content_type, (body,), call.usage)
        if is_empty(call, answer, body):
            await outlet.end_attempt(EMPTY_ANSWER, OK)
            set_aside(call, passage, kept, EMPTY_ANSWER)
            return
        await outlet.end_attempt(None, status)
        doubted = await self._whole.deliver(status, passage.content_type, body, answer)
        if doubted is not None:
            self._judging.set_aside(doubted[1])
            kept = Kept(kept.deployment, kept.content_type, (doubted[0],), kept.usage, doubted[1])
            set_aside(call, passage, kept, NOT_CONFIDENT)

    async def _give_kept(self, kept: Kept) -> None:
        """Give an answer that was set aside: no tier had a better one."""
        call = self._call
        call.deployment, call.usage = kept.deployment, kept.usage
        for attempt in call.attempts:
            if attempt.usage is kept.usage:
                attempt.usage = None  # it is the call's own now
        if kept.ruling is not None and kept.ruling.opinion is not None:
            adopt(call, kept.ruling.opinion)
        self._judging.more_tiers, self._judging.best = False, 0.0
        self._tried = self._passage("", TimeLimits())
        self._tried.headers = {b"content-type": kept.content_type}
        if kept.is_stream:
            self._stream = None
            await self._streamed().give(kept)
            return
        body = kept.frames[0]
        answer = json_or_none(body) or {}
        await self._whole.deliver(OK, kept.content_type, body, answer, kept.ruling)

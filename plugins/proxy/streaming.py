"""Passes one try's stream on: as it comes, some characters behind, or once it has been judged.

The last frames wait until the call is settled. Nothing is given before there is content to give, so
that a try that fails before can be followed by the next tier's.
"""

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from plugins.core.answer import Fate
from plugins.core.answer_text import events_of
from plugins.core.call import EMPTY_ANSWER, NOT_CONFIDENT, Call, Outcome
from plugins.core.errors import GatewayError, ProviderFailed
from plugins.core.stage import Stage
from plugins.proxy.answering import Heard, Piece, choices_of
from plugins.proxy.closing import Shown, is_opening, reviewed_frame
from plugins.proxy.consumption import stream_usage
from plugins.proxy.emptiness import has_content, is_empty_stream
from plugins.proxy.judging import Judging, Ruling
from plugins.proxy.outlet import OK, Outlet
from plugins.proxy.passage import Kept, Passage
from plugins.proxy.refusals import error_frame
from plugins.proxy.reviewing import review_of
from plugins.proxy.rewriting import mended_frames, without_logprobs, written
from plugins.proxy.streams import DONE
from plugins.proxy.trying import error_class_of, fail_try, set_aside, status_of
from plugins.proxy.whole import hold

BROKEN: Final = "StreamBroken"
_SERVERS_FAULT: Final = 500
_LOGPROBS: Final = b'"logprobs"'

_log: Final = logging.getLogger("sluice.door")


class _Cut(Exception):  # noqa: N818 - an end, not an error
    """A check wants the stream to end."""

    def __init__(self, refusal: GatewayError) -> None:
        super().__init__()
        self.refusal: Final = refusal


class StreamedAnswer:
    """One try's stream.

    Args:
        call: what is answered.
        passage: what has come of the try.
        outlet: the way to the client.
        judging: the output checks.
        readers: the stages that see the final frames.
        asks_usage: the client wants the closing usage chunk.
    """

    def __init__(
        self,
        call: Call,
        passage: Passage,
        outlet: Outlet,
        judging: Judging,
        readers: Sequence[Stage],
        *,
        asks_usage: bool,
    ) -> None:
        self._call: Final = call
        self._passage: Final = passage
        self._outlet: Final = outlet
        self._judging: Final = judging
        self._readers: Final = readers
        self._heard: Final = Heard(call.endpoint, choices_of(call.body))
        self._shown: Final = Shown(
            call.endpoint, asks_usage=asks_usage, choices=choices_of(call.body)
        )
        self._waiting: list[bytes] = []
        """Frames that came before the first content."""
        self._held: list[bytes] = []
        """The last frames: they tell the client that the answer is whole."""
        self._queue: Final[deque[Piece]] = deque()
        """Frames that have been heard, and not been given."""
        self._behind = 0
        self._begun = False
        self._follows = False
        self._lag: int | None = 0

    async def take(self, data: bytes, *, more: bool) -> None:
        """Take bytes as they come from LiteLLM."""
        now, held = self._passage.follower.feed(data)
        self._held += held
        try:
            if not self._begun:
                self._waiting += now
                if not any(has_content(self._call.endpoint, frame) for frame in now):
                    await self._still_waiting(more=more)
                    return
                now = await self._begin()
            await self._pass_on(now)
            await self._go_on(more=more)
        except _Cut as cut:
            await self._refuse(cut.refusal, cut_by_check=True)
        except GatewayError as refusal:
            await self._refuse(refusal, cut_by_check=False)

    async def give(self, kept: Kept) -> None:
        """Give a stream that was set aside after all: no tier had a better one."""
        self._begun = self._follows = True
        self._call.usage = kept.usage
        try:
            await self._give(kept)
        except _Cut as cut:
            await self._refuse(cut.refusal, cut_by_check=True)
        except GatewayError as refusal:
            await self._refuse(refusal, cut_by_check=False)

    async def _give(self, kept: Kept) -> None:
        refusal = await self._judging.confirm()
        if refusal is not None:
            raise _Cut(refusal)
        self._hear(kept.frames)
        ruling = kept.ruling or await self._judging.judge(self._heard.answer())
        await self._finish(ruling)
        if not self._outlet.finished:
            await self._outlet.give(b"")

    async def break_off(self, error_class: str, status: int | None = None) -> None:
        """End a stream that LiteLLM left without an end, or that was silent for too long."""
        call, passage = self._call, self._passage
        if not self._outlet.opened:
            if self._begun and call.attempts:
                call.attempts[-1].usage = await stream_usage(call, passage.follower)
            await fail_try(passage, self._outlet, error_class, status)
            return
        call.error_class = error_class
        await self._outlet.end_attempt(error_class, None)
        call.usage = await stream_usage(call, passage.follower)
        call.outcome = Outcome.FAILED
        await self._outlet.settle(OK)
        error = call.refusal or ProviderFailed(
            "the provider broke the stream off; what came is not the whole answer",
            code="stream_broken",
        )
        await self._outlet.give(error_frame(error, call.endpoint, call.id))

    async def _begin(self) -> list[bytes]:
        """Wait for what runs beside the provider, and see how much must be held back.

        Returns:
            What has come so far.
        """
        self._passage.silence.pause()
        self._begun = True
        refusal = await self._judging.confirm()
        if refusal is not None:
            raise _Cut(refusal)
        call = self._call
        judged = self._judging.judges or self._judging.listens
        self._follows = judged or review_of(call) is not None
        self._lag = self._judging.keeps_back() if judged else 0
        if not self._follows:
            await self._open()
        waiting, self._waiting = self._waiting, []
        return waiting

    async def _open(self) -> None:
        if not self._outlet.opened:
            self._call.first_byte_s = time.monotonic()
            self._call.content_type = self._passage.content_type.decode("latin-1")
            await self._outlet.open(self._passage.content_type)

    async def _pass_on(self, frames: Sequence[bytes]) -> None:
        """Give the client frames; while it takes them, the provider's clock stands still."""
        silence = self._passage.silence
        silence.pause()
        if self._follows:
            self._hear(frames)
            frames = [self._show(piece) for piece in self._released()]
            if frames:
                await self._open()
        elif self._call.hides_logprobs:
            frames = [self._bare(Piece(frame)).frame for frame in frames]
        for frame in map(self._read, frames):
            if frame:
                await self._outlet.give(frame, more=True)
        silence.heard()

    def _hear(self, frames: Iterable[bytes]) -> None:
        """Queue frames, and let the listeners hear what text they bring.

        Raises:
            _Cut: when one of them refuses it.
        """
        heard = self._heard
        for frame in frames:
            piece = self._bare(heard.hear(frame, events_of(frame)))
            self._queue.append(piece if self._lag is not None else replace(piece, parsed=None))
            self._behind += piece.size
            if heard.new and self._judging.listens:
                refusal = self._judging.listen(heard.tail, heard.new)
                if refusal is not None:
                    raise _Cut(refusal)

    def _released(self) -> list[Piece]:
        """Take from the queue what the client may have by now; the closing frames never."""
        queue, lag = self._queue, self._lag
        ready: list[Piece] = []
        while lag is not None and queue and not queue[0].closing:
            if self._behind - queue[0].size < lag:
                break
            ready.append(queue.popleft())
            self._behind -= ready[-1].size
        return ready

    def _show(self, piece: Piece) -> bytes:
        self._shown.show(piece)
        return piece.frame

    def _bare(self, piece: Piece) -> Piece:
        """Take out token probabilities that the client did not ask for."""
        call = self._call
        if not call.hides_logprobs or _LOGPROBS not in piece.frame:
            return piece
        events = piece.events
        for event in events:
            without_logprobs(call.endpoint, event)
        return replace(piece, frame=written(call.endpoint, events), parsed=events)

    def _read(self, frame: bytes) -> bytes:
        """Let the stages read one final frame.

        Raises:
            GatewayError: when one refuses it.
        """
        for reader in self._readers:
            verdict = reader.check_chunk(self._call, frame)
            if isinstance(verdict, GatewayError):
                raise verdict
            frame = frame if verdict is None else verdict
        return frame

    async def _still_waiting(self, *, more: bool) -> None:
        """Look whether a stream that has shown no content yet has come to an end."""
        call, passage, follower = self._call, self._passage, self._passage.follower
        if follower.failed or (not more and not follower.ended):
            error_class = error_class_of(call, BROKEN)
            await fail_try(passage, self._outlet, error_class, status_of(call, None))
        elif not more:
            frames = (*self._waiting, *self._held)
            if is_empty_stream(call, frames):
                passage.silence.over()
                call.usage = await stream_usage(call, follower)
                kept = Kept(call.deployment, passage.content_type, frames, call.usage)
                await self._outlet.end_attempt(EMPTY_ANSWER, OK)
                set_aside(call, passage, kept, EMPTY_ANSWER)
            else:
                await self._pass_on(await self._begin())
                await self._go_on(more=False)

    async def _go_on(self, *, more: bool) -> None:
        follower = self._passage.follower
        if follower.failed or (not more and not follower.ended):
            status = status_of(self._call, None)
            await self.break_off(error_class_of(self._call, BROKEN), status)
        elif follower.ended and not self._outlet.settled and self._passage.failure is None:
            await self._end()
        if not more and self._outlet.opened and not self._outlet.finished:
            await self._outlet.give(b"")

    async def _end(self) -> None:
        """Judge a whole stream, then settle it and let its last frames go.

        Raises:
            _Cut: when a judge refuses it.
            GatewayError: when a stage refuses one of the last frames.
        """
        call, passage = self._call, self._passage
        passage.silence.over()
        await self._outlet.end_attempt(None, OK)
        call.usage = await stream_usage(call, passage.follower)
        held, self._held = self._held, []
        if not self._follows:
            await self._give_last([self._read(self._plain(frame)) for frame in held])
            return
        self._hear(held)
        ruling = Ruling()
        if self._judging.judges:
            ruling = await self._judging.judge(self._heard.answer())
        if not self._outlet.opened and self._judging.escalates(ruling):
            frames = tuple(piece.frame for piece in self._queue)
            kept = Kept(call.deployment, passage.content_type, frames, call.usage, ruling)
            self._judging.set_aside(ruling)
            set_aside(call, passage, kept, NOT_CONFIDENT)
            return
        await self._finish(ruling)

    async def _finish(self, ruling: Ruling) -> None:
        """Give what is left of a stream that has been judged.

        Raises:
            _Cut: when a judge has refused it.
            GatewayError: when a stage refuses one of the last frames.
        """
        if ruling.refusal is not None:
            raise _Cut(ruling.refusal)
        if self._outlet.opened and (ruling.texts is not None or ruling.fate is not None):
            _log.info("call %s: judged too late to be mended or held", self._call.id)
            self._call.notes["judged_too_late"] = True
            frames = self._reviewed()
        elif ruling.fate is Fate.HOLD:
            frames = self._withheld()
        elif ruling.texts is not None:
            mended = mended_frames(self._call.endpoint, self._queue, ruling.texts)
            self._queue.clear()
            self._queue.extend(Piece(frame, closing=True) for frame in mended)
            frames = self._reviewed()
        else:
            frames = self._reviewed()
        await self._give_last([self._read(frame) for frame in frames])

    def _reviewed(self) -> list[bytes]:
        """Write what is left, with `x_review` where the endpoint's stream ends."""
        review = review_of(self._call)
        frames: list[bytes] = []
        for piece in self._queue:
            with_it = None if review is None else reviewed_frame(self._call.endpoint, piece, review)
            if with_it is not None:
                review = None
            if review is not None and piece.frame.startswith(DONE):
                frames.append(self._shown.chunk_with(review))
                review = None
            frames.append(with_it or piece.frame)
        return [frame for frame in frames if frame]

    def _withheld(self) -> list[bytes]:
        """Write a stream that says nothing."""
        hold(self._call)
        frames: list[bytes] = []
        for piece in self._queue:
            self._shown.name(piece)
            if not is_opening(self._call.endpoint, piece):
                break
            frames.append(self._show(piece))
        return [*frames, self._shown.close(self._call.usage, review_of(self._call))]

    def _plain(self, frame: bytes) -> bytes:
        if not self._call.hides_logprobs:
            return frame
        return self._bare(Piece(frame)).frame

    async def _give_last(self, frames: Sequence[bytes]) -> None:
        """Settle, then give the rest."""
        call, outlet = self._call, self._outlet
        call.outcome = Outcome.ANSWERED
        if not outlet.opened:
            call.first_byte_s = time.monotonic()
            call.content_type = self._passage.content_type.decode("latin-1")
        unrecorded = await outlet.settle(OK)
        if not outlet.opened:
            if unrecorded is not None:
                await outlet.say(unrecorded)
                return
            await outlet.open(self._passage.content_type)
        if unrecorded is not None:
            await outlet.give(error_frame(unrecorded, call.endpoint, call.id))
            return
        await outlet.give(b"".join(frames), more=True)

    async def _refuse(self, error: GatewayError, *, cut_by_check: bool) -> None:
        """End a stream that was refused; what it has consumed is charged all the same."""
        call, outlet = self._call, self._outlet
        self._passage.silence.over()
        call.refusal, call.outcome = error, Outcome.REFUSED
        await outlet.end_attempt(None, OK)
        if call.usage.is_empty:
            call.usage = await stream_usage(call, self._passage.follower)
        if self._follows and call.answer is None:
            call.answer = self._heard.answer()
        if not outlet.opened:
            await outlet.refuse(error)
            return
        if cut_by_check and error.status < _SERVERS_FAULT:
            last = self._shown.close(call.usage, review_of(call))
            for reader in self._readers:
                reader.check_chunk(call, last)
        else:
            last = error_frame(error, call.endpoint, call.id)
        await outlet.settle(OK)
        await outlet.give(last)

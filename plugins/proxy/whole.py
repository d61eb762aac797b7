"""Gives a client an answer in one piece: confirmed, judged, checked, settled, then sent."""

from collections.abc import Sequence
from typing import Final

import orjson

from plugins.core.answer import Fate
from plugins.core.answer_text import Json
from plugins.core.call import Call, Outcome
from plugins.core.errors import GatewayError
from plugins.core.money import printed_usd
from plugins.core.review import Reason
from plugins.core.stage import Phase, Stage
from plugins.core.verdict import Verdict, stricter
from plugins.proxy.answering import answer_of
from plugins.proxy.judging import Judging, Ruling
from plugins.proxy.outlet import Outlet
from plugins.proxy.reviewing import review_of, with_review
from plugins.proxy.rewriting import mended_body, withheld_body, without_logprobs
from plugins.proxy.steps import timed


class WholeAnswer:
    """The way of answers in one piece.

    Args:
        call: what is answered.
        outlet: the way to the client.
        judging: the output checks.
        checkers: the stages that see the final bytes.
    """

    def __init__(
        self, call: Call, outlet: Outlet, judging: Judging, checkers: Sequence[Stage]
    ) -> None:
        self._call: Final = call
        self._outlet: Final = outlet
        self._judging: Final = judging
        self._checkers: Final = checkers

    async def deliver(
        self,
        status: int,
        content_type: bytes,
        body: bytes,
        answer: Json,
        ruling: Ruling | None = None,
    ) -> tuple[bytes, Ruling] | None:
        """Judge an answer, and give it.

        Args:
            status: of the provider's answer.
            content_type: likewise.
            body: likewise.
            answer: the body as JSON, which may be changed; empty where it is none.
            ruling: the judges', where they have been asked before.

        Returns:
            None once the client has something; else the body, for the next tier is to be asked, and
            the judges' ruling.
        """
        call = self._call
        refusal = await self._judging.confirm()
        if refusal is not None:
            await self._outlet.refuse(refusal)
            return None
        found = answer_of(call.endpoint, answer, body) if self._judging.judges else None
        if call.hides_logprobs and without_logprobs(call.endpoint, answer):
            body = orjson.dumps(answer)
        if ruling is None:
            ruling = await self._judging.judge(found)
            if self._judging.escalates(ruling):
                return body, ruling
        call.content_type = content_type.decode("latin-1")
        final = await self._checked(self._as_ruled(ruling, body, answer), ruling)
        if isinstance(final, GatewayError):
            await self._outlet.refuse(final)
        else:
            await self._give(status, content_type, final)
        return None

    def _as_ruled(self, ruling: Ruling, body: bytes, answer: Json) -> bytes:
        call = self._call
        if ruling.fate is Fate.HOLD:
            hold(call)
            body = withheld_body(call.endpoint, answer)
        elif ruling.texts is not None:
            body = mended_body(call.endpoint, answer, body, ruling.texts)
        return with_review(body, review_of(call)) if answer else body

    async def _checked(self, body: bytes, ruling: Ruling) -> bytes | GatewayError:
        if ruling.refusal is not None:
            return ruling.refusal
        call = self._call
        for checker in self._checkers:
            work = checker.check_output(call, body)
            verdict = await timed(call, Phase.CHECK_OUTPUT, checker, work)
            if isinstance(verdict, GatewayError):
                return verdict
            body = body if verdict is None else verdict
        return body

    async def _give(self, status: int, content_type: bytes, body: bytes) -> None:
        call, outlet = self._call, self._outlet
        call.outcome = Outcome.ANSWERED
        unrecorded = await outlet.settle(status)
        if unrecorded is not None:
            await outlet.say(unrecorded)
            return
        extra = [
            (b"content-type", content_type),
            (b"content-length", str(len(body)).encode()),
            (b"x-sluice-cost-usd", printed_usd(call.cost_usd).encode()),
        ]
        await outlet.start(status, extra)
        await outlet.give(body)


def hold(call: Call) -> None:
    """Have a person decide about an answer that is kept back; nobody else is given it."""
    call.ask_review(Reason.HELD)
    call.verdict = stricter(call.verdict, Verdict.SOFT_REJECT)
    call.shareable = False

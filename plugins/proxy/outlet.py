"""One call's way out: ends its tries, settles it once, and says things to its client.

Nothing that tells a client "this is the whole answer" leaves before the ledger row is durable.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from plugins.core.call import Call, Outcome
from plugins.core.errors import GatewayError
from plugins.core.stage import Rota
from plugins.proxy.refusals import refuse
from plugins.proxy.reviewing import is_told, review_of
from plugins.proxy.settling import call_headers, settle_all

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
EndAttempt = Callable[[Call, str | None, object], Awaitable[None]]

OK: Final = 200


class Outlet:
    """Talks to one call's client.

    Args:
        call: what is answered.
        send: the client's.
        rota: the stages of each phase.
        end_attempt: closes the attempt that runs.
    """

    def __init__(self, call: Call, send: Send, rota: Rota, end_attempt: EndAttempt) -> None:
        self._call: Final = call
        self._send: Final = send
        self._settlers: Final = rota.settle
        self._end_attempt: Final = end_attempt
        self._settling: asyncio.Task[GatewayError | None] | None = None
        self.opened = False
        """The client has been told that its stream begins."""
        self.settled = False
        self.finished = False
        """The client has been given the last byte."""

    async def end_attempt(self, error_class: str | None, status: int | None) -> None:
        """End the attempt that runs, once."""
        await self._end_attempt(self._call, error_class, status)

    async def settle(self, status: int) -> GatewayError | None:
        """Run `settle` once; an answer that cannot be recorded is not given.

        A client that goes away meanwhile cancels this task, never the settlement.
        """
        call = self._call
        if self.settled:
            return None
        self.settled = True
        call.shareable = call.shareable and not is_told(call)
        call.status = status
        call.ended_s = time.monotonic()
        self._settling = asyncio.create_task(settle_all(call, self._settlers))
        return await asyncio.shield(self._settling)

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin the answer."""
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, *call_headers(self._call)],
            }
        )

    async def open(self, content_type: bytes) -> None:
        """Tell the client that its stream begins."""
        self.opened = True
        await self.start(OK, [(b"content-type", content_type)])

    async def give(self, body: bytes, *, more: bool = False) -> None:
        """Give the client a part of its answer, or the rest."""
        if not more:
            self.finished = True
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def refuse(self, error: GatewayError) -> None:
        """Answer with a refusal in place of everything else; what was consumed is charged."""
        self._call.outcome = Outcome.REFUSED
        self._call.refusal = error
        await self.fail(error)

    async def fail(self, error: GatewayError) -> None:
        """Answer with an error, and settle the call as its outcome says."""
        call = self._call
        call.error_class = call.error_class or type(error).__name__
        await self.end_attempt(call.error_class, None)
        unrecorded = await self.settle(error.status)
        await self.say(unrecorded or error)

    async def say(self, error: GatewayError) -> None:
        """Give the client an error; the call is settled already."""
        call = self._call
        reply = refuse(error, call.endpoint, call.id, review_of(call))
        named = {name for name, _ in reply.headers}
        headers = [*reply.headers, *(h for h in call_headers(call) if h[0] not in named)]
        await self._send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )
        await self.give(reply.body)

"""Takes a call through its tiers: one pass through LiteLLM for each try, until one answers.

LiteLLM's own `fallbacks` would try again for seconds, fall back on faults of the client's, try
providers whose circuit has opened meanwhile, and know nothing of answers without content.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from plugins.core.call import NOT_CONFIDENT, Call, Pass, Skip
from plugins.core.errors import GatewayError
from plugins.core.stage import Phase, Stage, implements
from plugins.proxy.auth import SCOPE_KEY
from plugins.proxy.delivery import Delivery, Message, Send
from plugins.proxy.inbound import forwarded
from plugins.proxy.outbound import Outbound
from plugins.proxy.passage import TIMED_OUT, EarlyEnd, Failure
from plugins.proxy.verdicts import all_failed, none_left

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log: Final = logging.getLogger("sluice.tiers")


class Replay:
    """Gives the body that the door has read once more, then whatever the client sends."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive: Final = receive
        self.gone = False

    async def __call__(self) -> Message:
        """Give the next message."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        message = await self._receive()
        self.gone = self.gone or message["type"] == "http.disconnect"
        return message


class Presence:
    """Notices that a client has gone away, and ends the work that is done for it.

    LiteLLM does not look while it waits for a provider: without this, a try would go on for nobody,
    and other tiers after it.

    Args:
        receive: the client's.
        delivery: once its last byte is given, going away is no news.
    """

    def __init__(self, receive: Receive, delivery: Delivery) -> None:
        self._receive: Final = receive
        self._delivery: Final = delivery
        self._gone: Final = asyncio.Event()
        self.left = False
        """The client went away before its answer was whole."""

    async def __call__(self) -> Message:
        """Give what the client sends after its request: that it is gone, and nothing before."""
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def watch(self, work: asyncio.Task[Any]) -> None:
        """Wait for the client to go, and cancel the work then."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = not self._delivery.finished
        self._gone.set()
        if self.left:
            work.cancel()


class Tiers:
    """Drives the tries of one call.

    Args:
        host: LiteLLM's application.
        call: what is asked.
        delivery: the way back to the client.
        outbound: writes the body of each try.
        stages: all that are on, in order.
    """

    def __init__(
        self,
        host: App,
        call: Call,
        delivery: Delivery,
        outbound: Outbound,
        stages: Sequence[Stage],
    ) -> None:
        self._host: Final = host
        self._call: Final = call
        self._delivery: Final = delivery
        self._outbound: Final = outbound
        self._routers: Final = [s for s in stages if implements(s, Phase.ROUTE)]

    async def run(self, scope: Scope, receive: Presence) -> None:
        """Try tier after tier; afterwards the client has been told one thing and it is settled."""
        call, delivery = self._call, self._delivery
        failures: list[Failure] = []
        skipped: list[GatewayError] = []
        doubted: set[str] = set()
        for place, group in enumerate(call.tiers):
            if group in doubted:
                continue  # another server of the model whose answer was not good enough
            refusal = await self._route(group)
            if refusal is not None:
                skipped.append(refusal)
                call.skipped.append(Skip(group, refusal.code, time.monotonic()))
                continue
            more_tiers = any(other not in {group, *doubted} for other in call.tiers[place + 1 :])
            await self._try(group, scope, receive, more_tiers=more_tiers)
            failure = delivery.failure
            if failure is None or delivery.settled:
                return
            failures.append(failure)
            if failure.error_class == NOT_CONFIDENT:
                doubted.add(group)
            # Where a tier has failed before, a refusal may be of what this one cannot do.
            if failure.is_clients and len(failures) == 1:
                break
            _log.info("call %s: %s failed: %s", call.id, group, failure.error_class)
        error = all_failed(call, failures) if failures else none_left(call, skipped)
        await delivery.give_up(failures, error)

    async def _route(self, group: str) -> GatewayError | None:
        for stage in self._routers:
            refusal = await stage.route(self._call, group)
            if refusal is not None:
                return refusal
        return None

    async def _try(self, group: str, scope: Scope, receive: Presence, *, more_tiers: bool) -> None:
        this = Pass(group, time.monotonic())
        self._call.passes.append(this)
        try:
            await self._pass(this, scope, receive, more_tiers=more_tiers)
        finally:
            this.ended_s = time.monotonic()

    async def _pass(self, this: Pass, scope: Scope, receive: Presence, *, more_tiers: bool) -> None:
        call, delivery, group = self._call, self._delivery, this.group
        call.group = group
        raw = self._outbound.body_for(group)
        inner = dict(scope)
        inner["headers"] = forwarded(
            scope["headers"],
            call.id,
            len(raw),
            form=self._outbound.is_form,
            traceparent=call.trace.traceparent(this.span_id),
        )
        inner["raw_path"] = scope["path"].encode()
        inner["query_string"] = b""
        inner[SCOPE_KEY] = call
        replay = Replay(raw, receive)
        broken_by = "HostEndedEarly"
        early_end = EarlyEnd(_this_task())
        silence = delivery.begin(
            group, call.time_limits, more_tiers=more_tiers, early_end=early_end
        )
        try:
            async with silence.limit:
                await self._host(inner, replay, delivery)
                silence.over()
        except asyncio.CancelledError:
            if not early_end.forgiven():
                raise
        except TimeoutError:
            broken_by = TIMED_OUT
        except Exception as error:  # noqa: BLE001 - whatever the host does, the call is settled
            broken_by = type(error).__name__
            gone = replay.gone or receive.left
            if not delivery.finished and delivery.failure is None and not gone:
                _log.exception("call %s failed inside the host", call.id)
        finally:
            early_end.over()
        if replay.gone or receive.left:
            await delivery.abandon()
        elif not delivery.finished:
            await delivery.break_off(broken_by)


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a call's tries are made in a task of their own")
    return task

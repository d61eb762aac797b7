"""Asks models on behalf of a call: a call of its own, through all phases, with a row of its own."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from plugins.core.answer import Answer
from plugins.core.asking import Question
from plugins.core.call import Call, Context, Endpoint
from plugins.core.clock import Clock
from plugins.core.identifiers import new_call_id
from plugins.core.trace import trace_of
from plugins.proxy.answering import answer_of
from plugins.proxy.outlet import OK, Message, Send
from plugins.proxy.streams import json_or_none
from plugins.proxy.tiers import Receive, Scope

_PATH: Final = "/v1/chat/completions"
_UNCACHED: Final = "no-store"

_log: Final = logging.getLogger("sluice.asking")

Way = Callable[[Call, bytes | None, Scope, Receive, Send], Coroutine[Any, Any, None]]
"""Takes a call all its way, as the door does with those of clients."""


class GatewayAsker:
    """Asks through this gateway; see `core.asking.Asker`.

    Args:
        way: of a call.
        scope: makes the scope of a request that begins here, for a path.
        clock: wall and monotonic time.
    """

    def __init__(self, way: Way, scope: Callable[[str], Scope], clock: Clock) -> None:
        self._way: Final = way
        self._scope: Final = scope
        self._clock: Final = clock
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    async def ask(self, call: Call, question: Question) -> Answer | None:
        """Ask, and wait; None when there was no answer in time, for whatever reason."""
        if call.inner:
            return None
        heard = _Heard()
        inner = self._inner(call, question)
        # A task of its own: what ends it must not end the call on whose behalf it is.
        task = asyncio.create_task(self._way(inner, None, self._scope(_PATH), _silence, heard.send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(question.timeout_s):
                await task
        except TimeoutError:
            _log.info("call %s: no answer to %r in time", call.id, question.purpose)
            return None
        except Exception:  # noqa: BLE001 - a check that cannot ask is told so, and no more
            _log.exception("call %s: asking for %r failed", call.id, question.purpose)
            return None
        return heard.answer()

    def _inner(self, call: Call, question: Question) -> Call:
        call_id = new_call_id()
        context = Context(
            subject=call.context.subject,
            entity_type=call.context.entity_type,
            entity_id=call.context.entity_id,
            parent_call_id=call.id,
            traceparent=call.trace.traceparent() if call.trace.trace_id else None,
        )
        now_s = self._clock.monotonic_s()
        return Call(
            id=call_id,
            endpoint=Endpoint.CHAT,
            # Which models check answers is the operator's to say, not the key's.
            principal=replace(call.principal, agents=frozenset(), models=frozenset()),
            model_asked=question.model,
            body={
                **question.parameters,
                "model": question.model,
                "messages": list(question.messages),
                "stream": False,
            },
            started_at=self._clock.now(),
            started_s=now_s,
            arrived_s=now_s,
            context=context,
            trace=trace_of(call_id, context.traceparent),
            cache_control=_UNCACHED,
            variants={"purpose": question.purpose},
            inner=True,
        )


class _Heard:
    """Takes the answer in place of a client."""

    def __init__(self) -> None:
        self._status = 0
        self._body: Final[list[bytes]] = []

    async def send(self, message: Message) -> None:
        """Take one ASGI message."""
        self._status = message.get("status", self._status)
        self._body.append(message.get("body", b""))

    def answer(self) -> Answer | None:
        """Read what was answered; None for anything but an answer."""
        body = b"".join(self._body)
        answer = json_or_none(body) if self._status == OK else None
        return None if answer is None else answer_of(Endpoint.CHAT, answer, body)


async def _silence() -> Message:
    """Say nothing more, as a client that waits."""
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}

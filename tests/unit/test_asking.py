"""A check's question becomes a call of its own, and its failure is no more than no answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from plugins.core.asking import LateAsker, Question
from plugins.core.call import Call, Context
from plugins.core.clock import SystemClock
from plugins.core.tenant import Principal
from plugins.proxy.asking import GatewayAsker
from tests.making import a_call

QUESTION = Question("judge", "gpt-4o-mini", [{"role": "user", "content": "?"}], {"n": 1}, 0.05)
SAID = orjson.dumps({"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]})


class _Way:
    """Stands in for the door: remembers the call, and answers as it is told to."""

    def __init__(self, status: int = 200, body: bytes = SAID, wait_s: float = 0.0) -> None:
        self._status, self._body, self._wait_s = status, body, wait_s
        self.calls: list[Call] = []
        self.cancelled = False

    async def __call__(
        self, call: Call, form: bytes | None, scope: Any, receive: Any, send: Any
    ) -> None:
        self.calls.append(call)
        try:
            await asyncio.sleep(self._wait_s)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self._status == 0:
            raise RuntimeError("a bug")
        await send({"type": "http.response.start", "status": self._status, "headers": []})
        await send({"type": "http.response.body", "body": self._body[:9], "more_body": True})
        await send({"type": "http.response.body", "body": self._body[9:]})


def _asker(way: _Way) -> GatewayAsker:
    scope: Callable[[str], Any] = lambda path: {"path": path}  # noqa: E731
    return GatewayAsker(way, scope, SystemClock())


async def test_a_question_is_the_parents_call_in_all_but_its_words() -> None:
    way = _Way()
    principal = Principal("k", "acme", agents=frozenset({"matching"}))
    context = Context(subject="c-1", session="s", entity_type="resume", entity_id="7")
    parent = a_call(principal=principal, context=context)
    answer = await _asker(way).ask(parent, QUESTION)
    assert answer is not None
    assert answer.text == "yes"
    (inner,) = way.calls
    assert inner.id != parent.id
    assert (inner.principal.key_id, inner.principal.tenant_id) == ("k", "acme")
    assert inner.principal.agents == frozenset()
    assert inner.context == Context("c-1", None, "resume", "7", parent.id)
    assert (inner.inner, inner.cache_control, inner.stream) == (True, "no-store", False)
    assert inner.variants == {"purpose": "judge"}
    assert inner.body == {
        "n": 1,
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "?"}],
        "stream": False,
    }


@pytest.mark.parametrize(
    "way", [_Way(429), _Way(0), _Way(200, b"not JSON at all"), _Way(wait_s=5.0)]
)
async def test_whatever_goes_wrong_is_no_answer(way: _Way) -> None:
    assert await _asker(way).ask(a_call(), QUESTION) is None


async def test_a_question_that_takes_too_long_is_given_up() -> None:
    way = _Way(wait_s=5.0)
    await _asker(way).ask(a_call(), QUESTION)
    assert way.cancelled


async def test_a_call_whose_client_leaves_takes_its_questions_along() -> None:
    way = _Way(wait_s=5.0)
    asking = asyncio.create_task(
        _asker(way).ask(a_call(), Question("judge", "m", [], {}, timeout_s=9.0))
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert way.cancelled


async def test_what_was_asked_for_a_check_asks_nobody() -> None:
    way = _Way()
    late = LateAsker()
    assert await late.ask(a_call(), QUESTION) is None
    late.bind(_asker(way))
    assert await late.ask(a_call(inner=True), QUESTION) is None
    assert await _asker(way).ask(a_call(inner=True), QUESTION) is None
    assert way.calls == []
    assert await late.ask(a_call(), QUESTION) is not None

"""Clients that make calls of every kind and keep count of what they got, by themselves."""

import asyncio
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import orjson

from tests.gateway.load import cost_of

_TEXT = "Tell the candidate when the interview takes place."


@dataclass(frozen=True)
class Shape:
    """One kind of call.

    Args:
        weight: how often it is drawn.
        path: where it goes.
        body: without the message, which is different in every call.
        repeats: it asks what others have asked, so that the cache may answer.
        leaves: the client goes away after the first bytes of the stream.
    """

    weight: int
    path: str
    body: dict[str, Any]
    repeats: bool = False
    leaves: bool = False


_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CHAT, MESSAGES, EMBEDDINGS = "/v1/chat/completions", "/v1/messages", "/v1/embeddings"
SHAPES = (
    Shape(20, CHAT, {"model": "matching"}),
    Shape(15, CHAT, {"model": "gpt-4o"}),
    Shape(10, CHAT, {"model": "resume_parsing"}),
    Shape(15, CHAT, {"model": "screening", **_USAGE}),
    Shape(10, MESSAGES, {"model": "decision", "max_tokens": 64}),
    Shape(10, EMBEDDINGS, {"model": "embedding"}),
    Shape(12, CHAT, {"model": "explanation"}, repeats=True),
    Shape(4, CHAT, {"model": "no-such-model"}),
    Shape(4, CHAT, {"model": "matching", **_USAGE}, leaves=True),
)


_NO_SECOND = {"no-such-model", "gpt-4o"}
"""Nothing takes over when these are not served."""


@dataclass
class Count:
    """What the clients saw."""

    calls: int = 0
    answered: int = 0
    unserved: int = 0
    left: int = 0
    cached: int = 0
    fell_back: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: Decimal = Decimal(0)
    latencies_s: list[float] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter[str])
    odd: list[str] = field(default_factory=list)


class MixedLoad:
    """Makes calls of all shapes, drawn from a seed.

    Args:
        base_url: the gateway.
        key: a tenant's.
        leavers_key: another tenant's, for calls whose client goes away: what those consume no
            client can know.
        calls: how many, at least one of each shape.
        clients: how many at once.
        seed: of the draw.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        leavers_key: str,
        *,
        calls: int,
        clients: int,
        seed: int,
    ) -> None:
        self._client = httpx.AsyncClient(base_url=base_url, timeout=60)
        self._stays = {"authorization": f"Bearer {key}"}
        self._leaves = {"authorization": f"Bearer {leavers_key}"}
        self._clients = clients
        weights = [shape.weight for shape in SHAPES]
        # At least one call is made of each, whatever is drawn.
        drawn = random.Random(seed).choices(SHAPES, weights, k=calls - len(SHAPES))  # noqa: S311
        self._todo = [*SHAPES, *drawn]
        self.count = Count()

    async def run(self) -> Count:
        """Make all calls."""
        async with self._client:
            await asyncio.gather(*(self._work() for _ in range(self._clients)))
        return self.count

    async def _work(self) -> None:
        while self._todo:
            await self._call(self._todo.pop())

    async def _call(self, shape: Shape) -> None:
        text = _TEXT if shape.repeats else f"{_TEXT} {uuid.uuid4()}"
        said = {"input": text} if shape.path == EMBEDDINGS else _messages(text)
        began_s = time.perf_counter()
        headers = self._leaves if shape.leaves else self._stays
        body = shape.body | said
        async with self._client.stream("POST", shape.path, json=body, headers=headers) as answer:
            self.count.calls += 1
            if shape.leaves:
                await anext(aiter(answer.aiter_raw()))
                self.count.left += 1
                return
            content = await answer.aread()
        self.count.latencies_s.append(time.perf_counter() - began_s)
        self._note(shape, answer, content)

    def _note(self, shape: Shape, answer: httpx.Response, content: bytes) -> None:
        count = self.count
        if answer.status_code != 200:
            count.unserved += 1
            if shape.body["model"] not in _NO_SECOND:
                count.odd.append(f"{shape}: {answer.status_code} {content[:200]!r}")
            return
        count.answered += 1
        model = answer.headers["x-sluice-model"]
        count.models[model] += 1
        count.fell_back += answer.headers.get("x-sluice-tier") != "primary"
        if answer.headers["x-sluice-cache"] in {"hit", "coalesced"}:
            count.cached += 1
            return
        usage = _usage(content)
        count.tokens_in += usage.get("prompt_tokens", usage.get("input_tokens", 0))
        count.tokens_out += usage.get("completion_tokens", usage.get("output_tokens", 0))
        count.usd += cost_of(model, usage)


def _messages(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def _usage(content: bytes) -> dict[str, int]:
    """The usage that an answer states, streamed or not."""
    if not content.startswith(b"data:"):
        return dict(orjson.loads(content)["usage"])
    frames = [f[6:] for f in content.split(b"\n\n") if f.startswith(b"data: {")]
    return next(u for f in reversed(frames) if (u := orjson.loads(f).get("usage")))

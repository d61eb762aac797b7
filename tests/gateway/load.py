"""A crowd of clients that remember every answer they had in full, and what it must have cost."""

import asyncio
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import orjson

from tests.gateway.running import UNCACHED

MILLION = Decimal(1_000_000)
# Dollars per million tokens in and out; SPEC section 2 states the input prices.
PRICES = {
    "gpt-4o": (Decimal("2.50"), Decimal("10.00")),
    "gpt-4o-mini": (Decimal("0.15"), Decimal("0.60")),
    "claude-3-5-sonnet": (Decimal("3.00"), Decimal("15.00")),
    "text-embedding-ada-002": (Decimal("0.10"), Decimal(0)),
}
_TEXT = [{"role": "user", "content": "Tell the candidate when the interview takes place."}]
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"model": "gpt-4o", "messages": _TEXT}),
    ("/v1/chat/completions", {"model": "resume_parsing", "messages": _TEXT}),
    (
        "/v1/chat/completions",
        {
            "model": "matching",
            "messages": _TEXT,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    ("/v1/embeddings", {"model": "embedding", "input": "ten years of Python"}),
    ("/v1/messages", {"model": "decision", "max_tokens": 64, "messages": _TEXT}),
]


def cost_of(model: str, usage: dict[str, int]) -> Decimal:
    """What a call cost, computed by the client from the usage it was told."""
    price_in, price_out = PRICES[model]
    tokens_in = usage.get("prompt_tokens", usage.get("input_tokens", 0))
    tokens_out = usage.get("completion_tokens", usage.get("output_tokens", 0))
    return (tokens_in * price_in + tokens_out * price_out) / MILLION


@dataclass
class Crowd:
    """Clients that call until told to stop.

    Args:
        base_url: the gateway.
        key: a tenant's key.
        size: how many clients at once.
    """

    base_url: str
    key: str
    size: int = 6
    answered: dict[str, Decimal] = field(default_factory=dict)
    refused: list[tuple[float, int, str]] = field(default_factory=list)
    broken: int = 0
    stopping: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client(n) for n in range(self.size)))

    async def _client(self, number: int) -> None:
        headers = {"authorization": f"Bearer {self.key}", **UNCACHED}
        async with httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=30) as client:
            turn = number
            while not self.stopping:
                path, body = CALLS[turn % len(CALLS)]
                turn += 1
                try:
                    await self._call(client, path, body)
                except httpx.TransportError:
                    self.broken += 1
                    await asyncio.sleep(0.05)

    async def _call(self, client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
        async with client.stream("POST", path, json=body) as answer:
            content = await answer.aread()
        if answer.status_code != 200:
            self.refused.append((time.monotonic(), answer.status_code, answer.text))
            return
        usage = _streamed_usage(content) if body.get("stream") else orjson.loads(content)["usage"]
        if usage is not None:
            model = answer.headers["x-sluice-model"]
            self.answered[answer.headers["x-sluice-call-id"]] = cost_of(model, usage)


def _streamed_usage(content: bytes) -> dict[str, int] | None:
    """The usage of a stream that came in full; None for one that was cut off."""
    if not content.rstrip().endswith(b"data: [DONE]") or b'"error"' in content:
        return None
    frames = [f[6:] for f in content.split(b"\n\n") if f.startswith(b"data: {")]
    return next(u for f in reversed(frames) if (u := orjson.loads(f).get("usage")))

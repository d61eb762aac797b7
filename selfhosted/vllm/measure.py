"""Finds how many tokens a second a running server reads and writes: what a token's price needs.

Each kind of work is measured without the other, because the price adds the two times up (see
`cost.rules.GpuHour`): prompts that are all different and get one token for an answer, then short
prompts with long answers that may not end early.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx

from selfhosted.vllm.manifest import Manifest
from selfhosted.vllm.readiness import bearer

SEED: Final = 20261124
WORDS: Final = (
    "candidate",
    "interview",
    "salary",
    "python",
    "engineer",
    "meeting",
    "degree",
    "Oslo",
)
SHORT_WORDS: Final = 8
CALL_LIMIT_S: Final = 300.0


class MeasureError(Exception):
    """A server cannot be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Load:
    """How a server is loaded.

    Args:
        clients: that call at once.
        seconds: for which each kind of work is done.
        prompt_words: of the prompts that are read.
        answer_tokens: of the answers that are written.
    """

    clients: int = 64
    seconds: float = 30.0
    prompt_words: int = 700
    answer_tokens: int = 256


@dataclass(slots=True)
class Figures:
    """What one kind of work came to.

    Args:
        input_tokens: read by all calls together, cached ones left out.
        output_tokens: written by all calls together.
        took_s: from the first call's start to the last one's end.
        latencies_s: of each call.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    took_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list[float])

    @property
    def calls_per_s(self) -> float:
        """Give the calls a second."""
        return len(self.latencies_s) / self.took_s

    def percentile_s(self, share: float) -> float:
        """Give the latency that this share of the calls did not exceed."""
        ordered = sorted(self.latencies_s)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    def add(self, usage: dict[str, Any], took_s: float) -> None:
        """Count one call."""
        details = cast("dict[str, Any]", usage.get("prompt_tokens_details") or {})
        cached: int = details.get("cached_tokens") or 0
        self.input_tokens += usage["prompt_tokens"] - cached
        self.output_tokens += usage["completion_tokens"]
        self.latencies_s.append(took_s)


async def measure(
    address: str, manifest: Manifest, key: str | None, load: Load
) -> tuple[Figures, Figures]:
    """Load a server with reading, then with writing.

    Returns:
        The figures of each; the reading ones' input tokens and the writing ones' output tokens
        over their seconds are the throughputs.

    Raises:
        MeasureError: when a call fails; a throughput of refusals is worth nothing.
    """
    limits = httpx.Limits(max_connections=load.clients)
    async with httpx.AsyncClient(
        base_url=address,
        headers=bearer(key),
        timeout=CALL_LIMIT_S,
        trust_env=False,
        limits=limits,
    ) as client:
        reading = await _loaded(client, manifest.group, load, load.prompt_words, 1)
        writing = await _loaded(client, manifest.group, load, SHORT_WORDS, load.answer_tokens)
    return reading, writing


async def _loaded(
    client: httpx.AsyncClient, model: str, load: Load, words: int, tokens: int
) -> Figures:
    figures = Figures()
    chance = random.Random(SEED)  # noqa: S311 - prompts, no secrets
    started_s = time.monotonic()

    async def calling() -> None:
        while time.monotonic() - started_s < load.seconds:
            prompt = " ".join(chance.choices(WORDS, k=words))
            await _call(client, model, prompt, tokens, figures)

    async with asyncio.TaskGroup() as group:
        for _ in range(load.clients):
            group.create_task(calling())
    figures.took_s = time.monotonic() - started_s
    return figures


async def _call(
    client: httpx.AsyncClient, model: str, prompt: str, tokens: int, figures: Figures
) -> None:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": tokens,
        "ignore_eos": True,
    }
    started_s = time.monotonic()
    try:
        answer = await client.post("/v1/chat/completions", json=body)
    except httpx.HTTPError as error:
        raise MeasureError(f"the server does not answer: {type(error).__name__}") from error
    if answer.status_code != 200:
        raise MeasureError(f"the server answers {answer.status_code}: {answer.text[:300]}")
    figures.add(answer.json()["usage"], time.monotonic() - started_s)


def rows(manifest: Manifest, reading: Figures, writing: Figures) -> str:
    """Write the figures as they go into `sluice.prices` and into the manifest."""
    rent = manifest.rent
    fields = (
        f'usd_per_hour: "{rent.usd_per_hour}", gpus: {rent.gpus},'
        f" input_tokens_per_s: {round(reading.input_tokens / reading.took_s)},"
        f" output_tokens_per_s: {round(writing.output_tokens / writing.took_s)}"
    )
    return (
        f"proxy_config.yaml, sluice.prices: {{gpu_hour: {{{fields}}}}}\n"
        f"manifest, rent:                   {{{fields}, basis: measured}}"
    )

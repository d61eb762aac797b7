"""The running servers, as the tests see and break them."""

import asyncio
import json
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.gateway.running import Gateway, eventually

GROUPS = {"llama-3": ("llama", 2), "mistral": ("mistral", 1)}
"""Of each group: the kind of its tiny model, and how many servers."""
BACK_LIMIT_S = 150.0


@dataclass
class VllmServer:
    """One vLLM, known to the gateway under the same name.

    Args:
        name: its deployment in the gateway's configuration, `group:port`.
        base_url: with `/v1`.
        data_dir: where `serve` notes who runs.
    """

    name: str
    base_url: str
    data_dir: Path

    @property
    def pid(self) -> int:
        noted = self.data_dir / "run" / f"{self.name.rsplit(':', 1)[1]}.json"
        return int(json.loads(noted.read_text())["child"][0])

    @property
    def memory_mb(self) -> int:
        """Resident memory of its process and all that it has started."""
        pages = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.pid:  # the session that it leads
                pages += int(fields[21])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def metrics(self) -> str:
        return httpx.get(self.base_url.removesuffix("/v1") + "/metrics", timeout=10).text

    @property
    def healthy(self) -> bool:
        try:
            return httpx.get(self.base_url.removesuffix("/v1") + "/health", timeout=2).is_success
        except httpx.TransportError:
            return False

    def until_back(self) -> None:
        eventually(lambda: self.healthy, lambda healthy: healthy, BACK_LIMIT_S)


@dataclass
class Tier:
    """All servers by group, and the seconds until the last of them was warm."""

    servers: dict[str, list[VllmServer]]
    start_s: float


@dataclass
class Crowd:
    """Clients that call one model until told to stop, and remember who answered.

    Args:
        gateway: asked through it.
        model: a model or agent.
        size: clients at once.
        pause_s: what a client waits between two calls.
        calls: ids of the answered ones.
        retried: ids of those that took more than one attempt.
        served: how many each model answered.
        refused: status and body of the others.
        slowest: id of the slowest, and its seconds.
    """

    gateway: Gateway
    model: str
    size: int = 4
    pause_s: float = 0.0
    tokens: int = 16
    calls: list[str] = field(default_factory=list[str])
    retried: list[str] = field(default_factory=list[str])
    served: Counter[str] = field(default_factory=Counter[str])
    refused: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    slowest: tuple[float, str] = (0.0, "")
    stopping: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self.size)))

    async def _client(self) -> None:
        headers = {"authorization": f"Bearer {self.gateway.demo_key}"}
        async with httpx.AsyncClient(
            base_url=self.gateway.base_url, headers=headers, timeout=60
        ) as client:
            while not self.stopping:
                await self._call(client)
                await asyncio.sleep(self.pause_s)

    async def _call(self, client: httpx.AsyncClient) -> None:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": "Is the candidate available?"}],
            "max_tokens": self.tokens,
            "temperature": 0,
        }
        answer = await client.post("/v1/chat/completions", json=body)
        call_id = answer.headers["x-sluice-call-id"]
        self.slowest = max(self.slowest, (answer.elapsed.total_seconds(), call_id))
        if answer.status_code != 200:
            self.refused.append((answer.status_code, answer.text))
            return
        assert answer.json()["choices"][0]["finish_reason"] in {"stop", "length"}
        self.calls.append(call_id)
        if answer.headers["x-sluice-attempts"] != "1":
            self.retried.append(call_id)
        self.served[answer.headers["x-sluice-model"]] += 1

    def attempts_of(self, call_id: str) -> list[tuple[str, str | None]]:
        """Deployment and error of each attempt of a call, from its ledger row."""
        row = self.gateway.call_row(call_id)
        return [(a["deployment"], a["error_class"]) for a in row["attempts"] if "deployment" in a]

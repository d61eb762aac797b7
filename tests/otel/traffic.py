"""Calls of every kind, so that every figure has something to show."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.gateway.running import Gateway

CHAT = ("matching", "screening", "decision", "resume_parsing", "explanation", "mistral")
SPOKEN = {"model": "tts-1", "input": "Good morning", "voice": "alloy", "response_format": "wav"}


@dataclass
class Traffic:
    """A client that does a bit of everything, again and again.

    Args:
        gateway: whom it calls.
        narrow_key: a key with one request a minute, which is soon refused.
        rounds: how many it has made.
    """

    gateway: Gateway
    narrow_key: str
    rounds: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stopping.is_set():
            self.once()
            self.rounds += 1

    def once(self) -> None:
        gateway = self.gateway
        for agent in CHAT:
            answer = self._seen(gateway.chat(model=agent, messages=_say(f"{self.rounds} {agent}")))
            self._judge(answer)
        with_cache = {"cache-control": "max-age=3600"}
        gateway.chat(model="matching", messages=_say("the same"), headers=with_cache)
        gateway.chat(model="jd_enrichment", stream=True, messages=_say(f"stream {self.rounds}"))
        self._post("/v1/embeddings", {"model": "embedding", "input": f"Python {self.rounds}"})
        body = {"model": "decision", "max_tokens": 64, "messages": _say("yes or no")}
        self._post("/v1/messages", body)
        sound = self._post("/v1/audio/speech", SPOKEN).content
        gateway.request(
            "POST", "/v1/audio/transcriptions", gateway.demo_key,
            files={"file": ("a.wav", sound)}, data={"model": "whisper-1"},
        )  # fmt: skip
        gateway.chat(key="sk-not-a-key-of-anybody-at-all")
        gateway.chat(key=self.narrow_key)
        gateway.chat(model="matching", api_base="http://elsewhere")

    def _judge(self, answer: httpx.Response) -> None:
        """Say what people would say of an answer."""
        call_id = answer.headers.get("x-sluice-call-id")
        if answer.status_code != 200 or self.rounds % 3:
            return
        key = self.gateway.demo_key
        for kind in ("thumbs_up", "thumbs_down", "accepted", "overridden"):
            body = {"call_id": call_id, "kind": kind, "reviewer": kind}
            self.gateway.request("POST", "/sluice/feedback", key, json=body)
        for stage in ("shortlisted", "interviewed", "hired"):
            body = {"call_id": call_id, "stage": stage, "idempotency_key": f"{call_id}{stage}"}
            self.gateway.request("POST", "/sluice/conversions", key, json=body)

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return self._seen(self.gateway.request("POST", path, self.gateway.demo_key, json=body))

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        self.answers[answer.status_code] = self.answers.get(answer.status_code, 0) + 1
        return answer


def _say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@contextlib.contextmanager
def flowing(traffic: Traffic) -> Iterator[Traffic]:
    """Let it flow beside a test."""
    thread = threading.Thread(target=traffic.run, daemon=True)
    thread.start()
    try:
        yield traffic
    finally:
        traffic.stopping.set()
        thread.join(90)


def wait_for_rounds(traffic: Traffic, wanted: int, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while traffic.rounds < wanted:
        assert time.monotonic() < deadline, f"{traffic.rounds} of {wanted} rounds in {limit_s} s"
        time.sleep(0.1)

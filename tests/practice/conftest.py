"""One practice server for the whole session, as a process, over real sockets."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import anthropic
import cohere
import httpx
import openai
import pytest


@dataclass(frozen=True)
class Server:
    base: str
    openai_alone: str
    pid: int


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    command = [sys.executable, "-m", "selfhosted.practice", "--port", "0", "--port-openai", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        base, alone = (re.search(r"http://[\d.:]+", line)[0] for line in lines)
        yield Server(base, alone, process.pid)
        process.terminate()
        assert process.wait(timeout=10) == 0


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx.Client]:
    """A plain client with a key that every provider accepts."""
    headers = {"authorization": "Bearer k", "x-api-key": "k", "xi-api-key": "k"}
    with httpx.Client(base_url=server.base, headers=headers, timeout=10) as client:
        yield client


@pytest.fixture(scope="session")
def oai(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.base}/openai/v1", api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def vllm(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.base}/vllm/v1", api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=f"{server.base}/anthropic", api_key="k", max_retries=0
    ) as client:
        yield client


@pytest.fixture(scope="session")
def coh(server: Server) -> Iterator[cohere.ClientV2]:
    with httpx.Client(timeout=10) as inner:
        yield cohere.ClientV2(api_key="k", base_url=f"{server.base}/cohere", httpx_client=inner)


@pytest.fixture
def program(http: httpx.Client) -> Iterator:
    """Program the faults of a provider; everything is cleared afterwards."""

    def load(provider: str, *faults: dict, expect: int = 200) -> dict:
        body = {"provider": provider, "faults": list(faults)}
        answer = http.post("/_practice/faults", json=body)
        assert answer.status_code == expect, answer.text
        return answer.json()

    http.post("/_practice/reset").raise_for_status()
    yield load
    http.post("/_practice/reset").raise_for_status()

"""Three practice servers, one a tier, and the configuration that puts a gateway before them."""

import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from typing_extensions import override

from bench.reliability.faults import SILENCE_S
from bench.reliability.shapes import KINDS
from bench.servers import ServerError
from plugins.cli.up_checks import free_port

ROOT: Final = Path(__file__).parents[2]
_HOST: Final = "127.0.0.1"
_START_LIMIT_S: Final = 30.0
POSITIONS: Final = ("primary", "secondary", "tertiary")
NEVER_OPENS: Final = {"failures_to_open": 1000}
ADDRESSES: Final = ("dns", "tls")
PATIENT: Final = "matrix_chat_patient"
"""A chat agent with the shipped time limits, for crowds that a small machine serves slowly."""
_MODES: Final = {
    "chat": "chat",
    "embedding": "embedding",
    "speech": "audio_speech",
    "transcription": "audio_transcription",
}


@dataclass(frozen=True, slots=True)
class Stand:
    """What stands behind one tier of one kind: LiteLLM's name and the practice provider's path.

    All three tiers of the embeddings run the same model, so that vectors never mix (SPEC 3.1).
    """

    model: str
    provider: str
    path: str


STANDS: Final = {
    "chat": (
        Stand("openai/gpt-4o", "openai", "/openai/v1"),
        Stand("anthropic/claude-sonnet-4-6", "anthropic", "/anthropic"),
        Stand("hosted_vllm/llama-3", "vllm", "/vllm/v1"),
    ),
    "embedding": (
        Stand("openai/text-embedding-ada-002", "openai", "/openai/v1"),
        Stand("hosted_vllm/text-embedding-ada-002", "openai", "/openai/v1"),
        Stand("openai/text-embedding-ada-002", "openai", "/openai/v1"),
    ),
    "speech": (
        Stand("openai/tts-1", "openai", "/openai/v1"),
        Stand("elevenlabs/eleven_multilingual_v2", "elevenlabs", "/elevenlabs"),
        Stand("openai/tts-1", "openai", "/openai/v1"),
    ),
    "transcription": (
        Stand("openai/whisper-1", "openai", "/openai/v1"),
        Stand("deepgram/nova-2", "deepgram", "/deepgram/v1"),
        Stand("openai/whisper-1", "openai", "/openai/v1"),
    ),
}


@dataclass(frozen=True, slots=True)
class Server:
    """One practice server.

    Args:
        url: of its administration.
        ports: of each provider's own.
        pid: of its process.
        tls_port: where no TLS handshake succeeds.
    """

    url: str
    ports: dict[str, int]
    pid: int
    tls_port: int

    def order(self, provider: str, faults: Sequence[dict[str, Any]]) -> None:
        """Set a provider's faults; none clears them."""
        body = {"provider": provider, "faults": list(faults)}
        httpx.post(f"{self.url}/_practice/faults", json=body, timeout=30).raise_for_status()

    def mend(self) -> None:
        """Clear all faults."""
        httpx.delete(f"{self.url}/_practice/faults", timeout=30).raise_for_status()

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """List what it was asked, oldest first."""
        answer = httpx.get(f"{self.url}/_practice/requests", params={"since": since}, timeout=30)
        return list(answer.json()["requests"])

    def last(self) -> int:
        """Give the number of its last request."""
        return int(httpx.get(f"{self.url}/_practice/stats", timeout=30).json()["last"])


class _NoHandshake(socketserver.BaseRequestHandler):
    """Answers every greeting with TLS' own words for "no": a fatal handshake_failure alert."""

    @override
    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


@contextmanager
def _shut_tls() -> Generator[int]:
    """Listen where no TLS handshake succeeds; gives the port."""
    with socketserver.ThreadingTCPServer((_HOST, 0), _NoHandshake) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def farm(folder: Path, *, chunk_delay_ms: float = 0.0) -> Generator[tuple[Server, ...]]:
    """Run the three servers.

    Args:
        folder: for their logs.
        chunk_delay_ms: pause after each chunk of their streams.

    Raises:
        ServerError: when one does not come up.
    """
    with ExitStack() as stack:
        tls_port = stack.enter_context(_shut_tls())
        yield tuple(
            stack.enter_context(_server(folder, position, chunk_delay_ms, tls_port))
            for position in POSITIONS
        )


@contextmanager
def _server(folder: Path, name: str, chunk_delay_ms: float, tls_port: int) -> Generator[Server]:
    port = free_port(_HOST)
    providers = ("openai", "anthropic", "vllm", "elevenlabs", "deepgram")
    ports = {provider: free_port(_HOST) for provider in providers}
    argv = [sys.executable, "-m", "selfhosted.practice", "--port", str(port), "--quiet"]
    argv += ["--chunk-delay-ms", str(chunk_delay_ms)]
    for provider, own in ports.items():
        argv += [f"--port-{provider}", str(own)]
    with (folder / f"practice-{name}.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            _until_up(f"http://{_HOST}:{port}", process)
            yield Server(f"http://{_HOST}:{port}", ports, process.pid, tls_port)
        finally:
            process.terminate()
            process.wait(20)


def _until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_LIMIT_S
    while True:
        try:
            httpx.get(f"{url}/health", timeout=1).raise_for_status()
        except httpx.TransportError as error:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise ServerError("a practice server did not come up") from error
            time.sleep(0.05)
        else:
            return


def group(kind: str, position: str, address: str = "") -> str:
    """Name the model group of a kind at a tier, with a sound or a broken address."""
    return "-".join(filter(None, (kind, position, address)))


def agent(kind: str, address: str = "", *, both: bool = False) -> str:
    """Name the agent whose primary (and secondary) has a sound or a broken address."""
    return "_".join(filter(None, ("matrix", kind, address, "both" if address and both else "")))


def write_config(path: Path, servers: Sequence[Server], **breaker: float) -> Path:
    """Derive the matrix's configuration from the shipped one.

    Args:
        path: where to write it.
        servers: one a tier.
        breaker: the breaker's settings over the shipped ones. `NEVER_OPENS` lets each cell of the
            matrix meet its fault, and not the circuit that the last one opened.

    Returns:
        The path.
    """
    config: dict[str, Any] = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    limits = {"first_byte_s": SILENCE_S, "between_chunks_s": SILENCE_S, "answer_s": SILENCE_S}
    policy = config["sluice"]
    for kind in KINDS:
        config["model_list"] += list(_deployments(kind, servers))
        for name, tiers in _agents(kind):
            policy["agents"][name] = {"tiers": tiers, "time_limits": limits}
    policy["agents"][PATIENT] = {"tiers": [group("chat", position) for position in POSITIONS]}
    sound = "the matrix counts no money"
    ids = (entry["model_info"]["id"] for entry in config["model_list"])
    policy["prices"] |= {i: {"free_because": sound} for i in ids if not _priced(i)}
    policy["breaker"] |= breaker
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _priced(deployment: str) -> bool:
    """Tell whether a deployment keeps the price it has."""
    return not deployment.startswith("matrix-") or "-chat-primary" in deployment


def _deployments(kind: str, servers: Sequence[Server]) -> Generator[dict[str, Any]]:
    for stand, position, server in zip(STANDS[kind], POSITIONS, servers, strict=True):
        for address in ("", *ADDRESSES):
            base = {
                "": f"http://{_HOST}:{server.ports[stand.provider]}",
                "dns": f"http://{position}.invalid",
                "tls": f"https://{_HOST}:{server.tls_port}",
            }[address]
            params: dict[str, Any] = {
                "model": stand.model,
                "api_base": base + stand.path,
                "api_key": "practice",
            }
            if stand.provider == "vllm":
                params["use_chat_completions_api"] = True
            name = group(kind, position, address)
            info = {"id": f"matrix-{name}", "mode": _MODES[kind]}
            yield {"model_name": name, "litellm_params": params, "model_info": info}


def _agents(kind: str) -> Generator[tuple[str, list[str]]]:
    first, second, third = (group(kind, position) for position in POSITIONS)
    yield agent(kind), [first, second, third]
    for address in ADDRESSES:
        broken = group(kind, "primary", address)
        yield agent(kind, address), [broken, second, third]
        worse = group(kind, "secondary", address)
        yield agent(kind, address, both=True), [broken, worse, third]

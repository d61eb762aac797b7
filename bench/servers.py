"""Starts what is compared: Sluice by its own command, and LiteLLM's proxy as it comes."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from bench.wire import Place
from plugins.cli.up_checks import free_port
from plugins.cli.up_environment import LITELLM, UNWANTED, upstreams
from plugins.cli.up_services import Place as Served
from plugins.cli.up_services import warm_up
from selfhosted.engines.process import Launch

ROOT: Final = Path(__file__).parents[1]
START_LIMIT_S: Final = 180.0
STOP_LIMIT_S: Final = 40.0
_HOST: Final = "127.0.0.1"


class ServerError(Exception):
    """A server did not come up."""


@dataclass(frozen=True, slots=True)
class System:
    """One of the two that are compared.

    Args:
        name: in the report.
        place: where it listens.
        key: opens it.
        proxy_pid: root of the proxy's processes.
        store_pids: roots of its PostgreSQL and Redis, if it has any.
        ready_s: from the start of its command to its first readiness.
    """

    name: str
    place: Place
    key: str
    proxy_pid: int
    store_pids: tuple[int, ...]
    ready_s: float


@dataclass(frozen=True, slots=True)
class Cache:
    """LiteLLM's own response cache, in a Redis.

    Args:
        url: of the Redis, which nobody else uses: LiteLLM's scripts call INCRBYFLOAT, by which a
            Redis of 6.2 corrupts its memory once another script calls with more arguments.
        pid: of its server.
    """

    url: str
    pid: int

    @property
    def settings(self) -> dict[str, Any]:
        """Give `litellm_settings`."""
        return {"cache": True, "cache_params": {"type": "redis", "url": self.url, "ttl": 3600}}


@dataclass(frozen=True, slots=True)
class Sluice:
    """Sluice, and what runs beside it.

    Args:
        system: to be put under load.
        practice_url: the practice provider's, which both use.
        redis_url: its Redis.
        admin_key: an administrator's.
    """

    system: System
    practice_url: str
    redis_url: str
    admin_key: str

    def new_key(self) -> str:
        """Make a tenant for the run; gives its key."""
        with httpx.Client(
            base_url=f"http://{_HOST}:{self.system.place.port}",
            headers={"authorization": f"Bearer {self.admin_key}"},
            timeout=30,
        ) as client:
            made = client.post("/sluice/tenants", json={"tenant_id": "bench"})
            made.raise_for_status()
            made = client.post("/sluice/keys", json={"tenant_id": "bench", "label": "bench"})
            made.raise_for_status()
            return str(made.json()["key"])

    def answer_with(self, text: str, chunks: int) -> None:
        """Let the practice provider say the same to every call."""
        fault = {"kind": "answer", "text": text, "chunks": chunks}
        order = {"provider": "openai", "faults": [fault]}
        httpx.post(f"{self.practice_url}/_practice/faults", json=order).raise_for_status()


def _environment() -> dict[str, str]:
    """Give our environment without anything that names real providers or stores."""
    unwanted = UNWANTED | {"SLUICE_SECRET"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted
        and not name.startswith(("LITELLM_", "OTEL_", "SLUICE_"))
        and not name.endswith(("_API_KEY", "_API_BASE"))
    } | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextmanager
def sluice(
    folder: Path,
    config: Path = ROOT / "proxy_config.yaml",
    workers: int = 1,
    variables: Mapping[str, str] | None = None,
) -> Generator[Sluice]:
    """Run `sluice up` with embedded stores.

    Args:
        folder: an empty one.
        config: the shipped one, unless another is named.
        workers: of the proxy.
        variables: more of the environment.

    Raises:
        ServerError: when it does not come up.
    """
    port = free_port(_HOST)
    ready_file = folder / "ready.json"
    argv = [sys.executable, "-m", "plugins.cli", "up", "--port", str(port)]
    argv += ["--workers", str(workers), "--config", str(config), "--data-dir", str(folder / "data")]
    argv += ["--ready-file", str(ready_file)]
    environ = _environment() | dict(variables or {})
    with _running(Launch(argv, folder / "up.log", env=environ)) as process:
        logs = (folder / "up.log", folder / "data" / "logs" / "proxy.log")
        ready_s = _until(ready_file.exists, process, *logs)
        ready: dict[str, Any] = json.loads(ready_file.read_text())
        pids: dict[str, int] = ready["pids"]
        stores = tuple(pids[name] for name in ("Redis", "PostgreSQL"))
        place = Place(_HOST, port)
        system = System("Sluice", place, ready["demo_key"], pids["proxy"], stores, ready_s)
        yield Sluice(system, ready["practice_url"], ready["redis_url"], ready["admin_key"])


@contextmanager
def bare(folder: Path, practice_port: int, cache: Cache | None = None) -> Generator[System]:
    """Run LiteLLM's own command on our list of models and nothing else: one worker, a master key.

    Args:
        folder: an empty one.
        practice_port: where the practice provider listens.
        cache: its response cache, or None for none.

    Raises:
        ServerError: when it does not come up.
    """
    shipped: dict[str, Any] = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "bare.yaml"
    written = {"model_list": shipped["model_list"]}
    if cache is not None:
        written["litellm_settings"] = cache.settings
    config.write_text(yaml.safe_dump(written))
    port = free_port(_HOST)
    key = f"sk-{secrets.token_urlsafe(32)}"
    hookless = {name: v for name, v in LITELLM.items() if name != "LITELLM_WORKER_STARTUP_HOOKS"}
    environ = _environment() | hookless | upstreams({}, practice_port).variables
    environ |= {"LITELLM_MASTER_KEY": key, "LITELLM_LOG": "ERROR"}
    argv = [str(Path(sys.executable).with_name("litellm")), "--config", str(config)]
    argv += ["--host", _HOST, "--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    served = Served(_HOST, port)
    with _running(Launch(argv, folder / "bare.log", env=environ)) as process:
        ready_s = _until(lambda: warm_up(served), process, folder / "bare.log")
        name = "bare LiteLLM" if cache is None else "bare LiteLLM with its cache"
        stores = () if cache is None else (cache.pid,)
        yield System(name, Place(_HOST, port), key, process.pid, stores, ready_s)


@contextmanager
def _running(launch: Launch) -> Generator[subprocess.Popen[bytes]]:
    process = launch.start()
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes], *logs: Path) -> float:
    """Wait for a server; gives the seconds since its start."""
    began_s = time.monotonic()
    while not ready():
        if process.poll() is not None or time.monotonic() - began_s > START_LIMIT_S:
            said = [
                f"--- {p.name}\n{p.read_text(errors='replace')[-2000:]}" for p in logs if p.exists()
            ]
            raise ServerError("\n".join(("a server did not come up:", *said)))
        time.sleep(0.02)
    return time.monotonic() - began_s

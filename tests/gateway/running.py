"""Starts the real thing (`sluice up`) for tests, and talks to it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 120.0
UNCACHED = {"cache-control": "no-store"}
"""Tests repeat themselves; only those of the cache want the answer that was given before."""
MODERATIONS = "/moderations"
MODELS_ALONE = {"besides": MODERATIONS}
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Gateway:
    """A running gateway.

    Args:
        base_url: without a path.
        admin_key: an administrator's.
        demo_key: the demo tenant's.
        practice_url: the practice providers.
        ready: everything that `--ready-file` says.
        process: `sluice up` itself.
        data_dir: its `.sluice`.
        probe: what `tests/gateway/probe.py` wrote.
    """

    base_url: str
    admin_key: str
    demo_key: str
    practice_url: str
    ready: dict[str, Any]
    process: subprocess.Popen[bytes]
    data_dir: Path
    probe: Path
    faulted: set[str] = field(default_factory=set)

    def admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.request(method, path, self.admin_key, **options)

    def request(self, method: str, path: str, key: str | None, **options: Any) -> httpx.Response:
        headers = UNCACHED | dict(options.pop("headers", {}))
        if key is not None:
            headers.setdefault("authorization", f"Bearer {key}")
        return httpx.request(method, self.base_url + path, headers=headers, timeout=60, **options)

    def chat(self, key: str | None = None, **body: Any) -> httpx.Response:
        """One chat call; the model and a message have defaults."""
        headers = body.pop("headers", {})
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], **body}
        return self.request(
            "POST", "/v1/chat/completions", key or self.demo_key, json=body, headers=headers
        )

    def new_tenant(self) -> str:
        """Make a tenant nobody else uses; gives its identifier."""
        tenant_id = f"t-{uuid.uuid4().hex[:12]}"
        self.admin("POST", "/sluice/tenants", json={"tenant_id": tenant_id}).raise_for_status()
        return tenant_id

    def new_key(self, tenant_id: str | None = None, **rights: Any) -> str:
        """Make a key, of a tenant of its own unless one is named."""
        wanted = {"tenant_id": tenant_id or self.new_tenant(), **rights}
        answer = self.admin("POST", "/sluice/keys", json=wanted)
        answer.raise_for_status()
        return str(answer.json()["key"])

    def call_row(self, call_id: str, limit_s: float = 10.0) -> dict[str, Any]:
        """The ledger row of a call; it is there within a second or so."""
        return eventually(
            lambda: self.admin("GET", f"/sluice/calls/{call_id}"),
            lambda answer: answer.status_code == 200,
            limit_s,
        ).json()

    def faults(self, provider: str, *faults: dict[str, Any]) -> None:
        """Set a practice provider's faults; none clears them.

        They spare the moderation endpoint, which every call asks too, unless they name a path.
        """
        self.faulted.add(provider)
        sparing = [
            fault if "path" in fault or fault["kind"] == "refuse" else fault | MODELS_ALONE
            for fault in faults
        ]
        httpx.post(
            f"{self.practice_url}/_practice/faults",
            json={"provider": provider, "faults": sparing},
        ).raise_for_status()

    @contextlib.contextmanager
    def faulty(self, provider: str, *faults: dict[str, Any]) -> Iterator[None]:
        self.faults(provider, *faults)
        try:
            yield
        finally:
            self.mend()

    def mend(self) -> None:
        """Clear all faults and close the circuits that they may have opened, on every worker."""
        for provider in sorted(self.faulted):
            self.faults(provider)
            self.release(provider)
        self.faulted.clear()

    def release(self, provider: str) -> None:
        """Give a circuit back to the breaker, closed."""
        released = self.admin("POST", f"/sluice/circuits/{provider}", json={"state": "auto"})
        released.raise_for_status()

    def practice_requests(
        self, since: int = 0, *, moderation: bool = False
    ) -> list[dict[str, Any]]:
        """What the practice providers were asked, oldest first; moderation apart."""
        answer = httpx.get(f"{self.practice_url}/_practice/requests", params={"since": since})
        asked = answer.json()["requests"]
        return [one for one in asked if one["path"].endswith(MODERATIONS) == moderation]

    def phases(self, call_id: str) -> list[dict[str, Any]]:
        """What the probe saw of a call, in order."""
        written = self.probe.read_bytes() if self.probe.exists() else b""
        lines = written.rpartition(b"\n")[0].splitlines()  # the last may be half written
        return [seen for seen in map(json.loads, lines) if seen["call"] == call_id]

    def worker(self, call_id: str) -> int:
        """Which worker's process took a call; the probe must be plugged in."""
        return int(self.phases(call_id)[0]["pid"])


def eventually(ask: Callable[[], T], good: Callable[[T], bool], limit_s: float = 10.0) -> T:
    """Ask until the answer is good; fails with the last one."""
    deadline = time.monotonic() + limit_s
    while not good(answer := ask()):
        assert time.monotonic() < deadline, f"not within {limit_s} s: {answer!r}"
        time.sleep(0.05)
    return answer


@contextlib.contextmanager
def running(
    data_dir: Path,
    *,
    workers: int = 1,
    probe: bool = False,
    checks: bool = False,
    config: Path | None = None,
    policy: dict[str, Any] | None = None,
    options: Sequence[str] = (),
    **variables: str,
) -> Iterator[Gateway]:
    """Start `sluice up` on a free port; stop it as an operator would.

    Args:
        data_dir: an empty folder for everything it keeps.
        workers: of the proxy.
        probe: plug the tests' probe in.
        checks: plug its output checks in as well.
        config: in place of the project's own `proxy_config.yaml`; not with `policy`.
        policy: sections of `sluice:` in place of the project's own; not with `probe`.
        options: more of the command line.
        variables: more of the environment.
    """
    port = free_port()
    ready_file = data_dir / "ready.json"
    probe_file = data_dir / "probe.jsonl"
    command = [sys.executable, "-m", "plugins.cli", "up", "--port", str(port)]
    command += ["--data-dir", str(data_dir / "sluice"), "--workers", str(workers)]
    command += ["--ready-file", str(ready_file), *options]
    if probe:
        config = _probed_config(data_dir, config or ROOT / "proxy_config.yaml", checks=checks)
    elif policy:
        config = _config_with(policy, data_dir)
    if config is not None:
        command += ["--config", str(config)]
    env = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_API_BASE"))}
    env = {k: v for k, v in env.items() if k not in {"DATABASE_URL", "REDIS_URL", "SLUICE_SECRET"}}
    env |= {"SLUICE_TEST_PROBE": str(probe_file), "PYTHONPATH": str(ROOT), **variables}
    log = (data_dir / "up.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((data_dir / "up.log").read_text())
            time.sleep(0.05)
        ready = json.loads(ready_file.read_text())
        yield Gateway(
            base_url=ready["base_url"],
            admin_key=ready["admin_key"],
            demo_key=ready["demo_key"],
            practice_url=ready["practice_url"],
            ready=ready,
            process=process,
            data_dir=data_dir / "sluice",
            probe=probe_file,
        )
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            log.close()


def _config_with(policy: dict[str, Any], folder: Path) -> Path:
    config = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    config["sluice"] |= policy
    path = folder / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _probed_config(folder: Path, plain: Path, *, checks: bool) -> Path:
    config = yaml.safe_load(plain.read_text())
    config["litellm_settings"]["callbacks"].append("tests.gateway.probe.switch")
    if checks:
        config["litellm_settings"]["callbacks"].append("tests.gateway.probe.checking")
    params = {"guardrail": "tests.gateway.probe.Guard", "mode": "pre_call", "default_on": True}
    config["guardrails"].append({"guardrail_name": "probe-guard", "litellm_params": params})
    path = folder / "probed_config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path

"""Real vLLM on the CPU behind a real gateway: two Llama replicas and a Mistral, started once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from selfhosted.vllm.manifest import MODELS
from tests.gateway.running import ROOT, Gateway, eventually, free_port, running
from tests.receiving import Receiver, over_http
from tests.vllm.tier import GROUPS, Tier, VllmServer

PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
START_LIMIT_S = 280.0
FIRST = "local_first"
"""An agent of these tests whose primary tier is the self-hosted one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.vllm)


@pytest.fixture(scope="session")
def vllm_folder(new_folder: Callable[[str], Path]) -> Path:
    """A folder with the tiny models and the manifests that serve them."""
    if not PYTHON.exists():
        pytest.fail("these tests need an environment with vLLM: run them with `make test-vllm`")
    folder = new_folder("vllm")
    command = [str(PYTHON), "tests/vllm/tiny_models.py", str(folder), "llama", "mistral"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    for task in ("generate", "embed"):
        (folder / task).mkdir()
    for group, (_, replicas) in GROUPS.items():
        manifest = yaml.safe_load((MODELS / f"{group}.yaml").read_text())
        manifest["replicas"] = [{"port": free_port()} for _ in range(replicas)]
        # The tiny models' template is ChatML, whose tool calls this parser reads.
        manifest["tools"]["parser"] = "hermes"
        (folder / "generate" / f"{group}.yaml").write_text(yaml.safe_dump(manifest))
    embedding = {**manifest, "group": "embedder", "task": "embed", "tools": None}
    embedding["replicas"] = [{"port": free_port()}]
    (folder / "embed" / "embedder.yaml").write_text(yaml.safe_dump(embedding))
    return folder


@pytest.fixture(scope="session")
def traces() -> Iterator[Receiver]:
    with over_http() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def tier(vllm_folder: Path, traces: Receiver) -> Iterator[Tier]:
    """The self-hosted tier, up and warm; the commands that keep it are the project's own."""
    started_s = time.monotonic()
    processes = {
        group: serve(vllm_folder, group, model, "--traces", f"{traces.url}/v1/traces")
        for group, (model, _) in GROUPS.items()
    }
    try:
        servers = {
            group: [
                VllmServer(told["name"], told["base_url"], vllm_folder / "data")
                for told in ready(vllm_folder, group, process, started_s)
            ]
            for group, process in processes.items()
        }
        yield Tier(servers, time.monotonic() - started_s)
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            process.wait(60)


def serve(folder: Path, group: str, model: str, *options: str) -> subprocess.Popen[bytes]:
    """Start `python -m selfhosted.vllm serve` for one group."""
    manifests = folder / ("embed" if group == "embedder" else "generate")
    command = [sys.executable, "-m", "selfhosted.vllm", "serve", group, "--cpu"]
    command += ["--models", str(manifests), "--python", str(PYTHON)]
    command += ["--model-path", str(folder / model), "--data-dir", str(folder / "data")]
    command += ["--ready-file", str(folder / f"{group}.json"), *options]
    with (folder / f"{group}.out").open("wb") as out:
        # 32 threads of OpenMP on two cores only get in each other's way.
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=env)


def ready(
    folder: Path, group: str, process: subprocess.Popen[bytes], started_s: float
) -> list[dict[str, Any]]:
    """Wait until a group is warm; gives its servers."""
    path = folder / f"{group}.json"
    while not path.exists():
        late = time.monotonic() - started_s > START_LIMIT_S
        if process.poll() is not None or late:
            raise AssertionError((folder / f"{group}.out").read_text())
        time.sleep(0.1)
    return json.loads(path.read_text())["servers"]


@pytest.fixture(scope="session")
def gateway(tier: Tier, vllm_folder: Path, new_folder: Callable[[str], Path]) -> Iterator[Gateway]:
    """A gateway whose self-hosted tier is real and whose other providers practise."""
    mistral = tier.servers["mistral"][0].base_url
    config = _config(vllm_folder, tier)
    with running(new_folder("gateway"), workers=2, config=config, VLLM_API_BASE=mistral) as started:
        yield started


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves the tier's circuit open to the next."""
    yield
    if "gateway" in request.fixturenames:
        close_circuit(request.getfixturevalue("gateway"))


def close_circuit(gateway: Gateway) -> None:
    """Give the tier's circuit back, closed; again, when Redis was just too slow for it."""
    eventually(
        lambda: gateway.admin("POST", "/sluice/circuits/vllm", json={"state": "auto"}),
        lambda answer: answer.status_code == 200,
    )


def _config(folder: Path, tier: Tier) -> Path:
    """The project's own configuration with two replicas of Llama, and an agent that prefers it."""
    config = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    models = config["model_list"]
    (llama,) = [m for m in models if m["model_name"] == "llama-3"]
    models.remove(llama)
    prices = config["sluice"]["prices"]
    price = prices.pop("vllm-llama-3")
    for server in tier.servers["llama-3"]:
        replica = {**llama["litellm_params"], "api_base": server.base_url}
        entry = {"model_name": "llama-3", "litellm_params": replica}
        models.append({**entry, "model_info": {"id": server.name}})
        prices[server.name] = price
    port = yaml.safe_load((folder / "embed" / "embedder.yaml").read_text())["replicas"][0]["port"]
    embedder = {
        "model": "hosted_vllm/embedder",
        "api_base": f"http://127.0.0.1:{port}/v1",
        "api_key": "none",
    }
    info = {"id": "vllm-embedder", "mode": "embedding"}
    models.append({"model_name": "embedder", "litellm_params": embedder, "model_info": info})
    prices["vllm-embedder"] = price
    config["sluice"]["agents"][FIRST] = {"tiers": ["llama-3", "gpt-4o"]}
    path = folder / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path

"""Manifests of self-hosted models, and the commands that they become."""

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from plugins.proxy.prices import prices_of
from plugins.settings import load as load_configuration
from selfhosted.engines.process import Launch, Record
from selfhosted.supervisor import Program
from selfhosted.vllm.__main__ import app
from selfhosted.vllm.command import Options, Profile, command, environment
from selfhosted.vllm.manifest import MODELS, Manifest, ManifestError, load
from selfhosted.vllm.measure import Figures, rows
from selfhosted.vllm.readiness import NotReadyError, Readiness, warm_up_calls
from selfhosted.vllm.serve import HUNG_S, LOADING_S, ServeError, Server, look, require_vllm

ROOT = Path(__file__).parents[2]


@pytest.fixture
def raw() -> dict[str, Any]:
    return yaml.safe_load((MODELS / "llama-3.yaml").read_text())


def _written(folder: Path, **manifests: dict[str, Any]) -> Path:
    for name, manifest in manifests.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(manifest))
    return folder


def _pairs(argv: tuple[str, ...]) -> dict[str, str]:
    return dict(pairwise(argv))


def test_the_projects_own_manifests_serve_the_groups_of_the_configuration() -> None:
    groups = {
        d.model_name
        for d in load_configuration(ROOT / "proxy_config.yaml").deployments.values()
        if d.provider == "vllm"
    }
    assert set(load()) == groups == {"llama-3", "mistral"}


def test_the_projects_own_manifests_and_prices_state_the_same_rent() -> None:
    configuration = load_configuration(ROOT / "proxy_config.yaml")
    for group, manifest in load().items():
        row = configuration.policy.prices[f"vllm-{group}"].gpu_hour
        assert row is not None
        told = manifest.rent.model_dump(exclude={"basis"})
        assert row.model_dump() == told
    assert prices_of(configuration, {})["vllm-llama-3"].input_usd > 0


def test_no_call_is_sent_to_a_server_whose_context_is_too_short_for_it() -> None:
    for deployment in load_configuration(ROOT / "proxy_config.yaml").deployments.values():
        if deployment.provider == "vllm":
            context = load()[deployment.model_name].context_tokens
            assert deployment.stated["max_input_tokens"] <= context


def test_every_fault_of_every_file_is_reported_with_its_path(
    tmp_path: Path, raw: dict[str, Any]
) -> None:
    broken = {**raw, "weights": {"repository": "nobody", "revision": "main"}, "colour": "blue"}
    clash = {**raw, "group": "mistral"}
    other = {**raw, "group": "llama-3", "chat_template": "absent.jinja"}
    folder = _written(tmp_path, a=broken, b=clash, c=other)
    (folder / "d.yaml").write_text("just: [text")
    (folder / "e.yaml").write_text("- a\n- list\n")
    with pytest.raises(ManifestError) as caught:
        load(folder)
    text = str(caught.value)
    for said in (
        "a.yaml: weights.repository:",
        "a.yaml: weights.revision:",
        "a.yaml: colour: Extra inputs",
        "c.yaml: chat_template: no file",
        "d.yaml: cannot be read as YAML",
        "e.yaml: holds no mapping",
        "llama-3: replicas.0.port: 8000 is taken by mistral: replicas.0.port",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gpu": {"tensor_parallel": 2}}, "replicas.0.gpus names 1 GPUs"),
        ({"gpu": {"tensor_parallel": 2}, "replicas": [{"port": 1}]}, "rent.gpus is 1"),
        ({"gpu": {"memory_share": 1.0}}, "gpu.memory_share"),
        ({"replicas": []}, "replicas"),
        ({"replicas": [{"port": 70000}]}, "replicas.0.port"),
        ({"context_tokens": 0}, "context_tokens"),
        ({"group": "llama 3"}, "group"),
        ({"tools": {"parser": "x; rm -rf"}}, "tools.parser"),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, raw: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ManifestError, match=said.replace(".", r"\.")):
        load(_written(tmp_path, a={**raw, **change}))


def test_two_manifests_of_one_group_are_refused(tmp_path: Path, raw: dict[str, Any]) -> None:
    with pytest.raises(ManifestError, match="has a manifest already"):
        load(_written(tmp_path, a=raw, b=raw))


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=str(tmp_path)):
        load(tmp_path)


def test_a_manifest_becomes_vllms_command(raw: dict[str, Any]) -> None:
    raw |= {"also_served_as": ["llama"], "extra_arguments": ["--swap-space", "0"]}
    raw["gpu"] |= {"quantisation": "fp8", "tensor_parallel": 2}
    raw["replicas"] = [{"port": 8000, "gpus": [0, 1]}]
    raw["rent"]["gpus"] = 2
    manifest = Manifest.model_validate(raw)
    made = command(manifest, manifest.replicas[0], Options("py"))
    assert made.argv[:3] == ("py", "-m", "vllm.entrypoints.openai.api_server")
    at = made.argv.index("--served-model-name")
    assert made.argv[at + 1 : at + 3] == ("llama-3", "llama")
    assert made.argv[-2:] == ("--swap-space", "0")
    pairs = _pairs(made.argv)
    assert pairs["--model"] == "meta-llama/Llama-3.1-8B-Instruct"
    assert pairs["--revision"] == pairs["--tokenizer-revision"] == raw["weights"]["revision"]
    assert pairs["--quantization"] == "fp8"
    assert pairs["--tensor-parallel-size"] == "2"
    assert pairs["--gpu-memory-utilization"] == "0.9"
    assert pairs["--tool-call-parser"] == "llama3_json"
    # Without it, a forced tool call of an unmarked tool may have any JSON as its arguments.
    assert pairs["--tool-strict-level"] == "parameter"
    assert json.loads(pairs["--structured-outputs-config"]) == {
        "backend": "xgrammar",
        "disable_any_whitespace": True,
    }
    assert made.variables["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert made.variables["VLLM_NO_USAGE_STATS"] == "1"
    assert "HF_HUB_OFFLINE" not in made.variables
    assert "--enforce-eager" not in made.argv


def test_without_a_gpu_it_is_small_and_bound_to_no_core() -> None:
    manifest = load()["mistral"]
    options = Options("py", Profile.CPU, Path("/weights"), "http://127.0.0.1:4318/v1/traces", 9)
    made = command(manifest, manifest.replicas[0], options)
    pairs = _pairs(made.argv)
    assert pairs["--model"] == "/weights"
    assert "--revision" not in pairs
    assert (pairs["--max-model-len"], pairs["--max-num-seqs"], pairs["--port"]) == (
        "2048",
        "32",
        "9",
    )
    assert "--enforce-eager" in made.argv
    assert "--gpu-memory-utilization" not in pairs
    assert pairs["--otlp-traces-endpoint"] == "http://127.0.0.1:4318/v1/traces"
    assert made.variables["HF_HUB_OFFLINE"] == "1"
    assert made.variables["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert made.variables["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] == "http/protobuf"
    assert "CUDA_VISIBLE_DEVICES" not in made.variables


def test_a_model_that_embeds_gets_neither_tools_nor_schemas(raw: dict[str, Any]) -> None:
    manifest = Manifest.model_validate({**raw, "task": "embed"})
    made = command(manifest, manifest.replicas[0], Options("py", Profile.CPU))
    assert _pairs(made.argv)["--runner"] == "pooling"
    assert "--structured-outputs-config" not in made.argv
    assert [path for path, _ in warm_up_calls(manifest)] == ["/v1/embeddings"]


def test_a_server_gets_its_own_key_and_nobody_elses() -> None:
    given = {
        "PATH": "/bin",
        "HF_TOKEN": "hf",
        "VLLM_API_KEY": "own",
        "OPENAI_API_KEY": "secret",
        "SLUICE_SECRET": "secret",
        "DATABASE_URL": "secret",
        "SLUICE_REDIS_URL": "secret",
        "LITELLM_MASTER_KEY": "secret",
    }
    kept = environment(given, {"HF_HUB_OFFLINE": "1"})
    assert kept == {"PATH": "/bin", "HF_TOKEN": "hf", "VLLM_API_KEY": "own", "HF_HUB_OFFLINE": "1"}


def test_no_key_is_ever_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sk-very-secret")
    told = CliRunner().invoke(app, ["serve", "llama-3", "--dry-run"])
    assert told.exit_code == 0
    assert "-m vllm.entrypoints.openai.api_server" in told.stdout
    assert "sk-very-secret" not in told.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "gpt-4o"], "no manifest for 'gpt-4o'; known: llama-3, mistral"),
        (["serve", "llama-3", "--replica", "1"], "has replicas 0 to 0, not 1"),
        (["serve", "llama-3", "--model-path", "/nowhere"], "holds no config.json"),
        (["serve", "llama-3", "--python", "/nowhere/python"], "cannot be run"),
        (["serve", "llama-3", "--python", sys.executable], "vLLM is not installed for"),
        (["serve", "llama-3", "--models", "/nowhere"], "holds no *.yaml"),
        (["check", "--no-connect"], "vLLM is not installed for"),
        (["measure", "llama-3", "--port", "1"], "does not answer: ConnectError"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(arguments: list[str], said: str) -> None:
    told = CliRunner().invoke(app, arguments, env={"SLUICE_VLLM_PYTHON": None})
    assert told.exit_code == 1
    assert said in told.stderr


def test_the_remedy_for_a_missing_vllm_is_an_environment_for_it() -> None:
    with pytest.raises(ServeError, match=r"\.venv-vllm/bin/pip install vllm"):
        require_vllm(sys.executable)


def test_the_list_shows_prices_and_who_answers() -> None:
    told = CliRunner().invoke(app, ["list"]).stdout
    assert "expected: $0.0868 in, $0.5787 out per million tokens" in told
    assert "http://127.0.0.1:8001/v1  does not answer" in told


def test_measured_throughputs_are_printed_as_rows_that_can_be_pasted() -> None:
    manifest = load()["llama-3"]
    reading = Figures(input_tokens=80_000, output_tokens=100, took_s=8.0, latencies_s=[1.0])
    writing = Figures(input_tokens=100, output_tokens=12_000, took_s=8.0, latencies_s=[1.0])
    price, rent = rows(manifest, reading, writing).splitlines()
    row = yaml.safe_load(price.split(": ", 1)[1])["gpu_hour"]
    assert (row["input_tokens_per_s"], row["output_tokens_per_s"]) == (10_000, 1500)
    assert yaml.safe_load(rent.split(": ", 1)[1]) == {**row, "basis": "measured"}


def test_cached_tokens_are_not_counted_as_read() -> None:
    figures = Figures()
    usage = {"prompt_tokens": 100, "completion_tokens": 5}
    figures.add({**usage, "prompt_tokens_details": {"cached_tokens": 60}}, 1.0)
    figures.add({**usage, "prompt_tokens_details": None}, 3.0)
    assert (figures.input_tokens, figures.output_tokens) == (140, 10)
    assert (figures.percentile_s(0.5), figures.percentile_s(1.0)) == (3.0, 3.0)


def _readiness(said: list[str], healthy: Callable[[], bool], *answers: Exception | float) -> Any:
    left = list(answers)

    def warm() -> float:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Readiness(
        "http://x", check=lambda _: healthy(), warm=warm, say=said.append, name="llama-3:1"
    )


def _settle(readiness: Any) -> bool:
    """Ask, let the warm-up that this begins end, and ask again."""
    readiness()
    if readiness._thread is not None:
        readiness._thread.join(10)
    return readiness()


def test_a_server_is_ready_once_it_is_healthy_and_warm() -> None:
    said: list[str] = []
    state = {"healthy": False}
    readiness = _readiness(said, lambda: state["healthy"], 1.5, 2.5)
    assert not _settle(readiness)
    assert said == []
    state["healthy"] = True
    assert _settle(readiness)
    assert said == ["llama-3:1 is warm after 1.5 s"]
    state["healthy"] = False
    assert not readiness()
    state["healthy"] = True
    assert _settle(readiness)  # a new process is warmed anew
    assert said[1:] == ["llama-3:1 is warm after 2.5 s"]


def test_a_server_that_is_up_and_answers_wrongly_is_not_ready_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("selfhosted.vllm.readiness.RETRY_S", 0.0)
    said: list[str] = []
    readiness = _readiness(said, lambda: True, NotReadyError("400 no such model"), 1.0)
    readiness()
    readiness._thread.join(10)
    assert said == ["llama-3:1 is up and does not answer as it should: 400 no such model"]
    assert _settle(readiness)


def _server(tmp_path: Path, ready: Callable[[], bool]) -> Server:
    launch = Launch([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")
    record = Record(tmp_path / "run.json")
    readiness = _readiness([], ready)
    program = Program("llama-3:1", launch, ready, record, gentle_s=1.0)
    return Server(program, readiness, record, "http://x", since_s=0.0, loading=False)


@pytest.mark.parametrize(("loading", "limit_s"), [(False, HUNG_S), (True, LOADING_S)])
def test_a_server_that_hangs_is_killed_and_one_that_loads_gets_its_time(
    tmp_path: Path, loading: bool, limit_s: float
) -> None:
    said: list[str] = []
    server = _server(tmp_path, lambda: False)
    server.loading = loading
    server.program.spawn()
    try:
        look(server, limit_s, said.append)
        assert server.program.alive
        look(server, limit_s + 0.1, said.append)
        assert not server.program.alive
        assert "killing it" in said[0]
        look(server, limit_s + 1, said.append)
        assert server.loading  # what is started next has its weights to load
        assert server.since_s == limit_s + 1
    finally:
        server.program.stop(hard=True)


def test_a_server_that_answers_is_left_alone(tmp_path: Path) -> None:
    server = _server(tmp_path, lambda: True)
    server.program.spawn()
    try:
        look(server, 1e6, lambda line: pytest.fail(line))
        assert (server.since_s, server.loading) == (1e6, False)
    finally:
        server.program.stop(hard=True)


def test_a_model_that_ends_before_it_is_ready_ends_the_command_with_its_last_words(
    tmp_path: Path,
) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\n[ \"$1\" = -c ] && exit 0\necho 'out of memory'\nexit 3\n")
    fake.chmod(0o755)
    command_line = [sys.executable, "-m", "selfhosted.vllm", "serve", "llama-3"]
    options = ["--python", str(fake), "--data-dir", str(tmp_path / "data")]
    told = subprocess.run(
        [*command_line, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 1
    assert "llama-3:8000 ended before it was ready: out of memory" in told.stderr

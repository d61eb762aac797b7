"""Compose, image, collector and provisioning: valid to their tools, in step with one another."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.cli.up_environment import PROVIDERS
from tests.otel.tools import OTEL, ROOT

BIN = Path(sys.executable).parent
DOCKERFILE = ROOT / "selfhosted" / "gateway" / "Dockerfile"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (OTEL / "compose" / "env.example").read_text()
COLLECTOR: dict[str, Any] = yaml.safe_load((OTEL / "collector" / "config.yaml").read_text())
PROMETHEUS: dict[str, Any] = yaml.safe_load((OTEL / "prometheus" / "prometheus.yml").read_text())
NOT_OURS = re.compile(r"^(POSTGRES_|GF_|REDISCLI_|JAEGER_)")
pytestmark = pytest.mark.otel
every_service = pytest.mark.parametrize("name", SERVICES)


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_compose_specification_accepts_the_file(tmp_path: Path) -> None:
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = _run(*check, "docker-compose.yml")
    assert done.returncode == 0, done.stdout
    damaged = tmp_path / "docker-compose.yml"
    damaged.write_text((ROOT / "docker-compose.yml").read_text().replace("ports:", "port:"))
    assert _run(*check, str(damaged)).returncode == 1


def test_hadolint_accepts_the_dockerfile(tmp_path: Path) -> None:
    done = _run(str(BIN / "hadolint"), str(DOCKERFILE))
    assert done.returncode == 0, done.stdout
    damaged = tmp_path / "Dockerfile"
    damaged.write_text(re.sub(r"python:[\w.-]+", "python:latest", DOCKERFILE.read_text()))
    assert _run(str(BIN / "hadolint"), str(damaged)).returncode == 1


def test_the_image_is_built_of_hashes_runs_as_nobody_and_says_whether_it_is_well() -> None:
    text = DOCKERFILE.read_text()
    assert "--require-hashes" in text
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in text
    assert "compileall" in text
    assert len(set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))) == 1
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for one in source.split():
            assert (ROOT / one).exists(), one
            ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text()
            assert f"!{one}\n" in ignored, f"{one} is kept from the build"


@every_service
def test_an_image_is_pinned_to_a_release(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+([-.]\w+)*", tag)


@every_service
def test_a_service_is_bound_to_loopback_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:")


@every_service
def test_a_service_says_whether_it_is_well_and_waits_for_those_that_do(name: str) -> None:
    service = SERVICES[name]
    built = "build" in service and "HEALTHCHECK" in DOCKERFILE.read_text()
    silent = {"otel-collector", "jaeger"}  # their images hold nothing to ask with
    assert ("healthcheck" in service or built) == (name not in silent)
    for other, wanted in service.get("depends_on", {}).items():
        healthy = "healthcheck" in SERVICES[other] or "build" in SERVICES[other]
        assert wanted["condition"] == ("service_healthy" if healthy else "service_started")


@every_service
def test_a_mounted_file_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).exists()
            assert volume.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_every_variable_is_explained_and_every_secret_must_be_given() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    explained = set(re.findall(r"^(\w+)=", EXAMPLE, re.MULTILINE))
    assert used | {"SLUICE_METRICS_TOKEN"} == explained
    for secret in re.findall(r"^(\w+)=CHANGEME$", EXAMPLE, re.MULTILINE):
        assert f"${{{secret}:-" not in text
        assert f"${{{secret}:?" in text


def test_every_variable_of_the_gateway_is_one_that_it_reads() -> None:
    sources = "".join(p.read_text() for p in (ROOT / "plugins").rglob("*.py"))
    known = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', sources))
    known |= {n for p in PROVIDERS for n in (p.key_variable, p.base_variable)}
    given = set(SERVICES["gateway"]["environment"])
    assert given <= known, f"nobody reads {sorted(given - known)}"


def test_the_collectors_pipeline_is_made_of_what_is_defined() -> None:
    for pipeline in COLLECTOR["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(COLLECTOR[kind])
    assert set(COLLECTOR["service"]["extensions"]) == set(COLLECTOR["extensions"])
    steps = COLLECTOR["service"]["pipelines"]["traces"]["processors"]
    assert steps[0] == "memory_limiter"
    assert steps[-1] == "batch"
    assert steps.index("tail_sampling") < steps.index("redaction")


def test_the_collector_keeps_what_somebody_will_look_for() -> None:
    policies = {p["name"]: p for p in COLLECTOR["processors"]["tail_sampling"]["policies"]}
    assert {"errors", "slow", "flagged", "dear"} <= policies.keys()
    for policy in policies.values():
        assert policy["type"] in policy, "a policy's settings stand under the name of its type"
    assert policies["flagged"]["string_attribute"]["key"] == "sluice.verdict"
    assert "sluice.cost_usd" in policies["dear"]["ottl_condition"]["span"][0]


def test_the_collector_waits_longer_than_any_call_lasts() -> None:
    config = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    longest_s = config["litellm_settings"]["request_timeout"]
    wait = COLLECTOR["processors"]["tail_sampling"]["decision_wait"]
    assert int(wait.removesuffix("s")) > longest_s


def test_the_collector_masks_what_looks_like_a_secret() -> None:
    blocked = [re.compile(p) for p in COLLECTOR["processors"]["redaction"]["blocked_values"]]
    for secret in ("sk-abcdefghijklmnop1234", "4111 1111 1111 1111", "maria@example.com"):
        assert any(pattern.search(secret) for pattern in blocked), secret
    for harmless in ("gpt-4o-mini", "resume_parsing", "2026-11-24T11:38:25Z", "0.0001525"):
        assert not any(pattern.search(harmless) for pattern in blocked), harmless


def test_who_is_asked_is_there() -> None:
    """Names and ports that one file gives another are a service's and its own."""
    asked = [t for job in PROMETHEUS["scrape_configs"] for c in job["static_configs"]
             for t in c["targets"]]  # fmt: skip
    sources = yaml.safe_load((OTEL / "grafana/provisioning/datasources/sluice.yml").read_text())
    asked += [source["url"].removeprefix("http://") for source in sources["datasources"]]
    asked += [COLLECTOR["exporters"]["otlp/jaeger"]["endpoint"]]
    asked += [SERVICES["gateway"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"][7:]]
    ports = {
        name: {port.rsplit(":", 1)[1] for port in service.get("ports", ())}
        for name, service in SERVICES.items()
    }
    ports["jaeger"].add("4317")
    ports["otel-collector"].add("8888")
    for one in asked:
        host, port = one.split(":")
        assert host == "localhost" or port in ports[host], one


def test_prometheus_keeps_what_the_rules_look_back_at() -> None:
    rules = "".join(p.read_text() for p in (OTEL / "prometheus" / "rules").glob("*.yml"))
    longest = max(int(days) for days in re.findall(r"\[(\d+)d\]", rules))
    kept = next(c for c in SERVICES["prometheus"]["command"] if "retention" in c)
    assert int(re.findall(r"(\d+)d$", kept)[0]) > longest


def test_the_token_that_prometheus_shows_is_the_gateways() -> None:
    job = next(j for j in PROMETHEUS["scrape_configs"] if j["job_name"] == "sluice")
    name = Path(job["authorization"]["credentials_file"]).name
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{name}"
    assert name in SERVICES["prometheus"]["secrets"]
    assert COMPOSE["secrets"][name] == {"environment": "SLUICE_METRICS_TOKEN"}

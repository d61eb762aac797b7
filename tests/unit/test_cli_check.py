"""`sluice check`: each fault on purpose, and what is said of it. No server runs."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from plugins import settings
from plugins.assembly import STAGES
from plugins.cli import app
from plugins.cli import check_configuration as configuration
from plugins.cli.check import price_list
from plugins.cli.check_environment import (
    environment_findings,
    provider_findings,
    tracing_finding,
)
from plugins.cli.check_findings import Finding, Level, fault, ok, passes, skipped, summary, warning
from plugins.cli.check_stores import RedisState, judge_redis, judge_schema
from plugins.store.migrate import Revisions

ROOT = Path(__file__).parents[2]
FILES = ("callbacks.py", "guardrails.py")
EXPORTED = frozenset[str]().union(
    *(configuration.names_in((ROOT / "plugins" / name).read_text()) for name in FILES)
)
SECRET = "s3cr3t-" * 6
COMPLETE = {
    "SLUICE_DATABASE_URL": "postgresql://u:pw@h/db",
    "SLUICE_REDIS_URL": "redis://h",
    "SLUICE_SECRET": SECRET,
    "LITELLM_WORKER_STARTUP_HOOKS": "plugins.proxy.startup:install",
}
UNSET = dict.fromkeys(
    [*COMPLETE, "DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "SLUICE_PRACTICE_PROVIDERS"]
)


@pytest.fixture
def raw() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "proxy_config.yaml").read_text())


def loaded(raw: dict[str, Any], folder: Path) -> settings.Configuration:
    path = folder / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(raw))
    return settings.load(path)


def check(path: Path, *options: str, **environ: str) -> Any:
    arguments = ["check", "--config", str(path), "--data-dir", str(path.parent / "data"), *options]
    return CliRunner().invoke(app, arguments, env={**UNSET, **environ})


def levels(findings: list[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def test_the_projects_own_configuration_has_no_fault() -> None:
    said = check(ROOT / "proxy_config.yaml", "--no-connect")
    assert said.exit_code == 0
    assert "0 faults" in said.stdout
    assert "skipped  environment   SLUICE_DATABASE_URL" in said.stdout


def test_every_fault_of_the_file_is_told_at_once_with_its_remedy(
    raw: dict[str, Any], tmp_path: Path
) -> None:
    raw["sluice"]["agents"]["matching"]["tiers"] = ["gpt-5o"]
    raw["sluice"]["prises"] = {}
    raw["model_list"][1]["model_info"]["id"] = "openai-gpt-4o"
    raw["litellm_settings"]["callbacks"].append("plugins.callbacks.legder")
    path = tmp_path / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(raw))
    said = check(path, "--no-connect", "--json")
    assert said.exit_code == 1
    found = json.loads(said.stdout)
    assert found["ok"] is False
    faults = [each for each in found["findings"] if each["level"] == "fault"]
    text = "\n".join(each["message"] for each in faults)
    assert "sluice.prises: Extra inputs are not permitted" in text
    assert "'openai-gpt-4o' stands twice" in text
    assert "'legder', which does not exist" in text
    assert all(each["remedy"] for each in faults)


def test_each_finding_is_one_line(raw: dict[str, Any], tmp_path: Path) -> None:
    raw["litellm_settings"]["callbacks"] = "plugins.callbacks.agents"
    raw["model_list"] = {"a": 1}
    path = tmp_path / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(raw))
    said = check(path, "--no-connect")
    *lines, last = said.stdout.splitlines()
    assert all(line.split()[0] in {"ok", "skipped", "warning", "fault"} for line in lines)
    assert "callbacks: is no list" in said.stdout
    assert "model_list: is no list" in said.stdout
    assert "faults" in last


def test_a_file_that_is_no_yaml_is_told_by_place_and_never_quoted(tmp_path: Path) -> None:
    path = tmp_path / "proxy_config.yaml"
    path.write_text("model_list:\n  - api_key: 'sk-very-secret\n")
    said = check(path, "--no-connect")
    assert said.exit_code == 1
    assert "not valid YAML: line" in said.stdout
    assert "sk-very-secret" not in said.stdout


def test_a_missing_file_says_which_option_names_it(tmp_path: Path) -> None:
    said = check(tmp_path / "nosuch.yaml", "--no-connect")
    assert said.exit_code == 1
    assert "name the file with --config" in said.stdout


def test_without_addresses_the_stores_are_skipped_and_it_is_said() -> None:
    said = check(ROOT / "proxy_config.yaml")
    assert "skipped  postgresql" in said.stdout
    assert "skipped  redis" in said.stdout
    assert said.exit_code == 0


def test_unreachable_stores_are_faults_and_their_passwords_are_not_shown() -> None:
    said = check(
        ROOT / "proxy_config.yaml",
        DATABASE_URL="postgresql://user:hunter2@127.0.0.1:1/db",
        REDIS_URL="redis://:hunter2@127.0.0.1:1/0",
    )
    assert said.exit_code == 1
    assert "postgresql    127.0.0.1:1 (DATABASE_URL) cannot be used" in said.stdout
    assert "redis         127.0.0.1:1 (REDIS_URL) cannot be used" in said.stdout
    assert "hunter2" not in said.stdout + said.stderr


def test_an_address_of_another_database_names_its_variable() -> None:
    said = check(ROOT / "proxy_config.yaml", SLUICE_DATABASE_URL="mysql://u:hunter2@h/db")
    assert "SLUICE_DATABASE_URL begins with mysql://" in said.stdout
    assert "hunter2" not in said.stdout


def test_a_misspelt_plugin_is_a_fault_with_the_nearest_name(raw: dict[str, Any]) -> None:
    raw["litellm_settings"]["callbacks"].append("plugins.callbacks.legder")
    raw["guardrails"] = [{"litellm_params": {"guardrail": "plugins.guardrails.nosuch"}}]
    found = configuration.plugin_findings(raw, STAGES, EXPORTED)
    assert levels(found) == [Level.FAULT, Level.FAULT]
    assert "did you mean 'ledger'?" in found[0].text
    assert "guardrails names 'nosuch'" in found[1].message


def test_somebody_elses_callbacks_are_left_to_litellm(raw: dict[str, Any]) -> None:
    raw["litellm_settings"]["callbacks"] += ["otel", "their.module.thing"]
    assert levels(configuration.plugin_findings(raw, STAGES, EXPORTED)) == [Level.OK]


def test_a_plugin_switched_off_is_named_and_is_no_fault(raw: dict[str, Any]) -> None:
    raw["litellm_settings"]["callbacks"].remove("plugins.callbacks.ledger")
    found = configuration.plugin_findings(raw, STAGES, EXPORTED)
    on = ", ".join(name for name in STAGES if name != "ledger")
    assert found == [ok("plugins", f"on: {on}; off: ledger")]


def test_without_the_gateways_own_authentication_the_configuration_is_at_fault(
    raw: dict[str, Any],
) -> None:
    del raw["general_settings"]["custom_auth"]
    found = configuration.plugin_findings(raw, STAGES, EXPORTED)
    assert levels(found) == [Level.FAULT]
    assert "custom_auth: plugins.callbacks.authenticate" in found[0].remedy


@pytest.mark.spec("2.9")
def test_a_model_retired_or_about_to_be_is_told_with_the_date(
    raw: dict[str, Any], tmp_path: Path
) -> None:
    listed = {
        "openai/gpt-4o": {"deprecation_date": "2026-10-01"},
        "gpt-4o-mini": {"deprecation_date": "2027-01-15"},
        "whisper-1": {"deprecation_date": "2029-01-01"},
    }
    found = configuration.lifecycle_findings(loaded(raw, tmp_path), listed, date(2026, 11, 23))
    assert levels(found) == [Level.FAULT, Level.WARNING, Level.OK]
    assert (
        "openai/gpt-4o (behind 'gpt-4o') was retired by its provider on 2026-10-01" in found[0].text
    )
    assert "will be retired by its provider on 2027-01-15" in found[1].text
    assert "claude-3-5-sonnet was retired by its provider on 2025-10-28" in found[2].text
    assert "served by anthropic/claude-sonnet-4-6" in found[2].text
    assert "model_list" in found[0].remedy


def test_a_deployment_without_a_price_is_a_fault_and_a_free_one_a_warning(
    raw: dict[str, Any], tmp_path: Path
) -> None:
    del raw["sluice"]["prices"]["vllm-llama-3"]
    raw["sluice"]["prices"]["openai-tts"] = {"per_minute_usd": "0"}
    found = configuration.price_findings(loaded(raw, tmp_path), price_list())
    assert levels(found) == [Level.FAULT, Level.WARNING]
    assert "vllm-llama-3 (hosted_vllm/llama-3) has no price" in found[0].message
    assert "openai-tts (openai/tts-1) costs 0 without reason" in found[1].message
    assert "`sluice.prices`" in found[0].remedy


def test_the_shipped_price_list_is_read_without_importing_litellm() -> None:
    assert price_list()["gpt-4o"]["input_cost_per_token"] == 2.5e-06


def test_a_key_written_into_the_file_is_warned_of_and_not_shown(raw: dict[str, Any]) -> None:
    raw["model_list"][0]["litellm_params"]["api_key"] = "sk-very-secret"
    found = configuration.literal_keys(raw)
    assert levels(found) == [Level.WARNING]
    assert "openai-gpt-4o" in found[0].text
    assert "sk-very-secret" not in found[0].text


def test_a_clone_before_its_first_start_skips_the_environment_and_says_so() -> None:
    assert levels(environment_findings({})) == [Level.SKIPPED]
    found = environment_findings({"SLUICE_SECRET": "short"})
    assert levels(found) == [Level.SKIPPED, Level.FAULT]


def test_a_complete_environment_is_well() -> None:
    assert levels(environment_findings(COMPLETE)) == [Level.OK]


@pytest.mark.parametrize("name", ["SLUICE_DATABASE_URL", "SLUICE_REDIS_URL", "SLUICE_SECRET"])
def test_each_missing_variable_is_one_fault_with_a_remedy(name: str) -> None:
    found = environment_findings({k: v for k, v in COMPLETE.items() if k != name})
    faults = [each for each in found if each.level is Level.FAULT]
    assert [each.message for each in faults] == [f"{name} is not set"]
    assert faults[0].remedy


def test_a_short_secret_is_one_fault_and_is_not_shown() -> None:
    found = environment_findings({**COMPLETE, "SLUICE_SECRET": "hunter2"})
    assert levels(found) == [Level.FAULT]
    assert "has 7 characters and needs 32" in found[0].text
    assert "hunter2" not in found[0].text


def test_a_missing_start_up_hook_is_warned_of() -> None:
    found = environment_findings({**COMPLETE, "LITELLM_WORKER_STARTUP_HOOKS": ""})
    assert Level.WARNING in levels(found)


def test_a_missing_provider_key_is_a_fault_where_nothing_stands_in() -> None:
    read = {"OPENAI_API_KEY": ["a", "b"], "OPENAI_API_BASE": ["a"], "MINE": ["c"]}
    found = provider_findings(read, COMPLETE)
    assert levels(found) == [Level.FAULT, Level.FAULT]
    assert "OPENAI_API_KEY is not set, for a, b" in found[1].message


def test_a_provider_with_a_stand_in_is_a_warning_that_names_the_variable() -> None:
    read = {"OPENAI_API_KEY": ["a"], "VLLM_API_BASE": ["b"]}
    practising = {**COMPLETE, "SLUICE_PRACTICE_PROVIDERS": "openai,vllm"}
    for environ in ({}, practising):
        found = provider_findings(read, environ)
        assert levels(found) == [Level.WARNING]
        assert "set OPENAI_API_KEY, VLLM_API_BASE" in found[0].remedy
    real = {**COMPLETE, "OPENAI_API_KEY": "k", "VLLM_API_BASE": "http://gpu"}
    assert levels(provider_findings(read, real)) == [Level.OK]


@pytest.mark.parametrize(
    ("found", "level", "said"),
    [
        ("0002", Level.OK, "is migrated"),
        (None, Level.FAULT, "holds no schema"),
        ("0001", Level.FAULT, "this release needs 0002"),
        ("0009", Level.FAULT, "does not know"),
    ],
)
def test_the_schema_must_be_this_releases(found: str | None, level: Level, said: str) -> None:
    judged = judge_schema(Revisions(found, "0002", frozenset({"0001", "0002"})), "db:5432")
    assert judged.level is level
    assert said in judged.message
    assert bool(judged.remedy) == (level is Level.FAULT)


@pytest.mark.parametrize(
    ("state", "level", "said"),
    [
        (RedisState("7.2.4", "yes", "noeviction", None), Level.OK, "takes writes"),
        (RedisState("7.2.4", "no", "noeviction", None), Level.FAULT, "appendonly no"),
        (RedisState("7.2.4", "yes", "allkeys-lru", None), Level.FAULT, "allkeys-lru"),
        (RedisState("7.2.4", None, None, None), Level.WARNING, "does not tell"),
        (RedisState("7.2.4", "yes", "noeviction", "READONLY"), Level.FAULT, "READONLY"),
        (RedisState("6.0.9", "yes", "noeviction", None), Level.FAULT, "6.2"),
        (RedisState(None, "yes", "noeviction", None), Level.OK, "answers"),
    ],
)
def test_redis_must_keep_what_it_is_given(state: RedisState, level: Level, said: str) -> None:
    judged = judge_redis(state, "redis:6379")
    assert levels(judged) == [level]
    assert said in judged[0].text


def test_warnings_fail_only_when_asked_to() -> None:
    findings = [ok("a", "x"), skipped("b", "y", "z"), warning("c", "y", "z")]
    assert passes(findings, strict=False)
    assert not passes(findings, strict=True)
    assert not passes([fault("d", "y", "z")], strict=False)
    assert summary(findings) == "1 ok, 1 skipped, 1 warning, 0 faults"


COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@collector:4318"}


@pytest.mark.parametrize(
    ("environ", "plugged", "level", "said"),
    [
        ({}, True, Level.SKIPPED, "calls are not traced"),
        (COLLECTOR, True, Level.OK, "traces go to collector:4318 over http/protobuf"),
        (COLLECTOR, False, Level.WARNING, "the plugin is off"),
        (COLLECTOR | {"OTEL_SDK_DISABLED": "true"}, True, Level.SKIPPED, "not traced"),
        (COLLECTOR | {"OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, True, Level.FAULT, "smoke"),
    ],
)
def test_whether_calls_are_traced_and_where_to_is_told_without_secrets(
    environ: dict[str, str], plugged: bool, level: Level, said: str
) -> None:
    finding = tracing_finding(environ, plugged=plugged)
    assert finding.level is level
    assert said in finding.text
    assert "secret" not in finding.text

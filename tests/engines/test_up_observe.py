"""What `sluice up --observe` would start, without starting it."""

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.cli import up_observe
from plugins.cli.up_environment import UpError
from plugins.cli.up_observe import Setting, observers, phoenix_command, routes, scrapes
from plugins.cli.up_services import Place

OTEL = Path(__file__).parents[2] / "otel"
PROMETHEUS = (OTEL / "prometheus" / "prometheus.yml").read_text()
ALERTMANAGER = (OTEL / "alertmanager" / "alertmanager.yml").read_text()


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def _setting(tmp_path: Path, **environ: str) -> Setting:
    everywhere = Place("0.0.0.0", 4000)  # noqa: S104 - written into a file, not bound
    return Setting(everywhere, tmp_path / "data", OTEL, environ)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that alone is searched for programs."""
    found = tmp_path / "bin"
    found.mkdir()
    monkeypatch.setenv("PATH", str(found))
    return found


def test_what_is_not_installed_is_named_with_how_to_get_it(tmp_path: Path, path: Path) -> None:
    found = observers(_setting(tmp_path))
    assert found.programs == ()
    assert found.variables == {}
    told = "\n".join(found.lines())
    for remedy in ("prometheus-alertmanager", "apt-get install prometheus", "arize-phoenix"):
        assert remedy in told


def test_what_is_installed_is_started_and_told_where_the_gateway_is(
    tmp_path: Path, path: Path
) -> None:
    _program(path / "prometheus")
    _program(path / "prometheus-alertmanager")
    found = observers(_setting(tmp_path))
    assert [one.name for one in found.programs] == ["alertmanager", "prometheus"]
    config: dict[str, Any] = yaml.safe_load(
        (tmp_path / "data" / "observe" / "prometheus.yml").read_text()
    )
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]
    }
    assert jobs["sluice"] == ["127.0.0.1:4000"]
    assert all(url.startswith("http://127.0.0.1:") for url in found.urls.values())
    told = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert told == jobs["alertmanager"]


def test_the_token_is_the_operators_or_made_and_for_this_user_alone(
    tmp_path: Path, path: Path
) -> None:
    _program(path / "prometheus")
    given = observers(_setting(tmp_path, SLUICE_METRICS_TOKEN="t" * 20))
    file = tmp_path / "data" / "observe" / "metrics-token"
    assert given.variables["SLUICE_METRICS_TOKEN"] == file.read_text() == "t" * 20
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = observers(_setting(tmp_path))
    assert made.variables["SLUICE_METRICS_TOKEN"] == file.read_text()
    assert len(file.read_text()) >= 16


def test_the_operators_keys_reach_none_of_them(tmp_path: Path) -> None:
    setting = _setting(tmp_path, OPENAI_API_KEY="sk-mine", PATH="/bin")
    assert setting.quiet == {"PATH": "/bin"}


def test_without_alertmanager_prometheus_asks_none(tmp_path: Path, path: Path) -> None:
    _program(path / "prometheus")
    observers(_setting(tmp_path))
    config = yaml.safe_load((tmp_path / "data" / "observe" / "prometheus.yml").read_text())
    assert config["alerting"] == {"alertmanagers": []}
    assert "alertmanager" not in {job["job_name"] for job in config["scrape_configs"]}


def test_traces_go_to_phoenix_unless_the_operator_sends_them_elsewhere(
    tmp_path: Path, path: Path
) -> None:
    _program(path / "phoenix")
    found = observers(_setting(tmp_path))
    assert found.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == found.urls["Phoenix (traces)"]
    elsewhere = observers(_setting(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318"))
    assert elsewhere.variables == {}
    assert any("ALL addresses" in note for note in found.notes)


def test_phoenix_is_found_in_an_environment_of_its_own(tmp_path: Path, path: Path) -> None:
    program = _program(tmp_path / "venv" / "bin" / "phoenix")
    for given in (tmp_path / "venv", program):
        assert phoenix_command({"SLUICE_PHOENIX": str(given)}) == [str(program)]
    assert phoenix_command({}) is None
    with pytest.raises(UpError, match="SLUICE_PHOENIX names /nowhere"):
        phoenix_command({"SLUICE_PHOENIX": "/nowhere"})


def test_without_the_folder_of_rules_it_says_where_it_comes_from(tmp_path: Path) -> None:
    setting = Setting(Place("127.0.0.1", 4000), tmp_path, tmp_path / "none", {})
    with pytest.raises(UpError, match="run it in a checkout"):
        observers(setting)


def test_a_busy_port_is_replaced_by_a_free_one(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(path / "prometheus")
    monkeypatch.setattr(up_observe, "is_free", lambda *_: False)
    found = observers(_setting(tmp_path))
    assert found.urls["Prometheus"] != "http://127.0.0.1:9090"


def test_placeholders_tell_nobody_and_what_the_operator_wrote_stays() -> None:
    text, silenced = routes(ALERTMANAGER)
    config = yaml.safe_load(text)
    assert silenced
    assert config["receivers"] == [
        {"name": "on-call-engineer"}, {"name": "platform-team"}, {"name": "ai-team"},
    ]  # fmt: skip
    original = yaml.safe_load(ALERTMANAGER)
    assert config["route"] == original["route"]
    assert config["inhibit_rules"] == original["inhibit_rules"]
    mine = ALERTMANAGER.replace("CHANGEME", "mine")
    assert routes(mine) == (yaml.safe_dump(yaml.safe_load(mine), sort_keys=False), False)


def test_only_targets_rules_and_token_of_the_scrapes_are_replaced(tmp_path: Path) -> None:
    text = scrapes(
        PROMETHEUS, rules=tmp_path, targets={"sluice": "a:1"}, token_file=tmp_path / "token"
    )
    config = yaml.safe_load(text)
    original = yaml.safe_load(PROMETHEUS)
    assert config["global"] == original["global"]
    assert config["rule_files"] == [str(tmp_path / "*.yml")]
    (job,) = config["scrape_configs"]
    assert job["authorization"] == {
        "type": "Bearer", "credentials_file": str(tmp_path / "token"),
    }  # fmt: skip

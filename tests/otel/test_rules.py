"""Every alert on each side of its threshold, judged by promtool; who is told, judged by amtool."""

from collections import Counter
from pathlib import Path

import pytest

from tests.otel.cases import CASES
from tests.otel.rules import FILES, Case, alerts, ask
from tests.otel.tools import OTEL, run

ALERTMANAGER = OTEL / "alertmanager" / "alertmanager.yml"
TEAMS = {"on-call-engineer", "platform-team", "ai-team"}
pytestmark = pytest.mark.otel


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_alert_keeps_to_its_threshold(case: Case, tmp_path: Path) -> None:
    complaint = ask(case, tmp_path)
    assert complaint is None, complaint


def test_every_alert_is_seen_firing_and_silent() -> None:
    fired = Counter(case.alert for case in CASES if case.fires is not None)
    silent = Counter(case.alert for case in CASES if case.fires is None)
    assert set(fired) == set(alerts())
    assert set(silent) == set(alerts())


def test_promtool_can_tell_a_wrong_expectation(tmp_path: Path) -> None:
    fires = next(case for case in CASES if case.fires is not None)
    silent = next(case for case in CASES if case.fires is None)
    wrong = Case(fires.alert, "wrong", fires.series, fires.at)
    assert ask(wrong, tmp_path) is not None
    wrong = Case(silent.alert, "wrong", silent.series, silent.at, {}, "1%")
    assert ask(wrong, tmp_path) is not None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_promtool_finds_no_fault_in_the_rules(file: Path) -> None:
    run("promtool", "check", "rules", str(file))


def test_promtool_finds_no_fault_in_the_configuration() -> None:
    path = OTEL / "prometheus" / "prometheus.yml"
    run("promtool", "check", "config", "--syntax-only", str(path))


def test_amtool_finds_no_fault_in_the_configuration() -> None:
    assert "3 receivers" in run("amtool", "check-config", str(ALERTMANAGER))


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_what_it_must(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"critical", "high", "medium"}
    assert rule["labels"]["team"] in TEAMS
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "$value" in rule["annotations"]["description"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"


def _told(**labels: str) -> str:
    pairs = [f"{name}={value}" for name, value in labels.items()]
    return run(
        "amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *pairs
    ).strip()


@pytest.mark.parametrize("name", alerts())
def test_an_alert_reaches_its_team_alone(name: str) -> None:
    labels = alerts()[name]["labels"]
    assert _told(alertname=name, **labels) == labels["team"]


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"service": "sluice", "severity": "critical"}, "on-call-engineer"),
        ({"service": "sluice", "severity": "medium"}, "platform-team"),
        ({"severity": "critical"}, "platform-team"),
        ({"team": "nobody"}, "platform-team"),
    ],
)
def test_what_has_no_team_goes_by_severity(labels: dict[str, str], receiver: str) -> None:
    assert _told(alertname="circuit_breaker_opened", **labels) == receiver


def test_the_gateways_own_word_of_drift_goes_to_those_who_know_models() -> None:
    labels = {"service": "sluice", "severity": "medium"}
    assert _told(alertname="model_drift_detected", **labels) == "ai-team"


@pytest.mark.spec("9.3")
@pytest.mark.parametrize(
    ("name", "severity", "team"),
    [
        ("HighLLMErrorRate", "critical", "on-call-engineer"),
        ("LLMCostSpike", "high", "platform-team"),
        ("ModelLatencyDegradation", "medium", "ai-team"),
    ],
)
def test_the_three_required_alerts_have_their_severity_and_team(
    name: str, severity: str, team: str
) -> None:
    labels = alerts()[name]["labels"]
    assert (labels["severity"], labels["team"]) == (severity, team)

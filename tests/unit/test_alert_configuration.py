"""`sluice.alerts`: what it takes, every fault by its path, and no secret in any of them."""

from pathlib import Path

import pytest
import yaml

from plugins.settings import ConfigurationError, load

ROOT = Path(__file__).parents[2]
ENVIRON = {
    "HOOK": "https://hooks.example/very-secret",
    "SECRET": "very-secret-and-long-enough",
    "WRONG": "hooks.example/very-secret",
    "SHORT": "very-secret",
}


def _load(tmp_path: Path, alerts: object, environ: dict[str, str] | None = None) -> object:
    config = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    config["sluice"]["alerts"] = alerts
    path = tmp_path / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config))
    return load(path, ENVIRON if environ is None else environ).policy.alerts


def test_the_shipped_file_tells_the_log_alone() -> None:
    policy = load(ROOT / "proxy_config.yaml", {}).policy.alerts
    assert [(t.name, t.kind) for t in policy.targets()] == [("log", "log")]
    assert policy.repeat_s == 300


def test_the_senders_that_the_shipped_file_offers_are_valid(tmp_path: Path) -> None:
    text = (ROOT / "proxy_config.yaml").read_text().replace("# - {kind:", "- {kind:")
    path = tmp_path / "proxy_config.yaml"
    path.write_text(text)
    names = ("SLACK_WEBHOOK_URL", "ALERT_WEBHOOK_URL", "ALERTMANAGER_URL")
    environ = dict.fromkeys(names, ENVIRON["HOOK"]) | {"ALERT_WEBHOOK_SECRET": ENVIRON["SECRET"]}
    targets = load(path, environ).policy.alerts.targets()
    assert [t.kind for t in targets] == ["log", "slack", "webhook", "alertmanager"]
    assert targets[1].severities == {"critical", "high"}
    assert targets[3].resend_s == 60


def test_a_target_shows_its_host_and_nothing_secret(tmp_path: Path) -> None:
    url = "https://user:very-secret@hooks.example:8443/very-secret?t=very-secret"
    policy = _load(tmp_path, {"senders": [{"kind": "webhook", "url": url}]})
    (target,) = policy.targets()  # type: ignore[attr-defined]
    assert target.host == "hooks.example:8443"
    assert "very-secret" not in repr(policy) + repr(target)


@pytest.mark.parametrize(
    ("sender", "fault"),
    [
        ({"kind": "slack", "url": "os.environ/UNSET"}, "variable UNSET is not set"),
        ({"kind": "slack", "url": "os.environ/WRONG"}, "is no address"),
        ({"kind": "slack", "url": "ftp://very-secret"}, "is no address"),
        ({"kind": "slack", "url": "https://very-secret:99999"}, "is no address"),
        ({"kind": "slack"}, "url: Field required"),
        ({"kind": "webhook", "url": "os.environ/HOOK", "secret": "os.environ/SHORT"}, "secret"),
        ({"kind": "webhook", "url": "os.environ/HOOK", "secret": "os.environ/UNSET"}, "UNSET"),
        ({"kind": "pager", "url": "os.environ/HOOK"}, "kind"),
        ({"kind": "log", "url": "os.environ/HOOK"}, "url"),
        ({"kind": "log", "severities": ["grave"]}, "severities"),
        ({"kind": "log", "severities": []}, "severities"),
        ({"kind": "log", "name": "My Log!"}, "name"),
        ({"kind": "alertmanager", "url": "os.environ/HOOK", "resend_s": 0}, "resend_s"),
    ],
)
def test_a_fault_is_named_by_its_path_and_shows_no_secret(
    tmp_path: Path, sender: dict[str, object], fault: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, {"senders": [{"kind": "log", "name": "first"}, sender]})
    assert all(said.startswith("sluice.alerts.senders.1") for said in caught.value.faults)
    assert fault in caught.value.faults[0]
    assert "very-secret" not in str(caught.value)


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    senders = [{"kind": "slack", "url": "os.environ/A"}, {"kind": "slack", "url": "os.environ/B"}]
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, {"senders": senders, "repeat_s": 0})
    assert len(caught.value.faults) == 3


def test_two_senders_of_one_kind_need_names(tmp_path: Path) -> None:
    twice = [{"kind": "slack", "url": "os.environ/HOOK"}] * 2
    with pytest.raises(ConfigurationError, match="two senders are named slack"):
        _load(tmp_path, {"senders": twice})
    named = [twice[0], twice[1] | {"name": "other-channel"}]
    policy = _load(tmp_path, {"senders": named})
    assert [t.name for t in policy.targets()] == ["slack", "other-channel"]  # type: ignore[attr-defined]

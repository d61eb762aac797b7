"""The real Prometheus and Alertmanager around a real gateway, in fast motion."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from plugins.cli.up_observe import scrapes
from tests.gateway.receivers import Receiver
from tests.gateway.running import Gateway, eventually, free_port
from tests.otel.rules import FILES
from tests.otel.tools import OTEL, tool

_IN_A_TEST_S = {"s": 1 / 20, "m": 60 / 20, "h": 3600 / 20, "d": 10}
"""Five minutes pass in 15 seconds, a day in 10; thresholds and expressions stay what they are."""
_SPAN = re.compile(r"(\[|offset |for: |interval: )(\d+)([smhd])\b")


@dataclass
class Stack:
    """What watches a gateway.

    Args:
        gateway: whom.
        prometheus: its address.
        receivers: who is told, by the name in `alertmanager.yml`.
    """

    gateway: Gateway
    prometheus: str
    receivers: dict[str, Receiver]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Ask Prometheus; a wrong expression fails."""
        answer = httpx.post(f"{self.prometheus}/api/v1/query", data={"query": expr}, timeout=20)
        told = answer.json()
        assert told["status"] == "success", told
        return list(told["data"]["result"])

    def value(self, expr: str) -> float:
        """The sum of what an expression gives; 0 when it gives nothing."""
        return sum(float(one["value"][1]) for one in self.query(expr))

    def told(self, team: str, state: str) -> set[str]:
        """Names of the alerts that a team has had news of."""
        return names(self.receivers[team], state)

    def all_told(self) -> set[str]:
        return {name for team in self.receivers for name in self.told(team, "firing")}


def names(receiver: Receiver, state: str) -> set[str]:
    """Names of the alerts in a state that a receiver has had news of."""
    return {
        alert["labels"]["alertname"]
        for came in receiver.came
        for alert in json.loads(came.body)["alerts"]
        if alert["status"] == state
    }


def faster(text: str) -> str:
    """Shorten every span of time in a rule file."""

    def shorter(found: re.Match[str]) -> str:
        seconds = int(found[2]) * _IN_A_TEST_S[found[3]]
        return f"{found[1]}{max(round(seconds), 1)}s"

    return _SPAN.sub(shorter, text)


@contextlib.contextmanager
def watching(gateway: Gateway, folder: Path, token: str) -> Iterator[Stack]:
    """Run both around a gateway."""
    receivers = {team: Receiver() for team in ("on-call-engineer", "platform-team", "ai-team")}
    for receiver in receivers.values():
        receiver.start()
    alertmanager, prometheus = free_port(), free_port()
    ours = [
        alertmanager_for(folder, alertmanager, receivers),
        _prometheus(folder, prometheus, alertmanager, gateway, token),
    ]
    try:
        url = f"http://127.0.0.1:{prometheus}"
        for port in (alertmanager, prometheus):
            eventually(lambda p=port: ready(p), bool, limit_s=20)
        yield Stack(gateway, url, receivers)
    finally:
        for process in ours:
            process.terminate()
        for process in ours:
            process.wait(20)
        for receiver in receivers.values():
            receiver.stop()


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def alertmanager_for(
    folder: Path, port: int, receivers: dict[str, Receiver]
) -> "subprocess.Popen[bytes]":
    """Start it with the project's routes; only addresses and waiting times are replaced."""
    config = yaml.safe_load((OTEL / "alertmanager" / "alertmanager.yml").read_text())
    for receiver in config["receivers"]:
        hook = {"url": receivers[receiver["name"]].url, "send_resolved": True}
        for kind in [kind for kind in receiver if kind != "name"]:
            del receiver[kind]
        receiver["webhook_configs"] = [hook]
    for route in [config["route"], *config["route"]["routes"]]:
        route |= {"group_wait": "1s", "group_interval": "1s"}
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    command = [tool("prometheus-alertmanager"), f"--config.file={path}"]
    command += [f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address="]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    return _started(command, folder / "alertmanager.log")


def _prometheus(
    folder: Path, port: int, alertmanager: int, gateway: Gateway, token: str
) -> "subprocess.Popen[bytes]":
    rules = folder / "rules"
    rules.mkdir()
    for file in FILES:
        (rules / file.name).write_text(faster(file.read_text()))
    token_file = folder / "token"
    token_file.write_text(token)
    targets = {
        "sluice": gateway.base_url.removeprefix("http://"),
        "alertmanager": f"127.0.0.1:{alertmanager}",
    }
    original = (OTEL / "prometheus" / "prometheus.yml").read_text()
    config = yaml.safe_load(scrapes(original, rules=rules, targets=targets, token_file=token_file))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    command = [tool("prometheus"), f"--config.file={path}", "--enable-feature=exemplar-storage"]
    command += [f"--storage.tsdb.path={folder / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    return _started(command, folder / "prometheus.log")


def _started(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)

"""Reads the rule files, and asks promtool what a rule does with given series."""

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.otel.tools import OTEL, tool

FILES = sorted((OTEL / "prometheus" / "rules").glob("*.yml"))
_LABEL = re.compile(r"\{\{ *\$labels\.(\w+) *\}\}")
_VALUE = re.compile(r"\{\{ *\$value[^}]*\}\}")


@cache
def groups() -> list[dict[str, Any]]:
    return [g for file in FILES for g in yaml.safe_load(file.read_text())["groups"]]


@cache
def alerts() -> dict[str, dict[str, Any]]:
    return {r["alert"]: r for g in groups() for r in g["rules"] if "alert" in r}


@dataclass(frozen=True)
class Case:
    """One question to an alert.

    Args:
        alert: its name.
        title: what the series stand for.
        series: values a minute apart, in promtool's notation.
        at: when it is asked.
        fires: labels that the alert then has, besides its own; None when it must be silent.
        says: the value in its description.
    """

    alert: str
    title: str
    series: dict[str, str]
    at: str
    fires: dict[str, str] | None = None
    says: str = ""
    every: str = "1m"

    @property
    def name(self) -> str:
        verb = "is silent" if self.fires is None else "fires"
        return f"{self.alert} {verb}: {self.title}"

    def document(self) -> dict[str, Any]:
        rule = alerts()[self.alert]
        expected: list[dict[str, Any]] = []
        if self.fires is not None:
            expected = [
                {
                    "exp_labels": self.fires | rule["labels"],
                    "exp_annotations": {k: self._told(v) for k, v in rule["annotations"].items()},
                }
            ]
        return {
            "rule_files": [str(file) for file in FILES],
            "evaluation_interval": self.every,
            "group_eval_order": [g["name"] for g in _in_order()],
            "tests": [
                {
                    "interval": self.every,
                    "input_series": [
                        {"series": series, "values": values}
                        for series, values in self.series.items()
                    ],
                    "alert_rule_test": [
                        {"eval_time": self.at, "alertname": self.alert, "exp_alerts": expected}
                    ],
                }
            ],
        }

    def _told(self, template: str) -> str:
        labels = self.fires or {}
        text = _LABEL.sub(lambda found: labels[found[1]], template)
        return _VALUE.sub(lambda _: self.says, text)


def _in_order() -> list[dict[str, Any]]:
    """Give what records before what alerts."""
    return sorted(groups(), key=lambda g: "alert" in g["rules"][0])


def ask(case: Case, folder: Path) -> str | None:
    """Let promtool judge; give its complaint, or None."""
    file = folder / "case.yml"
    file.write_text(yaml.safe_dump(case.document()))
    done = subprocess.run(
        [tool("promtool"), "test", "rules", str(file)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return None if done.returncode == 0 else done.stdout + done.stderr

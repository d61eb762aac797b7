"""Who is woken by an alert finds its entry, and every command in it exists."""

import re

import pytest
from typer.testing import CliRunner

from plugins.cli import COMMANDS, app
from plugins.cli.spend import Group
from tests.otel.rules import alerts
from tests.otel.tools import ROOT

TEXT = (ROOT / "docs" / "runbooks.md").read_text()
ENTRIES = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
pytestmark = pytest.mark.otel


def test_every_alert_has_an_entry_and_every_entry_an_alert() -> None:
    assert list(ENTRIES) == list(alerts())


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_what_it_means_who_what_to_look_at_and_when_to_escalate(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.lstrip().startswith("**Means**")
    assert f"**For**: {alerts()[name]['labels']['team']}." in entry
    assert re.findall(r"^(\d)\. ", entry, re.MULTILINE) == ["1", "2", "3"]
    assert entry.index("**Mend**") < entry.index("**Escalate**")


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`(sluice [^`]+)`", TEXT))))
def test_every_command_exists_with_its_options(command: str) -> None:
    """A part in capitals is the reader's to fill in."""
    _, name, *rest = command.split()
    assert name in COMMANDS
    words = [word for word in rest if re.fullmatch(r"[a-z][a-z-]*", word)]
    known = CliRunner().invoke(app, [name, *words[:1], "--help"], env={"COLUMNS": "200"}).output
    if "No such command" in known or "Usage" not in known:
        known = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output
    for option in re.findall(r"--[a-z-]+", command):
        assert option in known, f"{option} is no option of sluice {name}"
    for group in re.findall(r"--by (\w+)", command):
        assert group in set(Group)

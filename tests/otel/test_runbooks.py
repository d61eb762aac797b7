"""Who is woken by an alert finds its entry, and every command in it exists."""

import re

import pytest

from plugins.cli import COMMANDS
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


def test_every_command_exists() -> None:
    used = set(re.findall(r"`sluice (\w+)", TEXT))
    assert used
    assert used <= COMMANDS.keys()

"""docs/checks.md says what the code does."""

import re
from pathlib import Path

import pytest
import yaml

from plugins.core.asked import Role
from plugins.core.checks import DEFAULTS, Mode, OnFailure
from plugins.core.gate import FAILED, UNAVAILABLE, Failure
from plugins.moderation.length import MOST_TOKENS
from plugins.moderation.scanning import FROM_OUTSIDE, PATTERNS, READ, SHORT
from plugins.moderation.stage import CODES, MOST_TOLD
from plugins.policy import Policy
from plugins.proxy.schema.fields import MAX_SOURCES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| .+? \| (\w+) \| (.+?) \| `(\w+)` \|$", re.MULTILINE)
ROWS = {name: (mode, whose, code) for name, mode, whose, code in ROW.findall(PAGE)}
POLICY = Policy.model_validate(yaml.safe_load((ROOT / "proxy_config.yaml").read_text())["sluice"])


def test_the_table_has_each_check_of_what_is_sent() -> None:
    assert set(ROWS) == {"length", *PATTERNS} == set(CODES)


@pytest.mark.parametrize("check", ROWS)
def test_a_row_says_default_code_and_whose_texts(check: str) -> None:
    mode, whose, code = ROWS[check]
    assert mode == DEFAULTS[check].mode.value
    assert code == CODES[check]
    if check in READ and READ[check] != frozenset(Role):
        assert {Role(word.strip()) for word in whose.split(",")} == READ[check]
    else:
        assert whose.startswith("everybody's")


def test_the_shipped_policy_is_the_default_but_for_one_agent() -> None:
    book = POLICY.check_book
    assert {check: rule.mode for check, rule in book.of(None).items()} == {
        check: rule.mode for check, rule in DEFAULTS.items()
    }
    assert book.rule("screening", "profanity").mode is Mode.MASK
    assert POLICY.limits.prompt_tokens == MOST_TOKENS


def test_the_modes_and_failures_are_all_there() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)
    assert set(rows) == {*ROWS, *Mode, *OnFailure, "on_failure"}
    closed = {name for name in CODES if DEFAULTS[name].on_failure is OnFailure.CLOSED}
    assert "`length`, `pii` and `sql_injection` are closed" in PAGE
    assert closed == {"length", "pii", "sql_injection"}
    for word in (FAILED, UNAVAILABLE, Failure.LATE):
        assert f"`{word}`" in PAGE


def test_the_figures_are_the_code_s() -> None:
    told = " ".join(PAGE.split())
    assert f"({MOST_TOKENS:,}) tokens" in told
    assert f"at most {SHORT} characters" in told
    assert f"up to {MAX_SOURCES} documents" in told
    assert MOST_TOLD == 20
    assert "twenty are written down" in told
    assert {role.value for role in FROM_OUTSIDE} == {"user", "tool", "document"}

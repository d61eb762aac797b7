"""`sluice keys` and `sluice spend`: what is read from the command line and made of an answer."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plugins.cli import app, installation
from plugins.cli.keys import checked_key_id, grace_of, moment, span, state_of
from plugins.cli.limits import COLUMNS, row_of, shown, wanted
from plugins.cli.output import CommandError
from plugins.cli.spend import checked_day, total_row

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STORES = ("SLUICE_DATABASE_URL", "DATABASE_URL", "SLUICE_REDIS_URL", "REDIS_URL", "SLUICE_SECRET")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0s", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("45m", timedelta(minutes=45)),
        ("1h", timedelta(hours=1)),
        (" 30d ", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert span(text) == length


@pytest.mark.parametrize(
    "text", ["", "soon", "30", "d", "-1h", "1.5h", "1y", "1h30m", "٣d", "9999999s"]
)
def test_what_is_no_length_of_time_says_how_to_write_one(text: str) -> None:
    with pytest.raises(CommandError, match="such as 30d"):
        span(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", NOW + timedelta(days=30)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_length_of_time_from_now_or_iso(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["soon", "2027-02-30", "31.01.2027", "999999w", ""])
def test_what_is_no_moment_says_how_to_write_one(text: str) -> None:
    with pytest.raises(CommandError, match="is no moment"):
        moment(text, NOW)


def test_a_rotated_key_works_on_for_thirty_days_at_most() -> None:
    assert grace_of("30d") == timedelta(days=30)
    with pytest.raises(CommandError, match="at most 30d"):
        grace_of("31d")


def test_a_whole_key_given_as_identifier_is_refused_and_not_shown() -> None:
    key = "sk-abcdefghij-" + "x" * 38
    with pytest.raises(CommandError, match="public part") as raised:
        checked_key_id(key)
    assert "x" * 38 not in raised.value.message
    assert checked_key_id("abcdefghi0") == "abcdefghi0"


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "active"),
        ({"expires_at": "2026-11-23T12:00:01Z"}, "active"),
        ({"expires_at": "2026-11-23T12:00:00Z"}, "expired"),
        ({"expires_at": "2026-11-23T13:00:00Z", "rotated_to": "b"}, "rotated, in grace"),
        ({"expires_at": "2026-11-23T11:00:00Z", "rotated_to": "b"}, "rotated"),
        ({"revoked_at": "2026-11-23T11:00:00Z", "rotated_to": "b"}, "revoked"),
    ],
)
def test_a_keys_state_is_told_in_words(change: dict[str, Any], state: str) -> None:
    key = {"expires_at": None, "revoked_at": None, "rotated_to": None, **change}
    assert state_of(key, NOW) == state


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "create"), "--tenant"),
        (("keys", "create", "--tenant", "a", "--admin"), "one of the two"),
        (("keys", "create", "--tenant", "a", "--expires", "soon"), "is no moment"),
        (("keys", "rotate", "abcdefghij", "--grace", "soon"), "no length of time"),
        (("keys", "revoke", "sk-x"), "public part"),
        (("keys", "set", "abcdefghij"), "nothing to set"),
        (("keys", "set", "abcdefghij", "--rpm", "0"), "--rpm '0' is no limit"),
        (("keys", "create", "--tenant", "a", "--tpm", "lots"), "--tpm 'lots' is no limit"),
        (("tenants", "set", "a"), "nothing to set"),
        (("tenants", "create", "a", "--rpm", "1000000001"), "from 1 to 1000000000"),
        (("spend", "--first", "yesterday"), "--first 'yesterday' is no day"),
        (("spend", "--last", "2027-02-30"), "is no day"),
    ],
)
def test_a_wrong_option_is_one_line_before_anything_is_asked(
    arguments: tuple[str, ...], said: str
) -> None:
    environ = {"SLUICE_ADMIN_KEY": "sk-a", "SLUICE_URL": "http://127.0.0.1:1"}
    told = CliRunner().invoke(app, arguments, env=environ)
    assert told.exit_code == 1
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "figure"),
    [("1", 1), ("1000000000", 1_000_000_000), (" 60 ", 60), ("none", "none"), ("Default", None)],
)
def test_a_limit_is_a_number_or_one_of_two_words(text: str, figure: int | str | None) -> None:
    assert wanted(text, None) == {"requests_per_minute": figure}
    assert wanted(None, text) == {"tokens_per_minute": figure}
    assert wanted(None, shown(figure)) == {"tokens_per_minute": figure}
    assert wanted(None, None) == {}


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "1e3", "1_000", "٣", "unlimited"])
def test_what_is_no_limit_says_how_to_write_one(text: str) -> None:
    with pytest.raises(CommandError, match="`none` for no limit"):
        wanted(text, None)


def test_a_limits_row_shows_what_is_used_of_how_much_and_a_dash_where_nothing_is_limited() -> None:
    limit = {
        **{"kind": "provider", "name": "openai", "resets_in_s": 60.2},
        **{"requests_used": 1200, "requests_per_minute": 10_000, "requests_left": 8800},
        **{"tokens_used": 7, "tokens_per_minute": None, "tokens_left": None},
    }
    assert list(zip(COLUMNS, row_of(limit), strict=True)) == [
        *(("", "provider"), ("NAME", "openai")),
        *(("REQUESTS", "1,200"), ("OF", "10,000"), ("LEFT", "8,800")),
        *(("TOKENS", "7"), ("OF", "-"), ("LEFT", "-")),
    ]


def test_days_are_iso_and_the_option_at_fault_is_named() -> None:
    assert checked_day("--first", None) is None
    assert checked_day("--first", "2027-01-31") == "2027-01-31"
    with pytest.raises(CommandError, match="--last '1-2-27'"):
        checked_day("--last", "1-2-27")


def test_the_total_of_spend_adds_up_without_rounding() -> None:
    row = {"calls": 2, "answered": 1, "input_tokens": 1000, "output_tokens": 5}
    rows = [row | {"saved_usd": "0.1"}, row | {"saved_usd": "0.2"}]
    told = total_row(rows, "0.0000003", 2)
    assert told == ["total", " ", "4", "2", "2,000", "10", "0.0000003", "0.3"]


def test_a_lost_administrators_key_needs_the_gateways_own_secret(tmp_path: Path) -> None:
    said = CliRunner().invoke(
        app, ["keys", "new-admin", "--data-dir", str(tmp_path)], env=dict.fromkeys(STORES)
    )
    assert said.exit_code == 1
    assert "set SLUICE_SECRET to the gateway's" in said.stderr
    assert not (tmp_path / "secret").exists()


def test_a_lost_administrators_key_needs_a_database(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 64)
    said = CliRunner().invoke(
        app, ["keys", "new-admin", "--data-dir", str(tmp_path)], env=dict.fromkeys(STORES)
    )
    assert said.exit_code == 1
    assert "no database: set SLUICE_DATABASE_URL" in said.stderr
    assert not (tmp_path / "postgres").exists()


def test_the_secret_of_the_environment_comes_first_and_a_short_one_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text("f" * 40 + "\n")
    assert installation.find_secret({"SLUICE_SECRET": "e" * 40}, tmp_path) == "e" * 40
    assert installation.find_secret({}, tmp_path) == "f" * 40
    with pytest.raises(CommandError, match="5 characters and needs 32"):
        installation.find_secret({"SLUICE_SECRET": "short"}, tmp_path)


def test_the_gateways_own_variables_come_before_the_general_ones(tmp_path: Path) -> None:
    environ = {
        "SLUICE_DATABASE_URL": "postgres://u:pw@one/db",
        "DATABASE_URL": "postgres://u:pw@two/db",
        "REDIS_URL": "redis://three",
    }
    database = installation.find_database(environ, tmp_path)
    assert database == installation.Store("postgresql+asyncpg://u:pw@one/db", "SLUICE_DATABASE_URL")
    assert installation.find_redis(environ, tmp_path) == installation.Store(
        "redis://three", "REDIS_URL"
    )
    assert installation.find_database({}, tmp_path) is None
    assert installation.find_redis({}, tmp_path) is None

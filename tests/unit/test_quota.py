"""Quotas: what is told at which share."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.cli.output import CommandError
from plugins.cli.tenants import _quota  # pyright: ignore[reportPrivateUsage]
from plugins.quota.rules import Level, Use, alert_of, month_of
from tests.making import NOON

MONTH = date(2026, 11, 1)


@pytest.mark.spec("11.3")
@pytest.mark.parametrize(
    ("spent", "level"),
    [
        ("0", None),
        ("399.999999999999", None),
        ("400", Level.WARNING),
        ("500", Level.WARNING),  # spending the quota itself is allowed
        ("500.000000000001", Level.EXCEEDED),
        ("9000", Level.EXCEEDED),
    ],
)
def test_the_level_at_each_side_of_each_threshold(spent: str, level: Level | None) -> None:
    assert Use("acme", MONTH, Decimal(spent), Decimal(500)).level is level


@given(
    st.decimals(0, 10**6, places=6),
    st.decimals("0.01", 10**6, places=6),
    st.decimals(0, 10**6, places=6),
)
def test_spending_more_never_lowers_the_level(
    spent: Decimal, quota: Decimal, more: Decimal
) -> None:
    order = [None, Level.WARNING, Level.EXCEEDED]
    before = Use("acme", MONTH, spent, quota)
    after = Use("acme", MONTH, spent + more, quota)
    assert order.index(after.level) >= order.index(before.level)
    assert (after.level is Level.EXCEEDED) == (spent + more > quota)


@pytest.mark.spec("11.3")
def test_the_alerts_say_who_and_how_much() -> None:
    use = Use("acme", MONTH, Decimal("501.2345"), Decimal(500))
    over = alert_of(use, Level.EXCEEDED)
    assert over.summary == "Tenant acme exceeded AI quota: $501.23 of $500 in 2026-11"
    assert (over.name, over.severity) == ("tenant_quota_exceeded", "high")
    near = alert_of(Use("acme", MONTH, Decimal(400), Decimal(500)), Level.WARNING)
    assert near.summary == "Tenant acme at 80 % of its AI quota: $400 of $500 in 2026-11"
    assert (near.name, near.severity) == ("tenant_quota_warning", "medium")


def test_a_month_begins_on_its_first_day() -> None:
    assert month_of(NOON) == MONTH


@pytest.mark.parametrize(
    ("text", "sent"), [("300", "300"), ("$49.90", "49.90"), ("NONE", None), (" 0.5 ", "0.5")]
)
def test_the_command_takes_dollars_or_none(text: str, sent: str | None) -> None:
    assert _quota(text) == {"monthly_quota_usd": sent}
    assert _quota(None) == {}


@pytest.mark.parametrize("text", ["", "0", "0.0", "-5", "1e3", "NaN", "inf", "12,50", "1234567890"])
def test_the_command_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(CommandError, match="no quota"):
        _quota(text)

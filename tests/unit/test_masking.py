"""What is taken out of a text before it is written down, and what stays."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.masking import masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to maria.okafor+jobs@example.co.uk today", "write to [email] today"),
        ("<a@b.io>, c_d@e-f.org.", "<[email]>, [email]."),
        ("card 4111 1111 1111 1111, please", "card [card], please"),
        ("card 4111-1111-1111-1111", "card [card]"),
        ("amex 378282246310005", "amex [card]"),
        ("mastercard 2223003122003222", "mastercard [card]"),
        ("IBAN DE89 3704 0044 0532 0130 00 EUR", "IBAN [iban] EUR"),
        ("GB82WEST12345698765432", "[iban]"),
        ("NO9386011117947", "[iban]"),
        ("SSN 123-45-6789.", "SSN [ssn]."),
        ("SSN 123 45 6789", "SSN [ssn]"),
        ("call +351 912 345 678 now", "call [phone] now"),
        ("call (415) 555-0123", "call [phone]"),
        ("call 415-555-0123 or 4155550123", "call [phone] or [phone]"),
        ("00 44 20 7946 0958", "[phone]"),
        ("Authorization: Bearer abc.DEF-123_456", "Authorization: [credential]"),
        ("key sk-proj-abcdefghijkl0123456789", "key [credential]"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[credential]"),
        ("AKIAIOSFODNN7EXAMPLE", "[credential]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl", "[credential]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[credential]"),
        ("a@b.com 4111111111111111", "[email] [card]"),
    ],
)
def test_what_identifies_or_opens_is_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2019-2025 Northwind Logistics, Staff Engineer",
        "2015 - 2019, 2020/01/31, from 2021-03-01 to 2024-05-01",
        "2021-03-01 10:30",
        "Python 3.11, PostgreSQL 16.2, latency from 900 ms to 120 ms",
        "salary 85 000 to 95 000 EUR",
        "grade point average 3.85 of 4.00",
        "the bearer of this letter",
        "an e-mail address @ work",
        "ticket 12345678",
        "DE12 is a room, and AT 61 a road",
        "task-force, risk-averse, ask_me",
        "",
    ],
)
def test_what_a_resume_is_made_of_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "1 ",
        "a@",
        "a.",
        "@a.",
        "sk-",
        "eyJa.",
        "AB12 ",
        "+(",
        "1-",
        "Bearer ",
        "(1) ",
        "-----",
    ],
)
def test_time_grows_with_length_alone(piece: str) -> None:
    def took_s(length: int) -> float:
        text = (piece * length)[:length]
        began_s = time.perf_counter()
        masked(text)
        return time.perf_counter() - began_s

    assert took_s(200_000) < 3.0


@given(st.text(alphabet="ab1@. -+()E4X", max_size=300))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = masked(text)
    assert masked(once) == once

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.call import Usage
from plugins.core.money import printed_usd, rounded, usd
from plugins.cost.rules import GpuHour, Price, zero_cost_note

TOKENS = st.integers(0, 10_000_000)
PER_TOKEN = st.decimals(0, 1, places=12, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("printed", "amount"),
    [
        (2.5e-06, "0.0000025"),
        (1e-07, "0.0000001"),
        ("0.15", "0.15"),
        (7.167e-05, "0.00007167"),
        (3, "3"),
    ],
)
def test_a_price_is_what_the_list_prints(printed: float | str, amount: str) -> None:
    assert usd(printed) == Decimal(amount)


@pytest.mark.parametrize("printed", ["-1", "nan", "inf", "ten", ""])
def test_what_is_no_amount_is_refused(printed: str) -> None:
    with pytest.raises(ValueError, match="amount of US dollars"):
        usd(printed)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("0E-12", "0"), ("1E+2", "100"), ("0.000212500000", "0.0002125"), ("10", "10")],
)
def test_dollars_are_written_plainly(amount: str, text: str) -> None:
    assert printed_usd(Decimal(amount)) == text


@given(PER_TOKEN, PER_TOKEN, st.lists(st.tuples(TOKENS, TOKENS), max_size=20))
def test_the_price_of_a_sum_is_the_sum_of_prices(
    per_in: Decimal, per_out: Decimal, calls: list[tuple[int, int]]
) -> None:
    price = Price(input_usd=per_in, output_usd=per_out)
    parts = sum((price.of(Usage(i, o)) for i, o in calls), Decimal(0))
    whole = price.of(Usage(sum(i for i, _ in calls), sum(o for _, o in calls)))
    assert parts == whole


@given(PER_TOKEN, PER_TOKEN, PER_TOKEN, TOKENS, st.data())
def test_cached_tokens_are_priced_as_cached_and_never_twice(
    per_in: Decimal, per_cached: Decimal, per_write: Decimal, tokens: int, data: st.DataObject
) -> None:
    cached = data.draw(st.integers(0, tokens))
    written = data.draw(st.integers(0, tokens - cached))
    price = Price(input_usd=per_in, cached_input_usd=per_cached, cache_write_usd=per_write)
    used = Usage(tokens, 0, cached_input_tokens=cached, cache_write_tokens=written)
    plain = tokens - cached - written
    assert price.of(used) == rounded(plain * per_in + cached * per_cached + written * per_write)


@pytest.mark.spec("7.2")
@pytest.mark.parametrize(
    ("cached_usd", "saved"),
    [("0.5", "3"), ("1", "0"), (None, "0")],
)
def test_a_providers_cache_saves_the_difference_of_two_prices(
    cached_usd: str | None, saved: str
) -> None:
    price = Price(
        input_usd=Decimal(1),
        cached_input_usd=None if cached_usd is None else Decimal(cached_usd),
        cache_write_usd=Decimal("1.25"),
    )
    assert price.saved_of(Usage(10, 5, cached_input_tokens=6, cache_write_tokens=2)) == Decimal(
        saved
    )
    assert price.saved_of(Usage(10, 5)) == 0


def test_a_minute_of_audio_costs_its_price_to_the_last_place() -> None:
    price = Price(second_usd=Decimal("0.0043") / 60)
    assert price.of(Usage(audio_s=Decimal(60))) == Decimal("0.0043")


@pytest.mark.parametrize(
    ("price", "used", "note"),
    [
        (None, Usage(10, 5), "unpriced"),
        (Price(), Usage(10, 5), "zero_price"),
        (Price(free_because="ours"), Usage(10, 5), "ours"),
        (None, Usage(), None),
        (Price(input_usd=Decimal(1)), Usage(0, 0), None),
    ],
)
def test_a_zero_cost_is_never_a_silent_bargain(
    price: Price | None, used: Usage, note: str | None
) -> None:
    assert zero_cost_note(price, used, Decimal(0)) == note


def test_a_cost_needs_no_note() -> None:
    assert zero_cost_note(None, Usage(10, 5), Decimal("0.1")) is None


RATES = st.integers(1, 1_000_000).map(Decimal)
RENTS = st.decimals("0.01", 1000, places=2)


def test_an_hour_of_reading_costs_the_rent_of_an_hour() -> None:
    price = GpuHour(Decimal("2.50"), 1, Decimal(8000), Decimal(1200)).price()
    assert price.of(Usage(8000 * 3600, 0)) == Decimal("2.50")
    assert price.of(Usage(0, 1200 * 3600)) == Decimal("2.50")


def test_two_gpus_cost_twice_and_idle_hours_are_paid_by_the_busy_ones() -> None:
    one = GpuHour(Decimal(2), 1, Decimal(1000), Decimal(100))
    two = GpuHour(Decimal(2), 2, Decimal(1000), Decimal(100))
    half_idle = GpuHour(Decimal(2), 1, Decimal(1000), Decimal(100), busy_share=Decimal("0.5"))
    used = Usage(36_000, 3_600)
    assert one.price().of(used) == Decimal("0.04")
    assert two.price().of(used) == half_idle.price().of(used) == Decimal("0.08")


@given(RENTS, st.integers(1, 8), RATES, RATES, TOKENS, TOKENS)
def test_a_call_costs_the_seconds_for_which_it_occupies_the_gpus(
    rent: Decimal, gpus: int, reads: Decimal, writes: Decimal, tokens_in: int, tokens_out: int
) -> None:
    occupied_s = tokens_in / reads + tokens_out / writes
    cost = GpuHour(rent, gpus, reads, writes).price().of(Usage(tokens_in, tokens_out))
    # Apart by rounding alone: a twelfth place for the cost, 28 digits for the price of a token.
    assert abs(cost - occupied_s * rent * gpus / 3600) <= Decimal("1e-12")

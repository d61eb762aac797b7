"""Money is Decimal US dollars; prices are read from their printed form, never summed as float."""

from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)
# Twelve places hold one token of the cheapest model exactly (text embeddings: $0.00000002).
USD_PLACES: Final = 12
_QUANTUM: Final = Decimal(1).scaleb(-USD_PLACES)


def usd(printed: str | float | Decimal) -> Decimal:
    """Turn a printed price into dollars.

    Args:
        printed: a number as a price list prints it; a float stands for its shortest repr
            (`2.5e-06` is exactly 0.0000025 dollars).

    Returns:
        The same amount as a Decimal.

    Raises:
        ValueError: when it is negative, infinite or not a number.
    """
    try:
        amount = Decimal(str(printed))
    except ArithmeticError as error:
        raise ValueError(f"{printed!r} is not an amount of US dollars") from error
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{printed!r} is not an amount of US dollars: give a number >= 0")
    return amount


def rounded(amount_usd: Decimal) -> Decimal:
    """Round to the twelve places the ledger keeps, half to even."""
    return amount_usd.quantize(_QUANTUM)


def printed_usd(amount_usd: Decimal) -> str:
    """Write dollars plainly: no exponent, no trailing zeros, at least `0`."""
    text = f"{amount_usd:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

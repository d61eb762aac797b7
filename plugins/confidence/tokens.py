"""How probable a model held each field of its answer, from its tokens' probabilities. Pure.

Providers of the OpenAI form give a list of tokens with `logprob`; a field's tokens are those that
lie over its value in the text.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from plugins.core.json_text import Leaf, path_text, read

_MOST_COUNTED: Final = 8
_LEAST_SURE: Final = 0.25
_LOWEST: Final = -50.0


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an answer.

    Args:
        data: its bytes: a token may end within a character.
        logprob: natural logarithm of its probability, at most 0.
    """

    data: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class FieldProbability:
    """How probable a model held one value.

    Args:
        path: as people read it.
        probability: 0..1; the product over its tokens, a long value's scaled to
            `_MOST_COUNTED` tokens, because a sentence can be said in many ways.
        lowest: probability of its least probable token.
        tokens: how many lie over it.
    """

    path: str
    probability: float
    lowest: float
    tokens: int


def tokens_of(content: Any) -> tuple[Token, ...]:
    """Read `logprobs.content` of a choice.

    Args:
        content: as the provider gave it.

    Returns:
        The tokens; none where the provider gave none, or what cannot be read.
    """
    if not isinstance(content, Sequence) or isinstance(content, (str, bytes)):
        return ()
    made: list[Token] = []
    for row in content:  # pyright: ignore[reportUnknownVariableType]
        token = _token(row) if isinstance(row, Mapping) else None  # pyright: ignore[reportUnknownArgumentType]
        if token is None:
            return ()
        made.append(token)
    return tuple(made)


def _token(row: Mapping[str, Any]) -> Token | None:
    logprob, text, data = row.get("logprob"), row.get("token"), row.get("bytes")
    if not isinstance(logprob, (int, float)) or isinstance(logprob, bool) or math.isnan(logprob):
        return None
    bounded = max(_LOWEST, min(0.0, float(logprob)))
    if isinstance(data, list):
        try:
            return Token(bytes(data), bounded)  # pyright: ignore[reportUnknownArgumentType]
        except (TypeError, ValueError):
            return None
    return Token(text.encode(errors="replace"), bounded) if isinstance(text, str) else None


def field_probabilities(tokens: Sequence[Token]) -> tuple[FieldProbability, ...]:
    """Give the probability of each field of a structured answer.

    Args:
        tokens: of the whole answer, in order.

    Returns:
        One for each value; none where the tokens do not spell JSON.
    """
    text = b"".join(token.data for token in tokens).decode(errors="replace")
    reading = read(text)
    if reading is None:
        return ()
    ends = list(accumulate(len(token.data) for token in tokens))
    offsets = _byte_offsets(text, ends[-1] if ends else 0)
    return tuple(
        field
        for field in (_field(leaf, tokens, ends, offsets) for leaf in reading.leaves)
        if field is not None
    )


def _byte_offsets(text: str, length: int) -> list[int] | None:
    """Give the byte at which each character begins; None where each is one byte."""
    if len(text) == length:
        return None
    return [0, *accumulate(len(char.encode(errors="replace")) for char in text)]


def _field(
    leaf: Leaf, tokens: Sequence[Token], ends: Sequence[int], offsets: Sequence[int] | None
) -> FieldProbability | None:
    start, end = leaf.start, leaf.end
    if offsets is not None:
        start, end = offsets[start], offsets[end]
    first = bisect_right(ends, start)
    last = bisect_left(ends, end, first) + 1
    over = [token.logprob for token in tokens[first:last]] if end > start else []
    if not over:
        return None
    return FieldProbability(
        path_text(leaf.path), math.exp(_scaled(over)), math.exp(min(over)), len(over)
    )


def _scaled(logprobs: Sequence[float]) -> float:
    return math.fsum(logprobs) * min(1.0, _MOST_COUNTED / len(logprobs))


def answer_probability(tokens: Sequence[Token]) -> float | None:
    """Give one number for a whole answer.

    A structured answer is as sure as the least sure quarter of its fields: a mean over forty
    fields hides the one that was guessed. Prose has the geometric mean over its tokens, which says
    little of its truth.

    Returns:
        0..1, or None without tokens.
    """
    if not tokens:
        return None
    fields = sorted(field.probability for field in field_probabilities(tokens))
    if fields:
        least = fields[: max(1, math.ceil(_LEAST_SURE * len(fields)))]
        return math.fsum(least) / len(least)
    return math.exp(math.fsum(token.logprob for token in tokens) / len(tokens))

"""What is sent to OpenAI's moderation endpoint, and what its answer says. Pure.

Source: OpenAI API reference, `POST /v1/moderations` (openai 2.54.0, `ModerationCreateResponse`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

LONGEST_ITEM: Final = 16_000
"""Characters of one input; texts are joined up to here, and longer ones cut into several."""
_OVERLAP: Final = 200
_BETWEEN: Final = "\n\n"
_CATEGORY: Final = re.compile(r"[a-z][a-z0-9/_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Item:
    """One input of the endpoint.

    Args:
        where: path of the text in the request, empty for several that were joined.
        text: what is judged.
    """

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Flagged:
    """One category that was found.

    Args:
        where: of the `Item`.
        category: as a stable code, such as `harassment_threatening`.
        score: 0..1.
    """

    where: str
    category: str
    score: float


def items_of(texts: Iterable[tuple[str, str]]) -> list[Item]:
    """Pack texts into inputs: short ones together, long ones cut, with an overlap.

    Args:
        texts: path and text of each.
    """
    items: list[Item] = []
    for where, text in texts:
        last = items[-1] if items else None
        if last and len(last.text) + len(_BETWEEN) + len(text) <= LONGEST_ITEM:
            same = last.where if last.where == where else ""
            items[-1] = Item(same, f"{last.text}{_BETWEEN}{text}")
            continue
        step = LONGEST_ITEM - _OVERLAP
        ends = max(1, len(text) - _OVERLAP)
        items += [Item(where, text[at : at + LONGEST_ITEM]) for at in range(0, ends, step)]
    return items


def split(items: Sequence[Item], most_characters: int) -> tuple[list[Item], list[Item]]:
    """Part what is sent from what is too much to be sent.

    Args:
        items: in order.
        most_characters: of all that are sent; the first is always among them.

    Returns:
        The items within the bound, and the rest.
    """
    total = 0
    for place, item in enumerate(items):
        total += len(item.text)
        if place and total > most_characters:
            return list(items[:place]), list(items[place:])
    return list(items), []


class _Result(msgspec.Struct):
    flagged: bool
    categories: dict[str, bool | None]
    category_scores: dict[str, float]


class _Answer(msgspec.Struct):
    results: list[_Result]


_decode: Final = msgspec.json.Decoder(_Answer).decode
_encode: Final = msgspec.json.Encoder().encode


def request_of(model: str, items: Sequence[Item]) -> bytes:
    """Write the body of a request."""
    return _encode({"model": model, "input": [item.text for item in items]})


def read(body: bytes, items: Sequence[Item]) -> list[Flagged]:
    """Read an answer.

    Args:
        body: as it came.
        items: what was asked about, in order.

    Returns:
        The flagged categories, each place's surest first; empty where nothing was flagged.

    Raises:
        ValueError: when it is no answer to these items.
    """
    results = _decode(body).results  # msgspec's errors are ValueErrors
    if len(results) != len(items):
        raise ValueError(f"{len(results)} results for {len(items)} inputs")
    return [
        found
        for item, result in zip(items, results, strict=True)
        if result.flagged
        for found in _flagged(item, result)
    ]


def _flagged(item: Item, result: _Result) -> list[Flagged]:
    held = [name for name, holds in result.categories.items() if holds]
    scores = result.category_scores
    found = [Flagged(item.where, code_of(name), _share(scores.get(name, 1.0))) for name in held]
    found.sort(key=lambda one: (-one.score, one.category))
    return found or [Flagged(item.where, "flagged", 1.0)]


def surest(flagged: Iterable[Flagged]) -> list[Flagged]:
    """Give each category once, where it is surest; the surest category first."""
    best: dict[str, Flagged] = {}
    for one in flagged:
        if one.category not in best or one.score > best[one.category].score:
            best[one.category] = one
    return sorted(best.values(), key=lambda one: (-one.score, one.category))


def code_of(category: str) -> str:
    """Make a stable code of a category: `self-harm/intent` is `self_harm_intent`."""
    if not _CATEGORY.fullmatch(category):
        return "flagged"
    return category.replace("/", "_").replace("-", "_")


def _share(score: float) -> float:
    return round(min(1.0, max(0.0, score)), 4)

"""Where in an answer a protected attribute and a judgement stand together. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from plugins.core.json_text import leaves_of, parse, path_text
from plugins.core.judging import field_of
from plugins.grounding.bias import Bias, find_bias

_OPENING: Final = ("{", "[", "```")
_FEWEST_WORDS: Final = 3
"""Words under which a text cannot judge anybody by anything."""


@dataclass(frozen=True, slots=True)
class Prejudice:
    """One thing found, and its place in the answer, as `core.verdict.Finding` writes places."""

    bias: Bias
    where: str


def prejudices(text: str, place: str) -> tuple[Prejudice, ...]:
    """Look for bias in an answer; in each text of a structured one by itself.

    Args:
        text: of one choice.
        place: `answer`, or `answer[1]` for a further choice.
    """
    return tuple(
        Prejudice(bias, f"{where}:{bias.start}-{bias.end}")
        for where, part in _parts(text, place)
        for bias in find_bias(part)
    )


def _parts(text: str, place: str) -> Iterator[tuple[str, str]]:
    """Give the texts of an answer by place; neighbours in JSON say nothing of each other."""
    parsed = parse(text) if text.lstrip().startswith(_OPENING) else None
    if parsed is None or not isinstance(parsed[0], dict | list):
        yield place, text
        return
    for path, leaf in leaves_of(parsed[0]):
        if isinstance(leaf, str) and leaf.count(" ") >= _FEWEST_WORDS - 1:
            yield field_of(place, path_text(path)), leaf

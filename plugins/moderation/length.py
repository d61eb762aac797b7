"""How long a prompt is, counted exactly only where its bytes do not decide (SPEC 10.1)."""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from plugins.core.asked import Asked
from plugins.core.call import Endpoint

MOST_TOKENS: Final = 10_000
"""SPEC 10.1."""

CountTokens = Callable[[str], int]
"""Counts a text's tokens; blocks, so it runs in a thread."""

_SEPARATE: Final = frozenset({Endpoint.EMBEDDINGS, Endpoint.COMPLETIONS, Endpoint.MODERATIONS})
"""Endpoints that take several prompts at once, each of which has the whole length to itself."""
_INPUTS: Final = frozenset({"input", "prompt"})
_PIECE: Final = 4_096
"""Characters counted at once: a tokenizer's time grows with the square of a run of letters."""
_COUNTED_TO: Final = 4
"""Times the limit: a prompt is not counted further."""
_LAST_SPACE: Final = re.compile(r"\s(?=\S*\Z)")


@dataclass(frozen=True, slots=True)
class TooLong:
    """A prompt over the limit.

    Args:
        tokens: that it has.
        whole: all of it was counted; else it has more.
        longest: the longest of its texts; None for tokens in place of texts.
    """

    tokens: int
    whole: bool
    longest: Asked | None


def prompts_of(endpoint: Endpoint, texts: Sequence[Asked]) -> list[list[Asked]]:
    """Put the texts together that make one prompt."""
    if endpoint not in _SEPARATE:
        return [list(texts)]
    prompts: dict[object, list[Asked]] = {}
    for asked in texts:
        own = asked.keys[0] in _INPUTS and len(asked.keys) > 1
        prompts.setdefault(asked.keys[:2] if own else None, []).append(asked)
    return list(prompts.values())


def may_exceed(prompt: Sequence[Asked], most: int) -> bool:
    """Tell whether a prompt must be counted: every token has at least one byte of UTF-8."""
    size = 0
    for asked in prompt:
        text = asked.text
        size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if size > most:
            return True
    return False


async def too_long(prompt: Sequence[Asked], most: int, count: CountTokens) -> TooLong | None:
    """Count a prompt in a thread.

    Args:
        prompt: its texts. What a provider adds between messages is not counted.
        most: tokens that it may have.
        count: exact for texts of up to 4,096 characters; longer ones are cut at spaces, where a
            token ends too.
    """
    tokens, whole = await asyncio.to_thread(_counted, [each.text for each in prompt], most, count)
    if tokens <= most:
        return None
    return TooLong(tokens, whole, max(prompt, key=lambda each: len(each.text)))


def _counted(texts: Sequence[str], most: int, count: CountTokens) -> tuple[int, bool]:
    tokens = 0
    for text in texts:
        for piece in _pieces(text):
            if tokens > most * _COUNTED_TO:
                return tokens, False
            tokens += count(piece)
    return tokens, True


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > _PIECE:
        piece = text[start : start + _PIECE]
        space = _LAST_SPACE.search(piece)
        end = start + (space.start() if space and space.start() else _PIECE)
        yield text[start:end]
        start = end
    yield text[start:]

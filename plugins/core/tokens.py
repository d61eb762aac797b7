"""How long a prompt is, as near as can be told without a tokenizer. Pure and quick."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import msgspec

CHARACTERS_PER_TOKEN: Final = 4
"""Of English and code, for the tokenizers of today's models."""
_PROSE: Final = ("system", "instructions", "messages", "input", "prompt")
_DECLARATIONS: Final = ("tools", "functions")
"""What is read with its field names, as a model gets it."""
_BINARY: Final = frozenset(
    {"image_url", "input_audio", "audio", "file", "file_data", "source", "url", "data"}
)
"""Fields that hold no text for the model to read."""


def prompt_texts(body: Mapping[str, Any]) -> Iterator[str]:
    """Give every text of a request that a model reads; images, audio and files are none.

    Args:
        body: validated, in any endpoint's format.
    """
    for name in _DECLARATIONS:
        if declared := body.get(name):
            yield msgspec.json.encode(declared).decode()
    waiting: list[Any] = [body.get(name) for name in reversed(_PROSE)]
    while waiting:
        part: Any = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            waiting.extend(reversed(cast("list[Any]", part)))
        elif isinstance(part, dict):
            fields = cast("dict[str, Any]", part)
            waiting.extend(value for key, value in fields.items() if key not in _BINARY)


def estimated_tokens(text: str) -> int:
    """Estimate the tokens of a text.

    Returns:
        A token for every four ASCII characters, and one for each other character, since scripts
        such as Chinese take about that many.
    """
    if text.isascii():
        return -(-len(text) // CHARACTERS_PER_TOKEN)
    others = len(text) - len(text.encode("ascii", "ignore"))
    return others + -(-(len(text) - others) // CHARACTERS_PER_TOKEN)


def estimated_input_tokens(body: Mapping[str, Any]) -> int:
    """Estimate the input tokens of a request.

    Args:
        body: validated, in any endpoint's format.
    """
    return sum(map(estimated_tokens, prompt_texts(body)))

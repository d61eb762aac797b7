"""How long a prompt is, as near as can be told without a tokenizer. Pure and quick."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import msgspec

BYTES_PER_TOKEN: Final = 4
"""English text; the rule of thumb that providers publish."""
MEDIA_TOKENS: Final = 1000
"""An image, a sound or a file, whatever its size: about OpenAI's price of a detailed image."""
# A tuple: a JSON schema's `type` may be a list, which no set can be asked for.
_MEDIA: Final = (
    "image_url",
    "input_image",
    "image",
    "input_audio",
    "input_file",
    "file",
    "document",
)
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


def estimated_input_tokens(body: Mapping[str, Any]) -> int:
    """Estimate the input tokens of a request.

    Args:
        body: validated, in any endpoint's format.

    Returns:
        A fourth of the bytes of all text, the number of tokens where tokens stand in place of text,
        and `MEDIA_TOKENS` for each picture, sound or document.
    """
    return sum(_estimated(body[name]) for name in (*_DECLARATIONS, *_PROSE) if name in body)


def _estimated(value: object) -> int:
    """Estimate a text, tokens, or whatever is made of them; each nesting is bounded already."""
    if isinstance(value, str):
        size = len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
        return -(-size // BYTES_PER_TOKEN)
    if isinstance(value, list):
        items = cast("list[object]", value)
        # Tokens in place of a text: counting them is enough.
        if items and isinstance(items[0], int):
            return len(items)
        return sum(map(_estimated, items))
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if fields.get("type") in _MEDIA:
            return MEDIA_TOKENS
        return sum(map(_estimated, fields.values()))
    return 0

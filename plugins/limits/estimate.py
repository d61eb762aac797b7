"""How many tokens a call may need, before anybody has counted. Pure, and never tokenises."""

from collections.abc import Mapping
from typing import Any, Final, cast

from plugins.core.call import Endpoint, Usage

BYTES_A_TOKEN: Final = 4
"""English text; the rule of thumb that providers publish."""
MEDIA_TOKENS: Final = 1000
"""An image, a sound or a file, whatever its size: about OpenAI's price of a detailed image."""
MOST_TOKENS: Final = 2**31

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
_TEXTS: Final = ("messages", "prompt", "input", "instructions", "system", "tools", "functions")
_ALLOWED: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_NO_TOKENS: Final = frozenset({Endpoint.SPEECH, Endpoint.TRANSCRIPTIONS})
_NO_ANSWER: Final = frozenset({Endpoint.EMBEDDINGS, Endpoint.MODERATIONS})


def tokens_of(endpoint: Endpoint, body: Mapping[str, Any], usual_answer: int) -> int:
    """Estimate a request's tokens: its text, and the longest answer that it allows.

    Args:
        endpoint: speech and transcriptions are counted in other units and need none.
        body: the validated request.
        usual_answer: tokens of an answer for which the request names no bound.

    Returns:
        From 0 to `MOST_TOKENS`.
    """
    if endpoint in _NO_TOKENS:
        return 0
    known = sum(_input(body[name]) for name in _TEXTS if name in body)
    if endpoint in _NO_ANSWER:
        return min(known, MOST_TOKENS)
    bounds = [body[name] for name in _ALLOWED if isinstance(body.get(name), int)]
    answers = max(_count(body.get("n")), _count(body.get("best_of")))
    return min(known + min(bounds, default=usual_answer) * answers, MOST_TOKENS)


def used(usage: Usage | None) -> int:
    """Give the tokens that count towards a limit: all of them, read from a cache or not."""
    return 0 if usage is None else usage.input_tokens + usage.output_tokens


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def _input(value: object) -> int:
    """Estimate a text, tokens, or whatever is made of them; each nesting is bounded already."""
    if isinstance(value, str):
        size = len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
        return -(-size // BYTES_A_TOKEN)
    if isinstance(value, list):
        items = cast("list[object]", value)
        # Tokens in place of a text: counting them is enough.
        if items and isinstance(items[0], int):
            return len(items)
        return sum(map(_input, items))
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if fields.get("type") in _MEDIA:
            return MEDIA_TOKENS
        return sum(map(_input, fields.values()))
    return 0

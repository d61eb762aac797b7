"""How many tokens a call may need, before anybody has counted. Pure, and never tokenises."""

from collections.abc import Mapping
from typing import Any, Final

from plugins.core.call import Endpoint, Usage
from plugins.core.tokens import estimated_input_tokens

MOST_TOKENS: Final = 2**31

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
    known = estimated_input_tokens(body)
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

"""How practice providers count tokens: a rule that a client can recompute without a tokenizer.

- A text of n UTF-8 bytes is ceil(n / 4) tokens. Token i is bytes 4i to 4i+4: log-probabilities
  list exactly that many tokens.
- A chat prompt is 3 tokens, plus 3 per message, plus its texts (each part counted alone, so are
  the name and the arguments of a tool call), plus 85 per part that is no text (image, audio),
  plus the tools (their JSON without spaces counted as one text).
- An answer is its text; each tool call is its name and its arguments. Several choices add up.
- Anthropic's prompt is counted alike, its system text as one more message.
- An embedding, moderation or legacy prompt is its texts; a token array is its length.
"""

import msgspec

REPLY_TOKENS = 3
MESSAGE_TOKENS = 3
MEDIA_TOKENS = 85
TOKEN_BYTES = 4


def count(text: str) -> int:
    """Count the tokens of one text; the empty text has none."""
    size = len(text) if text.isascii() else len(text.encode())
    return -(-size // TOKEN_BYTES)


def count_json(value: object) -> int:
    """Count the tokens of a value written as JSON without spaces."""
    return -(-len(msgspec.json.encode(value)) // TOKEN_BYTES)


def split(text: str) -> list[bytes]:
    """Split a text into its tokens."""
    raw = text.encode()
    return [raw[i : i + TOKEN_BYTES] for i in range(0, len(raw), TOKEN_BYTES)]


def cut(text: str, max_tokens: int) -> str:
    """Return the longest whole-character prefix that has at most `max_tokens` tokens."""
    if count(text) <= max_tokens:
        return text
    return text.encode()[: max_tokens * TOKEN_BYTES].decode(errors="ignore")

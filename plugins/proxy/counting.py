"""Counts tokens where a provider did not, off the event loop."""

import asyncio
from typing import Any, Final, cast

import litellm
import orjson

from plugins.core.call import Call, Endpoint, Usage, UsageSource

MAX_COUNTED: Final = 400_000
"""Characters beyond this are taken at four to a token: exact counts of megabytes take seconds."""
CHARACTERS_PER_TOKEN: Final = 4
_BINARY: Final = frozenset(
    {"image_url", "input_audio", "audio", "file", "file_data", "source", "url", "data"}
)
_PROMPT_KEYS: Final = ("messages", "input", "prompt", "system", "instructions", "tools")


async def counted(call: Call, written: str, stated: Usage | None) -> Usage:
    """Complete a usage that the provider left out.

    Args:
        call: its body holds the prompt.
        written: what the model wrote, as far as the client was given it.
        stated: the part that the provider did report, such as Anthropic's input tokens.

    Returns:
        Usage whose source says that it was counted here.
    """
    if call.endpoint is Endpoint.SPEECH:
        return Usage(characters=len(str(call.body.get("input", ""))), source=UsageSource.COUNTED)
    tokens_out = await asyncio.to_thread(_tokens, written)
    if stated is not None and stated.input_tokens:
        return Usage(
            input_tokens=stated.input_tokens,
            output_tokens=max(tokens_out, stated.output_tokens),
            cached_input_tokens=stated.cached_input_tokens,
            cache_write_tokens=stated.cache_write_tokens,
            source=UsageSource.COUNTED,
        )
    prompt = "\n".join(_prompt_texts([call.body.get(key) for key in _PROMPT_KEYS]))
    tokens_in = await asyncio.to_thread(_tokens, prompt)
    return Usage(input_tokens=tokens_in, output_tokens=tokens_out, source=UsageSource.COUNTED)


def _tokens(text: str) -> int:
    if not text:
        return 0
    rest = max(len(text) - MAX_COUNTED, 0)
    exact = litellm.token_counter(model="gpt-4o", text=text[:MAX_COUNTED])  # pyright: ignore[reportUnknownMemberType]
    return exact + -(-rest // CHARACTERS_PER_TOKEN)


def _prompt_texts(parts: list[Any]) -> list[str]:
    """Flatten a prompt into its texts; images, audio and files are not text."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, list):
            found += _prompt_texts(part)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(part, dict):
            if part.get("type") == "function":  # pyright: ignore[reportUnknownMemberType]
                found.append(orjson.dumps(part).decode())
            else:
                fields = cast("dict[str, Any]", part)
                found += _prompt_texts([fields[key] for key in fields if key not in _BINARY])
    return found

"""Counts tokens where a provider did not, off the event loop."""

import asyncio
from functools import lru_cache
from typing import Final

import litellm
from litellm.litellm_core_utils.token_counter import (  # pyright: ignore[reportMissingTypeStubs]
    openai_tokenizer_encoding,
)

from plugins.core.call import Call, Endpoint, Usage, UsageSource
from plugins.core.tokens import BYTES_PER_TOKEN, prompt_texts

MAX_COUNTED: Final = 400_000
"""Characters beyond this are taken at four to a token: exact counts of megabytes take seconds."""


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
    prompt = "\n".join(prompt_texts(call.body))
    tokens_in = await asyncio.to_thread(_tokens, prompt)
    return Usage(input_tokens=tokens_in, output_tokens=tokens_out, source=UsageSource.COUNTED)


def _tokens(text: str) -> int:
    if not text:
        return 0
    rest = max(len(text) - MAX_COUNTED, 0)
    exact = litellm.token_counter(model="gpt-4o", text=text[:MAX_COUNTED])  # pyright: ignore[reportUnknownMemberType]
    return exact + -(-rest // BYTES_PER_TOKEN)


def exact_tokens(text: str) -> int:
    """Count a text's tokens as GPT-4o has them; blocks, so it runs in a thread.

    LiteLLM's own count estimates long texts from parts of them, and is some too high.
    """
    return len(_encoding().encode(text, disallowed_special=()))


_encoding: Final = lru_cache(maxsize=1)(lambda: openai_tokenizer_encoding("gpt-4o"))

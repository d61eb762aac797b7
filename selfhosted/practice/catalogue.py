"""The models that each practice provider knows, as data.

A dated snapshot (`-2024-08-06`, `-20241022`) or `-latest` of a known model is known too, and so
is a fine-tuned one (`ft:` before its base). vLLM serves any name of the families Llama, Mistral
and Qwen, since its operator chooses the name.
"""

import re
from functools import lru_cache

CHAT, EMBED, MODERATE, SPEAK, HEAR, COMPLETE = (
    "chat",
    "embed",
    "moderate",
    "speak",
    "hear",
    "complete",
)
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
_OPEN_WEIGHTS = re.compile(r"llama|mistral|mixtral|qwen", re.IGNORECASE)

MODELS: dict[str, dict[str, str]] = {
    "openai": {
        "gpt-4o": CHAT,
        "gpt-4o-mini": CHAT,
        "gpt-4.1": CHAT,
        "gpt-4.1-mini": CHAT,
        "gpt-4.1-nano": CHAT,
        "gpt-4-turbo": CHAT,
        "gpt-4": CHAT,
        "gpt-3.5-turbo": CHAT,
        "gpt-5": CHAT,
        "gpt-5-mini": CHAT,
        "gpt-5-nano": CHAT,
        "gpt-5.1": CHAT,
        "o3": CHAT,
        "o3-mini": CHAT,
        "o4-mini": CHAT,
        "gpt-3.5-turbo-instruct": COMPLETE,
        "text-embedding-ada-002": EMBED,
        "text-embedding-3-small": EMBED,
        "text-embedding-3-large": EMBED,
        "omni-moderation": MODERATE,
        "text-moderation": MODERATE,
        "tts-1": SPEAK,
        "tts-1-hd": SPEAK,
        "gpt-4o-mini-tts": SPEAK,
        "whisper-1": HEAR,
        "gpt-4o-transcribe": HEAR,
        "gpt-4o-mini-transcribe": HEAR,
    },
    "anthropic": {
        "claude-3-haiku": CHAT,
        "claude-3-opus": CHAT,
        "claude-3-sonnet": CHAT,
        "claude-3-5-haiku": CHAT,
        "claude-3-5-sonnet": CHAT,
        "claude-3-7-sonnet": CHAT,
        "claude-sonnet-4": CHAT,
        "claude-sonnet-4-0": CHAT,
        "claude-sonnet-4-5": CHAT,
        "claude-sonnet-4-6": CHAT,
        "claude-opus-4": CHAT,
        "claude-opus-4-0": CHAT,
        "claude-opus-4-1": CHAT,
        "claude-opus-4-5": CHAT,
        "claude-opus-4-6": CHAT,
        "claude-haiku-4-5": CHAT,
        "claude-haiku-5-5": CHAT,
    },
    "cohere": {
        "embed-english-v3.0": EMBED,
        "embed-english-light-v3.0": EMBED,
        "embed-multilingual-v3.0": EMBED,
        "embed-multilingual-light-v3.0": EMBED,
        "embed-v4.0": EMBED,
    },
    "vllm": {
        "meta-llama/Meta-Llama-3-8B-Instruct": CHAT,
        "meta-llama/Llama-3.1-8B-Instruct": CHAT,
        "meta-llama/Llama-3.3-70B-Instruct": CHAT,
        "mistralai/Mistral-7B-Instruct-v0.3": CHAT,
        "llama-3": CHAT,
        "llama-3-8b-instruct": CHAT,
        "mistral": CHAT,
        "mistral-7b-instruct": CHAT,
        "intfloat/e5-mistral-7b-instruct": EMBED,
    },
    "deepgram": {"nova-2": HEAR, "nova-2-phonecall": HEAR, "nova-3": HEAR, "nova": HEAR},
    "elevenlabs": {
        "eleven_multilingual_v2": SPEAK,
        "eleven_turbo_v2_5": SPEAK,
        "eleven_flash_v2_5": SPEAK,
        "eleven_monolingual_v1": SPEAK,
        "eleven_v3": SPEAK,
    },
}


@lru_cache(maxsize=1024)
def use_of(provider: str, model: str) -> str | None:
    """Return what a provider's model is for, or None for a model it does not have."""
    known = MODELS[provider]
    if provider == "vllm" and model not in known:
        return CHAT if _OPEN_WEIGHTS.search(model) else None
    if model in known:
        return known[model]
    base = model.split(":")[1] if model.startswith("ft:") and model.count(":") > 1 else model
    return known.get(base) or known.get(_SNAPSHOT.sub("", base))


def add(provider: str, model: str, use: str) -> None:
    """Let a provider know one more model."""
    MODELS[provider][model] = use
    use_of.cache_clear()

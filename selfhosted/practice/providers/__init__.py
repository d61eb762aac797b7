"""The wire protocols, one module or package per provider."""

from selfhosted.practice.providers import anthropic, cohere, deepgram, elevenlabs, openai, vllm

ALL = [
    openai.PROVIDER,
    anthropic.PROVIDER,
    cohere.PROVIDER,
    vllm.PROVIDER,
    deepgram.PROVIDER,
    elevenlabs.PROVIDER,
]

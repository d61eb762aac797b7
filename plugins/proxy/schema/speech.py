"""POST /v1/audio/speech.

A custom voice (`{"id": ...}`) is kept at the provider, where tenants would share it: refused.

Source: OpenAI API reference, speech (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated, Literal

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import Metadata
from plugins.proxy.schema.fields import Strict

SpokenText = Annotated[str, Meta(min_length=1, max_length=4096)]


class Speech(Strict):
    """The body of a speech call."""

    model: f.Model
    input: SpokenText
    voice: f.Name
    instructions: Annotated[str, Meta(max_length=4096)] | None = None
    metadata: Metadata | None = None
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None
    speed: Annotated[float, Meta(ge=0.25, le=4)] | None = None
    stream_format: Literal["audio"] | None = None
    guardrails: f.Guardrails | None = None

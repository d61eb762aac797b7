"""Parts of OpenAI chat messages.

Source: OpenAI API reference, chat completions (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated, Literal

from msgspec import Meta

from plugins.proxy.schema.checked import Base64, DataUrl, FileData
from plugins.proxy.schema.fields import Breakpoint, CacheControl, Detail, Label, Strict


class TextPart(Strict, tag_field="type", tag="text"):
    """Words."""

    text: str
    prompt_cache_breakpoint: Breakpoint | None = None
    cache_control: CacheControl | None = None


class ImageUrl(Strict):
    """An image's bytes."""

    url: DataUrl
    detail: Detail | None = None


class ImagePart(Strict, tag_field="type", tag="image_url"):
    """A picture."""

    image_url: ImageUrl
    prompt_cache_breakpoint: Breakpoint | None = None
    cache_control: CacheControl | None = None


class InputAudio(Strict):
    """A recording's bytes."""

    data: Base64
    format: Literal["wav", "mp3"]


class AudioPart(Strict, tag_field="type", tag="input_audio"):
    """A recording."""

    input_audio: InputAudio
    prompt_cache_breakpoint: Breakpoint | None = None


class File(Strict):
    """A file's bytes; a file kept at the provider is not open to tenants."""

    file_data: FileData
    filename: Label | None = None
    file_id: None = None


class FilePart(Strict, tag_field="type", tag="file"):
    """A document."""

    file: File
    prompt_cache_breakpoint: Breakpoint | None = None
    cache_control: CacheControl | None = None


class RefusalPart(Strict, tag_field="type", tag="refusal"):
    """The model's own refusal, as it came back."""

    refusal: str


MAX_PARTS = 2048
UserParts = Annotated[
    list[TextPart | ImagePart | AudioPart | FilePart], Meta(min_length=1, max_length=MAX_PARTS)
]
TextParts = Annotated[list[TextPart], Meta(min_length=1, max_length=MAX_PARTS)]
AssistantParts = Annotated[list[TextPart | RefusalPart], Meta(min_length=1, max_length=MAX_PARTS)]

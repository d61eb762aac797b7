"""POST /v1/moderations.

Source: OpenAI API reference, moderations (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import DataUrl, Metadata
from plugins.proxy.schema.fields import Strict


class ImageUrl(Strict):
    """An image's bytes."""

    url: DataUrl


class ImageInput(Strict, tag_field="type", tag="image_url"):
    """A picture to judge."""

    image_url: ImageUrl


class TextInput(Strict, tag_field="type", tag="text"):
    """Words to judge."""

    text: str


class Moderations(Strict):
    """The body of a moderation call; without `model` the gateway's own choice serves it."""

    input: str | Annotated[list[str | TextInput | ImageInput], Meta(min_length=1)]
    model: f.Model | None = None
    metadata: Metadata | None = None
    guardrails: f.Guardrails | None = None

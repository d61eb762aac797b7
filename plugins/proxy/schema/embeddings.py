"""POST /v1/embeddings.

Source: OpenAI API reference, embeddings (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated, Literal

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import Metadata
from plugins.proxy.schema.faults import FieldError
from plugins.proxy.schema.fields import Strict

TokenList = Annotated[list[f.Token], Meta(min_length=1)]
Inputs = f.Text | Annotated[list[f.Text | f.Token | TokenList], Meta(min_length=1)]


def same_kind(values: object, path: str) -> None:
    """Refuse a list that mixes texts, tokens and lists of tokens."""
    if isinstance(values, list) and len(set(map(type, values))) > 1:  # pyright: ignore[reportUnknownArgumentType] - checked by msgspec
        after = " mixes texts, tokens and lists of tokens; send one kind."
        raise FieldError("invalid_type", after, path=path)


class Embeddings(Strict):
    """The body of an embedding call: one text, texts, one list of tokens, or lists of tokens."""

    model: f.Model
    input: Inputs
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    metadata: Metadata | None = None
    user: f.Label | None = None
    guardrails: f.Guardrails | None = None

    def __post_init__(self) -> None:
        """Refuse a mixed list."""
        same_kind(self.input, ".input")

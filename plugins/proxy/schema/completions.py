"""POST /v1/completions, the text completions of older models.

Source: OpenAI API reference, completions (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import Metadata
from plugins.proxy.schema.embeddings import TokenList, same_kind
from plugins.proxy.schema.faults import FieldError
from plugins.proxy.schema.fields import Strict

Prompts = str | Annotated[list[str | f.Token | TokenList], Meta(min_length=1)] | None


class Completions(Strict):
    """The body of a text completion."""

    model: f.Model
    prompt: Prompts
    best_of: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    frequency_penalty: f.Penalty | None = None
    logit_bias: f.LogitBias | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    max_tokens: f.Index | None = None
    metadata: Metadata | None = None
    min_p: f.Probability | None = None
    n: f.Choices | None = None
    presence_penalty: f.Penalty | None = None
    repetition_penalty: f.RepetitionPenalty | None = None
    seed: f.Seed | None = None
    stop: f.Stop = None
    stream: bool | None = None
    stream_options: f.StreamOptions | None = None
    suffix: str | None = None
    temperature: f.Temperature | None = None
    top_k: f.TopK | None = None
    top_p: f.Probability | None = None
    user: f.Label | None = None
    guardrails: f.Guardrails | None = None
    x_sources: f.Sources | None = None

    def __post_init__(self) -> None:
        """Refuse what a chat model cannot read, a mixed list, and options without a stream."""
        if self.prompt is None:
            raise FieldError("invalid_type", " must hold text, not null.", path=".prompt")
        same_kind(self.prompt, ".prompt")
        if not isinstance(self.prompt[0] if self.prompt else "", str):
            after = " holds tokens, which the models behind this endpoint do not read; send text."
            raise FieldError("invalid_value", after, path=".prompt")
        if self.stream_options is not None and not self.stream:
            after = " is only for streams; set `stream` to true or remove it."
            raise FieldError("invalid_value", after, path=".stream_options")

"""POST /v1/responses, without what the provider would keep.

`previous_response_id`, `conversation`, `prompt`, `background: true`, item references and file
identifiers are refused: the provider keeps that state under the gateway's one account, so one
tenant could name another's. `store` is only passed on. Hosted tools are refused: they reach out.

Source: OpenAI API reference, responses (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated, Literal

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import FreeObject, Metadata
from plugins.proxy.schema.faults import FieldError
from plugins.proxy.schema.fields import Strict
from plugins.proxy.schema.responses_items import InputItem
from plugins.proxy.schema.responses_tools import AnyTool, ToolChoice

Includable = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
Summary = Literal["auto", "concise", "detailed"]


class ContextManagement(Strict):
    """When the provider shortens the conversation."""

    type: f.Name
    compact_threshold: f.Count | None = None


class Reasoning(Strict):
    """How the model thinks."""

    context: Literal["auto", "current_turn", "all_turns"] | None = None
    effort: f.Effort | None = None
    generate_summary: Summary | None = None
    mode: f.Name | None = None
    summary: Summary | None = None


class TextFormat(Strict, tag_field="type", tag="text"):
    """Plain words."""


class JsonObjectFormat(Strict, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchemaFormat(Strict, tag_field="type", tag="json_schema"):
    """JSON that follows a schema."""

    name: f.ToolName
    schema: FreeObject
    description: str | None = None
    strict: bool | None = None


class TextConfig(Strict):
    """The shape of the answer."""

    format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    verbosity: f.Level | None = None


class StreamOptions(Strict):
    """What a stream says besides the answer."""

    include_obfuscation: bool | None = None


class Responses(Strict):
    """The body of a response."""

    model: f.Model
    input: str | Annotated[list[InputItem], Meta(min_length=1)]
    background: bool | None = None
    context_management: Annotated[list[ContextManagement], Meta(max_length=16)] | None = None
    conversation: None = None
    include: Annotated[list[Includable], Meta(max_length=16)] | None = None
    instructions: str | None = None
    max_output_tokens: f.Count | None = None
    max_tool_calls: f.Count | None = None
    metadata: Metadata | None = None
    moderation: f.Moderation | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: None = None
    prompt: None = None
    prompt_cache_key: f.Label | None = None
    prompt_cache_options: f.PromptCacheOptions | None = None
    prompt_cache_retention: f.Retention | None = None
    reasoning: Reasoning | None = None
    safety_identifier: f.Label | None = None
    service_tier: f.ServiceTier | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: f.Temperature | None = None
    text: TextConfig | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    tools: list[AnyTool] | None = None
    top_logprobs: f.TopLogprobs | None = None
    top_p: f.Probability | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: f.Label | None = None
    guardrails: f.Guardrails | None = None
    x_sources: f.Sources | None = None

    def __post_init__(self) -> None:
        """Refuse an answer that would be kept at the provider and fetched later."""
        if self.background:
            after = " keeps the answer at the provider, which tenants share; wait for it instead."
            raise FieldError("parameter_not_allowed", after, path=".background")

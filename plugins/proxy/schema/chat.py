"""POST /v1/chat/completions.

Beyond OpenAI's own parameters it takes `top_k`, `min_p` and `repetition_penalty`, which vLLM and
others share. What the gateway's answers carry in a message may be sent back as it came; the
`provider_specific_fields` that LiteLLM adds there differ by provider and go no further.

Source: OpenAI API reference, chat completions (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated, Literal

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.blocks import RedactedThinkingBlock, ThinkingBlock
from plugins.proxy.schema.chat_tools import AnyTool, Function, ResponseFormat, ToolChoice
from plugins.proxy.schema.checked import FreeObject, Metadata
from plugins.proxy.schema.faults import FieldError
from plugins.proxy.schema.fields import Strict
from plugins.proxy.schema.parts import AssistantParts, TextParts, UserParts


class DeveloperMessage(Strict, tag_field="role", tag="developer"):
    """Instructions from whoever built the application."""

    content: str | TextParts
    name: f.Name | None = None


class SystemMessage(Strict, tag_field="role", tag="system"):
    """Instructions from whoever built the application, for older models."""

    content: str | TextParts
    name: f.Name | None = None


class UserMessage(Strict, tag_field="role", tag="user"):
    """What the user says."""

    content: str | UserParts
    name: f.Name | None = None


class CalledFunction(Strict):
    """A function that the model called; `arguments` is JSON as the model wrote it."""

    name: f.Name
    arguments: str


class FunctionCall(Strict, tag_field="type", tag="function"):
    """A call of a function tool."""

    id: f.Identifier
    function: CalledFunction
    index: f.Index | None = None
    provider_specific_fields: FreeObject | None = None


class CustomInput(Strict):
    """A custom tool that the model called."""

    name: f.Name
    input: str


class CustomCall(Strict, tag_field="type", tag="custom"):
    """A call of a custom tool."""

    id: f.Identifier
    custom: CustomInput
    index: f.Index | None = None


class UrlCitation(Strict):
    """A source that the model named."""

    end_index: f.Index
    start_index: f.Index
    title: str
    url: str


class Annotation(Strict, tag_field="type", tag="url_citation"):
    """A mark on the model's words."""

    url_citation: UrlCitation


class AssistantMessage(Strict, tag_field="role", tag="assistant"):
    """What the model said before."""

    content: str | AssistantParts | None = None
    name: f.Name | None = None
    refusal: str | None = None
    tool_calls: Annotated[list[FunctionCall | CustomCall], Meta(max_length=128)] | None = None
    function_call: CalledFunction | None = None
    audio: None = None
    annotations: Annotated[list[Annotation], Meta(max_length=256)] | None = None
    reasoning_content: str | None = None
    thinking_blocks: (
        Annotated[list[ThinkingBlock | RedactedThinkingBlock], Meta(max_length=128)] | None
    ) = None
    provider_specific_fields: FreeObject | None = None


class ToolMessage(Strict, tag_field="role", tag="tool"):
    """What a tool gave back."""

    content: str | TextParts
    tool_call_id: f.Identifier
    name: f.Name | None = None


class FunctionMessage(Strict, tag_field="role", tag="function"):
    """What a function gave back, in OpenAI's older words."""

    name: f.Name
    content: str | None


Message = (
    DeveloperMessage
    | SystemMessage
    | UserMessage
    | AssistantMessage
    | ToolMessage
    | FunctionMessage
)


class AudioOutput(Strict):
    """How the model speaks."""

    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]
    voice: f.Name


class Prediction(Strict):
    """Text that much of the answer is known to repeat."""

    type: Literal["content"]
    content: str | TextParts


class NamedFunction(Strict):
    """The function that must be called."""

    name: f.ToolName


class Chat(Strict):
    """The body of a chat completion."""

    model: f.Model
    messages: Annotated[list[Message], Meta(min_length=1)]
    audio: AudioOutput | None = None
    frequency_penalty: f.Penalty | None = None
    function_call: Literal["none", "auto"] | NamedFunction | None = None
    functions: list[Function] | None = None
    logit_bias: f.LogitBias | None = None
    logprobs: bool | None = None
    max_completion_tokens: f.Count | None = None
    max_tokens: f.Count | None = None
    metadata: Metadata | None = None
    min_p: f.Probability | None = None
    modalities: Annotated[list[Literal["text", "audio"]], Meta(max_length=2)] | None = None
    moderation: f.Moderation | None = None
    n: f.Choices | None = None
    parallel_tool_calls: bool | None = None
    prediction: Prediction | None = None
    presence_penalty: f.Penalty | None = None
    prompt_cache_key: f.Label | None = None
    prompt_cache_options: f.PromptCacheOptions | None = None
    prompt_cache_retention: f.Retention | None = None
    reasoning_effort: f.Effort | None = None
    repetition_penalty: f.RepetitionPenalty | None = None
    response_format: ResponseFormat | None = None
    safety_identifier: f.Label | None = None
    seed: f.Seed | None = None
    service_tier: f.ServiceTier | None = None
    stop: f.Stop = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: f.StreamOptions | None = None
    temperature: f.Temperature | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    tools: list[AnyTool] | None = None
    top_k: f.TopK | None = None
    top_logprobs: f.TopLogprobs | None = None
    top_p: f.Probability | None = None
    user: f.Label | None = None
    verbosity: f.Level | None = None
    guardrails: f.Guardrails | None = None
    x_sources: f.Sources | None = None

    def __post_init__(self) -> None:
        """Refuse options that contradict each other."""
        if self.stream_options is not None and not self.stream:
            after = " is only for streams; set `stream` to true or remove it."
            raise FieldError("invalid_value", after, path=".stream_options")

"""POST /v1/messages, in Anthropic's words.

Source: Anthropic API reference, messages (anthropic 2.12.0, read 2026-11-23); `temperature`,
`top_k` and `top_p` as the reference gives them.
"""

from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta
from typing_extensions import override

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.blocks import MAX_BLOCKS, ContentBlock, TextBlock
from plugins.proxy.schema.checked import FreeObject, Metadata
from plugins.proxy.schema.faults import FieldError
from plugins.proxy.schema.fields import CacheControl, Strict
from plugins.proxy.schema.limits import BodyLimits

System = str | Annotated[list[TextBlock], Meta(max_length=MAX_BLOCKS)]
Blocks = Annotated[list[ContentBlock], Meta(max_length=MAX_BLOCKS)]


class UserTurn(Strict, tag_field="role", tag="user"):
    """What the user says, tool results included."""

    content: str | Annotated[list[ContentBlock], Meta(min_length=1, max_length=MAX_BLOCKS)]


class AssistantTurn(Strict, tag_field="role", tag="assistant"):
    """What the model said before, or how its answer starts."""

    content: str | Blocks


class SystemTurn(Strict, tag_field="role", tag="system"):
    """Instructions in the middle of a conversation."""

    content: System


class AnthropicMetadata(Metadata):
    """Anthropic's `metadata`: `user_id`, and the gateway's own context beside it."""

    @override
    @classmethod
    def check(cls, value: object, limits: BodyLimits) -> None:
        if type(value) is dict:
            pairs = cast(dict[str, object], value)
            value = {k: v for k, v in pairs.items() if k != "user_id" or v is not None}
        super().check(value, limits)


class JsonFormat(Strict):
    """An answer that follows a JSON schema."""

    type: Literal["json_schema"]
    schema: FreeObject


class OutputConfig(Strict):
    """How much work the answer is worth, and its shape."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class ThinkingEnabled(Strict, tag_field="type", tag="enabled"):
    """Think, up to a number of tokens."""

    budget_tokens: Annotated[int, Meta(ge=1024, le=2**31 - 1)]
    display: Literal["summarized", "omitted"] | None = None


class ThinkingAdaptive(Strict, tag_field="type", tag="adaptive"):
    """Think as much as the model sees fit."""

    display: Literal["summarized", "omitted"] | None = None


class ThinkingDisabled(Strict, tag_field="type", tag="disabled"):
    """Do not think."""


class ThinkingBetweenTools(Strict, tag_field="type", tag="between_tools"):
    """Think only between tool calls."""


class ChooseAuto(Strict, tag_field="type", tag="auto"):
    """The model chooses."""

    disable_parallel_tool_use: bool | None = None


class ChooseAny(Strict, tag_field="type", tag="any"):
    """Some tool must be called."""

    disable_parallel_tool_use: bool | None = None


class ChooseTool(Strict, tag_field="type", tag="tool"):
    """This tool must be called."""

    name: f.Name
    disable_parallel_tool_use: bool | None = None


class ChooseNone(Strict, tag_field="type", tag="none"):
    """No tool may be called."""


class Tool(Strict):
    """A tool that the caller runs: its own, or one whose schema the model knows by heart."""

    name: f.ToolName
    type: (
        Literal[
            "custom",
            "bash_20250124",
            "text_editor_20250124",
            "text_editor_20250429",
            "text_editor_20250728",
            "memory_20250818",
        ]
        | None
    ) = None
    input_schema: FreeObject | msgspec.UnsetType = msgspec.UNSET
    allowed_callers: Annotated[list[Literal["direct"]], Meta(max_length=1)] | None = None
    cache_control: CacheControl | None = None
    defer_loading: bool | None = None
    description: str | None = None
    eager_input_streaming: bool | None = None
    input_examples: Annotated[list[FreeObject], Meta(max_length=128)] | None = None
    max_characters: f.Count | None = None
    strict: bool | None = None

    def __post_init__(self) -> None:
        """Ask a tool of the caller's own for its schema."""
        if self.type in (None, "custom") and self.input_schema is msgspec.UNSET:
            raise FieldError("missing_parameter", " is required; add it.", path=".input_schema")


class Messages(Strict):
    """The body of an Anthropic message."""

    model: f.Model
    max_tokens: f.Index
    messages: Annotated[list[UserTurn | AssistantTurn | SystemTurn], Meta(min_length=1)]
    cache_control: CacheControl | None = None
    diagnostics: None = None
    inference_geo: Literal["global"] | None = None
    metadata: AnthropicMetadata | None = None
    output_config: OutputConfig | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    speed: Literal["standard"] | None = None
    stop_sequences: Annotated[list[f.Text], Meta(max_length=64)] | None = None
    stream: bool | None = None
    system: System | None = None
    temperature: f.Probability | None = None
    thinking: (
        ThinkingEnabled | ThinkingAdaptive | ThinkingDisabled | ThinkingBetweenTools | None
    ) = None
    tool_choice: ChooseAuto | ChooseAny | ChooseTool | ChooseNone | None = None
    tools: list[Tool] | None = None
    top_k: f.Index | None = None
    top_p: f.Probability | None = None
    guardrails: f.Guardrails | None = None
    x_sources: f.Sources | None = None

    def __post_init__(self) -> None:
        """Refuse a conversation in which nobody says anything; nothing of it would be sent on."""
        if not any(_says_something(turn) for turn in self.messages):
            after = " holds no text and no other content of a user or assistant; add some."
            raise FieldError("invalid_value", after, path=".messages")


def _says_something(turn: UserTurn | AssistantTurn | SystemTurn) -> bool:
    if isinstance(turn, SystemTurn):
        return False
    if isinstance(turn.content, str):
        return bool(turn.content.strip())
    return any(not isinstance(b, TextBlock) or b.text.strip() for b in turn.content)

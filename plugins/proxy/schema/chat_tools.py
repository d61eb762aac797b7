"""Tools and answer formats of OpenAI chat: only tools that the caller runs itself.

Source: OpenAI API reference, chat completions (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated, Literal

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import FreeObject
from plugins.proxy.schema.fields import Strict


class Function(Strict):
    """A function that the model may ask the caller to run."""

    name: f.ToolName
    description: str | None = None
    parameters: FreeObject | None = None
    strict: bool | None = None


class FunctionTool(Strict, tag_field="type", tag="function"):
    """A tool whose arguments follow a JSON schema."""

    function: Function
    cache_control: f.CacheControl | None = None


class FormatText(Strict, tag_field="type", tag="text"):
    """Input of any shape."""


class Grammar(Strict):
    """The shape of a custom tool's input."""

    definition: str
    syntax: Literal["lark", "regex"]


class FormatGrammar(Strict, tag_field="type", tag="grammar"):
    """Input that follows a grammar."""

    grammar: Grammar


class Custom(Strict):
    """A tool whose input is plain text."""

    name: f.ToolName
    description: str | None = None
    format: FormatText | FormatGrammar | None = None


class CustomTool(Strict, tag_field="type", tag="custom"):
    """A tool whose input is plain text."""

    custom: Custom


AnyTool = FunctionTool | CustomTool


class ToolRef(Strict):
    """A tool's name."""

    name: f.ToolName


class ChooseFunction(Strict, tag_field="type", tag="function"):
    """Call this function."""

    function: ToolRef


class ChooseCustom(Strict, tag_field="type", tag="custom"):
    """Call this custom tool."""

    custom: ToolRef


class AllowedTools(Strict):
    """A choice among some of the tools."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[ChooseFunction | ChooseCustom], Meta(max_length=128)]


class ChooseAllowed(Strict, tag_field="type", tag="allowed_tools"):
    """Call only these."""

    allowed_tools: AllowedTools


ToolChoice = ChooseFunction | ChooseCustom | ChooseAllowed


class TextFormat(Strict, tag_field="type", tag="text"):
    """Plain words."""


class JsonObjectFormat(Strict, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchema(Strict):
    """A named JSON schema."""

    name: f.ToolName
    schema: FreeObject
    description: str | None = None
    strict: bool | None = None


class JsonSchemaFormat(Strict, tag_field="type", tag="json_schema"):
    """JSON that follows a schema."""

    json_schema: JsonSchema


ResponseFormat = TextFormat | JsonObjectFormat | JsonSchemaFormat

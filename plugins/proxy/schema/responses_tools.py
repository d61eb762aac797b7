"""Tools of the Responses API: only those that the caller runs itself.

Source: OpenAI API reference, responses (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated, Literal

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import FreeObject
from plugins.proxy.schema.fields import Strict

Callers = Annotated[list[Literal["direct"]], Meta(max_length=1)]


class FunctionTool(Strict, tag_field="type", tag="function"):
    """A tool whose arguments follow a JSON schema."""

    name: f.ToolName
    parameters: FreeObject | None = None
    strict: bool | None = None
    allowed_callers: Callers | None = None
    defer_loading: bool | None = None
    description: str | None = None
    output_schema: FreeObject | None = None


class TextInput(Strict, tag_field="type", tag="text"):
    """Input of any shape."""


class GrammarInput(Strict, tag_field="type", tag="grammar"):
    """Input that follows a grammar."""

    definition: str
    syntax: Literal["lark", "regex"]


class CustomTool(Strict, tag_field="type", tag="custom"):
    """A tool whose input is plain text."""

    name: f.ToolName
    allowed_callers: Callers | None = None
    defer_loading: bool | None = None
    description: str | None = None
    format: TextInput | GrammarInput | None = None


class NamespaceTool(Strict, tag_field="type", tag="namespace"):
    """Tools under one name."""

    name: f.ToolName
    description: str
    tools: Annotated[list[FunctionTool | CustomTool], Meta(max_length=128)]


AnyTool = FunctionTool | CustomTool | NamespaceTool


class ChooseFunction(Strict, tag_field="type", tag="function"):
    """Call this function."""

    name: f.ToolName


class ChooseCustom(Strict, tag_field="type", tag="custom"):
    """Call this custom tool."""

    name: f.ToolName


class ChooseAllowed(Strict, tag_field="type", tag="allowed_tools"):
    """Call only these."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[ChooseFunction | ChooseCustom], Meta(max_length=128)]


ToolChoice = ChooseFunction | ChooseCustom | ChooseAllowed

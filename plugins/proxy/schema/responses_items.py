"""Items of a Responses `input`, as sent and as the gateway's own answers carry them.

An item without `type` is a message. Items that point at what the provider keeps, or that its
hosted tools made, are refused.

Source: OpenAI API reference, responses (openai 2.54.0, read 2026-11-23).
"""

from typing import Annotated, Any, Final, Literal, cast

import msgspec
from msgspec import Meta
from typing_extensions import override

from plugins.proxy.schema import fields as f
from plugins.proxy.schema import steering
from plugins.proxy.schema.checked import Checked, DataUrl, FileData, hook_for, wrong_kind
from plugins.proxy.schema.explain import explain
from plugins.proxy.schema.faults import FaultError, FieldError, shown
from plugins.proxy.schema.fields import Strict
from plugins.proxy.schema.limits import BodyLimits

MAX_PARTS = 2048
Status = Literal["in_progress", "completed", "incomplete"]
Phase = Literal["commentary", "final_answer"]


class InputText(Strict, tag_field="type", tag="input_text"):
    """Words."""

    text: str
    prompt_cache_breakpoint: f.Breakpoint | None = None


class InputImage(Strict, tag_field="type", tag="input_image"):
    """A picture's bytes."""

    image_url: DataUrl
    detail: f.Detail | None = None
    file_id: None = None
    prompt_cache_breakpoint: f.Breakpoint | None = None


class InputFile(Strict, tag_field="type", tag="input_file"):
    """A document's bytes."""

    file_data: FileData
    detail: f.Detail | None = None
    file_id: None = None
    file_url: None = None
    filename: f.Label | None = None
    prompt_cache_breakpoint: f.Breakpoint | None = None


class UrlCitation(Strict, tag_field="type", tag="url_citation"):
    """A source that the model named."""

    end_index: f.Index
    start_index: f.Index
    title: str
    url: str


class TopLogprob(Strict):
    """A token that was likely."""

    token: str
    logprob: f.Logprob
    bytes: Annotated[list[f.Token], Meta(max_length=64)] | None = None


class Logprob(Strict):
    """A token and its likely neighbours."""

    token: str
    logprob: f.Logprob
    bytes: Annotated[list[f.Token], Meta(max_length=64)] | None = None
    top_logprobs: Annotated[list[TopLogprob], Meta(max_length=20)] | None = None


class OutputText(Strict, tag_field="type", tag="output_text"):
    """The model's words, as they came back."""

    text: str
    annotations: Annotated[list[UrlCitation], Meta(max_length=256)] | None = None
    logprobs: list[Logprob] | None = None


class OutputRefusal(Strict, tag_field="type", tag="refusal"):
    """The model's own refusal, as it came back."""

    refusal: str


InputParts = Annotated[list[InputText | InputImage | InputFile], Meta(max_length=MAX_PARTS)]
AllParts = Annotated[
    list[InputText | InputImage | InputFile | OutputText | OutputRefusal],
    Meta(max_length=MAX_PARTS),
]


class _Given(Strict, tag_field="role"):
    content: str | InputParts
    type: Literal["message"] | None = None
    id: f.Label | None = None
    phase: Phase | None = None
    status: Status | None = None


class UserMessage(_Given, tag="user"):
    """What the user says."""


class SystemMessage(_Given, tag="system"):
    """Instructions, for older models."""


class DeveloperMessage(_Given, tag="developer"):
    """Instructions."""


class AssistantMessage(Strict, tag_field="role", tag="assistant"):
    """What the model said before."""

    content: str | AllParts
    type: Literal["message"] | None = None
    id: f.Label | None = None
    phase: Phase | None = None
    status: Status | None = None


class Caller(Strict):
    """The model itself, not code that it wrote."""

    type: Literal["direct"]


class FunctionCall(Strict):
    """A function that the model called."""

    type: Literal["function_call"]
    call_id: f.Identifier
    name: f.Name
    arguments: str
    id: f.Label | None = None
    caller: Caller | None = None
    namespace: f.Name | None = None
    status: Status | None = None


class FunctionCallOutput(Strict):
    """What a function gave back."""

    type: Literal["function_call_output"]
    call_id: f.Identifier
    output: str | InputParts
    id: f.Label | None = None
    caller: Caller | None = None
    name: f.Name | None = None
    namespace: f.Name | None = None
    status: Status | None = None


class CustomCall(Strict):
    """A custom tool that the model called."""

    type: Literal["custom_tool_call"]
    call_id: f.Identifier
    name: f.Name
    input: str
    id: f.Label | None = None
    caller: Caller | None = None
    namespace: f.Name | None = None
    status: Status | None = None


class CustomCallOutput(Strict):
    """What a custom tool gave back."""

    type: Literal["custom_tool_call_output"]
    call_id: f.Identifier
    output: str | InputParts
    id: f.Label | None = None
    caller: Caller | None = None
    status: Status | None = None


class SummaryText(Strict, tag_field="type", tag="summary_text"):
    """A line of a summary."""

    text: str


class ReasoningText(Strict, tag_field="type", tag="reasoning_text"):
    """A thought."""

    text: str


class Reasoning(Strict):
    """The model's thoughts, as they came back."""

    type: Literal["reasoning"]
    summary: Annotated[list[SummaryText], Meta(max_length=MAX_PARTS)]
    id: f.Label | None = None
    content: Annotated[list[ReasoningText], Meta(max_length=MAX_PARTS)] | None = None
    encrypted_content: str | None = None
    status: Status | None = None


class Compaction(Strict):
    """An earlier conversation that only the provider can read."""

    type: Literal["compaction"]
    encrypted_content: str
    id: f.Label | None = None


_ITEMS: Final[dict[str, Any]] = {
    "message": UserMessage | SystemMessage | DeveloperMessage | AssistantMessage,
    "function_call": FunctionCall,
    "function_call_output": FunctionCallOutput,
    "custom_tool_call": CustomCall,
    "custom_tool_call_output": CustomCallOutput,
    "reasoning": Reasoning,
    "compaction": Compaction,
}


class InputItem(Checked):
    """One item, told apart by its `type`."""

    @override
    @classmethod
    def check(cls, value: object, limits: BodyLimits) -> None:
        if type(value) is not dict:
            raise wrong_kind("an object", value)
        item = cast(dict[str, Any], value)
        kind = _ITEMS.get(_type_of(item)) or _refuse(item)
        try:
            msgspec.convert(item, kind, dec_hook=hook_for(limits))
        except msgspec.ValidationError as error:
            raise FaultError(explain(error, item, kind)) from None


def _type_of(item: dict[str, Any]) -> str:
    name = item.get("type")
    if name is None:
        return "message" if "role" in item or "id" not in item else "item_reference"
    if not isinstance(name, str):
        raise FieldError("invalid_type", " must be a string.", path=".type")
    return name


def _refuse(item: dict[str, Any]) -> Any:
    name = shown(_type_of(item)) or ""
    if name in ("item_reference", "compaction_trigger"):
        after = f" is an `{name}`: it names state kept at the provider, which tenants would share; "
        raise FieldError("parameter_not_allowed", after + "send the item itself.")
    if steering.hosted(name):
        after = f" is `{name}`, of a tool that the provider runs, which is not open to tenants; "
        raise FieldError("tool_not_allowed", after + "use function or custom tools.", path=".type")
    listed = ", ".join(f"`{known}`" for known in _ITEMS)
    raise FieldError("invalid_value", f" must be one of {listed}.", path=".type")

"""Chat requests as OpenAI's clients send them; vLLM takes the same."""

from typing import Annotated

import msgspec
from msgspec import Meta

from selfhosted.practice import usage
from selfhosted.practice.prompt import Ask, Json, Prompt, Tool, Turn
from selfhosted.practice.schema import as_object
from selfhosted.practice.wire import Refused

MAX_CHOICES = 128
_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class Part(msgspec.Struct):
    """One part of a message's content."""

    type: str
    text: str | None = None
    refusal: str | None = None


class CalledFunction(msgspec.Struct):
    """The function of an earlier tool call."""

    name: str
    arguments: str = ""


class EarlierCall(msgspec.Struct):
    """A tool call that the assistant made in an earlier turn."""

    id: str = ""
    type: str = "function"
    function: CalledFunction | None = None


class ChatMessage(msgspec.Struct):
    """One message of the conversation."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[EarlierCall] | None = None


class FunctionSpec(msgspec.Struct):
    """A function offered to the model."""

    name: str
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class ToolSpec(msgspec.Struct):
    """A tool offered to the model."""

    type: str
    function: FunctionSpec | None = None


class StreamOptions(msgspec.Struct):
    """How to stream."""

    include_usage: bool = False


class ResponseFormat(msgspec.Struct):
    """The form of the answer: `text`, `json_object` or `json_schema`."""

    type: str
    json_schema: Json | None = None


class ChatRequest(msgspec.Struct):
    """The body of `POST /v1/chat/completions`; what changes nothing here is ignored."""

    model: str
    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    stop: str | list[str] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[ToolSpec] | None = None
    tool_choice: str | Json | None = None

    @property
    def stops(self) -> list[str]:
        """The stop sequences."""
        if self.stop is None:
            return []
        return [self.stop] if isinstance(self.stop, str) else self.stop

    @property
    def forced_schema(self) -> Json | None:
        """A schema that a server's own extra fields ask for."""
        return None

    @property
    def limit(self) -> int | None:
        """The most tokens the answer may have."""
        return self.max_completion_tokens or self.max_tokens


def text_of(content: str | list[Part] | None) -> str:
    """Join the texts of a message's content."""
    if isinstance(content, str):
        return content
    return "\n".join(p.text or p.refusal or "" for p in content or ())


def prompt_tokens(request: ChatRequest) -> int:
    """Count the tokens of a chat request, by the rule in `usage`."""
    total = usage.REPLY_TOKENS
    for message in request.messages:
        total += usage.MESSAGE_TOKENS + _content_tokens(message.content)
        for call in message.tool_calls or ():
            if call.function is not None:
                total += usage.count(call.function.name) + usage.count(call.function.arguments)
    if request.tools:
        total += usage.count_json(request.tools)
    return total


def _content_tokens(content: str | list[Part] | None) -> int:
    if content is None:
        return 0
    if isinstance(content, str):
        return usage.count(content)
    return sum(
        usage.MEDIA_TOKENS
        if p.text is None and p.refusal is None
        else usage.count(p.text or p.refusal or "")
        for p in content
    )


def read_ask(request: ChatRequest) -> Ask:
    """Turn a chat request into an ask.

    Raises:
        Refused: 400, for a role, a tool choice or a form that OpenAI refuses.
    """
    turns: list[Turn] = []
    for i, message in enumerate(request.messages):
        role = _ROLES.get(message.role)
        if role is None:
            raise Refused(
                400,
                f"Invalid value: '{message.role}'. Supported values are: "
                + ", ".join(f"'{r}'" for r in _ROLES),
                code="invalid_value",
                param=f"messages[{i}].role",
            )
        turns.append(Turn(role, text_of(message.content)))
    prompt = Prompt(tuple(turns))
    if request.forced_schema is not None:
        return Ask(prompt, schema=request.forced_schema)
    if request.tools is None and request.response_format is None:
        return Ask(prompt)
    tools = [
        Tool(t.function.name, t.function.parameters or {"type": "object", "properties": {}})
        for t in request.tools or ()
        if t.function is not None
    ]
    schema, json_object = _form(request.response_format, prompt)
    return Ask(prompt, tools, _choice(request.tool_choice, tools), schema, json_object)


def _choice(choice: str | Json | None, tools: list[Tool]) -> str:
    if choice is None or isinstance(choice, str):
        return choice or "auto"
    name = str(as_object(choice.get("function")).get("name", choice.get("name", "")))
    if all(t.name != name for t in tools):
        raise Refused(
            400, f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice"
        )
    return name


def _form(wanted: ResponseFormat | None, prompt: Prompt) -> tuple[Json | None, bool]:
    if wanted is None or wanted.type == "text":
        return None, False
    if wanted.type == "json_object":
        if not any("json" in t.text.lower() for t in prompt.turns):
            raise Refused(
                400,
                "'messages' must contain the word 'json' in some form, to use "
                "'response_format' of type 'json_object'.",
                param="messages",
            )
        return None, True
    if wanted.type != "json_schema":
        raise Refused(
            400,
            f"Invalid value: '{wanted.type}'. Supported values are: 'json_object', "
            "'json_schema', and 'text'.",
            code="invalid_value",
            param="response_format.type",
        )
    schema = as_object((wanted.json_schema or {}).get("schema"))
    if not schema:
        raise Refused(
            400,
            "Missing required parameter: 'response_format.json_schema.schema'.",
            code="missing_required_parameter",
            param="response_format.json_schema.schema",
        )
    return schema, False

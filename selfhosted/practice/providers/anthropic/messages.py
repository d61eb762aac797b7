"""Requests as Anthropic's clients send them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from selfhosted.practice import usage
from selfhosted.practice.prompt import Ask, Json, Prompt, Tool, Turn
from selfhosted.practice.schema import as_list, as_object
from selfhosted.practice.wire import Refused

DEFAULT_TTL_S = 300.0
LONG_TTL_S = 3600.0


class CacheControl(msgspec.Struct):
    """A point up to which the prompt shall be cached."""

    type: str = "ephemeral"
    ttl: Literal["5m", "1h"] | None = None


class Block(msgspec.Struct):
    """One block of content: text, image, document, tool_use or tool_result."""

    type: str
    text: str | None = None
    content: Any = None
    name: str | None = None
    input: Json | None = None
    cache_control: CacheControl | None = None


class AnthropicMessage(msgspec.Struct):
    """One message of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class ToolSpec(msgspec.Struct):
    """A tool offered to the model."""

    name: str
    description: str | None = None
    input_schema: Json | None = None
    cache_control: CacheControl | None = None


class ToolChoice(msgspec.Struct):
    """Which tool must be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None


class CountRequest(msgspec.Struct):
    """The body of `POST /v1/messages/count_tokens`."""

    model: str
    messages: Annotated[list[AnthropicMessage], Meta(min_length=1)]
    system: str | list[Block] | None = None
    tools: list[ToolSpec] | None = None
    tool_choice: ToolChoice | None = None
    output_config: Json | None = None
    output_format: Json | None = None


class MessagesRequest(CountRequest, kw_only=True):
    """The body of `POST /v1/messages`; what changes nothing here is ignored."""

    max_tokens: Annotated[int, Meta(ge=1)]
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None


class Piece(msgspec.Struct):
    """A part of the prompt in the order in which prefixes are cached."""

    text: str
    tokens: int
    cache: CacheControl | None = None


def block_text(block: Block) -> str:
    """Return the text of a block; a tool result's own blocks are joined."""
    if block.text is not None:
        return block.text
    if isinstance(block.content, str):
        return block.content
    return "\n".join(str(as_object(b).get("text", "")) for b in as_list(block.content))


def _block_tokens(block: Block) -> int:
    if block.type in ("image", "document"):
        return usage.MEDIA_TOKENS
    if block.type == "tool_use":
        return usage.count(block.name or "") + usage.count_json(block.input or {})
    return usage.count(block_text(block))


def pieces_of(request: CountRequest) -> list[Piece]:
    """List the prompt's parts: tools, system, messages; token counts as in `usage`."""
    parts: list[Piece] = []
    if request.tools:
        cache = next((t.cache_control for t in reversed(request.tools) if t.cache_control), None)
        bare = [{"name": t.name, "input_schema": t.input_schema} for t in request.tools]
        text = msgspec.json.encode(bare).decode()
        parts.append(Piece(text, usage.count_json(request.tools), cache))
    if request.system is not None:
        _add_message(parts, "system", request.system)
    for message in request.messages:
        _add_message(parts, message.role, message.content)
    return parts


def _add_message(parts: list[Piece], role: str, content: str | list[Block]) -> None:
    extra = usage.MESSAGE_TOKENS
    if isinstance(content, str):
        parts.append(Piece(f"{role}:{content}", extra + usage.count(content)))
        return
    for block in content:
        text = f"{role}:{block_text(block)}"
        parts.append(Piece(text, extra + _block_tokens(block), block.cache_control))
        extra = 0


def read_ask(request: CountRequest) -> Ask:
    """Turn a request into an ask.

    Raises:
        Refused: 400, for a tool choice that names no tool.
    """
    turns: list[Turn] = []
    if request.system is not None:
        turns.append(Turn("system", _text(request.system)))
    for message in request.messages:
        role: str = message.role
        if isinstance(message.content, list) and any(
            b.type == "tool_result" for b in message.content
        ):
            role = "tool"
        turns.append(Turn(role, _text(message.content)))
    prompt = Prompt(tuple(turns))
    form = as_object(as_object(request.output_config).get("format")) or request.output_format
    schema = as_object(as_object(form).get("schema")) or None
    if not request.tools:
        return Ask(prompt, schema=schema)
    tools = [Tool(t.name, t.input_schema or {"type": "object"}) for t in request.tools]
    return Ask(prompt, tools, _choice(request.tool_choice, tools), schema)


def _text(content: str | list[Block]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(filter(None, map(block_text, content)))


def _choice(choice: ToolChoice | None, tools: list[Tool]) -> str:
    if choice is None or choice.type == "auto":
        return "auto"
    if choice.type != "tool":
        return "none" if choice.type == "none" else "required"
    if all(t.name != choice.name for t in tools):
        raise Refused(400, f"tool_choice.name: Tool '{choice.name}' not found in provided tools")
    return choice.name or "auto"

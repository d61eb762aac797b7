"""`POST /v1/responses`: reading the request and the answer in one piece."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from selfhosted.practice import catalogue, usage
from selfhosted.practice.compose import Composed, Limited, compose, limit
from selfhosted.practice.prompt import Ask, Json, Prompt, Tool, Turn
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.providers.openai.tokens import cached_tokens
from selfhosted.practice.schema import as_list, as_object
from selfhosted.practice.wire import Call, Refused, Reply, to_json

_ROLES = {"developer": "system", "system": "system", "assistant": "assistant"}


class ResponsesRequest(msgspec.Struct):
    """The body of `POST /v1/responses`; what changes nothing here is ignored or echoed."""

    model: str
    input: str | list[Json]
    instructions: str | None = None
    tools: list[Json] | None = None
    tool_choice: str | Json | None = None
    text: Json | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    user: str | None = None


_decoder = msgspec.json.Decoder(ResponsesRequest)


class Response:
    """One answered request, as the body and the stream's events need it."""

    def __init__(self, call: Call, request: ResponsesRequest) -> None:
        self.call = call
        self.request = request
        ask = read_ask(request)
        self.composed: Composed = compose(ask, call.plan)
        self.limited: Limited = limit(self.composed.text, [], request.max_output_tokens)
        self.id = call.make_id("resp_")
        self.item_id = call.make_id("msg_" if self.composed.tool is None else "fc_")
        self.prompt_tokens = _prompt_tokens(request, ask)
        self.cached_tokens = cached_tokens(
            call.state.prefixes, "responses" + request.model, ask.prompt, self.prompt_tokens
        )

    @property
    def done_tokens(self) -> int:
        """Tokens of the answer."""
        if self.composed.tool is not None:
            return self.composed.tokens
        return usage.count(self.limited.text)

    @property
    def status(self) -> str:
        """`completed`, or `incomplete` when the token limit cut the answer."""
        return "incomplete" if self.limited.reason == "length" else "completed"

    def usage(self) -> Json | None:
        """Report usage, unless a fault says otherwise."""
        wrong = self.call.plan.usage
        prompt, done, cached = self.prompt_tokens, self.done_tokens, self.cached_tokens
        if wrong is not None:
            if wrong.mode == "missing":
                return None
            given = wrong.mode == "given"
            prompt = wrong.prompt_tokens if given else 0
            done, cached = wrong.completion_tokens if given else 0, 0
        return {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
            "output_tokens": done,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + done,
        }

    def item(self, text: str, status: str) -> Json:
        """The output item with some of its text or arguments."""
        tool = self.composed.tool
        if tool is not None:
            return {
                "type": "function_call",
                "id": self.item_id,
                "call_id": self.call.make_id("call_"),
                "name": tool.name,
                "arguments": text,
                "status": status,
            }
        content = [self.part(text)] if text or status != "in_progress" else []
        return {
            "type": "message",
            "id": self.item_id,
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def part(self, text: str) -> Json:
        """The content part of a message."""
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    @property
    def final_text(self) -> str:
        """The whole text, or the whole arguments."""
        tool = self.composed.tool
        return self.limited.text if tool is None else tool.arguments_json

    def body(self, status: str, output: list[Json]) -> Json:
        """The response object."""
        request = self.request
        finished = status in ("completed", "incomplete")
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        used = self.usage() if finished else None
        body: Json = {
            "id": self.id,
            "object": "response",
            "created_at": self.call.time_s,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": cut,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "model": request.model,
            "output": output,
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "previous_response_id": request.previous_response_id,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": request.store is not False,
            "temperature": 1.0 if request.temperature is None else request.temperature,
            "text": request.text or {"format": {"type": "text"}},
            "tool_choice": request.tool_choice or "auto",
            "tools": request.tools or [],
            "top_p": 1.0 if request.top_p is None else request.top_p,
            "truncation": "disabled",
            "usage": used,
            "user": request.user,
            "metadata": request.metadata or {},
        }
        return body


def answer(call: Call, flavour: Flavour) -> Response:
    """Read and answer a request."""
    request = call.decode(_decoder)
    call.stream = bool(request.stream)
    flavour.admit(call, request.model, catalogue.CHAT)
    response = Response(call, request)
    call.state.meter(
        flavour.provider, response.prompt_tokens, response.done_tokens, response.status
    )
    return response


def whole(response: Response) -> Reply:
    """Answer in one piece."""
    item = response.item(response.final_text, response.status)
    return to_json(response.body(response.status, [item]))


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [as_object(part) for part in as_list(content)]
    return "\n".join(str(p.get("text") or p.get("refusal") or "") for p in parts)


def read_ask(request: ResponsesRequest) -> Ask:
    """Turn a request into an ask.

    Raises:
        Refused: 400, when there is no input.
    """
    turns = [Turn("system", request.instructions)] if request.instructions else []
    if isinstance(request.input, str):
        turns.append(Turn("user", request.input))
    else:
        turns += [turn for item in request.input if (turn := _turn(item)) is not None]
    if not turns or (isinstance(request.input, list) and not request.input):
        raise Refused(400, "'input' must not be empty.", param="input")
    form = as_object((request.text or {}).get("format"))
    schema = as_object(form.get("schema")) if form.get("type") == "json_schema" else None
    tools = [
        Tool(str(t.get("name", "")), as_object(t.get("parameters")) or {"type": "object"})
        for t in request.tools or []
        if t.get("type") == "function"
    ]
    choice = request.tool_choice
    named = choice if isinstance(choice, str) else str((choice or {}).get("name", "auto"))
    wants_object = form.get("type") == "json_object"
    return Ask(Prompt(tuple(turns)), tools, named, schema, wants_object)


def _turn(item: Json) -> Turn | None:
    kind = item.get("type", "message")
    if kind == "function_call_output":
        return Turn("tool", _texts(item.get("output")))
    if kind != "message":
        return None
    return Turn(_ROLES.get(str(item.get("role")), "user"), _texts(item.get("content")))


def _prompt_tokens(request: ResponsesRequest, ask: Ask) -> int:
    total = usage.REPLY_TOKENS
    total += sum(usage.MESSAGE_TOKENS + usage.count(t.text) for t in ask.prompt.turns)
    return total + (usage.count_json(request.tools) if request.tools else 0)

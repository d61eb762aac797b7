"""The form that a client asked an answer to have. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from plugins.core.answer_text import maps
from plugins.core.call import Call, Endpoint

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be found in an answer.

    Args:
        is_json: its text is JSON.
        schema: that this JSON follows; None where any JSON will do.
        tools: schemas of which the arguments of each call of a tool follow one; empty where that
            cannot be told.
    """

    is_json: bool = False
    schema: Json | None = None
    tools: tuple[Json, ...] = ()

    @property
    def is_anything(self) -> bool:
        """Tell whether there is something to check."""
        return self.is_json or bool(self.tools)


NOTHING: Final = Expected()


def expected_of(call: Call) -> Expected:
    """Read what form a call's answer is to have, from its body as the client sent it."""
    read = _FORMS.get(call.endpoint)
    if read is None:
        return NOTHING
    is_json, schema = read(call.body)
    return Expected(is_json, schema, _tools(call.body, call.endpoint))


def _chat(body: Json) -> tuple[bool, Json | None]:
    form = _map(body.get("response_format"))
    return _json(form, _map(form.get("json_schema")).get("schema"))


def _responses(body: Json) -> tuple[bool, Json | None]:
    form = _map(_map(body.get("text")).get("format"))
    return _json(form, form.get("schema"))


def _messages(body: Json) -> tuple[bool, Json | None]:
    form = _map(_map(body.get("output_config")).get("format"))
    return _json(form, form.get("schema"))


_FORMS: Final = {
    Endpoint.CHAT: _chat,
    Endpoint.RESPONSES: _responses,
    Endpoint.MESSAGES: _messages,
}


def _json(form: Json, schema: object) -> tuple[bool, Json | None]:
    kind = form.get("type")
    return kind in ("json_object", "json_schema"), _map(schema) or None


def _tools(body: Json, endpoint: Endpoint) -> tuple[Json, ...]:
    """Give the schemas of tools, when each of them binds the model.

    An answer's arguments do not say of which tool they are, so that one tool whose schema is no
    promise makes all of them unjudgeable. Anthropic's tools always have one.
    """
    made: list[Json] = []
    for tool in maps(body.get("tools")):
        if endpoint is Endpoint.MESSAGES:
            schema = tool.get("input_schema")
        else:
            function = _map(tool.get("function")) if endpoint is Endpoint.CHAT else tool
            schema = function.get("parameters") if function.get("strict") is True else None
        if not isinstance(schema, dict):
            return ()
        made.append(cast("Json", schema))
    return tuple(made)


def _map(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}

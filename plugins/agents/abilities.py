"""What a request needs of a model, and whether a model has it. Pure.

A tier that cannot take a request is left out and says so: LiteLLM would drop tools and schemas
without a word for a model that knows none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from plugins.core.call import Call, Endpoint
from plugins.core.errors import GatewayError, InvalidRequest
from plugins.core.tokens import estimated_input_tokens


class Ability(StrEnum):
    """What a chat model may lack; the words are those of error messages."""

    TOOLS = "tools"
    JSON_SCHEMA = "json_schema"
    IMAGES = "images"
    DOCUMENTS = "documents"
    AUDIO = "audio"


TELLING: Final[Mapping[Ability, str]] = {
    Ability.TOOLS: "supports_function_calling",
    Ability.JSON_SCHEMA: "supports_response_schema",
    Ability.IMAGES: "supports_vision",
    Ability.DOCUMENTS: "supports_pdf_input",
    Ability.AUDIO: "supports_audio_input",
}
"""The field of `model_info`, and of LiteLLM's price list, that tells of each."""
MARGIN: Final = 1.2
"""An estimate has to pass the context by so much before a model is left out for it."""
_CHAT: Final = frozenset(
    {Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES}
)
_PARTS: Final[Mapping[str, Ability]] = {
    "image_url": Ability.IMAGES,
    "input_image": Ability.IMAGES,
    "image": Ability.IMAGES,
    "file": Ability.DOCUMENTS,
    "input_file": Ability.DOCUMENTS,
    "document": Ability.DOCUMENTS,
    "input_audio": Ability.AUDIO,
}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What is known of one model group.

    Args:
        lacking: what it cannot do.
        max_input_tokens: its context, or None when nobody states it.
    """

    lacking: frozenset[Ability] = frozenset()
    max_input_tokens: int | None = None

    @classmethod
    def read(cls, stated: Mapping[str, Any], *, listed: bool) -> "Abilities":
        """Read them from what is stated of a model.

        Args:
            stated: fields such as `supports_vision` and `max_input_tokens`.
            listed: the fields are of LiteLLM's price list, where silence means no; else what is
                not stated is taken to be there.
        """
        lacking = {a for a, field in TELLING.items() if not stated.get(field, not listed)}
        most = stated.get("max_input_tokens")
        return cls(frozenset(lacking), most if isinstance(most, int) else None)

    def __and__(self, other: "Abilities") -> "Abilities":
        """Give what both have: a group can no more than each of its deployments."""
        most = [m for m in (self.max_input_tokens, other.max_input_tokens) if m is not None]
        return Abilities(self.lacking | other.lacking, min(most, default=None))


def unable(call: Call, group: str, abilities: Abilities) -> GatewayError | None:
    """Tell why a model group cannot take a call, or None when it can.

    Args:
        call: what is asked.
        group: the model group, for the message.
        abilities: what is known of it.
    """
    if call.endpoint not in _CHAT:
        return None
    missing = sorted(needs_of(call.body) & abilities.lacking) if abilities.lacking else []
    if missing:
        return InvalidRequest(
            f"{group!r} cannot take {' or '.join(missing)}; leave it out, or ask a model that can",
            code=f"model_lacks_{missing[0]}",
            param="model",
        )
    most = abilities.max_input_tokens
    if most is None:
        return None
    tokens = estimated_input_tokens(call.body)
    if tokens <= most * MARGIN:
        return None
    return InvalidRequest(
        f"the request has about {tokens} tokens and {group!r} reads at most {most}; send less, or"
        " ask a model with a longer context",
        code="context_length_exceeded",
        param="model",
    )


def needs_of(body: Mapping[str, Any]) -> frozenset[Ability]:
    """Read what a request needs of a model.

    Args:
        body: validated, in the format of any endpoint for text.
    """
    needs = {_PARTS[kind] for kind in _part_kinds(body) if kind in _PARTS}
    if body.get("tools") or body.get("functions"):
        needs.add(Ability.TOOLS)
    if _wants_schema(body):
        needs.add(Ability.JSON_SCHEMA)
    return frozenset(needs)


def _wants_schema(body: Mapping[str, Any]) -> bool:
    formats = _map(body.get("response_format")), _map(_map(body.get("text")).get("format"))
    return any(found.get("type") == "json_schema" for found in formats)


def _map(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _part_kinds(body: Mapping[str, Any]) -> Iterator[str]:
    """Give the type of each content part; parts of tools' results included."""
    waiting: list[Any] = [body.get("messages"), body.get("input")]
    while waiting:
        item: Any = waiting.pop()
        if isinstance(item, list):
            waiting.extend(cast("list[Any]", item))
        elif isinstance(item, dict):
            fields = cast("dict[str, Any]", item)
            yield str(fields.get("type"))
            waiting += [fields.get("content"), fields.get("output")]

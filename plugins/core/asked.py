"""Every text that a request brings, with its place and who speaks; and texts put back there. Pure.

The walk takes every string of the fields that a model reads, but for those known to hold no text:
a field that a provider adds later is read rather than overlooked. Names of fields inside free
objects (a tool's arguments) are not read, only their values; what is encoded (pictures, sound,
PDFs, tokens in place of text) is not read either.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from plugins.core.call import Endpoint


class Role(StrEnum):
    """Who speaks in a text."""

    SYSTEM = "system"
    """Whoever built the application: instructions, descriptions of tools, schemas."""
    USER = "user"
    ASSISTANT = "assistant"
    """The model, earlier: its words, its calls of tools."""
    TOOL = "tool"
    """What a tool gave back."""
    DOCUMENT = "document"
    """What is read about: documents, search results, `x_sources`, what is to be embedded."""


Key = str | int
Keys = tuple[Key, ...]

_SHOWABLE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Asked:
    """One text of a request.

    Args:
        keys: fields and places that lead to it, from the body on.
        role: who speaks.
        text: never empty.
    """

    keys: Keys
    role: Role
    text: str

    @property
    def path(self) -> str:
        """Name its place, such as `messages[0].content`; a field's name that may be text is `?`."""
        return "".join(map(_step, self.keys)).removeprefix(".")


def asked_of(endpoint: Endpoint, body: Mapping[str, Any]) -> list[Asked]:
    """Give every text of a request, in the order of its fields.

    Args:
        endpoint: in whose format the body is.
        body: validated.
    """
    found: list[Asked] = []
    for name, role in _FIELDS[endpoint]:
        value = body.get(name)
        if value:
            _walk(value, (name,), role, found)
    return found


def token_counts(endpoint: Endpoint, body: Mapping[str, Any]) -> list[int]:
    """Count the tokens that stand in place of texts, for each input (embeddings)."""
    value: object = body.get("input") if endpoint is Endpoint.EMBEDDINGS else None
    if not isinstance(value, list):
        return []
    inputs = cast("list[Any]", value)
    if inputs and isinstance(inputs[0], int):
        return [len(inputs)]
    return [len(cast("list[int]", each)) for each in inputs if isinstance(each, list)]


def with_texts(body: Mapping[str, Any], texts: Mapping[Keys, str]) -> dict[str, Any]:
    """Give a copy of a body with other texts at some places.

    Args:
        body: stays as it is; what is not on the way to a text is shared with the copy.
        texts: by the `keys` of an `Asked` of that body.
    """
    return cast("dict[str, Any]", _replaced(body, list(texts.items()), 0))


_CONVERSATION: Final = ("messages", Role.USER)
_SOURCES: Final = ("x_sources", Role.DOCUMENT)
_FIELDS: Final[Mapping[Endpoint, tuple[tuple[str, Role], ...]]] = {
    Endpoint.CHAT: (
        _CONVERSATION,
        ("tools", Role.SYSTEM),
        ("functions", Role.SYSTEM),
        ("response_format", Role.SYSTEM),
        ("prediction", Role.ASSISTANT),
        _SOURCES,
    ),
    Endpoint.COMPLETIONS: (("prompt", Role.USER), ("suffix", Role.USER), _SOURCES),
    Endpoint.EMBEDDINGS: (("input", Role.DOCUMENT),),
    Endpoint.RESPONSES: (
        ("instructions", Role.SYSTEM),
        ("input", Role.USER),
        ("tools", Role.SYSTEM),
        ("text", Role.SYSTEM),
        _SOURCES,
    ),
    Endpoint.MESSAGES: (
        ("system", Role.SYSTEM),
        _CONVERSATION,
        ("tools", Role.SYSTEM),
        ("output_config", Role.SYSTEM),
        _SOURCES,
    ),
    Endpoint.MODERATIONS: (("input", Role.USER),),
    Endpoint.SPEECH: (("instructions", Role.SYSTEM), ("input", Role.USER)),
    Endpoint.TRANSCRIPTIONS: (
        ("prompt", Role.USER),
        ("keywords", Role.USER),
        ("known_speaker_names", Role.USER),
    ),
}
"""Where texts stand that reach a model or decide about its answer."""

_ROLES: Final[Mapping[str, Role]] = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
_ROLES_OF_TYPES: Final[Mapping[str, Role]] = {
    "tool_result": Role.TOOL,
    "function_call_output": Role.TOOL,
    "custom_tool_call_output": Role.TOOL,
    "document": Role.DOCUMENT,
    "search_result": Role.DOCUMENT,
    "file": Role.DOCUMENT,
    "input_file": Role.DOCUMENT,
    "tool_use": Role.ASSISTANT,
    "function_call": Role.ASSISTANT,
    "custom_tool_call": Role.ASSISTANT,
    "reasoning": Role.ASSISTANT,
}
NO_TEXT: Final = frozenset(
    {
        # words of the format, and identifiers
        *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "status", "phase"),
        *("detail", "media_type", "syntax", "effort", "verbosity", "about", "caller"),
        *("namespace", "toolset_name", "tool_name", "allowed_callers", "index", "ttl", "mode"),
        *("cache_control", "prompt_cache_breakpoint", "transformations"),
        # bytes, and what only the provider can read
        *("image_url", "input_audio", "file_data", "url", "signature", "encrypted_content"),
        # said a second time, or not sent on
        *("logprobs", "provider_specific_fields"),
    }
)
"""Fields of the formats that hold no text for a model."""
BYTES: Final = frozenset({"image", "base64", "url", "redacted_thinking", "compaction"})
"""Types of the objects that hold bytes, or what only the provider can read."""
_FREE: Final = frozenset(
    {"parameters", "input_schema", "output_schema", "schema", "input", "input_examples"}
)
"""Fields whose objects have names of the caller's own: there, every string is text."""
_SCHEMA_WORDS: Final = frozenset(
    {"object", "string", "integer", "number", "boolean", "array", "null"}
)

_Walk = Callable[[Any, Keys, Role, list[Asked]], None]


def _walk(value: Any, keys: Keys, role: Role, found: list[Asked]) -> None:
    if isinstance(value, str):
        if value:
            found.append(Asked(keys, role, value))
    elif isinstance(value, list):
        _each(cast("list[Any]", value), keys, role, found, _walk)
    elif isinstance(value, dict):
        _walk_object(cast("dict[str, Any]", value), keys, role, found)


def _walk_object(value: dict[str, Any], keys: Keys, role: Role, found: list[Asked]) -> None:
    kind = value.get("type")
    if kind in BYTES:
        return
    # What a tool or a document says stays theirs, whoever hands it over.
    if role is not Role.TOOL and role is not Role.DOCUMENT:
        said = _ROLES.get(value.get("role") or "")
        role = _ROLES_OF_TYPES.get(kind or "") or said or role
    for name, item in value.items():
        if name in NO_TEXT or (name == "name" and not _names_somebody(value)):
            continue
        if name in _FREE and not isinstance(item, str):
            _walk_free(item, (*keys, name), role, found)
        else:
            _walk(item, (*keys, name), role, found)


def _names_somebody(value: Mapping[str, Any]) -> bool:
    """Tell whether `name` is somebody's, or a document's, rather than a tool's or a schema's."""
    return ("role" in value and value["role"] not in {"tool", "function"}) or (
        "text" in value and "type" not in value
    )


def _walk_free(value: Any, keys: Keys, role: Role, found: list[Asked]) -> None:
    if isinstance(value, str):
        if value and value not in _SCHEMA_WORDS:
            found.append(Asked(keys, role, value))
    elif isinstance(value, list):
        _each(cast("list[Any]", value), keys, role, found, _walk_free)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            _walk_free(item, (*keys, name), role, found)


def _each(values: list[Any], keys: Keys, role: Role, found: list[Asked], walk: _Walk) -> None:
    if values and isinstance(values[0], int):  # tokens in place of a text
        return
    for place, item in enumerate(values):
        walk(item, (*keys, place), role, found)


def _replaced(value: Any, texts: list[tuple[Keys, str]], depth: int) -> Any:
    if len(texts[0][0]) == depth:
        return texts[0][1]
    below: dict[Key, list[tuple[Keys, str]]] = {}
    for keys, text in texts:
        below.setdefault(keys[depth], []).append((keys, text))
    copied = value.copy()
    for key, inner in below.items():
        copied[key] = _replaced(value[key], inner, depth + 1)
    return copied


def _step(key: Key) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _SHOWABLE.fullmatch(key) else ".?"

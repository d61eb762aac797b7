"""Reads a body: bytes to a dict that fits its endpoint's schema."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from plugins.core.call import Endpoint
from plugins.core.errors import BodyTooLarge, InvalidRequest
from plugins.proxy.schema.chat import Chat
from plugins.proxy.schema.checked import hook_for, kind_of
from plugins.proxy.schema.completions import Completions
from plugins.proxy.schema.embeddings import Embeddings
from plugins.proxy.schema.explain import explain
from plugins.proxy.schema.faults import shown
from plugins.proxy.schema.limits import DEFAULT_LIMITS, BodyLimits
from plugins.proxy.schema.messages import Messages
from plugins.proxy.schema.moderations import Moderations
from plugins.proxy.schema.responses import Responses
from plugins.proxy.schema.speech import Speech

_KINDS: Final[Mapping[Endpoint, type[msgspec.Struct]]] = {
    Endpoint.CHAT: Chat,
    Endpoint.COMPLETIONS: Completions,
    Endpoint.EMBEDDINGS: Embeddings,
    Endpoint.RESPONSES: Responses,
    Endpoint.MESSAGES: Messages,
    Endpoint.MODERATIONS: Moderations,
    Endpoint.SPEECH: Speech,
}
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""An escaped NUL; after an odd number of backslashes the same letters are only text."""
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A JSON string, closed or not: never more than one pass over the bytes."""
_MOST_SEARCHED: Final = 20_000
_decode: Final = msgspec.json.Decoder().decode


def parse_body(
    endpoint: Endpoint, raw: bytes, limits: BodyLimits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Check a JSON body against its endpoint's schema.

    The caller forwards `msgspec.json.encode(<the dict>)`, never `raw`: of a key that stands twice
    only the last value was checked, and only that one is in the dict.

    Args:
        endpoint: which door the body came through; not `TRANSCRIPTIONS`, whose body is a form.
        raw: the bytes as they came, decompressed.
        limits: the bounds of this body.

    Returns:
        The decoded JSON object: unchanged, without unknown fields, without NUL characters, without
        integers that are not exact everywhere.

    Raises:
        BodyTooLarge: more than `limits.max_bytes` bytes.
        InvalidRequest: anything else that is wrong, with `code` and `param`.
    """
    body = _decoded(raw, limits)
    if type(body) is not dict:
        message = f"The body must be a JSON object, not {kind_of(body)}."
        raise InvalidRequest(message, code="invalid_type")
    found = cast(dict[str, Any], body)
    _check_counts(endpoint, found, limits)
    kind = _KINDS[endpoint]
    try:
        msgspec.convert(found, kind, dec_hook=hook_for(limits))
    except msgspec.ValidationError as error:
        raise explain(error, found, kind).to_error() from None
    if b"\\u0000" in raw and _NUL.search(raw):
        raise _nul(found)
    return found


def _decoded(raw: bytes, limits: BodyLimits) -> Any:
    if len(raw) > limits.max_bytes:
        message = f"The body has {len(raw)} bytes but may have {limits.max_bytes}; send less."
        raise BodyTooLarge(message)
    if not raw.strip():
        raise InvalidRequest("The body is empty; send a JSON object.", code="invalid_json")
    most = limits.max_containers
    if _brackets(raw) > most and _brackets(_STRING.sub(b"", raw)) > most:
        message = f"The body holds more than {most} arrays and objects; send less."
        raise InvalidRequest(message, code="too_many_items")
    try:
        return _decode(raw)
    except RecursionError:
        message = f"The body nests deeper than {limits.max_depth} levels; make it flatter."
        raise InvalidRequest(message, code="too_deep") from None
    except UnicodeDecodeError:
        message = "The body is not valid UTF-8; encode it as UTF-8."
        raise InvalidRequest(message, code="invalid_json") from None
    except msgspec.DecodeError as error:
        message = f"The body is not valid JSON ({error}); send JSON as RFC 8259 has it."
        raise InvalidRequest(message, code="invalid_json") from None


def _brackets(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{")


def _check_counts(endpoint: Endpoint, body: dict[str, Any], limits: BodyLimits) -> None:
    for name, most in (
        ("messages", limits.max_messages),
        ("tools", limits.max_tools),
        ("functions", limits.max_tools),
        ("input", limits.max_input_items if endpoint is Endpoint.RESPONSES else limits.max_inputs),
        ("prompt", limits.max_inputs),
    ):
        items: Any = body.get(name)
        if type(items) is not list or len(found := cast(list[Any], items)) <= most:
            continue
        if type(found[0]) is int:  # one input, as tokens: bounded by the bytes alone
            continue
        message = f"`{name}` has {len(found)} items but may have {most}; send fewer."
        raise InvalidRequest(message, code="too_many_items", param=name)


def _nul(body: dict[str, Any]) -> InvalidRequest:
    param = _nul_path(body).removeprefix(".") or None
    where = f"`{param}`" if param else "The body"
    message = f"{where} holds the character U+0000, which cannot be stored; remove it."
    return InvalidRequest(message, code="invalid_value", param=param)


def _nul_path(body: dict[str, Any]) -> str:
    """Find a text with a NUL, or the object with such a key; empty where looking takes long."""
    layer: list[tuple[str, Any]] = [("", body)]
    seen = 0
    while layer and (seen := seen + len(layer)) < _MOST_SEARCHED:
        for path, value in layer:
            texts = (value,) if isinstance(value, str) else _keys(value)
            if any("\0" in text for text in texts):
                return path
        layer = [pair for path, value in layer for pair in _inner(path, value)]
    return ""


def _keys(value: Any) -> Iterable[str]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else ()


def _inner(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for index, item in enumerate(cast(list[Any], value)):
            yield f"{path}[{index}]", item
    elif isinstance(value, dict):
        for key, item in cast(dict[str, Any], value).items():
            yield f"{path}.{shown(key) or '?'}", item

"""Fields whose values need more than a type: each is a class with one `check`.

msgspec hands the decoded value of such a field to `check`, which raises `FieldError` for a fault;
the value itself is never changed.
"""

import binascii
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, cast

from typing_extensions import override

from plugins.proxy.schema.faults import FieldError, shown
from plugins.proxy.schema.fields import SAFE_INTEGER
from plugins.proxy.schema.limits import BodyLimits
from plugins.proxy.schema.steering import steers_in_metadata

Hook = Callable[[type, Any], Any]

_DATA_URL: Final = re.compile(
    r"data:[\w.+-]{1,127}/[\w.+-]{1,127}(?:;[\w.+-]{1,64}=[\w.+-]{1,64}){0,4};base64,", re.ASCII
)
_KINDS: Final[dict[type, str]] = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}
_KEY_CHARACTERS: Final = 64
_VALUE_CHARACTERS: Final = 512
_METADATA_KEYS: Final = 16


def kind_of(value: object) -> str:
    """Name the kind of a JSON value, as JSON calls it."""
    if value is None:
        return "null"
    return _KINDS.get(type(value), "a value")


def wrong_kind(wanted: str, value: object) -> FieldError:
    """Give the fault for a value of the wrong kind."""
    return FieldError("invalid_type", f" must be {wanted}, not {kind_of(value)}.")


class Checked:
    """A field that looks at its own value."""

    @classmethod
    def check(cls, value: object, limits: BodyLimits) -> None:
        """Raise FieldError unless the value may pass.

        Args:
            value: the decoded JSON value.
            limits: the bounds of this body.
        """
        raise NotImplementedError


@lru_cache(maxsize=16)
def hook_for(limits: BodyLimits) -> Hook:
    """Give msgspec's `dec_hook` under these limits."""

    def hook(kind: type, value: Any) -> Any:
        field = cast(type[Checked], kind)
        field.check(value, limits)
        return field()

    return hook


class FreeObject(Checked):
    """A JSON object of any content: a JSON schema, a tool's arguments."""

    @override
    @classmethod
    def check(cls, value: object, limits: BodyLimits) -> None:
        if type(value) is not dict:
            raise wrong_kind("an object", value)
        layer: list[Any] = [value]
        values = 0
        for _ in range(limits.max_depth):
            inner: list[Any] = []
            for node in layer:
                values += len(node)
                inner += _containers(node)
            if values > limits.max_free_values:
                after = f" holds more than {limits.max_free_values} values; make it smaller."
                raise FieldError("too_many_items", after)
            if not inner:
                return
            layer = inner
        after = f" nests deeper than {limits.max_depth} levels; make it flatter."
        raise FieldError("too_deep", after)


def _containers(node: Any) -> list[Any]:
    inner: list[Any] = []
    children = cast(Iterable[Any], node.values() if isinstance(node, dict) else node)
    for child in children:
        kind = cast(object, type(child))
        if kind is dict or kind is list:
            inner.append(child)
        elif kind is int and not -SAFE_INTEGER <= child <= SAFE_INTEGER:
            after = " holds an integer beyond 2^53, which not every reader keeps exact; "
            raise FieldError("invalid_value", after + "send it as a string.")
    return inner


def _check_base64(text: str) -> None:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        after = " is not valid base64; send it padded and without line breaks."
        raise FieldError("invalid_value", after) from None


class Base64(Checked):
    """Bytes as base64: padded, without line breaks, not empty."""

    @override
    @classmethod
    def check(cls, value: object, limits: BodyLimits) -> None:
        if not isinstance(value, str):
            raise wrong_kind("a string", value)
        if not value:
            raise FieldError("invalid_value", " is empty; send the bytes as base64.")
        _check_base64(value)


class DataUrl(Checked):
    """A `data:` URL with base64 inside; no other URL, for none is fetched for a client."""

    @override
    @classmethod
    def check(cls, value: object, limits: BodyLimits) -> None:
        if not isinstance(value, str):
            raise wrong_kind("a string", value)
        if not value.startswith("data:"):
            after = (
                " must be a `data:` URL, for the gateway fetches none; send the bytes as base64."
            )
            raise FieldError("url_not_allowed", after)
        head = _DATA_URL.match(value)
        if head is None or head.end() == len(value):
            after = " must read `data:<type>/<subtype>;base64,<bytes>`."
            raise FieldError("invalid_value", after)
        _check_base64(value[head.end() :])


class FileData(Checked):
    """A file's bytes, as a `data:` URL or as plain base64."""

    @override
    @classmethod
    def check(cls, value: object, limits: BodyLimits) -> None:
        plain = isinstance(value, str) and ":" not in value[:16]
        (Base64 if plain else DataUrl).check(value, limits)


class Metadata(Checked):
    """The caller's own words about a call: up to 16 texts, none that LiteLLM acts on.

    Source: OpenAI API reference, `metadata` (openai 2.54.0): 64 characters a key, 512 a value.
    """

    @override
    @classmethod
    def check(cls, value: object, limits: BodyLimits) -> None:
        if type(value) is not dict:
            raise wrong_kind("an object", value)
        pairs = cast(dict[str, object], value)
        if len(pairs) > _METADATA_KEYS:
            after = f" has {len(pairs)} keys but may have {_METADATA_KEYS}; remove some."
            raise FieldError("too_many_items", after)
        for key, text in pairs.items():
            _check_pair(key, text)


def _check_pair(key: str, text: object) -> None:
    path = f".{key}" if shown(key) else ""
    if not 0 < len(key) <= _KEY_CHARACTERS:
        after = f" has a key of {len(key)} characters; a key has 1 to {_KEY_CHARACTERS}."
        raise FieldError("invalid_value", after)
    if steers_in_metadata(key):
        after = " steers the gateway and is not open to tenants; remove it."
        raise FieldError("parameter_not_allowed", after, path=path)
    if not isinstance(text, str):
        raise FieldError("invalid_type", f" must be a string, not {kind_of(text)}.", path=path)
    if len(text) > _VALUE_CHARACTERS:
        after = f" has {len(text)} characters but may have {_VALUE_CHARACTERS}; shorten it."
        raise FieldError("invalid_value", after, path=path)

"""msgspec's words turned into a fault with a code, a path and a remedy."""

import re
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect as types

from plugins.proxy.schema import steering
from plugins.proxy.schema.faults import Fault, FaultError, shown

_LOCATED: Final = re.compile(r"(?s)(.*?)(?: - at (?:`key` in )?`\$([^`]*)`)?\Z")
_UNKNOWN: Final = re.compile(r"(?s)Object contains unknown field `(.*)`\Z")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`\Z")
_KIND: Final = re.compile(r"Expected `([^`]*)`, got `([^`]*)`\Z")
_LENGTH: Final = re.compile(r"Expected `(\w+)` of length ([<>]=) (\d+)\Z")
_RANGE: Final = re.compile(r"Expected `(\w+)` ([<>]=?) (\S+)\Z")
_PATTERN: Final = re.compile(r"Expected `str` matching regex (.*)\Z")
_CHOICE: Final = re.compile(r"(?s)Invalid (?:enum )?value (.*)\Z")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_TOOL: Final = re.compile(r".*(?:tools\[\d+\]|tool_choice)\.type\Z")
_KINDS: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_BOUNDS: Final = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}
_SHOWN_BELOW: Final = 10**24


def explain(error: msgspec.ValidationError, value: Any, kind: Any) -> Fault:
    """Say what is wrong with a value that msgspec refused.

    Args:
        error: what msgspec raised.
        value: the value it was given.
        kind: the type it was asked for.
    """
    located = _LOCATED.match(str(error))
    message, path = (located[1], located[2] or "") if located else (str(error), "")
    if isinstance(error.__cause__, FaultError):
        return error.__cause__.fault.under(path)
    for reader in (_unknown, _missing, _null, _kind, _length, _range, _pattern):
        fault = reader(message, path, value)
        if fault is not None:
            return fault
    return _choice(message, path, value, kind)


def _unknown(message: str, path: str, _value: Any) -> Fault | None:
    match = _UNKNOWN.match(message)
    if match is None:
        return None
    name = shown(match[1])
    if name is None:
        return Fault("unknown_parameter", path, " has a field that is not known; remove it.")
    code, reason = steering.unknown(name, top=not path)
    at = f"{path}.{name}"
    if not reason:
        return Fault(code, at, "; remove it.", before="Unknown parameter ")
    return Fault(code, at, f" {reason}.")


def _missing(message: str, path: str, _value: Any) -> Fault | None:
    match = _MISSING.match(message)
    if match is None:
        return None
    return Fault("missing_parameter", f"{path}.{match[1]}", " is required; add it.")


def _null(message: str, path: str, _value: Any) -> Fault | None:
    """Read the refusal of a field whose only type is null: one that is not open here."""
    if not message.startswith("Expected `null`, got"):
        return None
    name = path.rpartition(".")[2]
    return Fault("parameter_not_allowed", path, f" {steering.closed(name)}.")


def _kind(message: str, path: str, _value: Any) -> Fault | None:
    match = _KIND.match(message)
    if match is None:
        return None
    wanted = " or ".join(_KINDS.get(name, name) for name in match[1].split(" | "))
    got = _KINDS.get(match[2], match[2])
    return Fault("invalid_type", path, f" must be {wanted}, not {got}.")


def _length(message: str, path: str, value: Any) -> Fault | None:
    match = _LENGTH.match(message)
    if match is None:
        return None
    found = value_at(value, path)
    has = f" has {len(found)}" if isinstance(found, str | list | dict) else " has other"  # pyright: ignore[reportUnknownArgumentType] - JSON
    unit = {"str": "characters", "object": "keys"}.get(match[1], "items")
    too_many = match[2] == "<=" and match[1] != "str"
    remedy = "shorten it" if match[2] == "<=" else "add what is missing"
    after = f"{has} {unit} but must have {_BOUNDS[match[2]]} {match[3]}; {remedy}."
    return Fault("too_many_items" if too_many else "invalid_value", path, after)


def _range(message: str, path: str, value: Any) -> Fault | None:
    match = _RANGE.match(message)
    if match is None:
        return None
    found = value_at(value, path)
    is_shown = type(found) in (int, float) and abs(found) < _SHOWN_BELOW
    has = f" is {found} but must be" if is_shown else " must be"
    remedy = "lower it" if match[2].startswith("<") else "raise it"
    bound = match[3].removesuffix(".0")
    return Fault("invalid_value", path, f"{has} {_BOUNDS[match[2]]} {bound}; {remedy}.")


def _pattern(message: str, path: str, _value: Any) -> Fault | None:
    match = _PATTERN.match(message)
    if match is None:
        return None
    characters = re.search(r"\[([^\]]+)\]", match[1])
    allowed = characters[1] if characters else match[1]
    return Fault("invalid_value", path, f" may hold only the characters {allowed}; remove others.")


def _choice(message: str, path: str, value: Any, kind: Any) -> Fault:
    """Read the refusal of a value that is none of those listed; also whatever else is left."""
    named = _CHOICE.match(message)
    word = shown(named[1].strip("'\"")) if named else None
    if word and path.endswith(".type") and (_TOOL.match(path) or steering.hosted(word)):
        after = f" is `{word}`, which the provider runs and which is not open to tenants; "
        return Fault("tool_not_allowed", path, after + "use function or custom tools.")
    values = allowed_at(kind, value, path)
    if values:
        listed = ", ".join(f"`{v}`" for v in values)
        but = f" is `{word}` but" if word else ""
        return Fault("invalid_value", path, f"{but} must be one of {listed}.")
    return Fault("invalid_value", path, " has a value that cannot be taken.")


def value_at(value: Any, path: str) -> Any:
    """Find the value at a path such as `.messages[0].content`; None where there is none."""
    for name, index, _any in _STEP.findall(path):
        if name and isinstance(value, dict):
            value = value.get(name)  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType] - JSON
        elif index and isinstance(value, list) and int(index) < len(value):  # pyright: ignore[reportUnknownArgumentType] - JSON
            value = value[int(index)]  # pyright: ignore[reportUnknownVariableType] - JSON
        else:
            return None
    return value  # pyright: ignore[reportUnknownVariableType] - JSON


@lru_cache(maxsize=64)
def _type_info(kind: Any) -> types.Type:
    return types.type_info(kind)


def allowed_at(kind: Any, value: Any, path: str) -> list[str]:
    """List the words that the schema takes at a path, narrowed by the tags in the value."""
    kinds = [_type_info(kind)]
    for name, index, _any in _STEP.findall(path):
        flat = [inner for one in kinds for inner in _flatten(one)]
        kinds = [found for one in flat for found in _inside(one, name, value)]
        value = value_at(value, f".{name}" if name else f"[{index}]")
    flat = [inner for one in kinds for inner in _flatten(one)]
    words = {str(v) for one in flat if isinstance(one, types.LiteralType) for v in one.values}
    return sorted(words)


def _flatten(kind: types.Type) -> tuple[types.Type, ...]:
    if isinstance(kind, types.UnionType):
        return kind.types
    return (kind.type,) if isinstance(kind, types.Metadata) else (kind,)


def _inside(kind: types.Type, name: str, value: Any) -> list[types.Type]:
    if isinstance(kind, types.ListType):
        return [] if name else [kind.item_type]
    if not isinstance(kind, types.StructType):
        return []
    if name == kind.tag_field:
        return [types.LiteralType(values=(str(kind.tag),))]
    tag = value.get(kind.tag_field) if isinstance(value, dict) and kind.tag_field else kind.tag  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType] - JSON
    return [f.type for f in kind.fields if f.encode_name == name and tag == kind.tag]

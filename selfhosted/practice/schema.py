"""Instances of JSON schemas: the smallest valid value, filled with known facts where they fit.

Covers what the providers' structured outputs and tools accept: types, properties, required,
enum, const, anyOf / oneOf / allOf, local $ref, array and string and number bounds, formats.
Patterns are not solved. An endless schema (one that requires itself) is cut off.
"""

import re
from typing import Any, cast

from selfhosted.practice.prompt import Json

_MAX_DEPTH = 12
_MAX_NODES = 5000
_MAX_ITEMS = 1000
_MAX_TEXT = 10_000
_FORMATS = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "hostname": "example.com",
    "duration": "P1D",
}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def as_object(value: object) -> Json:
    """Return a value that is a JSON object as such, anything else as the empty object."""
    return cast("Json", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return a value that is a JSON array as such, anything else as the empty array."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def shape(schema: Json, hint: object = None) -> Any:
    """Make a value that satisfies a schema.

    Args:
        schema: JSON schema; `$ref` is followed within it.
        hint: a value whose fitting parts are used, such as an agent's own answer.

    Returns:
        A JSON value.
    """
    return _Shaper(schema).make(schema, hint, 0)


class _Shaper:
    def __init__(self, root: Json) -> None:
        self._root = root
        self._nodes = 0

    def make(self, schema: Json, hint: object, depth: int) -> Any:
        """Make a value for one schema node."""
        self._nodes += 1
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            options = as_list(schema["enum"])
            return hint if hint in options else (options[0] if options else None)
        kind = self._kind(schema, hint)
        if kind == "object":
            return self._object(schema, hint, depth)
        if kind == "array":
            return self._array(schema, hint, depth)
        if fits(kind, hint) and _within(schema, hint):
            return hint
        return _smallest(kind, schema)

    def _resolve(self, schema: Json) -> Json:
        for _ in range(_MAX_DEPTH):
            if "$ref" in schema:
                schema = self._follow(str(schema["$ref"]))
            elif options := as_list(schema.get("anyOf")) or as_list(schema.get("oneOf")):
                schema = as_object(options[0])
            elif parts := as_list(schema.get("allOf")):
                schema = self._merged(schema, parts)
            else:
                break
        return schema

    def _merged(self, schema: Json, parts: list[Any]) -> Json:
        merged: Json = {k: v for k, v in schema.items() if k != "allOf"}
        for part in map(as_object, parts):
            part = self._follow(str(part["$ref"])) if "$ref" in part else part
            properties = as_object(merged.get("properties")) | as_object(part.get("properties"))
            required = as_list(merged.get("required")) + as_list(part.get("required"))
            merged |= part
            if properties:
                merged |= {"properties": properties, "required": required}
        return merged

    def _follow(self, ref: str) -> Json:
        node: Json = self._root
        for name in ref.removeprefix("#").strip("/").split("/"):
            if name:
                node = as_object(node.get(name.replace("~1", "/").replace("~0", "~")))
        return node

    def _kind(self, schema: Json, hint: object) -> str:
        declared = schema.get("type")
        if isinstance(declared, list):
            kinds = [str(k) for k in as_list(cast("object", declared))]
            return next((k for k in kinds if fits(k, hint)), kinds[0] if kinds else "null")
        if declared is None:
            return "object" if "properties" in schema or not schema else "string"
        return str(declared)

    def _object(self, schema: Json, hint: object, depth: int) -> Json:
        properties = as_object(schema.get("properties"))
        required = as_list(schema.get("required"))
        known = as_object(hint)
        made: Json = {}
        for name, node in properties.items():
            if (name in required or name in known) and self._may_go(depth):
                made[name] = self.make(as_object(node), known.get(name), depth + 1)
        return made

    def _array(self, schema: Json, hint: object, depth: int) -> list[Any]:
        items = as_object(schema.get("items"))
        known = as_list(hint)[: int(schema.get("maxItems", _MAX_ITEMS))]
        wanted = max(len(known), min(int(schema.get("minItems", 0)), _MAX_ITEMS))
        padded = known + [None] * (wanted - len(known))
        return [self.make(items, one, depth + 1) for one in padded if self._may_go(depth)]

    def _may_go(self, depth: int) -> bool:
        """Tell whether there is room to go deeper; a schema may be endless."""
        return depth < _MAX_DEPTH and self._nodes < _MAX_NODES


def fits(kind: str, value: object) -> bool:
    """Tell whether a value is of a JSON type; a boolean is no number."""
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, _TYPES.get(kind, ()))


def _within(schema: Json, value: object) -> bool:
    """Tell whether a scalar keeps the bounds of its schema."""
    if isinstance(value, str):
        pattern = schema.get("pattern")
        return (
            int(schema.get("minLength", 0)) <= len(value) <= int(schema.get("maxLength", 10**9))
            and (pattern is None or re.search(str(pattern), value) is not None)
            and schema.get("format") in (None, "")
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _lowest(schema) <= value <= float(schema.get("maximum", float("inf")))
    return True


def _lowest(schema: Json) -> float:
    return float(schema.get("minimum", schema.get("exclusiveMinimum", float("-inf"))))


def _smallest(kind: str, schema: Json) -> Any:
    if kind == "string":
        return _string(schema)
    if kind in ("integer", "number"):
        return _number(kind, schema)
    return False if kind == "boolean" else None


def _string(schema: Json) -> str:
    known = _FORMATS.get(str(schema.get("format")), "")
    text = known or "unknown"[: int(schema.get("maxLength", 7))]
    return text.ljust(min(int(schema.get("minLength", 0)), _MAX_TEXT), "x")


def _number(kind: str, schema: Json) -> float | int:
    step = 1 if kind == "integer" else 0.5
    low = schema.get("minimum")
    if low is None and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + step
    high = schema.get("maximum")
    if high is None and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - step
    value: float = max(0, low) if low is not None else 0
    value = min(value, high) if high is not None else value
    multiple = schema.get("multipleOf")
    if multiple:
        value = -(-value // multiple) * multiple
    return int(value) if kind == "integer" else value

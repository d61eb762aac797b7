"""Whether a structured answer is what its JSON schema asks for. Pure, and bounded.

The schema comes from a client and the answer from a model: neither is trusted with the worker's
time. References to other addresses are never followed, a validation has a budget of steps (schemas
can be written whose work doubles with each line), and patterns run under a time limit in an engine
that has one.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType]
from referencing import Registry
from referencing.exceptions import Unresolvable

from plugins.core.json_text import DEEPEST, Path, leaves_of, path_text

MOST_FAULTS: Final = 20
"""Faults that are told of one answer: enough to mend it by."""
_MOST_STEPS: Final = 30_000
_LONGEST_MESSAGE: Final = 200
_PATTERN_LIMIT_S: Final = 0.01
_MOST_SLOW_PATTERNS: Final = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where an answer is not what its schema asks for.

    Args:
        path: where, as people read it; `$` for the whole.
        rule: keyword of the schema, such as `required`.
        message: what is wrong, cut to 200 characters; it may quote the answer.
    """

    path: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """What a validation found.

    Args:
        faults: up to `MOST_FAULTS`, by path.
        usable: False where the schema itself could not be used: it is then no fault of the answer.
        why: what is wrong with the schema; empty where it is usable.
    """

    faults: tuple[Fault, ...] = ()
    usable: bool = True
    why: str = ""

    @property
    def is_valid(self) -> bool:
        """Tell whether the answer is what was asked for; never by a schema that is unusable."""
        return self.usable and not self.faults


class _TooMuchError(Exception):
    """The validation takes more steps than it may."""


@dataclass(slots=True)
class _Budget:
    steps: int = _MOST_STEPS
    slow_patterns: int = 0


_BUDGET: Final[ContextVar[_Budget]] = ContextVar("schema_budget")

Keyword = Callable[[Any, Any, Any, Any], Any]


def _counted(keyword: Keyword) -> Keyword:
    def checked(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        budget = _BUDGET.get()
        budget.steps -= 1
        if budget.steps < 0:
            raise _TooMuchError
        yield from keyword(validator, value, instance, schema) or ()

    return checked


def _matches(pattern: str, text: str) -> bool | None:
    """Search for a pattern; None where that takes too long or it cannot be read."""
    budget = _BUDGET.get()
    if budget.slow_patterns >= _MOST_SLOW_PATTERNS:
        return None
    try:
        return regex.search(pattern, text, timeout=_PATTERN_LIMIT_S) is not None
    except TimeoutError:
        budget.slow_patterns += 1
        return None
    except regex.error:
        return None


def _pattern(_: Any, value: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and isinstance(value, str) and _matches(value, instance) is False:
        yield ValidationError(f"{instance!r} does not match {value!r}")


def _pattern_properties(
    validator: Any, value: Any, instance: Any, _: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    members = cast("dict[str, Any]", instance)
    for pattern, inner in value.items():
        for name, held in members.items():
            if _matches(pattern, name):
                yield from validator.descend(held, inner, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, value: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """As the standard one, with names matched under the time limit."""
    if not isinstance(instance, dict):
        return
    members = cast("dict[str, Any]", instance)
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [
        name
        for name in members
        if name not in named and not any(_matches(p, name) is not False for p in patterns)
    ]
    if isinstance(value, dict):
        for name in extra:
            yield from validator.descend(members[name], value, path=name)
    elif value is False and extra:
        yield ValidationError(f"{', '.join(map(repr, extra[:5]))} is not asked for")


def _unique(_: Any, value: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    """Compare the items as text: each with each takes seconds for two thousand objects."""
    if value is True and isinstance(instance, list):
        items = cast("list[Any]", instance)
        if len({json.dumps(item, sort_keys=True) for item in items}) < len(items):
            yield ValidationError("an item stands twice")


_OWN: Final[Mapping[str, Keyword]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique,
}
_Validator: Final[Any] = cast("Any", extend)(
    Draft202012Validator,
    {name: _counted(rule) for name, rule in {**Draft202012Validator.VALIDATORS, **_OWN}.items()},
)
# Without a way to fetch, what is not in the schema cannot be resolved.
_NOWHERE: Final[Registry[Any]] = Registry()


def check_schema(value: Any, schema: Mapping[str, Any]) -> SchemaCheck:
    """Validate a structured answer, in at most 30,000 steps (about 0.15 s).

    Args:
        value: parsed JSON.
        schema: JSON schema, draft 2020-12 (of older drafts what reads alike there).

    Returns:
        What was found. A schema that is broken, refers elsewhere or asks for too much work is
        `usable=False`.
    """
    try:
        why = _fault_of(json.dumps(schema, sort_keys=True))
    except (RecursionError, TypeError, ValueError):
        why = "it cannot be read"
    if why:
        return SchemaCheck(usable=False, why=why)
    token = _BUDGET.set(_Budget())
    try:
        found = list(_first(_Validator(schema, registry=_NOWHERE).iter_errors(value)))
    except _TooMuchError:
        return SchemaCheck(usable=False, why=f"it takes over {_MOST_STEPS} steps: simplify it")
    except Unresolvable as error:
        return SchemaCheck(usable=False, why=f"$ref {error.ref!r} is not within the schema")
    except RecursionError:
        return SchemaCheck(usable=False, why="it refers to itself without end")
    finally:
        _BUDGET.reset(token)
    return SchemaCheck(tuple(sorted(found, key=lambda fault: (fault.path, fault.rule))))


def _first(errors: Iterator[ValidationError]) -> Iterator[Fault]:
    for count, error in enumerate(errors, 1):
        path: Path = tuple(error.absolute_path)
        yield Fault(path_text(path), str(error.validator), error.message[:_LONGEST_MESSAGE])
        if count == MOST_FAULTS:
            return


@lru_cache(maxsize=256)
def _fault_of(text: str) -> str:
    """Say what is wrong with a schema; empty where nothing is."""
    schema: Any = json.loads(text)
    if any(len(path) > DEEPEST for path, _ in leaves_of(schema)):
        return f"it is nested more than {DEEPEST} deep"
    token = _BUDGET.set(_Budget())
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"{path_text(tuple(error.absolute_path))}: {error.message[:_LONGEST_MESSAGE]}"
    except (RecursionError, Unresolvable):
        return "it cannot be read"
    finally:
        _BUDGET.reset(token)
    return ""

"""How large and how deep a body may be."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The bounds of one body; every one of them is inclusive.

    Texts have no bound of their own: `max_bytes` bounds them all together.

    Args:
        max_bytes: bytes of the whole body.
        max_depth: levels that a free-form value (a JSON schema, a tool's arguments) may nest.
        max_containers: arrays and objects in the whole body.
        max_free_values: values inside one free-form object.
        max_messages: items of `messages`.
        max_input_items: items of a Responses `input`.
        max_tools: items of `tools` and of `functions`.
        max_inputs: texts or token lists in one embedding, completion or moderation call.
    """

    max_bytes: int = 2_000_000
    max_depth: int = 32
    max_containers: int = 100_000
    max_free_values: int = 50_000
    max_messages: int = 2048
    max_input_items: int = 2048
    max_tools: int = 128
    max_inputs: int = 2048


DEFAULT_LIMITS: Final = BodyLimits()

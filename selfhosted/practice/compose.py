"""From an ask to an answer: the agents' rules, the wanted form, the programmed faults."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from selfhosted.practice import answers, usage
from selfhosted.practice.faults import Plan
from selfhosted.practice.prompt import Ask, Json, Tool
from selfhosted.practice.schema import as_object, shape
from selfhosted.practice.wire import Refused


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The call of a function, arguments as JSON text."""

    name: str
    arguments: Json

    @property
    def arguments_json(self) -> str:
        """The arguments as JSON without spaces."""
        return msgspec.json.encode(self.arguments).decode()


@dataclass(frozen=True, slots=True)
class Composed:
    """An answer: a text, or the call of a tool."""

    text: str
    tool: ToolCall | None = None

    @property
    def tokens(self) -> int:
        """Tokens of the answer, by the rule in `usage`."""
        if self.tool is None:
            return usage.count(self.text)
        return usage.count(self.tool.name) + usage.count(self.tool.arguments_json)


def compose(ask: Ask, plan: Plan) -> Composed:
    """Answer an ask.

    Args:
        ask: the prompt and the wanted form.
        plan: faults of this call; a programmed answer wins over every rule.

    Returns:
        The same answer for the same ask.

    Raises:
        Refused: 400, for a schema that is none.
    """
    if plan.answer is not None:
        return Composed(plan.answer.text)
    tool = chosen(ask)
    if tool is not None:
        value = _shaped(tool.parameters, answers.facts(ask.prompt), "tools")
        return Composed("", ToolCall(tool.name, as_object(value)))
    answer = answers.answer(ask.prompt)
    if ask.schema is not None:
        known = answer if isinstance(answer, dict) else {}
        return Composed(_json(_shaped(ask.schema, known, "response_format")))
    if isinstance(answer, str):
        return Composed(_json({"answer": answer}) if ask.json_object else answer)
    return Composed(_json(answer))


def chosen(ask: Ask) -> Tool | None:
    """Pick the tool to call: the named or the first one, and only for a user's message."""
    if not ask.tools or ask.choice == "none" or ask.prompt.last.role != "user":
        return None
    return next((t for t in ask.tools if t.name == ask.choice), ask.tools[0])


@dataclass(frozen=True, slots=True)
class Limited:
    """A text after stop sequences and the token limit.

    Attributes:
        reason: `stop`, `length`, or the stop sequence's own `stop_sequence`.
    """

    text: str
    reason: str
    stopped_by: str | None = None


def limit(text: str, stop: list[str], max_tokens: int | None) -> Limited:
    """Cut a text at the first stop sequence, then at the token limit."""
    reason, by = "stop", None
    for sequence in stop:
        at = text.find(sequence)
        if sequence and at >= 0:
            text, reason, by = text[:at], "stop_sequence", sequence
    if max_tokens is not None and usage.count(text) > max_tokens:
        return Limited(usage.cut(text, max_tokens), "length")
    return Limited(text, reason, by)


def pieces(text: str, plan: Plan) -> list[str]:
    """Split a text into stream chunks: words with the space after them, or as programmed."""
    if not text:
        return []
    if plan.answer is not None and plan.answer.chunks is not None:
        return _evenly(text, plan.answer.chunks)
    parts = text.split(" ")
    chunks = [part + " " for part in parts[:-1]]
    if parts[-1]:
        chunks.append(parts[-1])
    return chunks


def _evenly(text: str, n: int) -> list[str]:
    """Split into exactly n pieces; some are empty when the text is shorter than n."""
    bounds = [round(i * len(text) / n) for i in range(n + 1)]
    return [text[a:b] for a, b in pairwise(bounds)]


def _shaped(schema: Json, known: Json, param: str) -> Any:
    try:
        return shape(schema, known)
    except (ValueError, TypeError, re.error) as fault:
        raise Refused(400, f"Invalid schema: {fault}", param=param) from None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

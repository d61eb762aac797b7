"""What a model is asked, whatever the wire format it came in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: `system`, `user`, `assistant` or `tool`, and its text."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call, with the JSON schema of its arguments."""

    name: str
    parameters: Json


@dataclass(frozen=True, slots=True)
class Prompt:
    """The conversation so far."""

    turns: tuple[Turn, ...]

    @property
    def system(self) -> str:
        """All system texts."""
        return "\n".join(t.text for t in self.turns if t.role == "system")

    @property
    def last_user(self) -> str:
        """The text of the last user message, or the empty text."""
        return next((t.text for t in reversed(self.turns) if t.role == "user"), "")

    @property
    def last(self) -> Turn:
        """The last message."""
        return self.turns[-1]


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt and the form the answer must have.

    Attributes:
        choice: `auto`, `none`, `required`, or the name of the tool to call.
        schema: JSON schema that the answer must satisfy, or None.
        json_object: the answer must be some JSON object.
    """

    prompt: Prompt
    tools: Sequence[Tool] = ()
    choice: str = "auto"
    schema: Json | None = None
    json_object: bool = False

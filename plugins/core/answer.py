"""What a model wrote, whole, whichever endpoint it came through and whether it was streamed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, as the judges see it.

    Args:
        texts: what was written, one for each choice; most calls have one.
        arguments: of the calls of tools, as the JSON texts that were written, in order.
        finish: why the model stopped, in the provider's word; None where it does not say.
        logprobs: of the first choice's tokens, as the provider gave them (`logprobs.content`);
            None where it gave none.
    """

    texts: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    finish: str | None = None
    logprobs: Any = None

    @property
    def text(self) -> str:
        """Give the first choice's text."""
        return self.texts[0] if self.texts else ""


class Fate(StrEnum):
    """What a judge wants done with an answer that is not good enough to be used unseen."""

    HOLD = "hold"
    """Keep it back until a person has decided: the client is told where to ask."""
    ESCALATE = "escalate"
    """Ask the next tier; this answer is given after all when none has a better one."""


@dataclass(frozen=True, slots=True)
class Mended:
    """The same answer with its text put right: masked, or its form mended.

    Args:
        texts: what takes the place of `Answer.texts`, one for each.
    """

    texts: tuple[str, ...]

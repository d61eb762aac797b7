"""The port through which a check asks a model: a call of its own, with a row of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from plugins.core.answer import Answer
from plugins.core.call import Call


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Args:
        purpose: why, a stable word such as `judge`; it is written into the row's variants.
        model: agent or model group that is asked.
        messages: in OpenAI's chat form.
        parameters: more of the request's body, such as `temperature`.
        timeout_s: how long it may take, seconds.
    """

    purpose: str
    model: str
    messages: Sequence[dict[str, Any]]
    parameters: dict[str, Any]
    timeout_s: float = 30.0


class Asker(Protocol):
    """Asks models on behalf of a call."""

    async def ask(self, call: Call, question: Question) -> Answer | None:
        """Ask, and wait.

        The new call is the same tenant's and key's, names `call` as its parent, is not judged
        itself (`Call.inner`), not cached, and never streamed.

        Args:
            call: on whose behalf.
            question: what is asked.

        Returns:
            The answer, or None when there was none in time, for whatever reason.
        """
        ...


class NoAsker:
    """Nobody to ask."""

    async def ask(self, call: Call, question: Question) -> Answer | None:
        """Give nothing."""
        return None


class LateAsker:
    """Asks through whatever is bound to it later: stages are built before the gateway is."""

    def __init__(self) -> None:
        self._bound: Asker = NoAsker()

    def bind(self, asker: Asker) -> None:
        """Ask through this from now on."""
        self._bound = asker

    async def ask(self, call: Call, question: Question) -> Answer | None:
        """Ask; a call that was itself asked for by a check may not ask in turn."""
        return None if call.inner else await self._bound.ask(call, question)

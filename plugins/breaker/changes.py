"""What changed of a circuit, as one value, and who is told of it. Pure but for the telling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from plugins.breaker.rules import Circuit, State

NAMES: Final = {"openai": "OpenAI", "vllm": "vLLM", "elevenlabs": "ElevenLabs"}
_WORDS: Final = {State.OPEN: "opened", State.HALF_OPEN: "half open", State.CLOSED: "closed"}


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """A circuit opened, closed, is probed, or was set by hand.

    Args:
        provider: whose circuit.
        before: as it worked.
        after: as it works now; the same when a hand only confirmed it.
        by: the `breaker` itself or an `operator`.
    """

    provider: str
    before: State
    after: State
    by: Literal["breaker", "operator"]

    @property
    def summary(self) -> str:
        """Say it in SPEC 8.3's words."""
        by_hand = " by hand" if self.by == "operator" else ""
        return f"{title(self.provider)} circuit breaker {_WORDS[self.after]}{by_hand}"


Listener = Callable[[CircuitChange], None]


def title(provider: str) -> str:
    """Write a provider as it writes itself."""
    return NAMES.get(provider, provider.capitalize())


def change_of(provider: str, before: Circuit, after: Circuit) -> CircuitChange | None:
    """Tell what people should hear of; None when only a count has changed.

    Args:
        provider: whose circuit changed.
        before: as it was.
        after: as it is.
    """
    by_hand = before.pinned != after.pinned
    if before.shown == after.shown and not by_hand:
        return None
    by = "operator" if by_hand else "breaker"
    return CircuitChange(provider, before.shown, after.shown, by)


def telling(listeners: Sequence[Listener]) -> Callable[[str, Circuit, Circuit], None]:
    """Make what `Circuits` calls for every change: it tells all listeners what people may hear."""

    def tell(provider: str, before: Circuit, after: Circuit) -> None:
        change = change_of(provider, before, after)
        if change is not None:
            for listener in listeners:
                listener(change)

    return tell

"""Says when a circuit opens and when it closes again."""

from plugins.breaker.rules import Circuit, State
from plugins.core.alerts import Alert, AlertPort

NAMES = {"openai": "OpenAI", "vllm": "vLLM", "elevenlabs": "ElevenLabs"}


def title(provider: str) -> str:
    """Write a provider as it writes itself."""
    return NAMES.get(provider, provider.capitalize())


def told(port: AlertPort, provider: str, before: Circuit, after: Circuit) -> None:
    """Raise or resolve the alert of SPEC 8.3; half-open is neither.

    Args:
        port: where alerts go.
        provider: whose circuit changed.
        before: as it was.
        after: as it is.
    """
    was_open = before.shown is not State.CLOSED
    is_open = after.shown is not State.CLOSED
    if was_open == is_open:
        return
    by_hand = " by hand" if after.pinned or before.pinned else ""
    word = "opened" if is_open else "closed"
    port.send(
        Alert(
            name="circuit_breaker_opened",
            subject=provider,
            summary=f"{title(provider)} circuit breaker {word}{by_hand}",
            severity="critical",
            resolved=not is_open,
            labels={"provider": provider},
        )
    )

"""What the server remembers between requests."""

import time
from collections import Counter

from selfhosted.practice.faults import Programme
from selfhosted.practice.journal import Journal
from selfhosted.practice.prefixes import PrefixTable
from selfhosted.practice.server import Listener


class State:
    """Faults per provider, the journal, seen prefixes, and the listeners to close and open.

    Args:
        providers: names of the providers.
    """

    def __init__(self, providers: list[str]) -> None:
        self.programmes = {name: Programme() for name in providers}
        self.journal = Journal(time.time)
        self.prefixes = PrefixTable(time.monotonic)
        self.listeners: dict[str, Listener] = {}
        self.tokens: dict[str, Counter[str]] = {name: Counter() for name in providers}
        self.started_s = time.monotonic()

    @property
    def providers(self) -> list[str]:
        """Names of the providers."""
        return list(self.programmes)

    def meter(self, provider: str, prompt: int, completion: int, reason: str) -> None:
        """Count the tokens of an answer and why it ended."""
        counts = self.tokens[provider]
        counts["prompt_tokens"] += prompt
        counts["completion_tokens"] += completion
        counts[f"ended_{reason}"] += 1

    async def clear_faults(self, providers: list[str]) -> None:
        """Forget the faults of some providers and open their ports again."""
        for name in providers:
            self.programmes[name].load([])
            if name in self.listeners:
                await self.listeners[name].reopen()

"""One try of a provider: how long it may be silent, what came of it, and why it failed."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from plugins.core.agent import TimeLimits
from plugins.core.call import Usage
from plugins.proxy.judging import Ruling
from plugins.proxy.streams import StreamFollower

TIMED_OUT: Final = "ProviderTimeout"
"""Error class of a try whose provider was silent for too long."""
_OPERATORS: Final = frozenset({401, 402, 403, 404, 405})
"""A provider's refusals that are no fault of the client's: a wrong key, a model that is gone."""
_PROVIDERS: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one try gave no answer to deliver.

    Args:
        group: the model group that was tried.
        status: HTTP status of LiteLLM's or the provider's answer; None when there was none.
        error_class: short stable word.
        body: LiteLLM's error.
        kept: what came, where it was an answer, but one without content or not good enough; it is
            delivered when no tier has a better one.
    """

    group: str
    status: int | None
    error_class: str
    body: bytes = b""
    kept: "Kept | None" = None

    @property
    def is_clients(self) -> bool:
        """Tell whether another provider would refuse the same request for the same reason."""
        status = self.status
        if status is None or status in _OPERATORS | _PROVIDERS:
            return False
        return 400 <= status < 500


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that is set aside, as it came.

    Args:
        deployment: that gave it.
        content_type: of the answer.
        frames: the body, or the events.
        usage: what it consumed.
        ruling: what the judges said of it; None where it has no content to be judged.
    """

    deployment: str | None
    content_type: bytes
    frames: tuple[bytes, ...]
    usage: Usage
    ruling: Ruling | None = None

    @property
    def is_stream(self) -> bool:
        """Tell whether it came in pieces."""
        return self.content_type.startswith(b"text/event-stream")

    @property
    def worth(self) -> float:
        """Rank it among others: the surer the better, and any content above none."""
        return -1.0 if self.ruling is None else self.ruling.confidence


class Silence:
    """Ends a try whose provider is silent for too long; never while the client is the slow one.

    `async with silence.limit:` raises TimeoutError then.

    Args:
        limits: of the agent.
        stream: the answer comes in pieces.
    """

    def __init__(self, limits: TimeLimits, *, stream: bool) -> None:
        self._between_s: Final = limits.between_chunks_s
        self._stream: Final = stream
        self._over = False
        self.limit: Final = asyncio.timeout(limits.first_byte_s if stream else limits.answer_s)

    def pause(self) -> None:
        """Stop counting: the client is being given something."""
        self._set(None)

    def heard(self) -> None:
        """Count anew: the provider has sent something."""
        if self._stream:
            self._set(asyncio.get_running_loop().time() + self._between_s)

    def over(self) -> None:
        """Stop counting for good: the try has come to its end."""
        self._set(None)
        self._over = True

    def _set(self, when: float | None) -> None:
        if not self._over and not self.limit.expired():
            self.limit.reschedule(when)


class EarlyEnd:
    """Ends a pass whose answer is no longer wanted, so that nobody generates or pays for the rest.

    An error from `send` would not do: it ends what LiteLLM writes, while what reads the provider is
    left to the garbage collector. Cancelled where it waits for the provider, it lets go at once.

    Args:
        work: the task that makes the pass.
    """

    def __init__(self, work: asyncio.Task[object]) -> None:
        self._work: Final = work
        self._handle: asyncio.Handle | None = None

    @property
    def asked(self) -> bool:
        """Tell whether the end was asked for."""
        return self._handle is not None

    def ask(self) -> None:
        """End the pass as soon as it waits for something."""
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._work.cancel)

    def over(self) -> None:
        """Note that the pass is over: what comes after it must not be ended."""
        if self._handle is not None:
            self._handle.cancel()

    def forgiven(self) -> bool:
        """Tell whether a cancellation was this one's, and nobody else's too."""
        return self.asked and not self._work.uncancel()


@dataclass(slots=True)
class Passage:
    """What has come of one try.

    Args:
        group: the model group that is tried.
        follower: reads its stream.
        silence: its clock.
    """

    group: str
    follower: StreamFollower
    silence: Silence
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    body: list[bytes] = field(default_factory=list[bytes])
    streaming: bool = False
    failure: Failure | None = None

    @property
    def content_type(self) -> bytes:
        """Give the answer's, which is JSON unless it says otherwise."""
        return self.headers.get(b"content-type", b"application/json")

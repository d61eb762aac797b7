"""The requests: a short chat, a resume to parse, and a stream."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from bench.wire import Place

STREAM_CHUNKS: Final = 100
ANSWER: Final = " ".join(f"word{n:02}" for n in range(STREAM_CHUNKS))
"""What the practice provider says to every call, so that its work is the same for both."""

_SERIAL: Final = "000000000000"
_serials: Final = itertools.count(1)
KNOWN: Final = range(999_999_999_000, 999_999_999_008)
"""Serial numbers of the calls that repeat: these few, over and over."""

_SHORT_SYSTEM: Final = (
    "You help recruiters of a logistics company. Answer in one short paragraph, in plain words, "
    "and name the skill that matters most for the role."
)
_SHORT_USER: Final = (
    f"Application {_SERIAL}: which of these matters most for a senior backend engineer in Lisbon: "
    "Python, PostgreSQL, or leading a small team?"
)
_PLACES: Final = ("Northwind Logistics", "Bluebird Pay", "Harbour Systems", "Tessellate Health")
_DEEDS: Final = (
    "cut the latency of order look-ups from 900 ms to 120 ms by moving them off the main database",
    "led the move of forty services to one deployment pipeline, which halved the failed releases",
    "wrote the reconciliation of card payments in Python and PostgreSQL; two audits found nothing",
    "mentored three junior engineers, two of whom now lead teams of their own",
    "designed the event schema that warehouse, billing and customer support share since then",
)


def _resume() -> str:
    """Write a resume of about 2,000 tokens."""
    jobs = [
        f"{2025 - 2 * n}-{2027 - 2 * n}  {_PLACES[n % 4]}, Engineer, grade {10 - n}\n"
        + "\n".join(f"  - In year {y + 1}, {deed}." for y, deed in enumerate(_DEEDS))
        for n in range(1, 16)
    ]
    return "\n".join([f"Maria Okafor, application {_SERIAL}", "Lisbon", "", "EXPERIENCE", *jobs])


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of call.

    Args:
        name: in the report.
        agent: what Sluice is asked for.
        model: the group that agent's first tier names; what bare LiteLLM is asked for.
        system: the system prompt.
        user: the user's message; its serial number makes every call a new one, so that no cache
            can answer.
        stream: asks for a stream.
        repeated: share of the calls that repeat a known one, 0 to 1; evenly spread.
    """

    name: str
    agent: str
    model: str
    system: str
    user: str
    stream: bool = False
    repeated: float = 0.0

    def requests(self, place: Place, key: str, model: str, path: str) -> Iterator[bytes]:
        """Give requests without end, each with a serial number: its own, or a known one.

        Args:
            place: the server.
            key: goes into `Authorization`.
            model: the name to ask for.
            path: of the chat route.
        """
        messages = [
            {"role": "system", "content": self.system},
            {"role": "user", "content": self.user},
        ]
        body = json.dumps({"model": model, "messages": messages, "stream": self.stream})
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {place.host}:{place.port}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body.encode())}\r\n\r\n"
        )
        before, after = (head + body).encode().split(_SERIAL.encode())
        return (b"%s%012d%s" % (before, number, after) for number in self._numbers())

    def _numbers(self) -> Iterator[int]:
        known = itertools.cycle(KNOWN)
        for n in itertools.count():
            repeats = int((n + 1) * self.repeated) > int(n * self.repeated)
            yield next(known if repeats else _serials)


SHORT: Final = Workload("short chat", "jd_enrichment", "gpt-4o", _SHORT_SYSTEM, _SHORT_USER)
RESUME: Final = Workload(
    "resume",
    "resume_parsing",
    "gpt-4o-mini",
    "You extract skills and experience from a resume. Answer with JSON.",
    _resume(),
)
HITS: Final = replace(SHORT, name="the same few chats", repeated=1.0)
MIXED: Final = replace(SHORT, name="short chat, 40 % repeated", repeated=0.4)
STREAM: Final = Workload(
    "stream", "voice_interview", "gpt-4o", _SHORT_SYSTEM, _SHORT_USER, stream=True
)

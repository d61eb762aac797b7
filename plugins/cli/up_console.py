"""What `sluice up` says: progress while it starts, then how to make the first calls."""

import json
import os
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.markup import escape
from typing_extensions import override

RESUME: Final = """\
Maria Okafor
Lisbon, Portugal
maria.okafor@example.com | +351 555 0142 | github.com/maria-okafor

EXPERIENCE
Staff Engineer, Northwind Logistics, Mar 2019 - Present
- Led a team of 6; cut order latency from 900 ms to 120 ms with Python and Kafka
Backend Engineer, Bluebird Pay, Sep 2015 - Feb 2019
- Built the ledger on PostgreSQL; passed two PCI DSS audits

EDUCATION
MSc Computer Science, University of Porto, 2015

SKILLS
Python, PostgreSQL, Kafka, Kubernetes
"""
JOB: Final = "Enrich this job description: Senior Backend Engineer, Lisbon. Python, PostgreSQL."


class PipeConsole(Console):
    """A console that falls silent when its reader is gone, as after Ctrl-C in `up | tee log`."""

    @override
    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


class Report:
    """Lines for the operator: a spinner on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._out: Final = PipeConsole(highlight=False)
        self._err: Final = PipeConsole(stderr=True, highlight=False)

    @contextmanager
    def step(self, doing: str, done: str) -> Generator[None]:
        """Show that something is being done, then that it is and how long it took."""
        began = time.monotonic()
        waiting = self._out.status(doing) if self._out.is_terminal else nullcontext()
        with waiting:
            yield
        took_s = time.monotonic() - began
        self._out.print(f"[green]ok[/]  {escape(done)} [dim]({took_s:.1f} s)[/]", soft_wrap=True)

    def say(self, text: str) -> None:
        """Write one line."""
        self._out.print(text, markup=False, soft_wrap=True)

    def fail(self, text: str) -> None:
        """Write an error."""
        self._err.print("[bold red]error[/]: ", end="")
        self._err.print(text, markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a newcomer needs to know once the gateway is ready.

    Args:
        base_url: without a slash at the end.
        took_s: seconds from the command to the first possible call.
        admin_key: made just now, or None.
        demo_key: the demo tenant's, or None when nobody knows it any more.
        demo_is_new: tells whether it was made just now.
        practising: providers that a stand-in plays.
        data_dir: as the operator wrote it.
        notices: what the proxy has to say of its models.
    """

    base_url: str
    took_s: float
    admin_key: str | None
    demo_key: str | None
    demo_is_new: bool
    practising: Sequence[str]
    data_dir: str
    notices: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Write it all."""
        return [
            "",
            f"Sluice is ready after {self.took_s:.1f} s: {self.base_url}",
            "",
            *self._keys(),
            *self._practice(),
            *(f"  NOTE: {notice}" for notice in self.notices),
            "",
            *curls(self.base_url, self.demo_key or "$SLUICE_KEY"),
            "",
            "Ctrl-C stops it; data is kept in " + self.data_dir,
        ]

    def _keys(self) -> list[str]:
        lines: list[str] = []
        if self.admin_key:
            lines.append(f"  administrator's key (shown this once): {self.admin_key}")
        if self.demo_key and self.demo_is_new:
            kept = f"{self.data_dir}/demo_key"
            lines.append(f"  demo tenant's key (a demo: also kept in {kept}): {self.demo_key}")
        if not lines:
            lines.append("  keys were shown on the first run; `sluice keys create` makes a new one")
        if not self.demo_key:
            lines.append("  export SLUICE_KEY=<a tenant's key> before the commands below")
        return lines

    def _practice(self) -> list[str]:
        if not self.practising:
            return ["  every provider is real: calls cost money"]
        names = ", ".join(self.practising)
        return [
            f"  PRACTICE: no key was found for {names}; a local stand-in answers for them",
            "  (marked x-sluice-practice: true). Set e.g. OPENAI_API_KEY and start again.",
        ]


def curls(base_url: str, key: str) -> list[str]:
    """Write one command for each thing a newcomer does, to be pasted as it is."""
    parse = {"model": "resume_parsing", "messages": [{"role": "user", "content": RESUME}]}
    stream = {
        "model": "jd_enrichment",
        "stream": True,
        "messages": [{"role": "user", "content": JOB}],
    }
    embed = {"model": "embedding", "input": "Senior Backend Engineer, Python, PostgreSQL"}
    return [
        "# parse a resume",
        _post(base_url, "/v1/chat/completions", key, parse),
        "",
        "# enrich a job description, as a stream",
        _post(base_url, "/v1/chat/completions", key, stream, options="-sN"),
        "",
        "# embed",
        _post(base_url, "/v1/embeddings", key, embed),
        "",
        "# see what it cost",
        f"curl -s {base_url}/sluice/spend -H {_quoted(f'Authorization: Bearer {key}')}",
    ]


def _post(
    base_url: str, path: str, key: str, body: Mapping[str, object], *, options: str = "-s"
) -> str:
    headers = ("Content-Type: application/json", f"Authorization: Bearer {key}")
    flags = " ".join(f"-H {_quoted(header)}" for header in headers)
    text = json.dumps(body, indent=1, ensure_ascii=False).replace("'", "'\\''")
    return f"curl {options} {base_url}{path} {flags} -d '{text}'"


def _quoted(text: str) -> str:
    """Quote a header for the shell, leaving a variable to be filled in."""
    return f'"{text}"'

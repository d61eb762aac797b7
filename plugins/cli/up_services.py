"""What `sluice up` runs beside the engines: LiteLLM's proxy and the practice server."""

import http.client
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from selfhosted.engines.process import Launch, Record
from selfhosted.supervisor import Gate, Program

DRAIN_S: Final = 30.0
"""What calls in flight get before the proxy is killed."""
ASK_LIMIT_S: Final = 2.0
FAULT: Final = re.compile(r"^\s*(?:[\w.]*(?:Error|Exception|Fault)\b|- |error:)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens.

    Args:
        host: address as the operator wrote it.
        port: its number.
    """

    host: str
    port: int

    @property
    def near(self) -> str:
        """Give the address under which this machine itself reaches it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound

    @property
    def url(self) -> str:
        """Give its address, without a slash at the end."""
        host = f"[{self.near}]" if ":" in self.near else self.near
        return f"http://{host}:{self.port}"

    def answers(self, path: str) -> bool:
        """Tell whether GET on a path gives 200 within two seconds."""
        line = http.client.HTTPConnection(self.near, self.port, timeout=ASK_LIMIT_S)
        try:
            line.request("GET", path)
            return line.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()


def warm_up(place: Place) -> bool:
    """Tell whether the gateway has started and warmed itself up."""
    return place.answers("/health/readiness")


def practice(place: Place, data_dir: Path, environ: Mapping[str, str]) -> Program:
    """Describe the practice server."""
    argv = [sys.executable, "-m", "selfhosted.practice", "--quiet"]
    argv += ["--host", place.host, "--port", str(place.port)]
    launch = Launch(argv, data_dir / "logs" / "practice.log", env=environ)
    record = Record(data_dir / "run" / "practice.json")
    return Program(
        "practice provider", launch, lambda: place.answers("/health"), record, gentle_s=2.0
    )


def proxy(
    place: Place, data_dir: Path, environ: Mapping[str, str], gate: Gate, *options: str
) -> Program:
    """Describe LiteLLM's proxy, held back by a gate until its stores are ready.

    Args:
        place: where it will listen.
        data_dir: where its log and its record go.
        environ: its whole environment.
        gate: opened when everything it needs is there.
        options: further options of LiteLLM's command.
    """
    argv = [sys.executable, "-m", "selfhosted.litellm_host", *options, "--telemetry", "False"]
    argv += ["--host", place.host, "--port", str(place.port)]
    launch = Launch(argv, data_dir / "logs" / "proxy.log", env=environ)
    record = Record(data_dir / "run" / "proxy.json")
    return Program("proxy", launch, lambda: warm_up(place), record, gentle_s=DRAIN_S, gate=gate)


def telling_line(log: Path, since: int) -> str:
    """Find the line of a log that names a fault; the last one if none does.

    Args:
        log: the file.
        since: offset in bytes at which the lines of interest begin.
    """
    try:
        text = log.read_bytes()[since:].decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if FAULT.match(line)]
    return (telling or lines or [""])[-1]

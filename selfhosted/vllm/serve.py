"""Keeps the servers of one model running: starts, warms, watches, and starts again."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from selfhosted.engines.process import Launch, Record, last_line
from selfhosted.supervisor import Program, Supervisor, rotate
from selfhosted.vllm.command import Options, command, environment
from selfhosted.vllm.manifest import Manifest, Replica
from selfhosted.vllm.readiness import Readiness, healthy, variables_key, warm_up

GENTLE_S: Final = 20.0
"""What a server gets to finish the answers it has begun."""
LOOK_S: Final = 0.5
HUNG_S: Final = 60.0
"""A server that was ready and whose health check says nothing for so long is killed."""
LOADING_S: Final = 1800.0
"""The same for one that is still loading its weights."""
_ASK: Final = "import importlib.util as u, sys; sys.exit(u.find_spec('vllm') is None)"
INSTALL: Final = (
    "make an environment for it (python3 -m venv .venv-vllm && .venv-vllm/bin/pip install"
    " vllm==0.32.0) and name its interpreter with --python or SLUICE_VLLM_PYTHON; see"
    " docs/self-hosted.md"
)

Say = Callable[[str], None]


class ServeError(Exception):
    """A model cannot be served; the message says why and what to do."""


def require_vllm(python: str) -> None:
    """Make sure that an interpreter has vLLM, without importing it.

    Raises:
        ServeError: when it has not, with the remedy.
    """
    try:
        asked = subprocess.run([python, "-c", _ASK], check=False, capture_output=True)  # noqa: S603 - the operator's interpreter
    except OSError as error:
        raise ServeError(
            f"{python} cannot be run ({error.strerror}); name an interpreter with --python"
        ) from error
    if asked.returncode:
        raise ServeError(f"vLLM is not installed for {python}; {INSTALL}")


@dataclass(slots=True)
class Server:
    """One replica as it runs.

    Args:
        program: its process.
        readiness: whether it is up and warm.
        record: who runs it, for whoever comes after a crash.
        address: without a path.
        since_s: when it was last ready, or was started, on the monotonic clock.
        loading: it has not been ready since it was started.
    """

    program: Program
    readiness: Readiness
    record: Record
    address: str
    since_s: float = 0.0
    loading: bool = True


def server_of(
    manifest: Manifest, replica: Replica, options: Options, data_dir: Path, say: Say
) -> Server:
    """Make one replica ready to be started."""
    if options.port is not None:
        replica = replica.model_copy(update={"port": options.port})
    name = f"{manifest.group}:{replica.port}"
    made = command(manifest, replica, options)
    environ = environment(os.environ, made.variables)
    key = variables_key(environ)
    readiness = Readiness(
        replica.address,
        check=healthy,
        warm=lambda: warm_up(replica.address, manifest, key),
        say=say,
        name=name,
    )
    record = Record(data_dir / "run" / f"{replica.port}.json")
    launch = Launch(made.argv, data_dir / f"{name.replace(':', '-')}.log", env=environ)
    program = Program(name, launch, readiness, record, gentle_s=GENTLE_S)
    return Server(program, readiness, record, replica.address)


def serve(servers: Sequence[Server], say: Say, stopping: Event, ready: Callable[[], None]) -> None:
    """Run servers until told to stop.

    Args:
        servers: none of them started.
        say: takes one line for the operator.
        stopping: set from outside to end.
        ready: called once, when all of them are up and warm.

    Raises:
        ServeError: when one ends before it ever was ready: a fault of its set-up, which starting
            it again would not mend.
    """
    try:
        for server in servers:
            _end_leftover(server)
            server.program.spawn()
            say(f"{server.program.name} is starting (see {server.program.log})")
        _until_ready(servers, stopping)
        if stopping.is_set():
            return
        ready()
        _watch(servers, say, stopping)
    finally:
        for server in servers:
            server.program.stop()


def _end_leftover(server: Server) -> None:
    try:
        server.record.leftover()
    except ChildProcessError as error:
        raise ServeError(
            f"{server.program.name} is served by process {error} already; stop that first"
        ) from error
    server.program.end_leftover()


def _until_ready(servers: Sequence[Server], stopping: Event) -> None:
    waiting = list(servers)
    while waiting and not stopping.wait(LOOK_S):
        for server in waiting:
            program = server.program
            if not program.alive:
                said = last_line(program.log, since=program.log_from) or "it said nothing"
                raise ServeError(
                    f"{program.name} ended before it was ready: {said} (all of it: {program.log})"
                )
        waiting = [server for server in waiting if not server.program.ready]


def _watch(servers: Sequence[Server], say: Say, stopping: Event) -> None:
    supervisor = Supervisor([server.program for server in servers], say)
    for server in servers:
        server.since_s, server.loading = time.monotonic(), False
    while not stopping.wait(LOOK_S):
        supervisor.step()
        for server in servers:
            look(server, time.monotonic(), say)
            rotate(server.program.log)


def look(server: Server, now_s: float, say: Say) -> None:
    """Kill a server that lives and has said nothing for too long; it is then started again.

    Args:
        server: one of those watched.
        now_s: monotonic seconds.
        say: takes one line for the operator.
    """
    program = server.program
    if not program.alive:
        server.readiness.forget()
        server.since_s, server.loading = now_s, True
    elif program.ready:
        server.since_s, server.loading = now_s, False
    elif now_s - server.since_s > (LOADING_S if server.loading else HUNG_S):
        say(f"{program.name} has not answered for {now_s - server.since_s:.0f} s; killing it")
        program.stop(hard=True)


def write_ready(path: Path, servers: Sequence[Server]) -> None:
    """Say in a file who serves where, for whoever started this."""
    told = {
        "servers": [
            {"name": s.program.name, "base_url": f"{s.address}/v1", "pid": s.program.pid}
            for s in servers
        ]
    }
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(told))
    draft.replace(path)

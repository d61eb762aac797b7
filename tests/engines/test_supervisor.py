"""The supervisor on a clock of its own, and programs with real processes."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from selfhosted.engines import EngineError
from selfhosted.engines.process import Identity, Launch, Record, wait_until
from selfhosted.supervisor import (
    Gate,
    Program,
    Supervisor,
    ending,
    rotate,
    session_of,
    wait_before_restart_s,
)


@dataclass
class FakeService:
    """A service that dies and recovers when the test says so."""

    name: str = "Redis"
    log: Path = Path("redis.log")
    alive: bool = True
    ready: bool = True
    exit_code: int | None = None
    spawned: int = 0
    fault: Exception | None = None

    @property
    def pid(self) -> int | None:
        return 7 if self.alive else None

    def spawn(self) -> None:
        self.spawned += 1
        if self.fault:
            raise self.fault
        self.alive = True

    def stop(self, *, hard: bool = False) -> None:
        self.alive = False


@dataclass
class Bench:
    """A supervisor over one service, its clock and what it said."""

    service: FakeService = field(default_factory=FakeService)
    now_s: float = 1000.0
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor([self.service], self.said.append, lambda: self.now_s)

    def step(self, after_s: float = 0.0) -> bool:
        self.now_s += after_s
        return self.supervisor.step()

    def die(self, code: int) -> None:
        self.service.alive, self.service.ready, self.service.exit_code = False, False, code


@pytest.mark.parametrize(
    ("failures", "wait_s"), [(1, 0.2), (2, 0.4), (3, 0.8), (5, 3.2), (6, 5.0), (40, 5.0)]
)
def test_restarts_come_ever_more_slowly_up_to_five_seconds(failures: int, wait_s: float) -> None:
    assert wait_before_restart_s(failures) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-200, "signal 200"), (None, "unkn")],
)
def test_the_end_of_a_process_is_told_in_words(code: int | None, words: str) -> None:
    assert ending(code).startswith(words)


def test_a_service_that_dies_is_started_again_and_both_are_said() -> None:
    bench = Bench()
    assert not bench.step()
    bench.die(-signal.SIGKILL)
    bench.step()
    assert bench.said == [
        "Redis stopped by itself (SIGKILL); starting it again in 0.2 s (see redis.log)"
    ]
    assert not bench.step(0.1)
    assert bench.service.spawned == 0
    assert bench.step(0.1)
    assert bench.service.spawned == 1
    assert not bench.step(0.5)
    bench.service.ready = True
    assert bench.step(0.5)
    assert bench.said[1:] == ["Redis is back after 1.2 s"]


def test_a_service_that_cannot_be_started_is_tried_again_with_its_reason() -> None:
    bench = Bench()
    bench.die(1)
    bench.service.fault = EngineError("no space left")
    bench.step()
    bench.step(0.2)
    assert "(no space left); starting it again in 0.4 s" in bench.said[-1]
    bench.service.fault = None
    bench.step(0.4)
    assert bench.service.spawned == 2


def test_running_for_half_a_minute_ends_a_series_of_failures() -> None:
    bench = Bench()
    for _ in range(3):
        bench.die(1)
        bench.step()
        bench.step(5)
        bench.service.ready = True
        bench.step()
    assert "in 0.8 s" in bench.said[-2]
    bench.step(30)
    bench.die(1)
    bench.step()
    assert "in 0.2 s" in bench.said[-1]


PARENT_OF_ANOTHER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("ready", child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    log = tmp_path / "program.log"
    launch = Launch([sys.executable, "-c", PARENT_OF_ANOTHER], log)
    found = Program(
        "program", launch, lambda: b"ready" in log.read_bytes(), Record(tmp_path / "p.json"),
        gentle_s=2.0,
    )  # fmt: skip
    yield found
    found.stop(hard=True)


def test_a_program_ends_with_everything_it_has_started(program: Program) -> None:
    program.spawn()
    assert wait_until(lambda: program.ready, 10)
    pid = program.pid
    assert pid is not None
    assert len(session_of(pid)) == 2
    program.stop()
    assert program.exit_code == -signal.SIGTERM
    assert session_of(pid) == []


def test_a_program_that_is_started_again_leaves_no_orphan_behind(program: Program) -> None:
    program.spawn()
    assert wait_until(lambda: program.ready, 10)
    first = program.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not program.alive, 5)
    assert len(session_of(first)) == 1
    program.spawn()
    assert session_of(first) == []
    assert program.alive


def test_orphans_of_a_gateway_that_was_killed_are_ended_by_the_next(
    program: Program, tmp_path: Path
) -> None:
    program.spawn()
    assert wait_until(lambda: program.ready, 10)
    first = program.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not program.alive, 5)
    launch = Launch(["unused"], tmp_path / "program.log")
    after = Program("program", launch, lambda: True, Record(tmp_path / "p.json"), gentle_s=1.0)
    after.end_leftover()
    assert session_of(first) == []
    assert not (tmp_path / "p.json").exists()


WAITING = "import sys; sys.exit(0 if sys.stdin.readline() else 3)"


@pytest.mark.parametrize(("opened", "code"), [(True, 0), (False, 3)])
def test_a_program_behind_a_gate_waits_for_it_and_ends_with_its_owner(
    tmp_path: Path, opened: bool, code: int
) -> None:
    gate = Gate()
    launch = Launch([sys.executable, "-c", WAITING], tmp_path / "waiting.log")
    record = Record(tmp_path / "waiting.json")
    program = Program("waiting", launch, lambda: True, record, gentle_s=1.0, gate=gate)
    program.spawn()
    assert not wait_until(lambda: not program.alive, 0.2)
    if opened:
        gate.open()
    else:
        gate.close()
    assert wait_until(lambda: not program.alive, 10)
    assert program.exit_code == code
    if opened:  # and is not held back when it is started again
        program.spawn()
        assert wait_until(lambda: not program.alive, 10)
        assert program.exit_code == 0
    program.stop()


def test_a_log_is_kept_within_bounds_while_somebody_appends(tmp_path: Path) -> None:
    log = tmp_path / "proxy.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 10)
        rotate(log, limit_bytes=40)
        assert log.read_bytes() == b"old\n" * 10
        writer.write(b"!")
        rotate(log, limit_bytes=40)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "proxy.log.1").read_bytes() == b"old\n" * 10 + b"!"


def test_a_process_that_is_gone_has_no_identity() -> None:
    assert Identity.of(2**22 + 1) is None
    assert Identity.of(os.getpid()) == Identity.of(os.getpid())

"""A stage and a guardrail of the tests' own: they write down which phases ran, and refuse on cue.

The gateway under test names them in its configuration, as anybody's plugin would be named.
"""

import asyncio
import itertools
import os
from pathlib import Path

import orjson

from plugins.core.call import Attempt, Call
from plugins.core.checks import CheckRule, Mode, OnFailure
from plugins.core.errors import Forbidden, GatewayError
from plugins.core.gate import guarded
from plugins.core.stage import Stage
from plugins.core.verdict import Action, Finding, Verdict
from plugins.proxy.guardrails import guardrail_class
from plugins.proxy.hooks import PluginSwitch

CUE = "refuse-in:"
BUG = "raise-in:"
SOFT_REJECT = "soft-reject"
"""A session whose answers the probe finds not good enough."""


def _note(stage: str, phase: str, call: Call, **more: object) -> None:
    path = os.environ.get("SLUICE_TEST_PROBE")
    if path:
        line = orjson.dumps({"call": call.id, "stage": stage, "phase": phase, **more})
        with Path(path).open("ab") as file:
            file.write(line + b"\n")


def _cued(call: Call, stage: str, phase: str) -> GatewayError | None:
    """Refuse, or fail as a bug would, when the caller's session names this stage and phase."""
    if call.context.session == f"{BUG}{stage}.{phase}":
        raise RuntimeError(f"a bug in {phase}")
    if call.context.session == f"{CUE}{stage}.{phase}":
        return Forbidden(f"refused on cue in {phase}", code="refused_on_cue")
    return None


class ProbeStage(Stage):
    name = "probe"

    async def admit(self, call: Call) -> GatewayError | None:
        _note(self.name, "admit", call)
        return _cued(call, self.name, "admit")

    async def prepare(self, call: Call) -> GatewayError | None:
        _note(self.name, "prepare", call)
        return _cued(call, self.name, "prepare")

    async def check_input(self, call: Call) -> GatewayError | None:
        _note(self.name, "check_input", call)
        return _cued(call, self.name, "check_input")

    async def attempt(self, call: Call, attempt: Attempt) -> None:
        _note(self.name, "attempt", call, deployment=attempt.deployment)

    async def attempt_ended(self, call: Call, attempt: Attempt) -> None:
        _note(
            self.name,
            "attempt_ended",
            call,
            deployment=attempt.deployment,
            error=attempt.error_class,
        )

    async def check_output(self, call: Call, answer: bytes) -> bytes | GatewayError | None:
        _note(self.name, "check_output", call, size=len(answer))
        if call.context.session == SOFT_REJECT:
            call.verdict, call.confidence = Verdict.SOFT_REJECT, 0.4
            call.findings.append(Finding(self.name, "unfounded", Action.FLAG, "answer.years"))
        return _cued(call, self.name, "check_output")

    def check_chunk(self, call: Call, frame: bytes) -> bytes | GatewayError | None:
        _note(self.name, "check_chunk", call, size=len(frame))
        return _cued(call, self.name, "check_chunk")

    async def settle(self, call: Call) -> GatewayError | None:
        _note(self.name, "settle", call, outcome=call.outcome, cost=str(call.cost_usd))
        return None

    async def observe(self, call: Call) -> None:
        _note(self.name, "observe", call, tasks=len(asyncio.all_tasks()))


async def _raises() -> None:
    raise ValueError("the prompt's own words")


async def _hangs() -> None:
    await asyncio.Event().wait()


async def _is_slow() -> None:
    for _step in itertools.count():
        await asyncio.sleep(0)


class GuardStage(Stage):
    """A session `check <how it fails> <open or closed>` lets its check fail."""

    name = "probe-guard"

    async def check_input(self, call: Call) -> GatewayError | None:
        _note(self.name, "check_input", call)
        match (call.context.session or "").split():
            case ["check", how, on_failure]:
                work = {"raises": _raises, "hangs": _hangs, "is-slow": _is_slow}[how]()
                rule = CheckRule(Mode.BLOCK, OnFailure(on_failure), 0.1)
                return await guarded(call, "probe", rule, work)
            case _:
                return _cued(call, self.name, "check_input")


switch = PluginSwitch(ProbeStage.name, ProbeStage())
Guard = guardrail_class(GuardStage.name, GuardStage)

"""A stage and a guardrail of the tests' own: they write down which phases ran, and refuse on cue.

The gateway under test names them in its configuration, as anybody's plugin would be named.
"""

import asyncio
import itertools
import os
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson

from plugins import assembly
from plugins.core.answer import Answer, Fate, Mended
from plugins.core.asking import Asker, NoAsker, Question
from plugins.core.call import Attempt, Call, Endpoint
from plugins.core.checks import CheckRule, Mode, OnFailure
from plugins.core.errors import Forbidden, GatewayError, InvalidRequest
from plugins.core.gate import guarded
from plugins.core.review import Reason
from plugins.core.stage import Stage
from plugins.core.verdict import Action, Finding, Verdict
from plugins.proxy.guardrails import guardrail_class
from plugins.proxy.hooks import PluginSwitch

CUE = "refuse-in:"
BUG = "raise-in:"
PID = os.getpid()
"""Of the worker, which imports this itself."""
SOFT_REJECT = "soft-reject"
"""A session whose answers the probe finds not good enough."""
HOLD = "hold"
"""A session whose answers the probe keeps back until a person has decided."""
HELD_BACK = b'{"object":"sluice.review","state":"pending"}'


def _note(stage: str, phase: str, call: Call, **more: object) -> None:
    path = os.environ.get("SLUICE_TEST_PROBE")
    if path:
        line = orjson.dumps({"call": call.id, "stage": stage, "phase": phase, "pid": PID, **more})
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
            call.findings.append(Finding(self.name, "unfounded", Action.FLAG, "answer:0-4"))
            call.ask_review(Reason.SOFT_REJECT)
        if call.context.session == HOLD:
            call.ask_review(Reason.HELD)
            call.shareable = False
            return HELD_BACK
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


CHECKS = "checks:"
"""Begins a session that says what `CheckingStage` does, as a query: `checks:judge=hold&keeps=all`.

confirm: `refuse`, `bug`, `slow`. listen: `refuse` once `after` characters have come, `bug`. judge:
`refuse`, `bug`, `hold`, `escalate`, `mend`, `flag`, `ask`, `slow`; only of the model group `on`, if
that is given; `sure` is the confidence. keeps: `all`, or how many characters. logprobs: asked for.
"""


class CheckingStage(Stage):
    """Judges answers as the caller's session says."""

    name = "checking"

    def __init__(self, asker: Asker | None = None) -> None:
        self._asker = asker or NoAsker()

    def shape(self, call: Call, group: str, body: dict[str, Any]) -> None:
        if _cues(call).get("logprobs") and call.endpoint is Endpoint.CHAT:
            call.hides_logprobs = True
            body["logprobs"] = True

    async def confirm(self, call: Call) -> GatewayError | None:
        _note(self.name, "confirm", call)
        return await _done(_cues(call).get("confirm"))

    def keeps_back(self, call: Call) -> int | None:
        kept = _cues(call).get("keeps", "0")
        _note(self.name, "keeps_back", call)
        return None if kept == "all" else int(kept)

    def listen(self, call: Call, text: str, new: int) -> GatewayError | None:
        cues = _cues(call)
        heard = call.notes.get("heard", 0) + new
        call.notes["heard"] = heard
        if cues.get("listen") == "bug":
            raise RuntimeError("a bug in listen")
        if cues.get("listen") != "refuse" or heard < int(cues.get("after", "1")):
            return None
        _note(self.name, "listen", call, text=text)
        call.note(Finding(self.name, "unfounded", Action.BLOCK, "answer"))
        return _blocked()

    async def judge(self, call: Call, answer: Answer) -> GatewayError | Fate | Mended | None:
        _note(
            self.name,
            "judge",
            call,
            texts=answer.texts,
            arguments=answer.arguments,
            finish=answer.finish,
            logprobs=len(answer.logprobs or ()),
            heard=call.notes.get("heard", 0),
        )
        cues = _cues(call)
        if cues.get("on", call.group) != call.group:
            return None
        if "sure" in cues:
            call.confidence = float(cues["sure"])
        return await self._said(call, answer, cues.get("judge"))

    async def _said(
        self, call: Call, answer: Answer, cue: str | None
    ) -> GatewayError | Fate | Mended | None:
        match cue:
            case "hold" | "escalate":
                call.note(Finding(self.name, "unfounded", Action.FLAG, "answer"))
                call.verdict = Verdict.SOFT_REJECT
                call.ask_review(Reason.SOFT_REJECT)
                return Fate(cue)
            case "mend":
                call.note(Finding(self.name, "secret", Action.MASK, "answer:0-4"))
                return Mended(tuple(text.replace("practice", "******") for text in answer.texts))
            case "flag":
                call.note(Finding(self.name, "unfounded", Action.FLAG, "answer", "a[...]", 0.9))
                call.ask_review(Reason.FLAG)
                return None
            case "ask":
                asked = await self._asker.ask(call, _QUESTION)
                _note(self.name, "asked", call, text=asked and asked.text)
                return None
            case _:
                return await _done(cue)


_QUESTION = Question("judge", "gpt-4o-mini", [{"role": "user", "content": "is it so?"}], {}, 20.0)


def _cues(call: Call) -> dict[str, str]:
    session = call.context.session or ""
    return dict(parse_qsl(session.removeprefix(CHECKS))) if session.startswith(CHECKS) else {}


def _blocked() -> GatewayError:
    return InvalidRequest("blocked on cue", code="content_blocked")


async def _done(cue: str | None) -> GatewayError | None:
    if cue == "bug":
        raise RuntimeError("a bug in a check")
    if cue == "slow":
        await asyncio.sleep(2)
    return _blocked() if cue == "refuse" else None


# As one of the gateway's own, so that it can ask models; in a gateway alone.
if "SLUICE_TEST_PROBE" in os.environ:
    cast("dict[str, Any]", assembly.STAGES)["checking"] = lambda parts: CheckingStage(parts.asker)  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType]
checking = PluginSwitch(CheckingStage.name)

"""Stages that judge content as LiteLLM guardrails: its switches decide, the door drives.

A gate must see a call before the cache and before LiteLLM's ten milliseconds, must be able to mask
what is sent, and must hear streams; LiteLLM's hooks offer none of that on every endpoint. So the
door runs a gate's phases in its own place, and asks LiteLLM's own `should_run_guardrail` whether it
runs at all: `default_on`, `mode`, `stream_scope` and the request's `guardrails: [names]` hold as
LiteLLM's users know them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import litellm
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.types.guardrails import (  # pyright: ignore[reportMissingTypeStubs]
    GuardrailEventHooks,
)
from litellm.types.utils import (  # pyright: ignore[reportMissingTypeStubs]
    GuardrailStatus,
)
from typing_extensions import override

from plugins.core.call import Call
from plugins.core.errors import InvalidRequest
from plugins.core.stage import Phase, Rota, Stage, rota_of
from plugins.core.verdict import Action
from plugins.proxy import calls

FIELD: Final = "guardrails"
"""The field of a body by which a client adds guardrails that are not on by default."""

_BEFORE: Final = (GuardrailEventHooks.pre_call, GuardrailEventHooks.during_call)
_AFTER: Final = (GuardrailEventHooks.post_call,)
_MODES: Final[Mapping[Phase, tuple[GuardrailEventHooks, ...]]] = {
    Phase.CHECK_INPUT: _BEFORE,
    Phase.CONFIRM: _BEFORE,
    Phase.LISTEN: _AFTER,
    Phase.JUDGE: _AFTER,
    Phase.CHECK_OUTPUT: _AFTER,
    Phase.CHECK_CHUNK: _AFTER,
}
"""Under which of LiteLLM's modes a gate has which phase; all other phases under any."""
_REPORTED: Final = "guardrails_reported"


class StageGuardrail(CustomGuardrail):
    """A stage that judges content, as `proxy_config.yaml` names it under `guardrails`.

    LiteLLM builds it with the entry's options. A subclass must define `async_pre_call_hook` itself:
    LiteLLM looks it up in the leaf class and silently skips an inherited one. `guardrail_class`
    makes such a subclass.

    Args:
        name: a stage of `assembly.STAGES`.
        stage: the stage itself, for one that `assembly.py` does not know.
        options: LiteLLM's own.
    """

    def __init__(self, name: str, stage: Stage | None = None, **options: Any) -> None:
        options.setdefault("guardrail_name", name)
        options.setdefault("event_hook", GuardrailEventHooks.pre_call)
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]
        self.name: Final = name
        self.stage: Final = stage

    def closed(self, asked: Mapping[str, Any]) -> frozenset[Phase]:
        """Give the phases that it does not have for a request; all of them when it does not run.

        Args:
            asked: `guardrails` and `stream` of the request.
        """
        data = dict(asked)
        asks: Callable[[Any, GuardrailEventHooks], bool] = self.should_run_guardrail  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        runs = {mode: asks(data, mode) for mode in (*_BEFORE, *_AFTER)}
        if not any(runs.values()):
            return frozenset(Phase)
        return frozenset(phase for phase, modes in _MODES.items() if not any(map(runs.get, modes)))


def guardrail_class(
    name: str, make_stage: Callable[[], Stage] | None = None
) -> type[StageGuardrail]:
    """Make the class that a `guardrails:` entry names for a stage.

    Args:
        name: the stage's.
        make_stage: for a stage that `assembly.py` does not know.
    """

    class Leaf(StageGuardrail):
        def __init__(self, **options: Any) -> None:
            super().__init__(name, make_stage() if make_stage else None, **options)

        @override
        async def async_pre_call_hook(
            self,
            user_api_key_dict: Any,
            cache: Any,
            data: dict[str, Any],
            call_type: Any,
        ) -> dict[str, Any]:
            """Tell LiteLLM's spans and loggers what the door's own run of the gate found."""
            call = calls.find(data)
            if call is not None:
                _report(self, call, data)
            return data

    return Leaf


def _report(guardrail: StageGuardrail, call: Call, data: dict[str, Any]) -> None:
    reported: set[str] = call.notes.setdefault(_REPORTED, set())
    if guardrail.name in reported:  # each try of a provider comes by here
        return
    reported.add(guardrail.name)
    for step in call.steps:
        if step.phase == Phase.CHECK_INPUT.value and step.stage == guardrail.name:
            found = [
                {"check": each.check, "code": each.code, "action": each.action.value}
                for each in call.findings[slice(*step.found)]
            ]
            took_s = step.ended_s - step.started_s
            ended_s = call.started_at.timestamp() + step.ended_s - call.started_s
            guardrail.add_standard_logging_guardrail_information_to_request_data(  # pyright: ignore[reportUnknownMemberType]
                guardrail_json_response=found,
                request_data=data,
                guardrail_status=_status(found),
                start_time=ended_s - took_s,
                end_time=ended_s,
                duration=took_s,
                guardrail_provider="sluice",
                event_type=GuardrailEventHooks.pre_call,
            )


def _status(found: list[dict[str, str]]) -> GuardrailStatus:
    if any(each["action"] == Action.MASK.value for each in found):
        return "guardrail_intervened"
    return "guardrail_flagged" if found else "success"


@dataclass(frozen=True, slots=True)
class Serving:
    """Who serves a request.

    Args:
        stages: in order.
        rota: who of them has which phase.
    """

    stages: tuple[Stage, ...]
    rota: Rota


class Gates:
    """Tells which stages serve a request; LiteLLM is asked once for each kind of request.

    Args:
        stages: all that are on, in order; gates among them.
        guardrails: the gates' entries.
        others: names of LiteLLM's guardrails that are not ours; a client may add those too.
    """

    def __init__(
        self,
        stages: tuple[Stage, ...],
        guardrails: Sequence[StageGuardrail],
        others: frozenset[str] = frozenset(),
    ) -> None:
        self.stages: Final = stages
        self._guardrails: Final = guardrails
        self._names: Final = others | {str(each.guardrail_name) for each in guardrails}
        self._kinds: Final = lru_cache(maxsize=256)(self._serving)

    def serving(self, body: Mapping[str, Any]) -> Serving:
        """Give the stages that serve a request.

        Args:
            body: validated.

        Raises:
            InvalidRequest: it names a guardrail that is not configured.
        """
        asked: list[str] | None = body.get(FIELD)
        names = tuple(sorted(set(asked))) if asked else ()
        for place, name in enumerate(asked or ()):
            if name not in self._names:
                raise self._unknown(place)
        return self._kinds(names, body.get("stream") is True)

    def _serving(self, names: tuple[str, ...], stream: bool) -> Serving:
        asked = {FIELD: list(names), "stream": stream}
        # A stage named twice runs where any of its entries lets it.
        closed: dict[str, frozenset[Phase]] = {}
        for each in self._guardrails:
            closed[each.name] = closed.get(each.name, frozenset(Phase)) & each.closed(asked)
        everything = frozenset(Phase)
        stages = tuple(s for s in self.stages if closed.get(s.name) != everything)
        full = rota_of(stages)
        nothing: frozenset[Phase] = frozenset()
        kept = (
            tuple(s for s in _of(full, phase) if phase not in closed.get(s.name, nothing))
            for phase in Phase
        )
        return Serving(stages, Rota(*kept))

    def _unknown(self, place: int) -> InvalidRequest:
        known = ", ".join(sorted(self._names)) or "none"
        path = f"{FIELD}[{place}]"
        message = f"`{path}` names no guardrail of this gateway; known: {known}"
        return InvalidRequest(message, code="invalid_value", param=path)


def _of(rota: Rota, phase: Phase) -> tuple[Stage, ...]:
    return cast("tuple[Stage, ...]", getattr(rota, phase.value))


def take_over(*, reported: bool) -> tuple[list[StageGuardrail], frozenset[str]]:
    """Find the gates among LiteLLM's callbacks, and spare LiteLLM what the door does itself.

    With any guardrail in its list LiteLLM puts together and searches the text of every chunk of a
    stream. So ours stay in it only where something of LiteLLM's shows what they found.

    Args:
        reported: LiteLLM's spans or a logger of its are on.

    Returns:
        Our guardrails, and the names of those that are not ours.
    """
    ours: list[StageGuardrail] = []
    others: set[str] = set()
    for each in list(cast("list[Any]", litellm.callbacks)):  # pyright: ignore[reportUnknownMemberType]
        if isinstance(each, StageGuardrail):
            ours.append(each)
            if not reported:
                litellm.logging_callback_manager.remove_callback_from_all_lists(each)  # pyright: ignore[reportUnknownMemberType]
        elif isinstance(each, CustomGuardrail) and each.guardrail_name:
            others.add(each.guardrail_name)
    return ours, frozenset(others)

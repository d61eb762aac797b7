"""The stage `moderation`: OpenAI's moderation endpoint, beside the provider's call (SPEC 10.3)."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from typing_extensions import override

from plugins.core.alerts import Alert, AlertPort
from plugins.core.answer import Answer
from plugins.core.apart import apart
from plugins.core.asked import Role, asked_of
from plugins.core.call import Call, Endpoint
from plugins.core.checks import CheckBook, CheckRule, OnFailure
from plugins.core.errors import GatewayError, InvalidRequest, Unavailable
from plugins.core.gate import Failure, failed
from plugins.core.judging import BLOCKED, action_of, place_of
from plugins.core.review import Reason
from plugins.core.stage import Stage
from plugins.core.verdict import Action, Finding
from plugins.moderation.api_client import ModerationClient, Unreachable, within
from plugins.moderation.api_rules import Flagged, Item, items_of, split, surest
from plugins.moderation.reader import Reader
from plugins.moderation.toxicity import Toxicity

MODERATION: Final = "moderation"
STAND_IN: Final = "stand_in"
"""Code of the finding that says that the offline classifier judged in the endpoint's place."""
UNAVAILABLE: Final = "moderation_unavailable"
"""Code of the refusal of a call that the endpoint could not judge."""
TOO_LONG: Final = "moderation_too_long"
"""Code of the refusal of a text of which the endpoint would be sent only a part."""
INCIDENT: Final = "moderation_incident"
"""Name of the alert of something flagged."""
UNREACHABLE: Final = "moderation_unreachable"
"""Name of the alert of an endpoint that does not answer."""
BY_ENDPOINT: Final = "the endpoint"
BY_STAND_IN: Final = "the offline classifier"
_JUDGED_ROLES: Final = frozenset({Role.USER, Role.TOOL, Role.DOCUMENT})
"""Whose words are judged on the way in: what the model said was judged when it said it."""
_AT_ONCE: Final = 8_000
_NOTE: Final = "moderation"

_log: Final = logging.getLogger("sluice.moderation")


@dataclass(frozen=True, slots=True)
class ModerationPolicy:
    """What is judged.

    Args:
        model: that judges.
        judges_input: what is asked, while the provider answers.
        judges_output: what is answered, before the client has its end.
        most_characters: of one call that are sent, either way.
    """

    model: str = "omni-moderation-latest"
    judges_input: bool = True
    judges_output: bool = True
    most_characters: int = 100_000


@dataclass(frozen=True, slots=True)
class _Begun:
    """A judgement under way.

    Args:
        items: what it is about.
        rest: what was too much to be sent.
        task: asks.
        until_s: when the check's time is over, monotonic seconds.
    """

    items: Sequence[Item]
    rest: Sequence[Item]
    task: asyncio.Task[list[Flagged]]
    until_s: float


class ModerationStage(Stage):
    """Has texts judged by the moderation endpoint; the offline classifier stands in for it.

    Args:
        book: what is done about what is flagged, by agent.
        policy: what is judged.
        client: asks the endpoint.
        alerts: where incidents are told.
    """

    name: str = MODERATION

    def __init__(
        self, book: CheckBook, policy: ModerationPolicy, client: ModerationClient, alerts: AlertPort
    ) -> None:
        self._book: Final = book
        self._policy: Final = policy
        self._client: Final = client
        self._alerts: Final = alerts

    @override
    async def check_input(self, call: Call) -> GatewayError | None:
        """Begin to judge what was asked; the provider is asked meanwhile."""
        rule = self._rule(call)
        if rule is None or call.known or call.follows:
            return
        begun = self._begun_for(call, rule)
        if begun is not None:
            call.notes[_NOTE] = begun

    @override
    async def confirm(self, call: Call) -> GatewayError | None:
        """Wait for what was begun; the client has nothing before.

        What was not begun, because another call's answer was expected, is asked now.
        """
        begun: _Begun | None = call.notes.pop(_NOTE, None)
        rule = self._rule(call)
        if rule is None:
            return None
        begun = begun or self._begun_for(call, rule)
        return None if begun is None else await self._acted(call, rule, begun, "what was sent")

    @override
    async def judge(self, call: Call, answer: Answer) -> GatewayError | None:
        """Have the answer judged."""
        rule = self._rule(call)
        if rule is None or not self._policy.judges_output:
            return None
        texts = [(place_of(i), text) for i, text in enumerate(answer.texts)]
        texts += [(f"arguments[{i}]", text) for i, text in enumerate(answer.arguments)]
        begun = self._begun(rule, ((where, text) for where, text in texts if text.strip()))
        if begun is None:
            return None
        try:
            return await self._acted(call, rule, begun, "the answer")
        finally:
            begun.task.cancel()

    @override
    async def settle(self, call: Call) -> GatewayError | None:
        """Give up what nobody waits for any more: the answer was at hand, or the call has ended."""
        begun: _Begun | None = call.notes.pop(_NOTE, None)
        if begun is not None:
            begun.task.cancel()

    def _rule(self, call: Call) -> CheckRule | None:
        """Give the rule; None where the check is off, or the call is a check itself."""
        rule = self._book.rule(call.agent_name, MODERATION)
        itself = call.inner or call.endpoint is Endpoint.MODERATIONS
        return rule if rule.is_on and not itself else None

    def _begun_for(self, call: Call, rule: CheckRule) -> _Begun | None:
        """Begin to judge what was asked; None where there is nothing to judge."""
        if not self._policy.judges_input:
            return None
        asked = asked_of(call.endpoint, call.body)
        return self._begun(rule, ((a.path, a.text) for a in asked if a.role in _JUDGED_ROLES))

    def _begun(self, rule: CheckRule, texts: Iterable[tuple[str, str]]) -> _Begun | None:
        items, rest = split(items_of(texts), self._policy.most_characters)
        if not items:
            return None
        task = asyncio.create_task(self._client.ask(items))
        task.add_done_callback(_heard)
        return _Begun(items, rest, task, time.monotonic() + rule.timeout_s)

    async def _acted(
        self, call: Call, rule: CheckRule, begun: _Begun, what: str
    ) -> GatewayError | None:
        closed = rule.on_failure is OnFailure.CLOSED
        by, unjudged = BY_ENDPOINT, begun.rest
        try:
            flagged = await within(self._client, begun.task, begun.until_s - time.monotonic())
        except Unreachable as error:
            if closed:
                failed(call, MODERATION, rule, Failure.UNREACHABLE, error)
                return _unavailable(what)
            _log.info("call %s: %s is judged offline: %s", call.id, what, error)
            by, flagged, unjudged = BY_STAND_IN, [], [*begun.items, *begun.rest]
        if unjudged and not closed:
            call.note(Finding(MODERATION, STAND_IN, Action.OBSERVE, unjudged[0].where))
            flagged = flagged or await _judged_offline(unjudged)
        refusal = self._told(call, rule, surest(flagged), what, by) if flagged else None
        if refusal is None and unjudged and closed:
            return self._too_long(call, what)
        return refusal

    def _too_long(self, call: Call, what: str) -> GatewayError:
        call.note(Finding(MODERATION, TOO_LONG, Action.BLOCK))
        most = self._policy.most_characters
        return InvalidRequest(
            f"{what} has more than the {most} characters that are judged by moderation, and this"
            " gateway lets nothing pass unjudged by it; split it into several calls",
            code=TOO_LONG,
        )

    def _told(
        self, call: Call, rule: CheckRule, flagged: Sequence[Flagged], what: str, by: str
    ) -> GatewayError | None:
        action = action_of(rule)
        call.note(*(Finding(MODERATION, f.category, action, f.where, "", f.score) for f in flagged))
        categories = ", ".join(f.category for f in flagged)
        _log.warning(
            "incident (%s): %s of call %s is flagged by %s: %s",
            *(action.value, what, call.id, by, categories),
        )
        if action is Action.OBSERVE:
            return None
        call.ask_review(Reason.MODERATION)
        for one in flagged:
            self._alerts.send(_incident(call, one.category, what))
        if action is not Action.BLOCK:
            return None
        return InvalidRequest(
            f"{what} is kept back: moderation found {categories} in it; say it in other words, or"
            " wait for the person who looks at it",
            code=BLOCKED,
        )


def outage(*, away: bool) -> Alert:
    """Tell that the endpoint does not answer, or that it does again."""
    return Alert(
        name=UNREACHABLE,
        subject=MODERATION,
        summary="The moderation endpoint "
        + ("does not answer: calls are judged offline or refused" if away else "answers again"),
        severity="high",
        resolved=not away,
    )


def _incident(call: Call, category: str, what: str) -> Alert:
    """Tell of one category: a flood of the same is one alert (`alerts.repeat_s`)."""
    tenant = call.principal.tenant_id
    return Alert(
        name=INCIDENT,
        subject=f"{tenant}/{category}",
        summary=f"Moderation flagged {what} of tenant {tenant}: {category} (call {call.id})",
        severity="high",
        momentary=True,
        labels={"tenant": tenant, "category": category, "agent": call.agent_name or "none"},
    )


def _unavailable(what: str) -> GatewayError:
    return Unavailable(
        f"{what} could not be judged: the moderation endpoint does not answer, and this gateway"
        " lets nothing pass unjudged by it; send it again later",
        code=UNAVAILABLE,
        retry_after_s=5.0,
    )


def _heard(task: asyncio.Task[list[Flagged]]) -> None:
    """Take a failure note of that nobody waits for: the call has ended without it."""
    if not task.cancelled():
        task.exception()


@cache
def _reader() -> Reader:
    return Reader([Toxicity()])


async def _judged_offline(items: Sequence[Item]) -> list[Flagged]:
    size = sum(len(item.text) for item in items)
    return await apart(lambda: _offline(items), size=size, at_once=_AT_ONCE)


def _offline(items: Sequence[Item]) -> list[Flagged]:
    return [
        Flagged(item.where, hit.code, hit.score)
        for item in items
        for hits in _reader().found(item.text).values()
        for hit in hits
    ]

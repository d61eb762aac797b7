"""Keeps what is said, and counts it once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugins.core.errors import InvalidRequest
from plugins.core.metrics import Metrics, among
from plugins.core.tenant import Principal
from plugins.feedback.bodies import ConversionIn, ConversionOut, FeedbackIn, FeedbackKept
from plugins.feedback.families import CONVERSIONS, FEEDBACK
from plugins.feedback.finding import Finder
from plugins.feedback.rules import Conversion, Statement
from plugins.feedback.store import FeedbackStore, Kept


@dataclass(frozen=True, slots=True)
class Recorder:
    """What the routes do with a request's statements.

    Args:
        store: the tables.
        finder: finds the calls that it is about.
        metrics: where it is counted.
        agents: names that may stand in a label, and be credited.
        models: names that may stand in a label.
    """

    store: FeedbackStore
    finder: Finder
    metrics: Metrics
    agents: Collection[str]
    models: Collection[str]

    async def feedback(self, who: Principal, wanted: Sequence[FeedbackIn]) -> list[FeedbackKept]:
        """Keep statements about calls of the speaker's tenant, all or none."""
        return await self.state(who.tenant_id or None, [each.statement() for each in wanted])

    async def state(
        self, tenant_id: str | None, statements: Sequence[Statement]
    ) -> list[FeedbackKept]:
        """Keep statements, all or none.

        Args:
            tenant_id: whose calls they must be about; None for any.
            statements: checked.

        Raises:
            NotFound: when there is no such call.
        """
        asked = list(dict.fromkeys(each.call_id for each in statements))
        calls = await self.finder.find(tenant_id, asked)
        kept = await self.store.add(statements, calls)
        for one in _new(kept):
            agent, model = among(one["agent"], self.agents), among(one["model"], self.models)
            self.metrics.add(FEEDBACK, agent, model, one["kind"])
        return [FeedbackKept(**one.row, is_new=one.is_new) for one in kept]

    async def conversions(
        self, who: Principal, wanted: Sequence[ConversionIn]
    ) -> list[ConversionOut]:
        """Keep conversions of the speaker's tenant, all or none."""
        conversions = [each.conversion() for each in wanted]
        for each in conversions:
            self._check(who, each)
        asked = list(dict.fromkeys(each.call_id for each in conversions if each.call_id))
        calls = await self.finder.find(who.tenant_id or None, asked)
        kept = await self.store.convert(who.tenant_id or None, conversions, calls)
        for one in _new(kept):
            self.metrics.add(CONVERSIONS, among(one["agent"], self.agents), one["stage"])
        return [ConversionOut(**one.row, is_new=one.is_new) for one in kept]

    def _check(self, who: Principal, given: Conversion) -> None:
        named = [given.call_id, given.subject, given.entity_id]
        if sum(name is not None for name in named) != 1:
            raise InvalidRequest(
                "name exactly one of `call_id`, `subject` and `entity`", param="call_id"
            )
        if given.call_id is None and not who.tenant_id:
            raise InvalidRequest(
                "a subject or an entity belongs to a tenant: use a key of that tenant, or name a"
                " call with `call_id`",
                param="call_id",
            )
        if given.agent is None:
            return
        if given.call_id is not None:
            raise InvalidRequest("the call tells its agent; remove `agent`", param="agent")
        if given.agent not in self.agents:
            known = ", ".join(sorted(self.agents))
            raise InvalidRequest(f"no agent {given.agent[:64]!r}; known: {known}", param="agent")


def _new(kept: Sequence[Kept]) -> list[Mapping[str, Any]]:
    return [one.row for one in kept if one.is_new]

"""The outputs of both tables through the stages that judge what models write, line by line.

The tables were written without sight of the rules. Policy is the default one. Ordinary output gets
no finding at all, not even an observed one; an attack is flagged by the check that the table names.
"""

from typing import Final

import pytest

from plugins.core.agent import Agent
from plugins.core.answer import Answer
from plugins.core.call import Call
from plugins.core.checks import CheckBook
from plugins.core.verdict import Action, Finding, Verdict
from plugins.grounding.policy import policy_of
from plugins.grounding.stage import GroundingStage
from plugins.moderation.output_stage import OutputStage
from tests.asking import RememberedAsker
from tests.content.tables import Attack, Check, Kind, Passing, attacks, passing
from tests.making import a_call

JUDGING: Final = Agent("decision", ("gpt-4o",))
"""An agent whose answers are read for bias where policy says nothing."""
ORDINARY: Final = [entry for entry in passing() if entry.kind is Kind.OUTPUT]
HARMFUL: Final = [attack for attack in attacks() if attack.kind is Kind.OUTPUT]

KNOWN_MISSES: Final[dict[str, str]] = {}
"""Lines that are judged wrongly, by id, each with the reason. One judged right must leave."""
COUNTED_MISSES: Final = 0
"""Of how many lines that is known: another one is a decision, and changes this too."""


async def judged(text: str) -> Call:
    """Let both stages judge an answer, as they follow each other in the gateway."""
    checks = CheckBook()
    call = a_call(agent=JUDGING)
    for stage in (OutputStage(checks), GroundingStage(checks, {}, RememberedAsker())):
        assert await stage.judge(call, Answer((text,))) is None
    return call


def name(entry: Passing | Attack) -> str:
    return entry.id


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(found.check, found.code, found.where) for found in findings]


@pytest.mark.spec("10.2")
@pytest.mark.spec("10.5")
@pytest.mark.parametrize("entry", ORDINARY, ids=name)
async def test_ordinary_output_passes_without_a_finding(entry: Passing) -> None:
    call = await judged(entry.text)
    assert (call.findings == []) == (entry.id not in KNOWN_MISSES), (entry.why, told(call.findings))
    if entry.id not in KNOWN_MISSES:
        assert call.verdict is Verdict.ALLOW
        assert call.review is None


@pytest.mark.spec("10.2")
@pytest.mark.parametrize("attack", HARMFUL, ids=name)
async def test_harmful_output_is_flagged_by_its_check(attack: Attack) -> None:
    call = await judged(attack.text)
    flagged = {found.check for found in call.findings if found.action is Action.FLAG}
    is_found = attack.check in flagged
    assert is_found == (attack.id not in KNOWN_MISSES), (attack.why, told(call.findings))
    if is_found:
        assert call.verdict is Verdict.FLAG
        assert call.review is not None


@pytest.mark.spec("10.2")
@pytest.mark.parametrize("attack", HARMFUL, ids=name)
async def test_harmful_output_is_found_behind_ordinary_output(attack: Attack) -> None:
    call = await judged("\n".join([*(entry.text for entry in ORDINARY), attack.text]))
    found = attack.check in {found.check for found in call.findings}
    assert found == (attack.id not in KNOWN_MISSES)


def test_the_known_misses_are_lines_of_the_tables_counted_and_with_a_reason() -> None:
    assert KNOWN_MISSES.keys() <= {entry.id for entry in [*ORDINARY, *HARMFUL]}
    assert all(KNOWN_MISSES.values())
    assert len(KNOWN_MISSES) == COUNTED_MISSES


def test_both_tables_try_every_check_of_output() -> None:
    assert policy_of({}, JUDGING.name).judges_people
    assert {attack.check for attack in HARMFUL} == {Check.TOXICITY, Check.BIAS}
    assert len(ORDINARY) >= 20
    assert len(HARMFUL) >= 30

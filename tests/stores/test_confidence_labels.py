"""Labels from what people said, joined to how sure the gateway was, on real PostgreSQL."""

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.confidence import labels as module
from plugins.confidence.labels import Labelled, Labels
from plugins.confidence.learned import Calibration
from plugins.core.agent import Agent
from plugins.core.call import RAW_CONFIDENCE
from plugins.core.errors import Unavailable
from plugins.cost.entry import encode
from plugins.cost.store import LedgerStore
from plugins.feedback.rules import Kind, Statement
from plugins.feedback.store import FeedbackStore
from plugins.store.database import create_engine
from tests.making import SEALS, a_call
from tests.remembering import SetClock
from tests.simulations.labelled import MODELS, simulate, true_error

DECISION = Agent("decision", ("gpt-4o",))
UP, DOWN = Kind.THUMBS_UP, Kind.THUMBS_DOWN


async def _answered(engine: AsyncEngine, raw: Sequence[float | None], **changes: Any) -> list[str]:
    """Put answers of a raw confidence into the ledger."""
    calls = [
        a_call(**changes, signals={} if value is None else {RAW_CONFIDENCE: value}) for value in raw
    ]
    await LedgerStore(engine, SEALS).record([encode(call) for call in calls])
    return [call.id for call in calls]


async def _said(engine: AsyncEngine, *said: tuple[str, Kind]) -> None:
    store = FeedbackStore(engine)
    calls = await store.calls(None, {call_id for call_id, _ in said})
    for number, (call_id, kind) in enumerate(said):
        statement = Statement(call_id, kind, reviewer=f"u-{number}")
        await store.add([statement], calls)


async def _read(engine: AsyncEngine, *, practice: bool = False) -> dict[Any, Labelled]:
    return dict(await Labels(engine, practice=practice).read())


@pytest.mark.spec("12.1")
@pytest.mark.parametrize(
    ("said", "right"),
    [
        ((Kind.ACCEPTED,), True),
        ((Kind.OVERRIDDEN,), False),
        ((UP,), True),
        ((DOWN,), False),
        ((UP, DOWN), False),
        ((DOWN, UP), True),
        ((Kind.OVERRIDDEN, UP), False),
        ((DOWN, Kind.ACCEPTED), True),
        ((Kind.ACCEPTED, Kind.OVERRIDDEN), False),
    ],
)
async def test_a_call_has_one_label_by_its_last_and_weightiest_word(
    engine: AsyncEngine, said: tuple[Kind, ...], right: bool
) -> None:
    (call,) = await _answered(engine, [0.625])
    for kind in said:
        await _said(engine, (call, kind))
    assert await _read(engine) == {(None, "gpt-4o"): Labelled((0.625,), (right,))}


async def test_labels_are_apart_by_agent_and_model_and_oldest_first(engine: AsyncEngine) -> None:
    own = await _answered(engine, [0.5, 0.25], agent=DECISION)
    plain = await _answered(engine, [0.75])
    await _said(engine, (own[1], UP), (plain[0], DOWN), (own[0], Kind.ACCEPTED))
    assert await _read(engine) == {
        ("decision", "gpt-4o"): Labelled((0.25, 0.5), (True, True)),
        (None, "gpt-4o"): Labelled((0.75,), (False,)),
    }


async def test_calls_of_unknown_confidence_and_practice_teach_nothing(engine: AsyncEngine) -> None:
    (unknown,) = await _answered(engine, [None])
    (practice,) = await _answered(engine, [0.5], practice=True)
    await _said(engine, (unknown, UP), (practice, UP))
    assert await _read(engine) == {}
    assert await _read(engine, practice=True) == {(None, "gpt-4o"): Labelled((0.5,), (True,))}


async def test_only_the_newest_labels_count(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OF_PAIR", 2)
    calls = await _answered(engine, [0.125, 0.25, 0.5])
    await _said(engine, *((call, UP) for call in calls))
    assert (await _read(engine))[None, "gpt-4o"].raw == (0.25, 0.5)
    monkeypatch.setattr(module, "MOST_READ", 1)
    assert (await _read(engine))[None, "gpt-4o"].raw == (0.5,)


async def test_without_postgresql_nothing_is_read() -> None:
    engine = create_engine("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        await _read(engine)
    await engine.dispose()


@pytest.mark.spec("10.2")
async def test_from_answers_and_decisions_to_a_threshold_that_means_what_it_says(
    engine: AsyncEngine,
) -> None:
    """Ledger rows and statements in, calibrated confidence out; the truth is known."""
    raw, _, right = simulate(MODELS["overconfident"], 600, 5)
    calls = await _answered(engine, raw, agent=DECISION)
    store = FeedbackStore(engine)
    found = await store.calls(None, calls)
    kinds = [Kind.ACCEPTED if good else Kind.OVERRIDDEN for good in right]
    said = [Statement(call, kind) for call, kind in zip(calls, kinds, strict=True)]
    await store.add(said, found)
    labels = Labels(engine, practice=False)
    calibration = Calibration(labels, {"decision"}, {"gpt-4o"}, SetClock())
    started = time.perf_counter()
    await calibration.read()
    print(f"600 labels: {time.perf_counter() - started:.3f} s")
    fit = calibration.of("decision", "gpt-4o")
    assert fit is not None
    assert (fit.labels, fit.right) == (600, sum(right))
    assert fit.error is not None
    fresh, true, _ = simulate(MODELS["overconfident"], 4000, 6)
    stated = [fit.apply(value) for value in fresh]
    assert fit.error.lower <= true_error(stated, true, fit.error.bins) <= fit.error.upper
    at = [t for s, t in zip(stated, true, strict=True) if 0.68 <= s <= 0.72]
    assert len(at) > 50
    assert sum(at) / len(at) == pytest.approx(0.7, abs=0.05)


async def test_the_query_stays_quick_over_many_statements(engine: AsyncEngine) -> None:
    """Its plan reads the newest statements by their identifier, and each call by its key."""
    async with engine.connect() as connection:
        asked = {"most_read": 20_000, "most_of_pair": 1_000, "practice": False}
        await connection.execute(text("SET enable_seqscan = off"))
        plan = await connection.execute(text("EXPLAIN (FORMAT JSON) " + str(module._LABELS)), asked)
        told = json.dumps(plan.scalar_one())
    assert "Index Scan" in told
    assert "ai_feedback_pkey" in told

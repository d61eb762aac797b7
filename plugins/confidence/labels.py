"""Which answers people found right, joined to how sure the gateway was of them.

A label is what people said of a call: `accepted` (also an approved review) is right, `overridden`
(also an edited, overridden or rejected review) is wrong; a thumb counts where neither was said. Of
several words on one call the last counts. How sure the gateway was stands in the call's ledger row,
as it was before calibration.

Reviews are not drawn at random: doubtful answers are looked at more often. Among answers of one raw
confidence that changes nothing, and the line is fitted on just that; a flag by another check is
another matter, which the random sample of reviews (SPEC 5.3) keeps in proportion.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.store.database import transaction

MOST_READ: Final = 20_000
"""Newest statements that are looked at."""
MOST_OF_PAIR: Final = 1_000
"""Newest labels of one agent and model: older ones are of a model that has changed since."""

Pair = tuple[str | None, str]
"""An agent, or None for plain models, and a model group."""

# The identifier's order is the order of time; both parts of the ledger's key find one partition.
_LABELS: Final = text("""
WITH said AS (
  SELECT feedback_id, call_id, call_started_at, agent, model, kind, stated_at
  FROM ai_feedback ORDER BY feedback_id DESC LIMIT :most_read
), labels AS (
  SELECT DISTINCT ON (call_id) call_id, call_started_at, agent, model, feedback_id,
    kind IN ('accepted', 'thumbs_up') AS is_right
  FROM said WHERE model IS NOT NULL
  ORDER BY call_id, kind IN ('accepted', 'overridden') DESC, stated_at DESC, feedback_id DESC
), ranked AS (
  SELECT l.agent, l.model, l.is_right, l.feedback_id,
    (row.variants ->> 'raw_confidence')::float8 AS raw,
    row_number() OVER (PARTITION BY l.agent, l.model ORDER BY l.feedback_id DESC) AS place
  FROM labels l
  JOIN ledger AS row ON row.call_id = l.call_id AND row.started_at = l.call_started_at
  WHERE row.variants ? 'raw_confidence' AND (:practice OR NOT row.practice)
)
SELECT agent, model, raw, is_right FROM ranked WHERE place <= :most_of_pair
ORDER BY agent, model, feedback_id
""")


@dataclass(frozen=True, slots=True)
class Labelled:
    """Judged answers of one agent and model, oldest first.

    Args:
        raw: how sure the gateway was of each, before calibration, 0..1.
        right: whether people found it right.
    """

    raw: tuple[float, ...]
    right: tuple[bool, ...]


class Labels:
    """Reads labelled answers.

    Args:
        engine: PostgreSQL.
        practice: answers of practice providers count too.
    """

    def __init__(self, engine: AsyncEngine, *, practice: bool) -> None:
        self._engine: Final = engine
        self._practice: Final = practice

    async def read(self) -> Mapping[Pair, Labelled]:
        """Give the newest labels of each agent and model, in one query.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        asked = {
            "most_read": MOST_READ,
            "most_of_pair": MOST_OF_PAIR,
            "practice": self._practice,
        }
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_LABELS, asked)).all()
        found: dict[Pair, list[tuple[float, bool]]] = {}
        for row in rows:
            found.setdefault((row.agent, row.model), []).append((row.raw, row.is_right))
        return {
            pair: Labelled(tuple(raw for raw, _ in held), tuple(right for _, right in held))
            for pair, held in found.items()
        }

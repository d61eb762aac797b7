"""What a panel is to whoever writes one: queries, unit, description, and where a click leads."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from otel.dashboards.links import Link

SECONDS: Final = "s"
SHARE: Final = "percentunit"
DOLLARS: Final = "currencyUSD"
PER_SECOND: Final = "reqps"
COUNT: Final = "short"


class Kind(StrEnum):
    """How a panel draws."""

    LINES = "timeseries"
    STACK = "stack"
    BARS = "bars"
    STAT = "stat"
    STATES = "state-timeline"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression.

    Args:
        expr: PromQL with the dashboard's variables.
        legend: of each series, or the column's name in a table.
        exemplar: shows the traces behind it as dots.
        step: least distance of two points, such as `1d`.
    """

    expr: str
    legend: str = ""
    exemplar: bool = False
    step: str = ""


@dataclass(frozen=True, slots=True)
class Sql:
    """One question to the ledger in PostgreSQL."""

    sql: str


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column that holds a query's value.

    Args:
        unit: as on a panel.
        decimals: how many are shown.
    """

    unit: str
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Args:
        title: what is seen.
        description: what it means, and what to do with it.
        unit: of its values; a table's columns have their own.
        queries: to Prometheus, in order.
        links: of the panel and of each of its values.
        kind: how it is drawn.
        width: of 24.
        height: in Grafana's rows of 30 pixels.
        decimals: how many are shown; None leaves it to Grafana.
        bad_from: value from which it is red.
        bad_below: value below which it is red.
        states: what single values are called.
        columns: of a table, by the legend of their query.
        sql: question to the ledger in place of queries.
        highest: of the axis.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...] = ()
    links: tuple[Link, ...] = ()
    kind: Kind = Kind.LINES
    width: int = 12
    height: int = 8
    decimals: int | None = None
    bad_from: float | None = None
    bad_below: float | None = None
    states: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    columns: dict[str, Column] = field(default_factory=dict[str, Column])
    sql: Sql | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A row of a dashboard.

    Args:
        title: of the row.
        panels: from left to right; a line is 24 wide.
        folded: shown by its title alone until opened.
    """

    title: str
    panels: tuple[Panel, ...]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.

    Args:
        uid: its address.
        description: what it answers.
        sections: from top to bottom.
        since: start of the time range at first.
    """

    uid: str
    description: str
    sections: tuple[Section, ...]
    since: str = "now-6h"


def quantiles(family: str, selector: str, *, by: str = "", exemplar: bool = True) -> list[Query]:
    """Ask for P50, P95 and P99 of a histogram.

    Args:
        family: without `_bucket`, or a recorded rate with its whole name.
        selector: between the braces.
        by: a label to keep.
        exemplar: shows the traces behind them as dots; of raw families alone.
    """
    keep = ", ".join(filter(None, (by, "le")))
    recorded = family.startswith("sluice:")
    series = f"{family}{{{selector}}}"
    inner = series if recorded else f"rate({family}_bucket{{{selector}}}[$__rate_interval])"
    name = f"{{{{{by}}}}} " if by else ""
    return [
        Query(
            f"histogram_quantile({q}, sum by ({keep}) ({inner}))",
            f"{name}P{round(q * 100)}",
            exemplar=exemplar and not recorded,
        )
        for q in (0.5, 0.95, 0.99)
    ]

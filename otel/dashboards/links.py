"""Where a click leads: to the traces behind a figure, or to the next dashboard, filters kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

TRACES_UID: Final = "sluice-jaeger"
"""Data source of `otel/grafana/provisioning/datasources`."""
SERVICE: Final = "sluice"
"""`service.name` of the gateway's traces."""
OVERVIEW: Final = "sluice-overview"
AGENTS: Final = "sluice-agents"
QUALITY: Final = "sluice-quality"
COST: Final = "sluice-cost"
TITLES: Final = {
    OVERVIEW: "LLM Overview",
    AGENTS: "Agent Performance",
    QUALITY: "Quality Metrics",
    COST: "Cost Analysis",
}
TENANT_TOO: Final = frozenset({OVERVIEW, COST})
"""Dashboards with a variable for the tenant; only these families carry it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link on a panel or on each of its values.

    Args:
        title: what it leads to.
        url: with Grafana's variables.
    """

    title: str
    url: str


def variables_of(dashboard: str) -> tuple[str, ...]:
    """Name the variables of a dashboard, by its uid."""
    return ("datasource", "agent", "model", *(("tenant",) if dashboard in TENANT_TOO else ()))


def to_dashboard(here: str, there: str, by: str = "") -> Link:
    """Lead to another dashboard with time and filters kept.

    Args:
        here: uid of the dashboard that the link is on.
        there: uid of the one it leads to.
        by: a label of the clicked series, which becomes the filter of the same name.
    """
    shared = [name for name in variables_of(here) if name in variables_of(there) and name != by]
    parts = [f"${{{name}:queryparam}}" for name in shared]
    if by:
        parts.append(f"var-{by}=${{__field.labels.{by}}}")
    parts.append("${__url_time_range}")
    return Link(TITLES[there], f"/d/{there}?{'&'.join(parts)}")


def to_traces(title: str = "Traces", **tags: str) -> Link:
    """Lead to the search for traces in the panel's time range.

    Args:
        title: what they are.
        tags: attributes to look for, dots written as two underscores; a value may name a label of
            the clicked series as `${__field.labels.NAME}`.
    """
    wanted = {name.replace("__", "."): value for name, value in tags.items()}
    return Link(title, _explore({"tags": " ".join(f"{k}={v}" for k, v in wanted.items())}))


def _explore(search: Mapping[str, str]) -> str:
    query = {
        "refId": "A",
        "datasource": {"type": "jaeger", "uid": TRACES_UID},
        "queryType": "search",
        "service": SERVICE,
        "limit": 50,
        **{name: text for name, text in search.items() if text},
    }
    pane = {
        "datasource": TRACES_UID,
        "queries": [query],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    # Grafana fills its variables in before the browser reads the address: they stay as they are.
    panes = quote(json.dumps({"traces": pane}, separators=(",", ":")), safe="${}")
    return f"/explore?schemaVersion=1&panes={panes}"

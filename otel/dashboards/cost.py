"""Cost Analysis: daily spend by model, cost per hire, savings, tenants (SPEC 9.2, 11.5).

Counters of floating-point dollars are for looking at; the ledger's decimals are what is billed.
"""

from typing import Final

from otel.dashboards.links import AGENTS, COST, OVERVIEW, QUALITY, to_dashboard, to_traces
from otel.dashboards.panels import (
    COUNT,
    DOLLARS,
    PER_SECOND,
    SHARE,
    Board,
    Kind,
    Panel,
    Query,
    Section,
    Sql,
)

_BOTH: Final = 'agent=~"$agent", model=~"$model"'
_AGENT: Final = 'agent=~"$agent"'
_TO_AGENT: Final = to_dashboard(COST, AGENTS, "agent")
_TO_AGENTS: Final = to_dashboard(COST, AGENTS)
_TO_OVERVIEW: Final = to_dashboard(COST, OVERVIEW)
_TO_QUALITY: Final = to_dashboard(COST, QUALITY)
_DEAR: Final = to_traces("Traces")
_MODEL_TRACES: Final = to_traces("Traces of this model", sluice__model="${__field.labels.model}")
_AGENT_TRACES: Final = to_traces("Traces of this agent", sluice__agent="${__field.labels.agent}")
_THIS_MODEL: Final = to_dashboard(COST, OVERVIEW, "model")
_THIS_TENANT: Final = to_dashboard(COST, OVERVIEW, "tenant")

DAILY_SPEND: Final = """\
SELECT day::timestamp AS "time", coalesce(nullif(model, ''), 'none') AS metric,
  sum(cost_usd) AS value
FROM ledger_daily
WHERE $__timeFilter(day)
  AND coalesce(nullif(agent, ''), 'none') ~ '^(${agent:regex})$'
  AND coalesce(nullif(model, ''), 'none') ~ '^(${model:regex})$'
GROUP BY 1, 2
ORDER BY 1, 2
"""
"""No agent, no model: empty words in the ledger, `none` in the metrics and so in the variables."""

_NOW: Final = Section(
    "Now",
    (
        Panel(
            "Spent in 24 hours",
            "Over $500, and up by more than half: LLMCostSpike.",
            DOLLARS,
            (Query(f"sum(sluice:cost_usd:increase1d{{{_BOTH}}})", "cost"),),
            (_TO_OVERVIEW, _DEAR),
            Kind.STAT, 6, 4, 2, bad_from=500,
        ),
        Panel(
            "Against the day before",
            "The last 24 hours over the 24 before, all agents and models; 100 % is the same.",
            SHARE,
            (Query("sum(sluice:cost_usd:increase1d) / (sluice:cost_usd:increase1d_day_before > 0)",
                   "change"),),
            (_TO_OVERVIEW, _DEAR),
            Kind.STAT, 6, 4, 0, bad_from=1.5,
        ),
        Panel(
            "Spent in 30 days",
            "All agents and models. The budget of SPEC 11.1 is $500 a month.",
            DOLLARS,
            (Query("sluice:cost_usd:increase30d", "cost"),),
            (_TO_OVERVIEW, _DEAR),
            Kind.STAT, 6, 4, 2,
        ),
        Panel(
            "Cost per hire",
            "What all calls of 30 days cost, by the hires reported in them. Empty without one.",
            DOLLARS,
            (Query(
                "sluice:cost_usd:increase30d"
                ' / on () (sum(sluice:conversions:increase30d{stage="hired"}) > 0)',
                "per hire",
            ),),
            (_TO_QUALITY, _DEAR),
            Kind.STAT, 6, 4, 2,
        ),
    ),
)  # fmt: skip

_SPEND: Final = Section(
    "Spend",
    (
        Panel(
            "Daily spend by model",
            "Each bar is the 24 hours before it.",
            DOLLARS,
            (Query(f"sum by (model) (sluice:cost_usd:increase1d{{{_BOTH}}})", "{{model}}",
                   step="1d"),),
            (_THIS_MODEL, _MODEL_TRACES),
            Kind.BARS, decimals=2,
        ),
        Panel(
            "Daily spend by agent",
            "Each bar is the 24 hours before it.",
            DOLLARS,
            (Query(f"sum by (agent) (sluice:cost_usd:increase1d{{{_BOTH}}})", "{{agent}}",
                   step="1d"),),
            (_TO_AGENT, _AGENT_TRACES),
            Kind.BARS, decimals=2,
        ),
        Panel(
            "Spend an hour",
            "Dollars an hour at the rate of the moment.",
            DOLLARS,
            (Query(
                "sum by (model) (rate(sluice_cost_usd_total"
                f"{{{_BOTH}}}[$__rate_interval])) * 3600",
                "{{model}}",
            ),),
            (_THIS_MODEL, _MODEL_TRACES),
            Kind.STACK, decimals=2,
        ),
        Panel(
            "Cost per hire, over time",
            "Of the 30 days before each point.",
            DOLLARS,
            (Query(
                "sluice:cost_usd:increase30d"
                ' / on () (sum(sluice:conversions:increase30d{stage="hired"}) > 0)',
                "per hire",
            ),),
            (_TO_QUALITY, _DEAR),
            decimals=2,
        ),
        Panel(
            "Cost per call",
            "US dollars per answered call. Rising with the tokens per call: longer prompts or"
            " answers; without them: a dearer model or tier.",
            DOLLARS,
            (Query(
                f"sum by (agent) (rate(sluice_cost_usd_total{{{_BOTH}}}[$__rate_interval]))"
                f' / sum by (agent) (rate(sluice_calls_total{{{_BOTH}, outcome="answered"}}'
                "[$__rate_interval]))",
                "{{agent}}",
            ),),
            (_TO_AGENT, _AGENT_TRACES),
            decimals=6,
        ),
        Panel(
            "Tokens per call",
            "Input and output tokens per answered call.",
            COUNT,
            (Query(
                f'sum by (agent, kind) (rate(sluice_tokens_total{{{_BOTH}, kind=~"input|output"}}'
                "[$__rate_interval])) / on (agent) group_left ()"
                f' sum by (agent) (rate(sluice_calls_total{{{_BOTH}, outcome="answered"}}'
                "[$__rate_interval]))",
                "{{agent}} {{kind}}",
            ),),
            (_TO_AGENT, _AGENT_TRACES),
        ),
    ),
)  # fmt: skip

_SAVED: Final = Section(
    "Saved",
    (
        Panel(
            "Saved in 24 hours by cause",
            "What the calls would have cost more: from the cache, by waiting for an equal call, by"
            " the provider's own prompt cache.",
            DOLLARS,
            (Query(f"sum by (cause) (sluice:saved_usd:increase1d{{{_AGENT}}})", "{{cause}}"),),
            (_TO_OVERVIEW, to_traces("Traces from the cache", sluice__cache="hit")),
            Kind.STACK, decimals=4,
        ),
        Panel(
            "Share saved",
            "Saved, by what it would have cost without.",
            SHARE,
            (Query(
                f"sum by (agent) (sluice:saved_usd:increase1d{{{_AGENT}}})"
                f" / (sum by (agent) (sluice:saved_usd:increase1d{{{_AGENT}}})"
                f" + sum by (agent) (sluice:cost_usd:increase1d{{{_BOTH}}}) > 0)",
                "{{agent}}",
            ),),
            (_TO_AGENT, _AGENT_TRACES),
            highest=1,
        ),
        Panel(
            "Calls without a price",
            "Used tokens and cost nothing, without a stated reason: the bill is too low"
            " (UnpricedCalls).",
            COUNT,
            (Query('sum by (model) (increase(sluice_unpriced_calls_total{model=~"$model"}[1h]))',
                   "{{model}}"),),
            (_THIS_MODEL, _MODEL_TRACES),
            Kind.LINES, 24, 5, bad_from=1,
        ),
    ),
)  # fmt: skip

_TENANTS: Final = Section(
    "Tenants",
    (
        Panel(
            "Spend of tenants, an hour",
            "Only tenants listed under `sluice.metrics.tenants`; the others together are `other`.",
            DOLLARS,
            (Query(
                'sum by (tenant) (rate(sluice_tenant_cost_usd_total{tenant=~"$tenant"}'
                "[$__rate_interval])) * 3600",
                "{{tenant}}",
            ),),
            (_THIS_TENANT, to_traces("Traces", sluice__tenant="${__field.labels.tenant}")),
            Kind.STACK, decimals=2,
        ),
        Panel(
            "Quotas in use",
            "Share of this month's quota; 80 % warns, more than 100 % alerts or refuses.",
            SHARE,
            (Query('max by (tenant) (sluice_tenant_quota_used_ratio{tenant=~"$tenant"})',
                   "{{tenant}}"),),
            (_THIS_TENANT, to_traces("Traces", sluice__tenant="${__field.labels.tenant}")),
            bad_from=0.8,
        ),
        Panel(
            "Calls of tenants",
            "By how they ended.",
            PER_SECOND,
            (Query(
                'sum by (tenant, outcome) (rate(sluice_tenant_calls_total{tenant=~"$tenant"}'
                "[$__rate_interval]))",
                "{{tenant}} {{outcome}}",
            ),),
            (_THIS_TENANT, to_traces("Traces", sluice__tenant="${__field.labels.tenant}")),
        ),
        Panel(
            "Tokens of tenants",
            "Tokens a second, by kind.",
            COUNT,
            (Query(
                'sum by (tenant, kind) (rate(sluice_tenant_tokens_total{tenant=~"$tenant"}'
                "[$__rate_interval]))",
                "{{tenant}} {{kind}}",
            ),),
            (_THIS_TENANT, to_traces("Traces", sluice__tenant="${__field.labels.tenant}")),
        ),
    ),
)  # fmt: skip

_LEDGER: Final = Section(
    "From the ledger (needs the PostgreSQL data source)",
    (
        Panel(
            "Daily spend by model, exact",
            "Calendar days (UTC), from the ledger's own decimals: what is billed.",
            DOLLARS,
            links=(_THIS_MODEL, _TO_AGENTS),
            kind=Kind.BARS, width=24, decimals=2, sql=Sql(DAILY_SPEND),
        ),
    ),
    folded=True,
)  # fmt: skip

BOARD: Final = Board(
    COST,
    "What calls cost: by day and model, per hire, per call, saved, per tenant.",
    (_NOW, _SPEND, _SAVED, _TENANTS, _LEDGER),
    since="now-7d",
)

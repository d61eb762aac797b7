"""Agent Performance: success, latency and errors of each agent (SPEC 9.1, 9.2)."""

from typing import Final

from otel.dashboards.links import AGENTS, COST, OVERVIEW, QUALITY, to_dashboard, to_traces
from otel.dashboards.panels import (
    COUNT,
    DOLLARS,
    PER_SECOND,
    SECONDS,
    SHARE,
    Board,
    Column,
    Kind,
    Panel,
    Query,
    Section,
    quantiles,
)

_AGENT: Final = 'agent=~"$agent"'
_BOTH: Final = 'agent=~"$agent", model=~"$model"'
_TRACES: Final = to_traces("Traces of this agent", sluice__agent="${__field.labels.agent}")
_FAILED: Final = to_traces(
    "Failed traces of this agent", sluice__agent="${__field.labels.agent}", error="true"
)
_TO_OVERVIEW: Final = to_dashboard(AGENTS, OVERVIEW)
_TO_COST: Final = to_dashboard(AGENTS, COST, "agent")
_TO_QUALITY: Final = to_dashboard(AGENTS, QUALITY, "agent")
_DURATION: Final = "sluice:call_duration_seconds_bucket:rate5m"


def _quantile(q: float) -> str:
    return f"histogram_quantile({q}, sum by (agent, le) ({_DURATION}{{{_AGENT}}}))"


def _mean(family: str) -> str:
    return (
        f"sum by (agent) (rate({family}_sum{{{_AGENT}}}[$__rate_interval]))"
        f" / sum by (agent) (rate({family}_count{{{_AGENT}}}[$__rate_interval]))"
    )


def _increase(family: str, selector: str) -> str:
    return f"sum by (agent) (increase({family}{{{selector}}}[$__range]))"


_CALLS: Final = _increase("sluice_calls_total", _BOTH)
_ANSWERED: Final = _increase("sluice_calls_total", f'{_BOTH}, outcome="answered"')

_TABLE: Final = Section(
    "All agents",
    (
        Panel(
            "Agents",
            "Per agent over the time range: invocations, share answered of those that were not the"
            " client's own fault, mean and quantiles of a call's time, dollars and tokens per call."
            " The quantiles are those of the last 5 minutes.",
            COUNT,
            (
                Query(_CALLS, "Invocations"),
                Query(f"1 - sluice:agent_errors:ratio5m{{{_AGENT}}}", "Success, 5 min"),
                Query(
                    f"{_increase('sluice_call_duration_seconds_sum', _AGENT)}"
                    f" / {_increase('sluice_call_duration_seconds_count', _AGENT)}",
                    "Mean",
                ),
                Query(_quantile(0.5), "P50"),
                Query(_quantile(0.95), "P95"),
                Query(_quantile(0.99), "P99"),
                Query(f"{_increase('sluice_cost_usd_total', _BOTH)} / {_ANSWERED}",
                      "Cost per invocation"),
                Query(_increase("sluice_tokens_total", f'{_BOTH}, kind="input"'), "Tokens in"),
                Query(_increase("sluice_tokens_total", f'{_BOTH}, kind="output"'), "Tokens out"),
            ),
            (_TRACES, _TO_COST),
            Kind.TABLE, 24, 10,
            columns={
                "Invocations": Column(COUNT, 0),
                "Success, 5 min": Column(SHARE, 2),
                "Mean": Column(SECONDS),
                "P50": Column(SECONDS),
                "P95": Column(SECONDS),
                "P99": Column(SECONDS),
                "Cost per invocation": Column(DOLLARS, 6),
                "Tokens in": Column(COUNT, 0),
                "Tokens out": Column(COUNT, 0),
            },
        ),
    ),
)  # fmt: skip

_SUCCESS: Final = Section(
    "Success",
    (
        Panel(
            "Invocations",
            "Calls a second, however they ended.",
            PER_SECOND,
            (Query(f"sum by (agent) (rate(sluice_calls_total{{{_BOTH}}}[$__rate_interval]))",
                   "{{agent}}"),),
            (_TRACES, _TO_COST),
            Kind.STACK,
        ),
        Panel(
            "Success rate",
            "Share answered, of the calls that were not refused for the client's own fault. Below"
            " 95 % somebody is called (HighAgentErrorRate).",
            SHARE,
            (Query(f"1 - sluice:agent_errors:ratio5m{{{_AGENT}}}", "{{agent}}"),),
            (_FAILED, _TO_QUALITY),
            bad_below=0.95,
        ),
        Panel(
            "Calls without an answer, by how they ended",
            "failed: no tier had an answer; refused: by the gateway; disconnected: the client"
            " left.",
            PER_SECOND,
            (Query(
                f'sum by (agent, outcome) (rate(sluice_calls_total{{{_AGENT}, outcome!="answered"}}'
                "[$__rate_interval]))",
                "{{agent}} {{outcome}}",
            ),),
            (_FAILED, _TO_OVERVIEW),
            Kind.STACK,
        ),
        Panel(
            "Refusals by reason",
            "What the gateway itself refused, and why.",
            PER_SECOND,
            (Query(
                "sum by (agent, reason) (rate(sluice_refusals_total"
                f"{{{_AGENT}}}[$__rate_interval]))",
                "{{agent}} {{reason}}",
            ),),
            (_FAILED, _TO_OVERVIEW),
            Kind.STACK,
        ),
        Panel(
            "Errors by type",
            "Calls that no tier answered, by the kind of the last error.",
            PER_SECOND,
            (Query(
                "sum by (agent, error_class) (rate(sluice_call_errors_total"
                f"{{{_AGENT}}}[$__rate_interval]))",
                "{{agent}} {{error_class}}",
            ),),
            (to_traces("Traces", error__type="${__field.labels.error_class}"), _TO_OVERVIEW),
            Kind.STACK,
        ),
        Panel(
            "Failed tries by type",
            "Tries that failed at the chosen models, by the provider's kind of error; a lower tier"
            " may have answered in their place.",
            PER_SECOND,
            (Query(
                "sum by (model, error_class) (rate(sluice_attempts_total"
                '{model=~"$model", outcome="failed"}[$__rate_interval]))',
                "{{model}} {{error_class}}",
            ),),
            (to_traces("Traces", error__type="${__field.labels.error_class}"), _TO_OVERVIEW),
            Kind.STACK,
        ),
        Panel(
            "Tier that answered",
            "Anything but `primary` means that the agent's first choice did not serve.",
            PER_SECOND,
            (Query(
                f'sum by (agent, tier) (rate(sluice_calls_total{{{_AGENT}, outcome="answered"}}'
                "[$__rate_interval]))",
                "{{agent}} {{tier}}",
            ),),
            (_TRACES, _TO_OVERVIEW),
            Kind.STACK,
        ),
    ),
)  # fmt: skip

_LATENCY: Final = Section(
    "Latency",
    (
        Panel(
            "Time of a call",
            "From arrival to settlement, the chosen agents together. The dots are single calls: a"
            " click shows the trace.",
            SECONDS,
            tuple(quantiles("sluice_call_duration_seconds", _AGENT)),
            (to_traces("Traces"), _TO_OVERVIEW),
        ),
        Panel(
            "P95 of each agent",
            "Over the last 5 minutes.",
            SECONDS,
            (Query(_quantile(0.95), "{{agent}}"),),
            (_TRACES, _TO_OVERVIEW),
        ),
        Panel(
            "Mean time of a call",
            "The sum of all times by their number; a few long streams move it.",
            SECONDS,
            (Query(_mean("sluice_call_duration_seconds"), "{{agent}}"),),
            (_TRACES, _TO_OVERVIEW),
        ),
        Panel(
            "Time to first byte",
            "Of streams: how long a reader or listener waits for the first word.",
            SECONDS,
            tuple(quantiles("sluice_first_byte_seconds", _AGENT)),
            (to_traces("Traces"), _TO_OVERVIEW),
        ),
        Panel(
            "P95 to first byte of each agent",
            "Of streams, over the last 5 minutes.",
            SECONDS,
            (Query(
                "histogram_quantile(0.95, sum by (agent, le)"
                f" (sluice:first_byte_seconds_bucket:rate5m{{{_AGENT}}}))",
                "{{agent}}",
            ),),
            (_TRACES, _TO_OVERVIEW),
        ),
        Panel(
            "Latency by endpoint",
            "P95: chat, embeddings, speech and the others have times of their own.",
            SECONDS,
            (Query(
                "histogram_quantile(0.95, sum by (endpoint, le)"
                f" (rate(sluice_call_duration_seconds_bucket{{{_AGENT}}}[$__rate_interval])))",
                "{{endpoint}}",
            ),),
            (to_traces("Traces"), _TO_OVERVIEW),
        ),
    ),
)  # fmt: skip

_USE: Final = Section(
    "Use",
    (
        Panel(
            "Cost per invocation",
            "US dollars per answered call; one from the cache costs nothing and counts.",
            DOLLARS,
            (Query(
                f"sum by (agent) (rate(sluice_cost_usd_total{{{_BOTH}}}[$__rate_interval]))"
                f' / sum by (agent) (rate(sluice_calls_total{{{_BOTH}, outcome="answered"}}'
                "[$__rate_interval]))",
                "{{agent}}",
            ),),
            (_TRACES, _TO_COST),
            decimals=6,
        ),
        Panel(
            "Tokens in and out",
            "Tokens a second.",
            COUNT,
            (Query(
                f'sum by (agent, kind) (rate(sluice_tokens_total{{{_BOTH}, kind=~"input|output"}}'
                "[$__rate_interval]))",
                "{{agent}} {{kind}}",
            ),),
            (_TRACES, _TO_COST),
        ),
    ),
)  # fmt: skip

BOARD: Final = Board(
    AGENTS,
    "How each agent does: success, latency, errors, cost and tokens per call.",
    (_TABLE, _SUCCESS, _LATENCY, _USE),
)

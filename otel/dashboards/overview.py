"""LLM Overview: cost, use and errors over all models, and the gateway's own health (SPEC 9.2)."""

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
_MODEL: Final = 'model=~"$model"'
_BOTH: Final = f"{_AGENT}, {_MODEL}"
_TO_AGENTS: Final = to_dashboard(OVERVIEW, AGENTS)
_TO_COST: Final = to_dashboard(OVERVIEW, COST)
_TO_QUALITY: Final = to_dashboard(OVERVIEW, QUALITY)
_THIS_AGENT: Final = to_dashboard(OVERVIEW, AGENTS, "agent")
_THIS_MODEL: Final = to_dashboard(OVERVIEW, COST, "model")
_FAILED: Final = to_traces("Traces with errors", error="true")
_SLOW: Final = to_traces("Traces")
_MODEL_TRACES: Final = to_traces("Traces of this model", sluice__model="${__field.labels.model}")
_ON_OFF: Final = {0: ("there", "green"), 1: ("away", "red")}
_CIRCUIT: Final = {0: ("closed", "green"), 1: ("half open", "orange"), 2: ("open", "red")}

_NOW: Final = Section(
    "Now",
    (
        Panel(
            "Calls",
            "Calls a second, however they ended.",
            PER_SECOND,
            (Query(f"sum(rate(sluice_calls_total{{{_BOTH}}}[$__rate_interval]))", "calls"),),
            (_TO_AGENTS, _SLOW),
            Kind.STAT, 4, 4,
        ),
        Panel(
            "Calls without an answer",
            "Share of the last 5 minutes' calls that failed, or found every circuit open; clients'"
            " own faults do not count. Over 5 % somebody is called (HighLLMErrorRate).",
            SHARE,
            (Query("sluice:errors:ratio5m", "errors"),),
            (_TO_AGENTS, _FAILED),
            Kind.STAT, 4, 4, 2, bad_from=0.05,
        ),
        Panel(
            "P95 of a call",
            "95 % of the calls of the last 5 minutes took at most this long, until the last byte.",
            SECONDS,
            (Query(
                "histogram_quantile(0.95, sum by (le)"
                f" (sluice:call_duration_seconds_bucket:rate5m{{{_AGENT}}}))",
                "P95",
            ),),
            (_TO_AGENTS, _SLOW),
            Kind.STAT, 4, 4, bad_from=3,
        ),
        Panel(
            "Spent in 24 hours",
            "US dollars of the last 24 hours. The ledger has the exact figure: `sluice spend`.",
            DOLLARS,
            (Query(f"sum(sluice:cost_usd:increase1d{{{_BOTH}}})", "cost"),),
            (_TO_COST, _SLOW),
            Kind.STAT, 4, 4, 2, bad_from=500,
        ),
        Panel(
            "Answered from the cache",
            "Share of the calls that could have come from the cache and did; waiting for an equal"
            " call counts. The target on the reference workload is 40 %.",
            SHARE,
            (Query(
                f'sum(rate(sluice_calls_total{{{_AGENT}, cache=~"hit|coalesced"}}'
                "[$__rate_interval]))"
                f' / sum(rate(sluice_calls_total{{{_AGENT}, cache=~"hit|coalesced|miss"}}'
                "[$__rate_interval]))",
                "hits",
            ),),
            (_TO_COST, _SLOW),
            Kind.STAT, 4, 4, 1,
        ),
        Panel(
            "Version",
            "Which release runs; more than one while replicas are being replaced.",
            COUNT,
            (Query("count by (version) (sluice_build_info)", "{{version}}"),),
            (_TO_AGENTS,),
            Kind.STAT, 4, 4,
        ),
    ),
)  # fmt: skip

_CALLS: Final = Section(
    "Calls",
    (
        Panel(
            "Calls by outcome",
            "answered; failed: no tier had an answer; refused: by the gateway; disconnected: the"
            " client left before the end.",
            PER_SECOND,
            (Query(
                f"sum by (outcome) (rate(sluice_calls_total{{{_BOTH}}}[$__rate_interval]))",
                "{{outcome}}",
            ),),
            (_TO_AGENTS, to_traces("Traces", sluice__outcome="${__field.labels.outcome}")),
            Kind.STACK,
        ),
        Panel(
            "Calls by agent",
            "Who calls. A click leads to the agent.",
            PER_SECOND,
            (Query(
                f"sum by (agent) (rate(sluice_calls_total{{{_BOTH}}}[$__rate_interval]))",
                "{{agent}}",
            ),),
            (_THIS_AGENT, to_traces("Traces", sluice__agent="${__field.labels.agent}")),
            Kind.STACK,
        ),
        Panel(
            "Errors by type",
            "Tries at providers that failed, by the kind of error. Clients notice only those after"
            " which no tier was left.",
            PER_SECOND,
            (Query(
                "sum by (provider, error_class) (rate(sluice_attempts_total"
                f'{{{_MODEL}, outcome="failed"}}[$__rate_interval]))',
                "{{provider}} {{error_class}}",
            ),),
            (_TO_AGENTS, to_traces("Traces", error__type="${__field.labels.error_class}")),
            Kind.STACK,
        ),
        Panel(
            "Tier that answered",
            "Anything but `primary` means that a first choice failed, was full or could not take"
            " the request.",
            PER_SECOND,
            (Query(
                f'sum by (tier) (rate(sluice_calls_total{{{_BOTH}, outcome="answered"}}'
                "[$__rate_interval]))",
                "{{tier}}",
            ),),
            (_TO_AGENTS, to_traces("Traces", sluice__tier="${__field.labels.tier}")),
            Kind.STACK,
        ),
        Panel(
            "Refusals",
            "Calls that the gateway refused. `Unavailable`: every tier's circuit was open, or a"
            " store was needed and away; `RateLimited`: the tenant's or key's own limit.",
            PER_SECOND,
            (Query(
                f"sum by (reason) (rate(sluice_refusals_total{{{_AGENT}}}[$__rate_interval]))",
                "{{reason}}",
            ),),
            (_TO_AGENTS, to_traces("Traces", sluice__outcome="refused")),
            Kind.STACK, 8,
        ),
        Panel(
            "Refused at the door",
            "Requests that never became calls: a key that is none, a body that cannot be read, a"
            " path that is shut. They have no trace of a call.",
            PER_SECOND,
            (Query(
                "sum by (code) (rate(sluice_door_refusals_total[$__rate_interval]))", "{{code}}"
            ),),
            (_TO_AGENTS,),
            Kind.STACK, 8,
        ),
        Panel(
            "Tiers skipped",
            "Tiers left out before they were tried, and why: an open circuit, a full limit, a model"
            " that cannot take the request.",
            PER_SECOND,
            (Query(
                "sum by (tier, reason) (rate(sluice_tiers_skipped_total[$__rate_interval]))",
                "{{tier}} {{reason}}",
            ),),
            (_TO_AGENTS, _SLOW),
            Kind.STACK, 8,
        ),
    ),
)  # fmt: skip

_MODELS: Final = Section(
    "Models",
    (
        Panel(
            "Models",
            "Per model over the time range: calls that it served, what they cost, the mean score"
            " people gave its answers (30 days; 0..1), and whether drift was detected within the"
            " last hour.",
            COUNT,
            (
                Query(f"sum by (model) (increase(sluice_calls_total{{{_BOTH}}}[$__range]))",
                      "Requests"),
                Query(f"sum by (model) (increase(sluice_cost_usd_total{{{_BOTH}}}[$__range]))",
                      "Cost"),
                Query(
                    f"max by (model) (sluice:model_errors:ratio5m{{{_MODEL}}})",
                    "Failed tries, 5 min",
                ),
                Query(
                    f"max by (model) (sluice:attempt_duration_seconds:p95_5m{{{_MODEL}}})",
                    "P95, 5 min",
                ),
                Query(f"max by (model) (sluice_quality_score{{{_MODEL}}})", "Quality"),
                Query(f"max by (model) (sluice_drift_detected{{{_MODEL}}})", "Drift"),
            ),
            (_THIS_MODEL, _MODEL_TRACES),
            Kind.TABLE, 24, 8,
            columns={
                "Requests": Column(COUNT, 0),
                "Cost": Column(DOLLARS, 4),
                "Failed tries, 5 min": Column(SHARE, 2),
                "P95, 5 min": Column(SECONDS),
                "Quality": Column(SHARE, 0),
                "Drift": Column("bool_yes_no"),
            },
        ),
        Panel(
            "Tries by outcome",
            "Every try at a model: answered, failed, or abandoned by its client.",
            PER_SECOND,
            (Query(
                "sum by (model, outcome) (rate(sluice_attempts_total"
                f"{{{_MODEL}}}[$__rate_interval]))",
                "{{model}} {{outcome}}",
            ),),
            (_THIS_MODEL, _MODEL_TRACES),
            Kind.STACK,
        ),
        Panel(
            "P95 of a model's answers",
            "Until the last byte, tries that were answered. Over 3 s the AI team is told"
            " (ModelLatencyDegradation).",
            SECONDS,
            (Query(f"sluice:attempt_duration_seconds:p95_5m{{{_MODEL}}}", "{{model}}"),),
            (_THIS_MODEL, _MODEL_TRACES),
            bad_from=3,
        ),
        Panel(
            "Time of a try",
            "Over the chosen models; the dots are single calls: a click shows the trace.",
            SECONDS,
            tuple(quantiles("sluice_attempt_duration_seconds", _MODEL)),
            (_TO_COST, _SLOW),
        ),
        Panel(
            "Tokens by kind",
            "Tokens a second. `input` includes what the provider read from its cache.",
            COUNT,
            (Query(
                f"sum by (kind) (rate(sluice_tokens_total{{{_BOTH}}}[$__rate_interval]))",
                "{{kind}}",
            ),),
            (_TO_COST, _SLOW),
        ),
        Panel(
            "Characters spoken",
            "Characters a second that were turned into speech.",
            COUNT,
            (Query(f"sum by (agent) (rate(sluice_characters_total{{{_BOTH}}}[$__rate_interval]))",
                   "{{agent}}"),),
            (_THIS_AGENT, to_traces("Traces", sluice__agent="${__field.labels.agent}")),
            Kind.LINES, 12, 6,
        ),
        Panel(
            "Audio heard",
            "Seconds of audio transcribed, a second.",
            SECONDS,
            (Query(
                f"sum by (agent) (rate(sluice_audio_seconds_total{{{_BOTH}}}[$__rate_interval]))",
                "{{agent}}",
            ),),
            (_THIS_AGENT, to_traces("Traces", sluice__agent="${__field.labels.agent}")),
            Kind.LINES, 12, 6,
        ),
    ),
)  # fmt: skip

_GATEWAY: Final = Section(
    "The gateway itself",
    (
        Panel(
            "Gateway overhead",
            "What the gateway itself adds to a call: its time less its tries. P95 over 0.1 s tells"
            " the platform team (GatewayOverheadHigh).",
            SECONDS,
            tuple(quantiles("sluice_overhead_seconds", "")),
            (_TO_AGENTS, _SLOW),
            bad_from=0.1,
        ),
        Panel(
            "Time in stages",
            "P95 of each plugin's part in a call, by stage and phase.",
            SECONDS,
            (Query(
                "histogram_quantile(0.95, sum by (stage, phase, le)"
                " (rate(sluice_stage_seconds_bucket[$__rate_interval])))",
                "{{stage}} {{phase}}",
            ),),
            (_TO_AGENTS, _SLOW),
        ),
        Panel(
            "Circuits",
            "A provider's circuit as the worst of the workers sees it. Open: it is spared, and"
            " calls go to the next tier.",
            COUNT,
            (Query("max by (provider) (sluice_circuit_state)", "{{provider}}"),),
            (_TO_AGENTS, to_traces("Traces", gen_ai__provider__name="${__field.labels.provider}")),
            Kind.STATES, 12, 6, states=_CIRCUIT,
        ),
        Panel(
            "Changes of circuits",
            "Openings, probes and closings, by the breaker or by hand.",
            COUNT,
            (Query(
                "sum by (provider, to, by) (increase(sluice_circuit_changes_total"
                "[$__rate_interval]))",
                "{{provider}} {{to}} ({{by}})",
            ),),
            (_TO_AGENTS, _FAILED),
            Kind.BARS, 12, 6,
        ),
        Panel(
            "Stores",
            "Whether any worker cannot reach a store. Calls go on meanwhile (StoreAway).",
            COUNT,
            (Query("max by (store) (sluice_store_away)", "{{store}}"),),
            (_TO_AGENTS, _FAILED),
            Kind.STATES, 12, 6, states=_ON_OFF,
        ),
        Panel(
            "Settlements on their way",
            "Ledger rows that are not in PostgreSQL yet: in Redis (over 1000 for 5 minutes:"
            " SettlementsWaiting), or on disk (for 10 minutes: LedgerSpoolGrowing).",
            COUNT,
            (
                Query("max(sluice_settlements_waiting)", "in Redis"),
                Query("max by (instance) (sluice_spool_entries)", "on {{instance}}'s disk"),
            ),
            (_TO_COST,),
            Kind.LINES, 12, 6,
        ),
        Panel(
            "Limits in use",
            "Share of a provider's requests and tokens a minute. At 100 % calls go to the next"
            " tier; over 90 % for 5 minutes: ProviderLimitNearlyFull.",
            SHARE,
            (Query("max by (provider, kind) (sluice_limit_used_ratio)", "{{provider}} {{kind}}"),),
            (_TO_AGENTS, to_traces("Traces", gen_ai__provider__name="${__field.labels.provider}")),
            Kind.LINES, 8, 7, bad_from=0.9,
        ),
        Panel(
            "Limits without Redis",
            "1 while a worker counts rate limits by itself; and how many reservations were decided"
            " so since the workers' start.",
            COUNT,
            (
                Query("max(sluice_limits_alone)", "alone"),
                Query("sum(sluice_limit_reservations_alone)", "reservations"),
            ),
            (_TO_AGENTS,),
            Kind.LINES, 8, 7,
        ),
        Panel(
            "Quotas in use",
            "Share of this month's quota that a tenant has used; only tenants with one.",
            SHARE,
            (Query('max by (tenant) (sluice_tenant_quota_used_ratio{tenant=~"$tenant"})',
                   "{{tenant}}"),),
            (to_dashboard(OVERVIEW, COST, "tenant"),),
            Kind.LINES, 8, 7, bad_from=0.8,
        ),
        Panel(
            "Traces",
            "Traces a second that were kept or sampled away, and spans lost (TracesDropped).",
            PER_SECOND,
            (
                Query("sum by (kept) (rate(sluice_traces_total[$__rate_interval]))",
                      "kept: {{kept}}"),
                Query(
                    "sum by (reason)"
                    " (rate(sluice_trace_spans_dropped_total[$__rate_interval]))",
                    "lost: {{reason}}",
                ),
            ),
            (_SLOW,),
            Kind.LINES, 8, 7,
        ),
        Panel(
            "Queues",
            "Spans and alerts that wait to be sent, and reviews that wait for a person.",
            COUNT,
            (
                Query("sum(sluice_trace_queue_spans)", "spans"),
                Query("sum by (sender) (sluice_alert_queue)", "alerts to {{sender}}"),
                Query("max(sluice_reviews_open)", "reviews"),
            ),
            (_TO_QUALITY,),
            Kind.LINES, 8, 7,
        ),
        Panel(
            "Alerts sent by the gateway",
            "Tries to deliver: delivered, again, refused, given_up, dropped (AlertsUndelivered).",
            COUNT,
            (
                Query(
                    "sum by (sender, outcome) (increase(sluice_alert_deliveries_total"
                    "[$__rate_interval]))",
                    "{{sender}} {{outcome}}",
                ),
                Query("sum by (name, state) (increase(sluice_alerts_total[$__rate_interval]))",
                      "{{name}} {{state}}"),
            ),
            (_TO_AGENTS, _FAILED),
            Kind.BARS, 8, 7,
        ),
    ),
)  # fmt: skip

_SAVED: Final = Section(
    "Cache and savings",
    (
        Panel(
            "Cache",
            "hit: from the cache; coalesced: waited for an equal call; bypass: the client asked"
            " for that; off: the agent's policy.",
            PER_SECOND,
            (Query(
                f"sum by (cache) (rate(sluice_calls_total{{{_BOTH}}}[$__rate_interval]))",
                "{{cache}}",
            ),),
            (_TO_COST, to_traces("Traces", sluice__cache="${__field.labels.cache}")),
            Kind.STACK,
        ),
        Panel(
            "Saved in 24 hours",
            "US dollars that the last 24 hours would have cost more, by cause.",
            DOLLARS,
            (Query(f"sum by (cause) (sluice:saved_usd:increase1d{{{_AGENT}}})", "{{cause}}"),),
            (_TO_COST, _SLOW),
            Kind.STACK, decimals=2,
        ),
    ),
)  # fmt: skip

BOARD: Final = Board(
    OVERVIEW,
    "Cost, use and errors over all models, and whether the gateway itself is well.",
    (_NOW, _CALLS, _MODELS, _GATEWAY, _SAVED),
)

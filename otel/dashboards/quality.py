"""Quality Metrics: what people say of answers, what checks find, what changes (SPEC 9.2)."""

from typing import Final

from otel.dashboards.links import AGENTS, COST, OVERVIEW, QUALITY, to_dashboard, to_traces
from otel.dashboards.panels import (
    COUNT,
    PER_SECOND,
    SECONDS,
    SHARE,
    Board,
    Kind,
    Panel,
    Query,
    Section,
)

_AGENT: Final = 'agent=~"$agent"'
_MODEL: Final = 'model=~"$model"'
_BOTH: Final = f"{_AGENT}, {_MODEL}"
_TO_AGENT: Final = to_dashboard(QUALITY, AGENTS, "agent")
_TO_COST: Final = to_dashboard(QUALITY, COST)
_TO_OVERVIEW: Final = to_dashboard(QUALITY, OVERVIEW)
_TO_AGENTS: Final = to_dashboard(QUALITY, AGENTS)
_TRACES: Final = to_traces("Traces of this agent", sluice__agent="${__field.labels.agent}")
_MODEL_TRACES: Final = to_traces("Traces of this model", sluice__model="${__field.labels.model}")
_FLAGGED: Final = to_traces("Traces", sluice__verdict="${__field.labels.verdict}")
_DRIFT: Final = {0: ("steady", "green"), 1: ("drifted", "red")}


def _share(part: str, whole: str, by: str) -> str:
    """Give the share of kinds of feedback within 30 days; 0 where the part was never given."""

    def total(kinds: str) -> str:
        return f'sum by ({by}) (sluice:feedback:increase30d{{{_BOTH}, kind=~"{kinds}"}})'

    return f"({total(part)} or {total(whole)} * 0) / ({total(whole)} > 0)"


_PEOPLE: Final = Section(
    "What people say",
    (
        Panel(
            "Satisfaction",
            "Share of thumbs up among all thumbs of the last 30 days.",
            SHARE,
            (Query(_share("thumbs_up", "thumbs_up|thumbs_down", "agent"), "{{agent}}"),),
            (_TO_AGENT, _TRACES),
            highest=1,
        ),
        Panel(
            "Override rate",
            "Share of answers that a person overrode, among those a person decided on, in the last"
            " 30 days. A rising rate means that people trust the agent less.",
            SHARE,
            (Query(_share("overridden", "accepted|overridden", "agent"), "{{agent}}"),),
            (_TO_AGENT, _TRACES),
            highest=1,
        ),
        Panel(
            "Feedback",
            "What was said in the last 30 days, by kind: how much the shares beside rest on.",
            COUNT,
            (Query(f"sum by (kind) (sluice:feedback:increase30d{{{_BOTH}}})", "{{kind}}"),),
            (_TO_AGENTS, to_traces("Traces")),
            Kind.STACK, 8,
        ),
        Panel(
            "Mean score of each model",
            "Mean of people's scores within 30 days, thumbs up 1 and down 0, from PostgreSQL.",
            SHARE,
            (Query(f"max by (model) (sluice_quality_score{{{_MODEL}}})", "{{model}}"),),
            (to_dashboard(QUALITY, COST, "model"), _MODEL_TRACES),
            Kind.LINES, 8, highest=1,
        ),
        Panel(
            "From shortlist to hire",
            "Applications within 30 days that reached a stage after an agent's part in them.",
            COUNT,
            (Query("sum by (stage) (sluice:conversions:increase30d)", "{{stage}}"),),
            (_TO_COST, to_traces("Traces")),
            Kind.LINES, 8,
        ),
    ),
)  # fmt: skip

_CHECKS: Final = Section(
    "What checks find",
    (
        Panel(
            "Confidence",
            "Median, and the lowest tenth, of the answers that have one. Below 0.7 the policy may"
            " hold an answer for a person.",
            SHARE,
            tuple(
                Query(
                    f"histogram_quantile({q}, sum by (agent, le)"
                    f" (rate(sluice_confidence_bucket{{{_AGENT}}}[$__rate_interval])))",
                    f"{{{{agent}}}} P{round(q * 100)}",
                )
                for q in (0.1, 0.5)
            ),
            (_TO_AGENT, _TRACES),
            bad_below=0.7, highest=1,
        ),
        Panel(
            "Verdicts",
            "Calls that were not simply allowed: flagged, soft-rejected or blocked.",
            PER_SECOND,
            (Query(
                f"sum by (agent, verdict) (rate(sluice_verdicts_total{{{_AGENT}}}"
                "[$__rate_interval]))",
                "{{agent}} {{verdict}}",
            ),),
            (_TO_AGENT, _FLAGGED),
            Kind.STACK,
        ),
        Panel(
            "Findings by check",
            "What each check found, and what was done about it. A check that suddenly flags"
            " everything is broken, or a client is.",
            PER_SECOND,
            (Query(
                f"sum by (check, action) (rate(sluice_findings_total{{{_AGENT}}}"
                "[$__rate_interval]))",
                "{{check}} {{action}}",
            ),),
            (_TO_AGENTS, to_traces("Flagged traces", sluice__verdict="flag")),
            Kind.STACK, 24,
        ),
        Panel(
            "Checks that failed",
            "Calls that a check could not judge, and why. For 5 minutes: ChecksFailing.",
            PER_SECOND,
            (Query(
                "sum by (check, reason) (rate(sluice_check_failures_total[$__rate_interval]))",
                "{{check}} {{reason}}",
            ),),
            (_TO_OVERVIEW, to_traces("Flagged traces", sluice__verdict="flag")),
            Kind.STACK,
        ),
        Panel(
            "Moderation endpoint",
            "What came of the requests to it. Spared and unreachable ones are judged offline or"
            " refused, as the check's `on_failure` says.",
            PER_SECOND,
            (Query(
                "sum by (outcome) (rate(sluice_moderation_requests_total[$__rate_interval]))",
                "{{outcome}}",
            ),),
            (_TO_OVERVIEW, to_traces("Flagged traces", sluice__verdict="flag")),
            Kind.STACK,
        ),
    ),
)  # fmt: skip

_CHANGE: Final = Section(
    "What changes",
    (
        Panel(
            "Drift",
            "A lasting change of a model's signal, for an hour after it was detected (ModelDrift).",
            COUNT,
            (Query(f"max by (model, signal) (sluice_drift_detected{{{_MODEL}}})",
                   "{{model}} {{signal}}"),),
            (to_dashboard(QUALITY, COST, "model"), _MODEL_TRACES),
            Kind.STATES, states=_DRIFT,
        ),
        Panel(
            "Changes detected",
            "Since the gateway's start, by model and signal.",
            COUNT,
            (Query(f"sum by (model, signal) (sluice_drift_changes_total{{{_MODEL}}})",
                   "{{model}} {{signal}}"),),
            (to_dashboard(QUALITY, COST, "model"), _MODEL_TRACES),
        ),
    ),
)  # fmt: skip

_REVIEWS: Final = Section(
    "Reviews by people",
    (
        Panel(
            "Reviews open",
            "Answers that wait for a person. Over 100 for a quarter of an hour: ReviewBacklog.",
            COUNT,
            (Query("max(sluice_reviews_open)", "open"),),
            (_TO_OVERVIEW, to_traces("Soft-rejected", sluice__verdict="soft_reject")),
            bad_from=100,
        ),
        Panel(
            "Oldest review",
            "How long the oldest open one has waited. Over 4 hours: ReviewWaitsTooLong.",
            SECONDS,
            (Query("max(sluice_review_oldest_seconds)", "oldest"),),
            (_TO_OVERVIEW, to_traces("Soft-rejected", sluice__verdict="soft_reject")),
            bad_from=14400,
        ),
    ),
)  # fmt: skip

BOARD: Final = Board(
    QUALITY,
    "Whether answers are good: what people say, what checks find, what drifts, what waits.",
    (_PEOPLE, _CHECKS, _CHANGE, _REVIEWS),
    since="now-7d",
)

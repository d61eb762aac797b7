"""What each alert does just below, at and just above its thresholds, and what resets and gaps do.

Values are a minute apart: `0+5x30` grows by 5 a minute, `_x5` is five minutes without a sample.
"""

from tests.otel.rules import Case

GATEWAY = '{job="sluice", instance="a"}'
UP = {f"up{GATEWAY}": "1x4000"}


def labelled(name: str, **labels: str) -> str:
    inside = ", ".join(f'{k}="{v}"' for k, v in {"job": "sluice", "instance": "a"}.items())
    more = "".join(f', {k}="{v}"' for k, v in labels.items())
    return f"{name}{{{inside}{more}}}"


def calls(outcome: str, values: str, agent: str = "matching") -> dict[str, str]:
    series = labelled(
        "sluice_calls_total", agent=agent, model="gpt-4o", endpoint="chat", outcome=outcome,
        tier="primary", cache="miss",
    )  # fmt: skip
    return UP | {series: values}


def unavailable(values: str, agent: str = "matching") -> dict[str, str]:
    return {labelled("sluice_refusals_total", agent=agent, reason="Unavailable"): values}


def attempts(outcome: str, values: str) -> dict[str, str]:
    series = labelled(
        "sluice_attempts_total", provider="openai", model="gpt-4o", tier="primary",
        outcome=outcome, error_class="Timeout" if outcome == "failed" else "none",
    )  # fmt: skip
    return UP | {series: values}


def errors(alert: str, fires: dict[str, str]) -> list[Case]:
    """The share of calls without an answer, over all agents and per agent."""

    def case(title: str, series: dict[str, str], says: str | None = None, at: str = "20m") -> Case:
        return Case(alert, title, series, at, fires if says else None, says or "")

    steady = calls("answered", "0+949x40")
    new = {f"up{GATEWAY}": "_x15 1x30"}
    return [
        case("5.1 % fail", steady | calls("failed", "0+51x40"), "5.1%"),
        case("exactly 5 % fail", calls("answered", "0+95x40") | calls("failed", "0+5x40")),
        case("4.9 % fail", calls("answered", "0+951x40") | calls("failed", "0+49x40")),
        case("a minute of failures is not yet two",
             steady | calls("failed", "0x15 500x2"), at="17m"),
        case("two minutes of failures", steady | calls("failed", "0x15 500x9"), "9.533%", "18m"),
        case("20 calls are enough",
             calls("answered", "0+3x40") | calls("failed", "0+1x40"), "25%"),
        case("19 calls are too few",
             calls("answered", "0+3x40") | calls("failed", "0x16 4x9")),
        case("nothing but failures", calls("failed", "0+10x40"), "100%"),
        case("nothing but answers", calls("answered", "0+1000x40")),
        case("every circuit is open", steady | unavailable("0+500x40"), "34.51%"),
        case("clients' own faults and departures do not count",
             steady | calls("refused", "0+900x40") | calls("disconnected", "0+900x40")),
        case("the first failures of a new series count from zero",
             calls("answered", "0+95x40") | calls("failed", "_x18 50x9"), "9.524%", "21m"),
        case("a new Prometheus takes old counts for no increase",
             calls("answered", "_x15 100000+95x30") | calls("failed", "_x15 50000x30") | new),
        case("a restart in between does not hide them",
             calls("answered", "0+90x17 0+90x20") | calls("failed", "0+10x17 0+10x20"), "10%"),
        case("a restart in between is no failure",
             calls("answered", "900+96x17 0+96x20") | calls("failed", "900+4x17 0+4x20")),
        case("a gap of three minutes does not hide them",
             calls("answered", "0+90x14 _x3 0+90x20") | calls("failed", "0+10x14 _x3 0+10x20"),
             "10%", "24m"),
        case("no series at all", UP),
        case("over as soon as five minutes have none",
             steady | calls("failed", "0+500x20 10000x20"), at="27m"),
    ]  # fmt: skip


def gauge(
    alert: str, name: str, labels: dict[str, str], above: tuple[float, str], at: float,
    below: float, *, wait: int = 0,
) -> list[Case]:  # fmt: skip
    """Cases of an alert on a gauge that is over its limit for some minutes.

    Args:
        alert: its name.
        name: of the gauge.
        labels: of the gauge.
        above: a value over the limit, and how the alert writes it.
        at: the limit itself.
        below: a value under it.
        wait: minutes of `for`.
    """
    series = labelled(name, **labels)
    high, says = above

    def case(title: str, values: str, *, fires: bool = False, minute: int = 30) -> Case:
        found = labels if fires else None
        return Case(alert, title, UP | {series: values}, f"{minute}m", found, says)

    cases = [
        case("just above", f"{high}x60", fires=True),
        case("exactly at it", f"{at}x60"),
        case("just below", f"{below}x60"),
        case("no such series", "_x60"),
        case("it was over and is no more", f"{high}x20 {below}x30"),
        case("a new series", f"_x19 {high}x60", fires=True, minute=20 + wait),
    ]
    if wait:
        cases += [
            case("above for less than it waits", f"{below}x20 {high}x60", minute=20 + wait),
            case("above for as long as it waits", f"{below}x20 {high}x60", fires=True,
                 minute=21 + wait),
        ]  # fmt: skip
    return cases


def models() -> list[Case]:
    def case(title: str, series: dict[str, str], says: str | None = None) -> Case:
        fires = {"model": "gpt-4o"} if says else None
        return Case("HighModelErrorRate", title, series, "30m", fires, says or "")

    return [
        case("5.1 % fail", attempts("answered", "0+949x40") | attempts("failed", "0+51x40"),
             "5.1%"),
        case("exactly 5 % fail", attempts("answered", "0+95x40") | attempts("failed", "0+5x40")),
        case("4.9 % fail", attempts("answered", "0+951x40") | attempts("failed", "0+49x40")),
        case("20 tries are enough", attempts("answered", "0+3x40") | attempts("failed", "0+1x40"),
             "25%"),
        case("15 tries are too few",
             attempts("answered", "0+2x40") | attempts("failed", "0+1x40")),
        case("abandoned tries make no volume and no failure",
             attempts("answered", "0+3x40") | attempts("abandoned", "0+900x40")),
        case("nothing but failures", attempts("failed", "0+10x40"), "100%"),
        case("a restart does not hide them",
             attempts("answered", "0+90x27 0+90x20") | attempts("failed", "0+10x27 0+10x20"),
             "10%"),
        case("no series at all", UP),
    ]  # fmt: skip


def latencies() -> list[Case]:
    """A P95 over 3 s means that more than one answer in twenty lies above that bound."""

    def buckets(fast: str, all_of_them: str, outcome: str = "answered") -> dict[str, str]:
        def bound(le: str) -> str:
            return labelled("sluice_attempt_duration_seconds_bucket", provider="openai",
                            model="gpt-4o", outcome=outcome, le=le)  # fmt: skip

        return UP | {bound("3.0"): fast, bound("5.0"): all_of_them, bound("+Inf"): all_of_them}

    def case(title: str, series: dict[str, str], says: str | None = None) -> Case:
        fires = {"model": "gpt-4o"} if says else None
        return Case("ModelLatencyDegradation", title, series, "30m", fires, says or "")

    return [
        case("6 % take more than 3 s", buckets("0+94x40", "0+100x40"), "3.333s"),
        case("exactly 5 % take more than 3 s", buckets("0+95x40", "0+100x40")),
        case("4 % take more than 3 s", buckets("0+96x40", "0+100x40")),
        case("20 answers are enough", buckets("0+3x40", "0+4x40"), "4.6s"),
        case("15 answers are too few", buckets("0+2x40", "0+3x40")),
        case("tries that failed do not count", buckets("0+10x40", "0+100x40", "failed")),
        case("a restart does not hide it", buckets("0+50x27 0+50x20", "0+100x27 0+100x20"),
             "4.8s"),
        case("no series at all", UP),
    ]  # fmt: skip


def overhead() -> list[Case]:
    def buckets(fast: str, all_of_them: str) -> dict[str, str]:
        return UP | {
            labelled("sluice_overhead_seconds_bucket", endpoint="chat", le="0.1"): fast,
            labelled("sluice_overhead_seconds_bucket", endpoint="chat", le="0.25"): all_of_them,
            labelled("sluice_overhead_seconds_bucket", endpoint="chat", le="+Inf"): all_of_them,
        }

    def case(title: str, series: dict[str, str], says: str = "", at: str = "30m") -> Case:
        return Case("GatewayOverheadHigh", title, series, at, {} if says else None, says)

    return [
        case("6 % cost more than 0.1 s", buckets("0+94x40", "0+100x40"), "125ms"),
        case("exactly 5 % cost more", buckets("0+95x40", "0+100x40")),
        case("4 % cost more", buckets("0+96x40", "0+100x40")),
        case("20 calls are enough", buckets("0+3x40", "0+4x40"), "220ms"),
        case("15 calls are too few", buckets("0+2x40", "0+3x40")),
        case("for nine minutes only", buckets("0+50x40", "0+100x40"), at="10m"),
        case("a restart does not hide it", buckets("0+50x27 0+50x20", "0+100x27 0+100x20"),
             "235ms"),
        case("no series at all", UP),
    ]  # fmt: skip


def money() -> list[Case]:
    """Five minutes apart, 288 steps a day. Money is spent in one step, which makes sums exact."""
    cost = labelled("sluice_cost_usd_total", agent="matching", model="gpt-4o")
    other = labelled("sluice_cost_usd_total", agent="screening", model="mistral")
    up = {f"up{GATEWAY}": "1x1200"}

    def case(title: str, series: dict[str, str], says: str = "") -> Case:
        found = {} if says else None
        return Case("LLMCostSpike", title, up | series, "84h", found, says, every="5m")

    def days(before: float, last: float) -> dict[str, str]:
        """Spend some 43 h in, on the day before the last, and some 67 h in, on the last."""
        return {cost: f"0x520 {before}x278 {before + last}x400"}

    return [
        case("$500.50 after $200", days(200, 500.5), "500.50"),
        case("$500 is the limit itself", days(200, 500)),
        case("$499.50", days(200, 499.5)),
        case("$900 after $599, up by 50.3 %", days(599, 900), "900.00"),
        case("$900 after $600, up by exactly 50 %", days(600, 900)),
        case("$900 after $601, up by 49.8 %", days(601, 900)),
        case("$600 after a day that cost nothing", days(0, 600), "600.00"),
        case("$600 after a day of which there is no series",
             {cost: "_x799 600x400"}, "600.00"),
        case("two agents together",
             {cost: "0x799 250x400", other: "0x799 251x400"}, "501.00"),
        case("a restart in between loses nothing",
             {cost: "0x520 200x278 601x100 0x20 150x400"}, "551.00"),
        case("a restart in between is told apart from money",
             {cost: "0x520 200x278 699x100 0x400"}),
        case("Prometheus is younger than two days",
             {cost: "_x799 0x10 600x400", f"up{GATEWAY}": "_x799 1x400"}),
        case("no series at all", {}),
    ]  # fmt: skip


def counted() -> list[Case]:
    """Alerts on anything that is counted at all."""
    unpriced = labelled("sluice_unpriced_calls_total", model="new-model")
    spans = labelled("sluice_trace_spans_dropped_total", reason="queue_full")
    lost = labelled("sluice_alert_deliveries_total", sender="slack", outcome="given_up")
    again = labelled("sluice_alert_deliveries_total", sender="slack", outcome="again")
    model, queue, slack = {"model": "new-model"}, {"reason": "queue_full"}, {"sender": "slack"}
    away = labelled("sluice_check_failures_total", check="moderation", reason="unreachable")
    slow = labelled("sluice_check_failures_total", check="moderation", reason="late")
    check = {"check": "moderation"}
    return [
        Case("UnpricedCalls", "one call", UP | {unpriced: "0x60 1x60"}, "90m", model, "1"),
        Case("UnpricedCalls", "the very first call", UP | {unpriced: "_x60 1x60"}, "90m",
             model, "1"),
        Case("UnpricedCalls", "none", UP | {unpriced: "5x120"}, "90m"),
        Case("UnpricedCalls", "an hour later", UP | {unpriced: "0x20 1x120"}, "90m"),
        Case("UnpricedCalls", "a restart is no call", UP | {unpriced: "5x60 0x60"}, "90m"),
        Case("UnpricedCalls", "a new Prometheus sees old counts",
             {unpriced: "_x60 5x60", f"up{GATEWAY}": "_x60 1x60"}, "90m"),
        Case("UnpricedCalls", "no series at all", UP, "90m"),
        Case("TracesDropped", "for a quarter of an hour", UP | {spans: "0+10x60"}, "30m",
             queue, "50"),
        Case("TracesDropped", "once", UP | {spans: "0x10 500x60"}, "30m"),
        Case("TracesDropped", "for ten minutes", UP | {spans: "0+10x10 100x60"}, "15m"),
        Case("TracesDropped", "none", UP | {spans: "7x60"}, "30m"),
        Case("TracesDropped", "a restart does not end it", UP | {spans: "0+10x26 0+10x60"},
             "30m", queue, "40"),
        Case("TracesDropped", "no series at all", UP, "30m"),
        Case("ChecksFailing", "for five minutes", UP | {away: "0+10x60"}, "30m", check, "50"),
        Case("ChecksFailing", "within one minute", UP | {away: "0x10 500x60"}, "15m"),
        Case("ChecksFailing", "over two minutes", UP | {away: "0x10 250 500x60"}, "16m",
             check, "250"),
        Case("ChecksFailing", "long ago", UP | {away: "0x10 250 500x60"}, "30m"),
        Case("ChecksFailing", "judged late is judged", UP | {slow: "0+10x60"}, "30m"),
        Case("ChecksFailing", "a restart does not end it", UP | {away: "0+10x26 0+10x60"},
             "30m", check, "40"),
        Case("ChecksFailing", "a gap does not end it", UP | {away: "0+10x22 _x3 250+10x60"},
             "32m", check, "50"),
        Case("ChecksFailing", "none", UP | {away: "7x60"}, "30m"),
        Case("ChecksFailing", "no series at all", UP, "30m"),
        Case("AlertsUndelivered", "one", UP | {lost: "0x20 1x20"}, "30m", slack, "1"),
        Case("AlertsUndelivered", "the very first", UP | {lost: "_x20 1x20"}, "30m", slack, "1"),
        Case("AlertsUndelivered", "tried again is not given up", UP | {again: "0+1x60"}, "30m"),
        Case("AlertsUndelivered", "a quarter of an hour later", UP | {lost: "0x10 1x60"}, "30m"),
        Case("AlertsUndelivered", "no series at all", UP, "30m"),
    ]  # fmt: skip


def presence() -> list[Case]:
    up = f"up{GATEWAY}"
    other = 'up{job="prometheus", instance="p"}'
    here = {"job": "sluice", "instance": "a"}
    return [
        Case("GatewayDown", "down for a minute", {up: "1x10 0x20"}, "12m", here, "0"),
        Case("GatewayDown", "down for less", {up: "1x10 0x20"}, "11m"),
        Case("GatewayDown", "up", {up: "1x30"}, "20m"),
        Case("GatewayDown", "back", {up: "1x10 0x5 1x20"}, "20m"),
        Case("GatewayDown", "something else is down", {other: "0x30"}, "20m"),
        Case("GatewayMissing", "no target for five minutes", {up: "1x10", other: "1x60"}, "21m",
             {"job": "sluice"}, "1"),
        Case("GatewayMissing", "for less", {up: "1x10", other: "1x60"}, "19m"),
        Case("GatewayMissing", "a target that is down is not missing", {up: "0x60"}, "30m"),
        Case("GatewayMissing", "nothing is scraped at all", {}, "10m", {"job": "sluice"}, "1"),
    ]  # fmt: skip


def silence() -> list[Case]:
    door = labelled("sluice_door_refusals_total", code="invalid_api_key")
    answered = calls("answered", "0+10x60 600x60")

    def case(title: str, series: dict[str, str], says: str = "") -> Case:
        return Case("GatewayAnswersNothing", title, series, "80m", {} if says else None, says)

    return [
        case("all keys are refused at the door", answered | {door: "0+2x120"}, "20"),
        case("all calls are refused", answered | calls("refused", "0+2x120"), "20"),
        case("19 requests are too few", answered | {door: "0x75 19x40"}),
        case("one answer is enough",
             calls("answered", "0+10x60 600x14 601x60") | {door: "0+9x120"}),
        case("a scanner at an idle gateway", calls("answered", "50x120") | {door: "0+9x120"}),
        case("19 answers in the hour before are too few",
             calls("answered", "0x30 19x90") | {door: "0+9x120"}),
        case("20 answers in the hour before are enough",
             calls("answered", "0x30 20x90") | {door: "0+9x120"}, "90"),
        case("nobody calls", answered),
        case("never answered anything", UP | {door: "0+9x120"}),
        case("a restart in between",
             calls("answered", "0+10x60 600x5 0x60") | {door: "0+3x72 0+3x60"}, "27"),
    ]  # fmt: skip


def spool() -> list[Case]:
    entries = labelled("sluice_spool_entries")
    here = {"instance": "a"}

    def case(title: str, values: str, says: str = "", at: str = "30m") -> Case:
        found = here if says else None
        return Case("LedgerSpoolGrowing", title, UP | {entries: values}, at, found, says)

    return [
        case("one that stays", "0x15 1x60", "1"),
        case("growing", "0+3x60", "60"),
        case("exactly none", "0x60"),
        case("emptied once in between", "5x25 0 5x60"),
        case("for less than ten minutes", "0x22 9x60"),
        case("empty again", "9x29 0x60"),
        case("a restart with a gap of three minutes", "4x22 _x3 4x60", "4"),
        case("the gateway has gone", "4x10"),
        case("no series at all", "_x60"),
    ]


ERRORS = errors("HighLLMErrorRate", {}) + errors("HighAgentErrorRate", {"agent": "matching"})
HEALTHY = calls("answered", "0+3000x40", "parsing")
CASES: list[Case] = [
    *ERRORS,
    Case("HighAgentErrorRate", "an agent that drowns in another's calls",
         HEALTHY | calls("answered", "0+3x40") | calls("failed", "0+1x40"), "20m",
         {"agent": "matching"}, "25%"),
    Case("HighLLMErrorRate", "an agent that drowns in another's calls",
         HEALTHY | calls("answered", "0+3x40") | calls("failed", "0+1x40"), "20m"),
    *models(),
    *latencies(),
    *overhead(),
    *money(),
    *counted(),
    *presence(),
    *silence(),
    *spool(),
    *gauge("CircuitBreakerOpen", "sluice_circuit_state", {"provider": "openai"}, (2, "2"), 0, 0,
           wait=1),
    Case("CircuitBreakerOpen", "a probe in between does not end it",
         UP | {labelled("sluice_circuit_state", provider="openai"): "0x10 2x5 1 2x20"}, "17m",
         {"provider": "openai"}, "1"),
    Case("CircuitBreakerOpen", "half open is not closed",
         UP | {labelled("sluice_circuit_state", provider="openai"): "0x10 1x20"}, "15m",
         {"provider": "openai"}, "1"),
    *gauge("StoreAway", "sluice_store_away", {"store": "redis"}, (1, "1"), 0, 0, wait=1),
    *gauge("SettlementsWaiting", "sluice_settlements_waiting", {}, (1001, "1001"), 1000, 999,
           wait=5),
    *gauge("TenantQuotaNearlyUsed", "sluice_tenant_quota_used_ratio", {"tenant": "acme"},
           (0.801, "80.1%"), 0.8, 0.799),
    Case("TenantQuotaNearlyUsed", "all of it, not more",
         UP | {labelled("sluice_tenant_quota_used_ratio", tenant="acme"): "1x30"}, "20m",
         {"tenant": "acme"}, "100%"),
    Case("TenantQuotaNearlyUsed", "more than all of it has an alert of its own",
         UP | {labelled("sluice_tenant_quota_used_ratio", tenant="acme"): "1.01x30"}, "20m"),
    *gauge("TenantQuotaExceeded", "sluice_tenant_quota_used_ratio", {"tenant": "acme"},
           (1.001, "100.1%"), 1, 0.999),
    *gauge("ModelDrift", "sluice_drift_detected", {"model": "gpt-4o", "signal": "latency"},
           (1, "1"), 0, 0),
    *gauge("ReviewBacklog", "sluice_reviews_open", {}, (101, "101"), 100, 99, wait=15),
    *gauge("ReviewWaitsTooLong", "sluice_review_oldest_seconds", {}, (14401, "4h 0m 1s"), 14400,
           14399, wait=5),
    *gauge("ProviderLimitNearlyFull", "sluice_limit_used_ratio",
           {"provider": "openai", "kind": "tokens"}, (0.901, "90.1%"), 0.9, 0.899, wait=5),
]  # fmt: skip

"""Metrics that are right whichever worker answers the scrape, served at `GET /metrics`.

Each worker writes its values into memory-mapped files of its own under `<data dir>/metrics`, in the
format of prometheus_client, and whichever worker is scraped adds all workers' files up
(`exposition.py`). A worker that is restarted, or killed in the middle of a call, loses no count:
its successor takes its files over (`slots.py`). When the first worker of a gateway starts, the
files of the last run are removed, and every counter starts at 0, as Prometheus expects of a
restart. prometheus_client's own metric classes are not used: their multi-process mode hangs on a
variable that must be set before LiteLLM imports the library, and would mix LiteLLM's families into
ours.

To add a family, write it down beside the feature that feeds it, as a `Counter`, `Gauge` or
`Histogram` of `plugins.core.metrics`, and call `add`, `set` or `observe` of the `Metrics` that the
feature is given. Nothing is registered anywhere. A gauge that many workers see alike (`Merge.MOST`)
is never summed; what is read rather than counted is one `Reading` for the `Sampler` in
`plugins/assembly.py`. Labels hold words that are known beforehand (`among`; `words.py`), never a
key, a session or a client's text, and a tenant only where `sluice.metrics.tenants` names it; a
family that reaches `SERIES_LIMIT` label sets in a worker puts the rest under `other`.
docs/metrics.md has a line for each family, and a test says which line is missing.

Calls, tokens and dollars are those of the ledger's rows (`stage.py`), so that the two sum up alike.
A latency points at a trace that shows it: the newest of each bucket is kept beside a worker's
values (`exemplars.py`) and shown in OpenMetrics. An observed call costs its worker 25 microseconds
after the client has its answer.
"""

"""What the gateway costs beside a bare LiteLLM proxy: `python -m bench`.

Both run at the same time on the same machine, from the same environment, with the same models and
the same practice provider behind them; only one is under load at a time, in short rounds that
alternate (bare, Sluice, Sluice, bare, ...), so that whatever else the machine does meets both.
Ratios are taken within a pair of rounds and only then summarised.

Where things are: `servers` starts both, `workloads` writes the requests, `wire` is the HTTP client,
`load` the closed and the open loop, `rounds` runs and measures them, `measure` reads processor time
and Redis, `figures` summarises, `report` prints. How to read the result: docs/benchmarks.md.
"""

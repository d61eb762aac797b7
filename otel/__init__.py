"""How the gateway is watched: collector, Prometheus, Alertmanager and Grafana, all of it as files.

`docs/observability.md` is the map; `otel/dashboards` generates what Grafana shows.
"""

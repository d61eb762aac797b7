"""Four dashboards as code; `python -m otel.dashboards` writes them to `otel/grafana/dashboards`.

A dashboard's file is a list of sections, each a list of panels that say what they show, in which
unit, and where a click leads (`panels.py` describes them, `grafana.py` turns them into Grafana's
JSON). Nothing in the JSON is edited by hand; a test compares it with what this package writes.
"""

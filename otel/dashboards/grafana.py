"""Turns a `Board` into Grafana's JSON, by way of Grafana's own SDK."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import statetimeline as states
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from typing_extensions import override

from otel.dashboards.links import TITLES, Link, to_dashboard, variables_of
from otel.dashboards.panels import Board, Kind, Panel, Query, Sql

WIDTH: Final = 24
METRICS: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
LEDGER_TYPE: Final = "grafana-postgresql-datasource"
LEDGER: Final = models.DataSourceRef(type_val=LEDGER_TYPE, uid="${ledger}")
SCHEMA_VERSION: Final = 39
"""Of Grafana 11 and 12; an older one would be migrated on every load."""
_NO_VARIABLE: Final = frozenset({"auto", "auto_count", "auto_min", "id"})
_Any = Any  # the builders share methods but no type

VARIABLES: Final = {
    "agent": ("Agent", "label_values(sluice_calls_total, agent)", "Agents; `none`: plain models."),
    "model": ("Model", "label_values(sluice_calls_total, model)", "Model groups that served."),
    "tenant": (
        "Tenant",
        "label_values(sluice_tenant_calls_total, tenant)",
        "Tenants listed under `sluice.metrics.tenants`; empty without any.",
    ),
}


def to_json(board: Board) -> str:
    """Write a dashboard as it is committed."""
    text = json.dumps(_built(board), cls=JSONEncoder, sort_keys=True)
    tidied = _tidied(json.loads(text))
    tidied["schemaVersion"] = SCHEMA_VERSION
    return json.dumps(tidied, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _built(board: Board) -> models.Dashboard:
    found = (
        dashboard.Dashboard(TITLES[board.uid])
        .uid(board.uid)
        .description(board.description)
        .tags(["sluice"])
        .time(board.since, "now")
        .timezone("utc")
        .refresh("1m")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .editable()
        .version(1)
    )
    for variable in _variables(board):
        found = found.with_variable(variable)
    for other in TITLES:
        if other != board.uid:
            found = found.link(_panel_link(to_dashboard(board.uid, other)))
    for row, panels in _laid_out(board):
        found = found.with_row(row)
        for panel in panels:
            found = found.with_panel(panel)
    return found.build()


def _laid_out(
    board: Board,
) -> Iterator[tuple[dashboard.Row, list[Builder[models.Panel]]]]:
    """Give every row and panel its number and its place, from left to right."""
    number, y = 0, 0
    for section in board.sections:
        number += 1
        row = dashboard.Row(section.title).collapsed(section.folded).id(number)
        row = row.grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=y))
        x, y, tallest = 0, y + 1, 0
        placed: list[Builder[models.Panel]] = []
        for panel in section.panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            place = models.GridPos(h=panel.height, w=panel.width, x=x, y=y)
            number += 1
            placed.append(_panel(panel).id(number).grid_pos(place))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
        if section.folded:  # a folded row keeps its panels within itself
            for panel in placed:
                row = row.with_panel(panel)
            placed = []
        yield row, placed


def _variables(board: Board) -> Iterator[Builder[models.VariableModel]]:
    yield dashboard.DatasourceVariable("datasource").label("Metrics").type("prometheus")
    if any(panel.sql for section in board.sections for panel in section.panels):
        yield (
            dashboard.DatasourceVariable("ledger")
            .label("Ledger")
            .type(LEDGER_TYPE)
            .description("PostgreSQL with the ledger, read only; optional.")
        )
    for name in variables_of(board.uid)[1:]:
        label, query, description = VARIABLES[name]
        everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        yield (
            dashboard.QueryVariable(name)
            .label(label)
            .description(description)
            .query({"query": query, "refId": name})
            .datasource(METRICS)
            .multi(multi=True)
            .include_all(include_all=True)
            .all_value(".*")
            .current(everything)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
        )


def _panel(panel: Panel) -> _Any:
    found = _KINDS[panel.kind](panel)
    found = found.title(panel.title).description(panel.description).unit(panel.unit)
    found = found.datasource(LEDGER if panel.sql else METRICS)
    if panel.decimals is not None:
        found = found.decimals(panel.decimals)
    if panel.highest is not None:
        found = found.min(0).max(panel.highest)
    if panel.states:
        found = found.mappings([_mapping(panel)])
    found = found.thresholds(_thresholds(panel))
    found = found.data_links([_panel_link(_of_values(panel, link)) for link in panel.links])
    # A panel's own link cannot name the label of a series that nobody clicked on.
    found = found.links([_panel_link(link) for link in panel.links if "__field" not in link.url])
    for query in _targets(panel):
        found = found.with_target(query)
    return found


def _lines(panel: Panel) -> _Any:
    found = timeseries.Panel().line_width(1).fill_opacity(10)
    found = found.show_points(kinds.VisibilityMode.NEVER)
    found = found.tooltip(
        common.VizTooltipOptions()
        .mode(kinds.TooltipDisplayMode.MULTI)
        .sort(kinds.SortOrder.DESCENDING)
    )
    found = found.legend(
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(kinds.LegendDisplayMode.LIST)
        .placement(kinds.LegendPlacement.BOTTOM)
        .calcs([])
    )
    if panel.bad_from is not None or panel.bad_below is not None:
        style = common.GraphThresholdsStyleConfig().mode(kinds.GraphTresholdsStyleMode.LINE)
        found = found.thresholds_style(style)
    if panel.kind is Kind.LINES:
        return found
    if panel.kind is Kind.BARS:
        found = found.draw_style(kinds.GraphDrawStyle.BARS).fill_opacity(80)
    return found.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL))


def _stat(_: Panel) -> _Any:
    return (
        stat.Panel()
        .graph_mode(kinds.BigValueGraphMode.AREA)
        .color_mode(kinds.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))
    )


def _states(_: Panel) -> _Any:
    return states.Panel().merge_values(merge_values=True).show_value(kinds.VisibilityMode.NEVER)


def _table(panel: Panel) -> _Any:
    """Join all queries' rows by their label, one column a query."""
    found = table.Panel().cell_height(kinds.TableCellHeight.SM)
    found = found.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    names = {f"Value #{_letter(n)}": q.legend for n, q in enumerate(panel.queries)}
    organise = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": names}
    found = found.with_transformation(
        models.DataTransformerConfig(id_val="organize", options=organise)
    )
    for title, column in panel.columns.items():
        properties = [models.DynamicConfigValue("unit", column.unit)]
        if column.decimals is not None:
            properties.append(models.DynamicConfigValue("decimals", column.decimals))
        found = found.override_by_name(title, properties)
    return found


_KINDS: Final[dict[Kind, Callable[[Panel], _Any]]] = {
    Kind.LINES: _lines,
    Kind.STACK: _lines,
    Kind.BARS: _lines,
    Kind.STAT: _stat,
    Kind.STATES: _states,
    Kind.TABLE: _table,
}


def _thresholds(panel: Panel) -> Builder[models.ThresholdsConfig]:
    good, bad = models.Threshold(None, "green"), "red"
    if panel.bad_from is not None:
        steps = [good, models.Threshold(panel.bad_from, bad)]
    elif panel.bad_below is not None:
        steps = [models.Threshold(None, bad), models.Threshold(panel.bad_below, "green")]
    else:
        steps = [good]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _mapping(panel: Panel) -> models.ValueMap:
    return models.ValueMap(
        {
            str(value): models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(sorted(panel.states.items()))
        }
    )


def _of_values(panel: Panel, link: Link) -> Link:
    """Name a label as its panel has it: a table holds labels in columns."""
    if panel.kind is not Kind.TABLE:
        return link
    return Link(link.title, link.url.replace("__field.labels.", "__data.fields."))


def _panel_link(link: Link) -> Builder[models.DashboardLink]:
    found = dashboard.DashboardLink(link.title).type(models.DashboardLinkType.LINK).url(link.url)
    return found.icon("external link").keep_time(keep_time=False)


class _LedgerQuery(variants.Dataquery):
    """A question to PostgreSQL, for which the SDK has no model."""

    def __init__(self, sql: str) -> None:
        self._sql: Final = sql

    def to_json(self) -> dict[str, object]:
        return {
            "refId": "A",
            "datasource": LEDGER,
            "editorMode": "code",
            "format": "time_series",
            "rawQuery": True,
            "rawSql": self._sql,
        }


class _LedgerBuilder(Builder[variants.Dataquery]):
    def __init__(self, sql: Sql) -> None:
        self._query: Final = _LedgerQuery(sql.sql)

    @override
    def build(self) -> variants.Dataquery:
        return self._query


def _targets(panel: Panel) -> Iterator[Builder[Any]]:
    if panel.sql:
        yield _LedgerBuilder(panel.sql)
    for number, query in enumerate(panel.queries):
        yield _target(panel, query, _letter(number))


def _target(panel: Panel, query: Query, letter: str) -> prometheus.Dataquery:
    found = prometheus.Dataquery().expr(query.expr).ref_id(letter).legend_format(query.legend)
    found = found.datasource(METRICS)
    if panel.kind is Kind.TABLE:
        return found.instant().format(PromQueryFormat.TABLE)
    if query.exemplar:
        found = found.exemplar(exemplar=True)
    if query.step:
        found = found.interval(query.step)
    return found.range()


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _tidied(value: object) -> Any:
    """Leave out what the SDK writes and Grafana's schema does not know.

    These are nulls (but a threshold's first value, which is null by design), `style`, a variable's
    `id` and `auto...`, and all but title and address of a link on a value.
    """
    if isinstance(value, list):
        return [_tidied(one) for one in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    mapping = cast("dict[str, Any]", value)
    found = {
        name: _tidied(one)
        for name, one in mapping.items()
        if (one is not None or mapping.keys() == {"color", "value"}) and name != "style"
    }
    if "thresholds" in found and "links" in found:
        found["links"] = [{"title": one["title"], "url": one["url"]} for one in found["links"]]
    if "skipUrlSync" in found:
        return {name: one for name, one in found.items() if name not in _NO_VARIABLE}
    return found

// Grafana's own types, put together as strictly as they allow: each panel by its kind.
// A panel's `options` and `custom` may leave fields out, for which Grafana has defaults.
import type {
  Dashboard as Any,
  FieldConfig as AnyFieldConfig,
  Panel as AnyPanel,
  RowPanel as AnyRow,
} from "./node_modules/@grafana/schema/dist/types/raw/dashboard/x/dashboard_types.gen";
import type * as stat from "./node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as states from "./node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "./node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as lines from "./node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

interface DataLink {
  title: string;
  url: string;
  targetBlank?: boolean;
}

interface Source {
  type: string;
  uid: string;
}

interface PrometheusQuery {
  refId: string;
  datasource: Source;
  expr: string;
  legendFormat?: string;
  instant?: boolean;
  range?: boolean;
  exemplar?: boolean;
  format?: "time_series" | "table" | "heatmap";
  interval?: string;
}

interface SqlQuery {
  refId: string;
  datasource: Source;
  rawSql: string;
  rawQuery: true;
  editorMode: "code";
  format: "time_series" | "table";
}

type FieldConfig<Custom> = Omit<AnyFieldConfig, "custom" | "links"> & {
  custom?: Partial<Custom>;
  links?: DataLink[];
};

type Of<Type extends string, Options, Custom> = Omit<
  AnyPanel,
  "type" | "options" | "fieldConfig" | "targets"
> & {
  type: Type;
  options?: Partial<Options>;
  fieldConfig: {
    defaults: FieldConfig<Custom>;
    overrides: { matcher: { id: string; options?: unknown }; properties: { id: string; value?: unknown }[] }[];
  };
  targets: (PrometheusQuery | SqlQuery)[];
};

type Panel =
  | Of<"timeseries", lines.Options, lines.FieldConfig>
  | Of<"stat", stat.Options, Record<string, never>>
  | Of<"state-timeline", states.Options, states.FieldConfig>
  | Of<"table", table.Options, table.FieldConfig>;

type Row = Omit<AnyRow, "panels"> & { panels: Panel[] };

export type Dashboard = Omit<Any, "panels"> & {
  uid: string;
  title: string;
  panels: (Panel | Row)[];
};

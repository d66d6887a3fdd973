// The type of a dashboard of ours: Grafana's own, with the options of each kind of panel that we use. The enums of
// Grafana's types are their values in JSON, hence Json<T>.
import type { AnnotationQuery, Dashboard, DataQuery, FieldConfigSource, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type { FieldConfig as HeatmapField, Options as Heatmap } from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type { FieldConfig as TableField, Options as Table } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { FieldConfig as TimeSeriesField, Options as TimeSeries } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { Options as BarGauge } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';

type Json<T> = T extends string
  ? `${T}`
  : T extends Array<infer U>
    ? Array<Json<U>>
    : T extends object
      ? { [K in keyof T]: Json<T[K]> }
      : T;

// What Grafana's data source for Prometheus adds to a query and to an annotation; the package has no type for it.
interface PrometheusQuery extends DataQuery {
  expr: string;
  legendFormat?: string;
  format?: 'time_series' | 'table' | 'heatmap';
  editorMode?: 'code' | 'builder';
  range: boolean;
  instant: boolean;
}
interface PrometheusAnnotation extends AnnotationQuery<PrometheusQuery> {
  titleFormat?: string;
  textFormat?: string;
}

interface PanelOf<Type, Options, Field> extends Omit<Panel, 'type' | 'options' | 'targets' | 'fieldConfig'> {
  type: Type;
  title: string;
  description: string;
  options: Options;
  targets: PrometheusQuery[];
  fieldConfig: FieldConfigSource<Field>;
}

export type MusterDashboard = Json<
  Omit<Dashboard, 'panels' | 'annotations' | 'templating'> & {
    uid: string;
    panels: Array<
      | RowPanel
      | PanelOf<'timeseries', TimeSeries, TimeSeriesField>
      | PanelOf<'stat', Stat, Record<string, never>>
      | PanelOf<'bargauge', BarGauge, Record<string, never>>
      | PanelOf<'heatmap', Heatmap, HeatmapField>
      | PanelOf<'table', Table, TableField>
    >;
    annotations: { list: PrometheusAnnotation[] };
    templating: { list: VariableModel[] };
  }
>;

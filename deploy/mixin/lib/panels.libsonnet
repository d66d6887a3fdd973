// Panels as Grafana's schema has them, each made of a title, what it shows and how to read it, a unit and its queries.
local promql = import 'promql.libsonnet';

// What the dashboards' variables select.
local selector = 'job=~"$job", namespace=~"$namespace", instance=~"$instance"';
local datasource = { type: 'prometheus', uid: '${datasource}' };

local steps(list) = { mode: 'absolute', steps: [{ color: 'green', value: null }] + list };

local base(type, title, description, unit, targets) = {
  type: type,
  title: title,
  description: description,
  datasource: datasource,
  targets: [
    targets[i] { refId: std.char(65 + i) }
    for i in std.range(0, std.length(targets) - 1)
  ],
  fieldConfig: {
    defaults: { unit: unit, color: { mode: 'palette-classic' }, thresholds: steps([]) },
    overrides: [],
  },
  options: {},
  gridPos: { w: 8, h: 8 },
};

{
  selector:: selector,
  datasource:: datasource,

  // A query over time. `legend` names each series, with {{label}}.
  query(expr, legend):: {
    datasource: datasource,
    expr: promql.bind(expr, selector),
    legendFormat: legend,
    editorMode: 'code',
    range: true,
    instant: false,
  },

  // q-quantiles of a histogram, a line each.
  quantiles(metric, matchers='@', quantiles=[0.5, 0.9, 0.99]):: [
    self.query(promql.quantile(q, '%s_bucket{%s}' % [metric, matchers], [], '$__rate_interval'), 'p%g' % (q * 100))
    for q in quantiles
  ],

  timeseries(title, description, unit, targets):: base('timeseries', title, description, unit, targets) {
    fieldConfig+: {
      defaults+: {
        min: 0,
        custom: { drawStyle: 'line', lineWidth: 1, fillOpacity: 10, showPoints: 'never', spanNulls: false },
      },
    },
    options: {
      legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  },

  stat(title, description, unit, targets):: base('stat', title, description, unit, targets) {
    gridPos: { w: 4, h: 4 },
    fieldConfig+: { defaults+: { color: { mode: 'thresholds' } } },
    options: {
      colorMode: 'value',
      graphMode: 'area',
      justifyMode: 'auto',
      orientation: 'auto',
      percentChangeColorMode: 'standard',
      showPercentChange: false,
      textMode: 'auto',
      wideLayout: true,
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  },

  barGauge(title, description, unit, targets):: base('bargauge', title, description, unit, targets) {
    fieldConfig+: { defaults+: { min: 0, max: 1, color: { mode: 'thresholds' } } },
    options: {
      displayMode: 'basic',
      orientation: 'horizontal',
      valueMode: 'color',
      showUnfilled: true,
      sizing: 'auto',
      namePlacement: 'auto',
      minVizHeight: 16,
      minVizWidth: 8,
      maxVizHeight: 300,
      legend: { showLegend: false, displayMode: 'list', placement: 'bottom', calcs: [] },
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  },

  // A histogram over time: a column is what was seen in an interval, a row a bucket.
  heatmap(title, description, unit, metric, matchers='@')::
    base('heatmap', title, description, unit, [
      self.query('sum by (le) (increase(%s_bucket{%s}[$__rate_interval]))' % [metric, matchers], '{{le}}') { format: 'heatmap' },
    ]) {
      fieldConfig: { defaults: { unit: 'short', custom: { scaleDistribution: { type: 'linear' } } }, overrides: [] },
      options: {
        calculate: false,
        cellGap: 1,
        color: { mode: 'scheme', scheme: 'Oranges', fill: 'dark-orange', steps: 64, exponent: 0.5, reverse: false, scale: 'exponential' },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
        filterValues: { le: 1e-9 },
        legend: { show: true },
        rowsFrame: { layout: 'auto' },
        showValue: 'never',
        tooltip: { mode: 'single', yHistogram: true, showColorScale: false },
        yAxis: { axisPlacement: 'left', reverse: false, unit: unit },
      },
    },

  // One row for each value of `label`; the columns are the queries, [title, unit, expression].
  table(title, description, label, columns)::
    base('table', title, description, 'short', [
      self.query(column[2], '') { format: 'table', instant: true, range: false }
      for column in columns
    ]) {
      gridPos: { w: 24, h: 9 },
      options: { showHeader: true, cellHeight: 'sm', frameIndex: 0, sortBy: [{ displayName: columns[0][0], desc: true }] },
      transformations: [
        { id: 'joinByField', options: { byField: label, mode: 'outer' } },
        {
          id: 'organize',
          options: {
            excludeByName: { ['Time' + suffix]: true for suffix in [''] + [' %d' % (i + 1) for i in std.range(0, std.length(columns) - 1)] },
            indexByName: {},
            renameByName: { ['Value #' + std.char(65 + i)]: columns[i][0] for i in std.range(0, std.length(columns) - 1) },
          },
        },
      ],
      fieldConfig+: {
        overrides: [
          { matcher: { id: 'byName', options: column[0] }, properties: [{ id: 'unit', value: column[1] }] }
          for column in columns
        ],
      },
    },

  // What can be added to a panel.
  stacked:: {
    fieldConfig+: { defaults+: { custom+: { stacking: { mode: 'normal', group: 'A' }, fillOpacity: 40 } } },
  },
  share:: { fieldConfig+: { defaults+: { max: 1 } } },
  size(w, h):: { gridPos: { w: w, h: h } },
  // Yellow from `warning` on, red from `critical` on.
  thresholds(warning, critical):: {
    fieldConfig+: { defaults+: { thresholds: steps(
      (if warning != null then [{ color: 'yellow', value: warning }] else []) + [{ color: 'red', value: critical }]
    ) } },
  },
  // The same, drawn as lines into a graph.
  limitLines(warning, critical):: self.thresholds(warning, critical) + {
    fieldConfig+: { defaults+: { custom+: { thresholdsStyle: { mode: 'dashed' } } } },
  },
  // Good when it is this value, red when less.
  redBelow(value):: {
    fieldConfig+: { defaults+: { thresholds: {
      mode: 'absolute',
      steps: [{ color: 'red', value: null }, { color: 'green', value: value }],
    } } },
  },
  // Words for numbers: { '0': 'no', '1': 'yes' }.
  words(map):: {
    fieldConfig+: { defaults+: { mappings: [{
      type: 'value',
      options: { [key]: { text: map[key], index: 0 } for key in std.objectFields(map) },
    }] } },
  },
  plain:: { options+: { graphMode: 'none' } },
  labelAsText:: { options+: { textMode: 'name', graphMode: 'none', colorMode: 'none' } },
}

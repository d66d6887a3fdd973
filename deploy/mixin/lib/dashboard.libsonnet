// A dashboard: its variables, links to the others, marks where a server started, and rows of panels laid out in order.
local panels = import 'panels.libsonnet';
local promql = import 'promql.libsonnet';

local all = { selected: true, text: 'All', value: '$__all' };

// A variable whose values are those of a label. Without an allValue, "All" is all values that were found.
local labelVariable(name, label, description, query, allValue=null) = {
  type: 'query',
  name: name,
  label: label,
  description: description,
  datasource: panels.datasource,
  query: { query: query, refId: 'StandardVariableQuery' },
  refresh: 2,
  sort: 1,
  regex: '',
  multi: true,
  includeAll: true,
  [if allValue != null then 'allValue']: allValue,
  current: all,
  options: [],
  hide: 0,
  skipUrlSync: false,
};

// Rows as { title, panels }, each put from left to right, 24 columns wide, below the one before.
local layout(rows) = std.foldl(
  function(state, row)
    local placed = std.foldl(
      function(s, panel)
        local wrap = s.x + panel.gridPos.w > 24;
        local x = if wrap then 0 else s.x;
        local y = if wrap then s.y + s.height else s.y;
        {
          x: x + panel.gridPos.w,
          y: y,
          height: if wrap then panel.gridPos.h else std.max(s.height, panel.gridPos.h),
          id: s.id + 1,
          panels: s.panels + [panel { id: s.id, gridPos+: { x: x, y: y } }],
        },
      row.panels,
      { x: 0, y: state.y + 1, height: 0, id: state.id + 1, panels: [] }
    );
    {
      y: placed.y + placed.height,
      id: placed.id,
      panels: state.panels + [{
        type: 'row',
        id: state.id,
        title: row.title,
        collapsed: false,
        gridPos: { x: 0, y: state.y, w: 24, h: 1 },
        panels: [],
      }] + placed.panels,
    },
  rows,
  { y: 0, id: 1, panels: [] }
).panels;

{
  labelVariable:: labelVariable,

  new(config, uid, title, description, rows, variables=[]):: {
    uid: uid,
    title: title,
    description: description,
    tags: config.dashboardTags,
    schemaVersion: 42,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    refresh: config.dashboardRefresh,
    time: { from: config.dashboardFrom, to: 'now' },
    timepicker: {},
    links: [{
      type: 'dashboards',
      title: 'Muster',
      tooltip: 'The other dashboards of Muster, with the same selection',
      tags: config.dashboardTags,
      asDropdown: false,
      icon: 'external link',
      includeVars: true,
      keepTime: true,
      targetBlank: false,
      url: '',
    }],
    annotations: { list: [{
      name: 'Starts',
      enable: true,
      hide: false,
      iconColor: 'orange',
      datasource: panels.datasource,
      titleFormat: 'musterd started',
      textFormat: '{{job}} {{instance}}',
      target: {
        refId: 'Starts',
        datasource: panels.datasource,
        // Not changes(): on Kubernetes a new pod is a new series.
        expr: promql.bind('time() - process_start_time_seconds{@} < 2 * $__interval_ms / 1000', panels.selector),
        range: true,
        instant: false,
      },
    }] },
    templating: { list: [
      {
        type: 'datasource',
        name: 'datasource',
        label: 'Data source',
        description: 'The Prometheus that scrapes Muster.',
        query: 'prometheus',
        regex: '',
        refresh: 1,
        multi: false,
        includeAll: false,
        current: { selected: true, text: 'default', value: 'default' },
        options: [],
        hide: 0,
        skipUrlSync: false,
      },
      labelVariable('job', 'Job', 'The scrape job; the Service on Kubernetes.', 'label_values(muster_build_info{%s}, job)' % config.selector),
      labelVariable(
        'namespace',
        'Namespace',
        'The Kubernetes namespace; All where there is none.',
        'label_values(muster_build_info{job=~"$job"}, namespace)',
        '.*'
      ),
      labelVariable(
        'instance',
        'Instance',
        'One server process.',
        'label_values(muster_build_info{job=~"$job", namespace=~"$namespace"}, instance)',
        '.+'
      ),
    ] + variables },
    panels: layout(rows),
  },
}

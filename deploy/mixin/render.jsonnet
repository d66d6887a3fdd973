// What ./render writes to files: the documents that the mixin makes, by their path below deploy/.
local mixin = import 'mixin.libsonnet';

{
  'prometheus/recording.yaml': mixin.prometheusRules,
  'prometheus/alerts.yaml': mixin.prometheusAlerts,
} + {
  ['grafana/dashboards/' + name]: mixin.grafanaDashboards[name]
  for name in std.objectFields(mixin.grafanaDashboards)
}

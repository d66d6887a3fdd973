// The files that are made of the mixin, by their path below deploy/. Run by ./render.
local mixin = import 'mixin.libsonnet';

local header = '# Made from deploy/mixin by deploy/mixin/render; do not edit.\n';
local yaml(rules) = header + std.manifestYamlDoc(rules, indent_array_in_object=true, quote_keys=false) + '\n';

{
  'prometheus/recording.yaml': yaml(mixin.prometheusRules),
  'prometheus/alerts.yaml': yaml(mixin.prometheusAlerts),
} + {
  ['grafana/dashboards/' + name]: std.manifestJsonEx(mixin.grafanaDashboards[name], '  ') + '\n'
  for name in std.objectFields(mixin.grafanaDashboards)
}

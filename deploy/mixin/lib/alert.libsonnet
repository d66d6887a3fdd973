// An alert of this mixin: every one has a severity, a summary, a description and a page.
local promql = import 'promql.libsonnet';

{
  new(config, name, severity, wait, expr, summary, description):: {
    alert: name,
    expr: promql.bind(expr, config.selector) + '\n',
    [if wait != '0m' then 'for']: wait,
    labels: { severity: severity } + config.alertLabels,
    annotations: {
      summary: summary,
      description: description,
      runbook_url: '%s/%s.md' % [config.runbookBase, name],
    },
  },

  // How a description names the process it is about. The pod is there on Kubernetes only.
  instance:: '{{ $labels.job }} at {{ $labels.instance }}{{ with $labels.pod }} (pod {{ . }}){{ end }}',
  service:: '{{ $labels.job }}{{ with $labels.namespace }} in {{ . }}{{ end }}',
}

local muster = (import 'mixin.libsonnet') + {
  _config+:: {
    jobPattern: 'futures',
    serviceLabels: ['cluster', 'namespace', 'job'],
    availabilityTarget: 0.995,
    queueAgeSeconds: 60,
    alertLabels: { team: 'futures' },
    runbookBase: 'https://wiki.example.com/muster',
  },
};

{
  'recording.json': muster.prometheusRules,
  'alerts.json': muster.prometheusAlerts,
} + muster.grafanaDashboards

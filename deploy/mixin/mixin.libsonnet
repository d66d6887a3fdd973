// The whole mixin: grafanaDashboards, prometheusRules and prometheusAlerts, the names that tools for mixins look for.
(import 'config.libsonnet') +
(import 'rules/recording.libsonnet') +
(import 'alerts/availability.libsonnet') +
(import 'alerts/capacity.libsonnet') +
(import 'alerts/store.libsonnet') +
(import 'alerts/process.libsonnet') +
(import 'dashboards/overview.libsonnet') +
(import 'dashboards/jobs.libsonnet') +
(import 'dashboards/internals.libsonnet')

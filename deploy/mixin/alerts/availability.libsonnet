// The service as its callers see it: there, ready, without errors, quick.
local alert = import '../lib/alert.libsonnet';
local promql = import '../lib/promql.libsonnet';

{
  local config = $._config,
  local new(name, severity, wait, expr, summary, description) =
    alert.new(config, name, severity, wait, expr, summary, description),
  // One term for each pair of windows: both must burn, the long one for weight, the short one so that it ends soon.
  local burning(pairs) = std.join('\nor\n', [
    '(\n  service:grpc_server_handled_errors:ratio_rate%(long)s{@} > %(factor)g * %(budget)s\n  and\n  service:grpc_server_handled_errors:ratio_rate%(short)s{@} > %(factor)g * %(budget)s\n)'
    % (pair { budget: std.format('%.4g', 1 - config.availabilityTarget) })
    for pair in pairs
  ]),

  prometheusAlerts+:: {
    groups+: [{
      name: 'muster.availability',
      rules: [
        new(
          'MusterTargetDown',
          'critical',
          '5m',
          'up{@} == 0',
          'A Muster server does not answer its scrapes.',
          'Prometheus could not scrape ' + alert.instance + ' for 5 minutes: the process is gone, hangs, or its admin port cannot be reached.'
        ),
        new(
          'MusterAbsent',
          'critical',
          '10m',
          'absent(up{@})',
          'Prometheus knows no Muster server at all.',
          'No target matches %s: nothing is deployed, or discovery lost it. None of the other alerts can fire.' % std.strReplace(config.selector, '"', "'")
        ),
        new(
          'MusterNotReady',
          'critical',
          '10m',
          'muster_ready{@} == 0',
          'A Muster server runs but takes no work.',
          alert.instance + ' has not been ready for 10 minutes: it reads its store, drains, or its disk has failed.'
        ),
        new(
          'MusterErrorBudgetBurnFast',
          'critical',
          '2m',
          burning(config.burnFast),
          'Muster answers too many requests with errors of its own.',
          '{{ $value | humanizePercentage }} of the requests to ' + alert.service + ' end with UNKNOWN, INTERNAL, UNAVAILABLE or DATA_LOSS; at this rate the error budget of 30 days (objective %g %%) is gone within days.' % (config.availabilityTarget * 100)
        ),
        new(
          'MusterErrorBudgetBurnSlow',
          'warning',
          '15m',
          burning(config.burnSlow),
          'Muster spends its error budget before the month is over.',
          '{{ $value | humanizePercentage }} of the requests to ' + alert.service + ' have ended with errors of the server for hours; the objective is %g %%.' % (config.availabilityTarget * 100)
        ),
        new(
          'MusterRpcLatencyHigh',
          'warning',
          '10m',
          'service:grpc_server_handling_seconds:p99_rate5m{@} > %g' % config.rpcP99Seconds,
          'Requests that do not wait for a job are slow.',
          'The 99th percentile of the short RPCs of ' + alert.service + ' is {{ $value | humanizeDuration }} (threshold %gs). Call, Wait, Gather and streams do not count here.' % config.rpcP99Seconds
        ),
        new(
          'MusterRestartLoop',
          'critical',
          '0m',
          'changes(process_start_time_seconds{@}[1h]) >= %d' % config.restartsPerHour,
          'A Muster server restarts again and again.',
          alert.instance + ' was restarted {{ printf "%.0f" $value }} times within an hour.'
        ),
        new(
          'MusterJobsRerunRepeatedly',
          'critical',
          '0m',
          |||
            sum by (%(labels)s, function) (max_over_time(muster_job_reruns_total{@}[1h])) > 0
            and on (%(labels)s)
            changes(process_start_time_seconds{@}[1h]) >= 2
          ||| % { labels: std.join(', ', config.instanceLabels) },
          'Jobs run again after repeated crashes, and may be what crashes the server.',
          alert.instance + ' was restarted at least twice within an hour, and {{ printf "%.0f" $value }} jobs of {{ $labels.function }} were started again after one of these.'
        ),
      ],
    }],
  },
}

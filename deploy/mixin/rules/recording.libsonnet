// Recording rules: what alerts look back over hours for, and what is worth keeping longer than the raw series.
// Names are level:metric:operations; the level "service" is _config.serviceLabels, "instance" is _config.instanceLabels.
local promql = import '../lib/promql.libsonnet';

{
  local config = $._config,
  local service = config.serviceLabels,
  local instance = config.instanceLabels,
  local rule(name, expr) = { record: name, expr: promql.bind(expr, config.selector) + '\n' },
  local by(labels) = promql.by(labels),

  local errorRatio(window) = rule(
    'service:grpc_server_handled_errors:ratio_rate' + window,
    promql.ratio(
      'sum %s (rate(grpc_server_handled_total{@, grpc_code=~"%s"}[%s]))' % [by(service), config.serverFaultCodes, window],
      'sum %s (rate(grpc_server_handled_total{@}[%s]))' % [by(service), window]
    )
  ),
  local quantiles(level, metric, matchers, labels) = [
    rule('%s:%s:p%g_rate5m' % [level, metric, q * 100],
         promql.quantile(q, '%s_bucket{%s}' % [metric, matchers], labels, '5m'))
    for q in [0.5, 0.99]
  ],
  local windows = std.set([w for burn in config.burnFast + config.burnSlow for w in [burn.long, burn.short]]),

  prometheusRules+:: {
    groups+: [
      {
        name: 'muster.rpc.rules',
        rules: [
          rule('service_method:grpc_server_handled:rate5m', 'sum %s (rate(grpc_server_handled_total{@}[5m]))'
                                                            % by(service + ['grpc_method'])),
        ] + [errorRatio(window) for window in windows] + quantiles(
          'service', 'grpc_server_handling_seconds', '@, grpc_method!~"%s"' % config.waitingMethods, service
        ),
      },
      {
        name: 'muster.jobs.rules',
        rules: [
                 rule('service_function:muster_futures_submitted:rate5m',
                      'sum %s (rate(muster_futures_submitted_total{@}[5m]))' % by(service + ['function'])),
                 rule('service_function_state:muster_futures_done:rate5m',
                      'sum %s (rate(muster_futures_done_total{@}[5m]))' % by(service + ['function', 'state'])),
                 rule('service_function:muster_futures_failed:ratio_rate5m', promql.ratio(
                   'sum %s (rate(muster_futures_done_total{@, state="failed"}[5m]))' % by(service + ['function']),
                   'sum %s (rate(muster_futures_done_total{@}[5m]))' % by(service + ['function'])
                 )),
                 rule('service:muster_futures_open:sum',
                      'sum %s (muster_futures{@, state=~"pending|delayed|queued|running"})' % by(service)),
               ] + quantiles('service', 'muster_submit_to_done_seconds', '@', service) +
               quantiles('service', 'muster_job_queue_seconds', '@', service),
      },
      {
        name: 'muster.capacity.rules',
        rules: [
          rule('instance:muster_blocking_pool_busy:ratio', promql.ratio(
            'sum %s (muster_blocking_pool_busy{@})' % by(instance), 'sum %s (muster_blocking_pool_threads{@})' % by(instance)
          )),
        ] + [
          // What is in use of a limit, by the limit's name; the limits whose use has a metric.
          rule('instance_limit:muster_limit_used:ratio', |||
            sum %(by)s (%(used)s)
            / on (%(labels)s)
            sum %(by)s (muster_limit{@, limit="%(limit)s"})
          ||| % { by: by(instance), used: limit[1], limit: limit[0], labels: std.join(', ', instance) }) +
          { labels: { limit: limit[0] } }
          for limit in [
            ['pending_futures_max', 'muster_futures{@, state=~"pending|delayed|queued|running"}'],
            ['waiters_max', 'muster_waits_open{@}'],
            ['wait_members_max', 'muster_wait_members{@}'],
            ['streams_max', 'muster_streams_open{@}'],
            ['namespaces_max', 'muster_namespaces{@}'],
          ]
        ],
      },
      {
        name: 'muster.store.rules',
        rules: quantiles('instance', 'muster_journal_commit_seconds', '@', instance),
      },
    ],
  },
}

// More work than there is room for: the queue, the pool, the loops, the limits, and jobs that fail.
local alert = import '../lib/alert.libsonnet';
local promql = import '../lib/promql.libsonnet';

{
  local config = $._config,
  local new(name, severity, wait, expr, summary, description) =
    alert.new(config, name, severity, wait, expr, summary, description),
  local instance = promql.by(config.instanceLabels),
  // A limit on the size of one request is about that client; the others are about the server.
  local requestLimits = 'PAYLOAD_TOO_LARGE|SET_TOO_LARGE|NESTING_TOO_DEEP|CREDITS_OVERRUN',
  // These have alerts of their own.
  local elsewhere = 'QUEUE_FULL|STORE_FULL',

  prometheusAlerts+:: {
    groups+: [{
      name: 'muster.capacity',
      rules: [
        new(
          'MusterQueueTooOld',
          'warning',
          '5m',
          'muster_job_queue_age_seconds{@} > %d' % config.queueAgeSeconds,
          'A job that could run has been waiting for long.',
          'The oldest job of ' + alert.instance + ' that could run has waited for {{ $value | humanizeDuration }} (threshold %ds).' % config.queueAgeSeconds
        ),
        new(
          'MusterPoolSaturated',
          'warning',
          '15m',
          |||
            instance:muster_blocking_pool_busy:ratio{@} > %g
            and on (%s)
            muster_blocking_pool_queue_length{@} > 0
          ||| % [config.poolBusyRatio, std.join(', ', config.instanceLabels)],
          'The pool of blocking functions is busy, and jobs queue for it.',
          '{{ $value | humanizePercentage }} of the blocking threads of ' + alert.instance + ' have been at work for 15 minutes while jobs waited.'
        ),
        new(
          'MusterPoolRejecting',
          'critical',
          '1m',
          'increase(muster_blocking_pool_rejected_total{@}[5m]) > 0',
          'Jobs are refused because the queue of the blocking pool is full.',
          alert.instance + ' refused {{ printf "%.0f" $value }} jobs with QUEUE_FULL within 5 minutes.'
        ),
        new(
          'MusterThreadsAbandoned',
          'warning',
          '15m',
          'muster_blocking_pool_abandoned{@} > 0',
          'Blocking threads are held by jobs that nobody waits for any more.',
          '{{ printf "%.0f" $value }} threads of ' + alert.instance + ' still run the body of a future that was cancelled or timed out, 15 minutes long.'
        ),
        new(
          'MusterLoopBlocked',
          'warning',
          '0m',
          'increase(muster_loop_blocked_total{@}[1h]) > %g' % config.loopBlockedPerHour,
          'Something blocks an event loop.',
          'One resume held up loop {{ $labels.loop }} of ' + alert.instance + ' {{ printf "%.0f" $value }} times within an hour, each longer than loop.blocked_after.'
        ),
        new(
          'MusterLoopLagHigh',
          'warning',
          '10m',
          'avg_over_time(muster_loop_lag_seconds{@}[5m]) > %g' % config.loopLagSeconds,
          'An event loop is late.',
          'Loop {{ $labels.loop }} of ' + alert.instance + ' is {{ $value | humanizeDuration }} late (threshold %gs): each answer may take that much longer.' % config.loopLagSeconds
        ),
        new(
          'MusterLimitsHit',
          'warning',
          '5m',
          |||
            sum by (%s, reason) (increase(muster_limit_hits_total{@, reason!~"%s|%s"}[10m])) > 0
          ||| % [std.join(', ', config.instanceLabels), requestLimits, elsewhere],
          'Requests are refused because a limit of the server is reached.',
          alert.instance + ' refused {{ printf "%.0f" $value }} requests with {{ $labels.reason }} within 10 minutes.'
        ),
        new(
          'MusterRequestsTooLarge',
          'info',
          '5m',
          |||
            sum by (%s, reason) (increase(muster_limit_hits_total{@, reason=~"%s"}[10m])) > 0
          ||| % [std.join(', ', config.instanceLabels), requestLimits],
          'A client sends requests that are larger than allowed.',
          alert.instance + ' refused {{ printf "%.0f" $value }} requests with {{ $labels.reason }} within 10 minutes.'
        ),
        new(
          'MusterLimitNear',
          'warning',
          '10m',
          'instance_limit:muster_limit_used:ratio{@} > %g' % config.limitUsedRatio,
          'A limit of the server will soon be reached.',
          alert.instance + ' uses {{ $value | humanizePercentage }} of limits.{{ $labels.limit }}.'
        ),
        new(
          'MusterJobsFailing',
          'warning',
          '15m',
          |||
            service_function:muster_futures_failed:ratio_rate5m{@, function!="none"} > %g
            and on (%s, function)
            service_function_state:muster_futures_done:rate5m{@, state="failed"} > %g
          ||| % [config.jobFailureRatio, std.join(', ', config.serviceLabels), config.jobFailuresPerSecondMin],
          'Most jobs of a function fail.',
          '{{ $value | humanizePercentage }} of the jobs of {{ $labels.function }} at ' + alert.service + ' have failed for 15 minutes.'
        ),
        new(
          'MusterUnretrievedErrors',
          'info',
          '0m',
          'sum %s (increase(muster_unretrieved_errors_total{@}[1h])) > 0' % instance,
          'Jobs failed and nobody asked why.',
          '{{ printf "%.0f" $value }} failed futures of ' + alert.instance + ' were forgotten within an hour before anybody asked for their error.'
        ),
        new(
          'MusterCancelsIgnored',
          'info',
          '0m',
          'sum %s (increase(muster_wait_for_grace_expired_total{@}[1h])) > 0' % instance,
          'Futures do not end when they are cancelled.',
          'Within an hour ' + alert.instance + ' gave up on {{ printf "%.0f" $value }} futures inside a wait_for that did not end after their cancel.'
        ),
      ],
    }],
  },
}

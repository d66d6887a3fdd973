// Muster / Overview: is the service well? Traffic, errors, latency, backlog, saturation.
local dashboard = import '../lib/dashboard.libsonnet';
local p = import '../lib/panels.libsonnet';
local promql = import '../lib/promql.libsonnet';

{
  local config = $._config,
  local waiting = config.waitingMethods,
  local faults = config.serverFaultCodes,
  local budget = 1 - config.availabilityTarget,
  local errorRatio(window) = promql.ratio(
    'sum(rate(grpc_server_handled_total{@, grpc_code=~"%s"}[%s]))' % [faults, window],
    'sum(rate(grpc_server_handled_total{@}[%s]))' % window
  ),
  local limitUsed(used, limit) = |||
    max(
      sum by (instance) (%s)
      / on (instance)
      sum by (instance) (muster_limit{@, limit="%s"})
    )
  ||| % [used, limit],

  grafanaDashboards+:: {
    'overview.json': dashboard.new(
      config,
      config.uids.overview,
      'Muster / Overview',
      'Is the service well? What it does, what it refuses, how long it takes, what waits, and how near its limits are.',
      [
        { title: 'At a glance', panels: [
          p.stat('Servers ready', 'Servers that take new work. Fewer than there are targets: one reads its store, drains or has a failed disk.', 'short', [
            p.query('sum(muster_ready{@}) or vector(0)', 'ready'),
          ]) + p.redBelow(1),
          p.stat('Targets down', 'Servers that Prometheus cannot scrape.', 'short', [
            p.query('sum(up{@} == bool 0)', 'down'),
          ]) + p.thresholds(null, 1),
          p.stat('Alerts firing', "Muster's alerts that fire now, over all jobs and instances.", 'short', [
            p.query('count(ALERTS{alertname=~"Muster.+", alertstate="firing"}) or vector(0)', 'firing'),
          ]) + p.thresholds(1, 3),
          p.stat('Requests', 'RPCs that ended, each second.', 'reqps', [
            p.query('sum(rate(grpc_server_handled_total{@}[$__rate_interval]))', 'requests'),
          ]),
          p.stat('Server errors', 'Share of RPCs that ended with UNKNOWN, INTERNAL, UNAVAILABLE or DATA_LOSS. Red from the objective on (%g %%).' % (budget * 100), 'percentunit', [
            p.query(errorRatio('$__rate_interval'), 'errors'),
          ]) + p.thresholds(budget / 2, budget),
          p.stat('Oldest waiting job', 'How long the oldest job has waited that could run and has not started.', 's', [
            p.query('max(muster_job_queue_age_seconds{@})', 'age'),
          ]) + p.thresholds(config.queueAgeSeconds / 5, config.queueAgeSeconds),
        ] },
        { title: 'Traffic', panels: [
          p.timeseries('Requests by method', 'RPCs that ended, each second. A long poll or a stream counts when it ends.', 'reqps', [
            p.query('sum by (grpc_method) (rate(grpc_server_handled_total{@}[$__rate_interval]))', '{{grpc_method}}'),
          ]) + p.stacked,
          p.timeseries('Futures submitted', 'Futures made, each second, by kind: jobs of async and blocking functions, promises, and combinators.', 'ops', [
            p.query('sum by (kind) (rate(muster_futures_submitted_total{@}[$__rate_interval]))', '{{kind}}'),
          ]) + p.stacked,
          p.timeseries('Futures done', 'Futures that ended, each second, by how.', 'ops', [
            p.query('sum by (state) (rate(muster_futures_done_total{@}[$__rate_interval]))', '{{state}}'),
          ]) + p.stacked,
        ] },
        { title: 'Errors', panels: [
          p.timeseries('Server errors against the objective', 'Share of RPCs that ended with an error of the server, over 5 minutes and an hour. The line is the objective: what stays above it spends more than the budget.', 'percentunit', [
            p.query(errorRatio('5m'), '5 minutes'),
            p.query(errorRatio('1h'), 'an hour'),
          ]) + p.limitLines(null, budget),
          p.timeseries('Requests that ended otherwise than OK', 'By code. Unknown, Internal, Unavailable and DataLoss are faults of the server; the others are about the request, or a limit (ResourceExhausted).', 'reqps', [
            p.query('sum by (grpc_code) (rate(grpc_server_handled_total{@, grpc_code!="OK"}[$__rate_interval]))', '{{grpc_code}}'),
          ]),
          p.timeseries('Refused because of a limit', 'Requests, and items of batches and streams, refused each second, by reason. Nothing is lost; the client is told what to do.', 'ops', [
            p.query('sum by (reason) (rate(muster_limit_hits_total{@}[$__rate_interval]))', '{{reason}}'),
          ]),
        ] },
        { title: 'Latency', panels: [
          p.timeseries('From submit to done',
                       "Quantiles of a job's life, its waiting and its running. How long jobs run is theirs; compare with the queue beside it.",
                       's',
                       p.quantiles('muster_submit_to_done_seconds')),
          p.timeseries('Waiting for a start',
                       'Quantiles of the time from when a job could start to the start of its body: what the server adds.',
                       's',
                       p.quantiles('muster_job_queue_seconds')),
          p.timeseries('Short requests',
                       'Quantiles of RPCs that do not wait for a job: all but Call, Wait, Gather, AsCompleted and Run. With durability sync, submits include a flush of the disk.',
                       's',
                       p.quantiles('grpc_server_handling_seconds', '@, grpc_method!~"%s"' % waiting)) + p.limitLines(null, config.rpcP99Seconds),
          p.heatmap('From submit to done, as a heat map',
                    'How many jobs took how long. Two bands are two kinds of jobs; a band that rises is a queue.',
                    's',
                    'muster_submit_to_done_seconds') + p.size(24, 8),
        ] },
        { title: 'Backlog', panels: [
          p.timeseries('Futures not done', 'pending: promises and combinators; delayed: not due yet; queued: could run; running.', 'short', [
            p.query('sum by (state) (muster_futures{@, state=~"pending|delayed|queued|running"})', '{{state}}'),
          ]) + p.stacked,
          p.timeseries('Oldest waiting job by instance', 'How long it has waited. Grows without end when jobs come faster than they run, or when a thread or loop hangs.', 's', [
            p.query('max by (instance) (muster_job_queue_age_seconds{@})', '{{instance}}'),
          ]) + p.limitLines(null, config.queueAgeSeconds),
          p.timeseries('Futures done and retained', 'Outcomes that are kept until their retention ends. They use memory and disk.', 'short', [
            p.query('sum by (state) (muster_futures{@, state=~"succeeded|failed|cancelled"})', '{{state}}'),
          ]) + p.stacked,
        ] },
        { title: 'Saturation', panels: [
          p.timeseries('Blocking pool', 'Share of the threads for blocking functions that run a job, and of the places in their queue that are taken. The fullest instance.', 'percentunit', [
            p.query('max(%s)' % promql.ratio('sum by (instance) (muster_blocking_pool_busy{@})', 'sum by (instance) (muster_blocking_pool_threads{@})'), 'threads busy'),
            p.query('max(%s)' % promql.ratio('sum by (instance) (muster_blocking_pool_queue_length{@})', 'sum by (instance) (muster_blocking_pool_queue_capacity{@})'), 'queue taken'),
          ]) + p.share + p.limitLines(null, config.poolBusyRatio),
          p.timeseries('Loop lag', 'The longest that an event loop was late since the scrape before; an answer may have taken that much longer.', 's', [
            p.query('max by (instance) (muster_loop_lag_seconds{@})', '{{instance}}'),
          ]) + p.limitLines(null, config.loopLagSeconds),
          p.barGauge('Limits in use', 'Share of each limit that is taken, of the fullest instance. Past it requests are refused with RESOURCE_EXHAUSTED.', 'percentunit', [
            p.query(limitUsed('muster_futures{@, state=~"pending|delayed|queued|running"}', 'pending_futures_max'), 'futures not done'),
            p.query(limitUsed('muster_waits_open{@}', 'waiters_max'), 'open waits'),
            p.query(limitUsed('muster_wait_members{@}', 'wait_members_max'), 'members of waits'),
            p.query(limitUsed('muster_streams_open{@}', 'streams_max'), 'open streams'),
            p.query(limitUsed('muster_namespaces{@}', 'namespaces_max'), 'namespaces'),
          ]) + p.thresholds(0.6, config.limitUsedRatio),
          p.timeseries('CPU', 'Cores in use, by instance.', 'short', [
            p.query('sum by (instance) (rate(process_cpu_seconds_total{@}[$__rate_interval]))', '{{instance}}'),
          ]),
          p.timeseries('Memory', 'Resident memory by instance, and the limit of the container (0: none).', 'bytes', [
            p.query('sum by (instance) (process_resident_memory_bytes{@})', '{{instance}}'),
            p.query('max(muster_memory_limit_bytes{@})', 'limit'),
          ]),
          p.timeseries('Room on the disk', 'What is free on the disk that the store lies on, by instance; 0 without a store.', 'bytes', [
            p.query('sum by (instance) (muster_store_free_bytes{@})', '{{instance}}'),
          ]),
        ] },
      ]
    ),
  },
}

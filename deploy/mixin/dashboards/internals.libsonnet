// Muster / Internals: the parts of the server, for whoever looks for the cause.
local dashboard = import '../lib/dashboard.libsonnet';
local p = import '../lib/panels.libsonnet';
local promql = import '../lib/promql.libsonnet';

{
  local config = $._config,
  local waiting = config.waitingMethods,
  local rate(metric, label='instance', matchers='@') = 'sum by (%s) (rate(%s{%s}[$__rate_interval]))' % [label, metric, matchers],
  local byInstance(metric) = p.query('sum by (instance) (%s{@})' % metric, '{{instance}}'),
  // A server without a store makes no commits.
  local perCommit(metric) = promql.ratio('sum(rate(%s{@}[$__rate_interval]))' % metric, 'sum(rate(muster_journal_commit_seconds_count{@}[$__rate_interval]))'),

  grafanaDashboards+:: {
    'internals.json': dashboard.new(
      config,
      config.uids.internals,
      'Muster / Internals',
      'The parts of the server: loops, blocking pool, waits and streams, journal, store, gRPC and the process.',
      [
        { title: 'Servers', panels: [
          p.stat('Version', 'Version and revision of each server, with its gRPC and compiler.', 'short', [
            p.query('count by (version, revision, grpc, compiler) (muster_build_info{@})', '{{version}} ({{revision}}), gRPC {{grpc}}, {{compiler}}'),
          ]) + p.labelAsText + p.size(10, 4),
          p.stat('Durability', 'What an acknowledged future survives: sync a loss of power, async a crash, none nothing.', 'short', [
            p.query('sum by (mode) (muster_durability{@}) > 0', '{{mode}}'),
          ]) + p.labelAsText,
          p.stat('Up for', 'Since the youngest process started.', 's', [
            p.query('time() - max(process_start_time_seconds{@})', 'up'),
          ]) + p.plain,
          p.stat('Starts in an hour', 'How often a server of the same address was started anew.', 'short', [
            p.query('sum(changes(process_start_time_seconds{@}[1h]))', 'starts'),
          ]) + p.plain + p.thresholds(1, config.restartsPerHour) + p.size(3, 4),
          p.stat('Namespaces', 'Namespaces in use, of all servers.', 'short', [
            p.query('sum(muster_namespaces{@})', 'namespaces'),
          ]) + p.plain + p.size(3, 4),
        ] },
        { title: 'Loops', panels: [
          p.timeseries('Lag', 'The longest turn or timer delay of a loop since the scrape before.', 's', [
            p.query('max by (instance, loop) (muster_loop_lag_seconds{@})', '{{instance}} loop {{loop}}'),
          ]) + p.limitLines(null, config.loopLagSeconds),
          p.timeseries('Blocked', 'Times in an hour that one resume held up its loop for longer than loop.blocked_after. The log says when and for how long.', 'short', [
            p.query('sum by (instance, loop) (increase(muster_loop_blocked_total{@}[1h]))', '{{instance}} loop {{loop}}'),
          ]) + p.limitLines(null, config.loopBlockedPerHour),
          p.timeseries('Turns', 'Turns of all loops each second. High with few requests: something wakes the loops.', 'ops', [
            p.query(rate('muster_loop_turns_total'), '{{instance}}'),
          ]),
        ] },
        { title: 'Blocking pool', panels: [
          p.timeseries('Threads of the pool', 'Threads, those that run a job, and those of them whose job nobody waits for any more.', 'short', [
            p.query('sum(muster_blocking_pool_threads{@})', 'threads'),
            p.query('sum(muster_blocking_pool_busy{@})', 'busy'),
            p.query('sum(muster_blocking_pool_abandoned{@})', 'abandoned'),
          ]),
          p.timeseries('Queue', 'Jobs that wait for a thread, by instance.', 'short', [byInstance('muster_blocking_pool_queue_length')]),
          p.timeseries('Waiting for a thread',
                       'Quantiles of how long jobs of blocking functions waited for a thread.',
                       's',
                       p.quantiles('muster_blocking_pool_queue_wait_seconds')),
          p.timeseries('Room in the queue', 'Jobs that may still queue before submits are refused with QUEUE_FULL.', 'short', [
            p.query('sum by (instance) (muster_blocking_pool_queue_capacity{@} - muster_blocking_pool_queue_length{@})', '{{instance}}'),
          ]),
          p.timeseries('Rejected', 'Jobs refused each second because the queue was full.', 'ops', [
            p.query(rate('muster_blocking_pool_rejected_total'), '{{instance}}'),
          ]),
          p.timeseries('Reactor', 'Sockets that the reactor watches for functions such as http.request, and events each second.', 'short', [
            p.query('sum(muster_reactor_fds{@})', 'sockets'),
            p.query('sum(rate(muster_reactor_events_total{@}[$__rate_interval]))', 'events/s'),
          ]),
        ] },
        { title: 'Waits and streams', panels: [
          p.timeseries('Open waits', 'Wait, Gather and Call that wait now, by instance.', 'short', [byInstance('muster_waits_open')]),
          p.timeseries('Members of waits', 'Futures that open waits wait for, counted once for each wait.', 'short', [byInstance('muster_wait_members')]),
          p.timeseries('Open streams', 'AsCompleted and Run streams that are open now.', 'short', [
            p.query('sum by (rpc) (muster_streams_open{@})', '{{rpc}}'),
          ]),
        ] },
        { title: 'Journal', panels: [
          p.timeseries('Commits take',
                       'Quantiles of the time from when a commit was taken up to when it was durable. Empty only without a store.',
                       's',
                       p.quantiles('muster_journal_commit_seconds')) + p.limitLines(null, config.commitP99Seconds),
          p.timeseries('Commits', 'Commits each second, by instance.', 'ops', [
            p.query(rate('muster_journal_commit_seconds_count'), '{{instance}}'),
          ]),
          p.timeseries('Shared', 'Batches of loops, and rows, in one commit on average. More under load: that is what keeps a slow disk bearable.', 'short', [
            p.query(perCommit('muster_journal_batches_total'), 'batches'),
            p.query(perCommit('muster_journal_rows_total'), 'rows'),
          ]),
          p.timeseries('Written', "Bytes written to the store's log each second, by instance.", 'Bps', [
            p.query(rate('muster_journal_log_bytes_total'), '{{instance}}'),
          ]),
          p.timeseries('Rows written', 'Rows put or deleted each second, by instance.', 'ops', [
            p.query(rate('muster_journal_rows_total'), '{{instance}}'),
          ]),
          p.heatmap('Commits take, as a heat map', 'How many commits took how long. A second band far above is a disk that hesitates.', 's', 'muster_journal_commit_seconds'),
        ] },
        { title: 'Store', panels: [
          p.timeseries('On disk', "Bytes of the store's files by instance, and store.bytes_max (0: no limit).", 'bytes', [
            byInstance('muster_store_disk_bytes'),
            p.query('max(muster_store_disk_bytes_max{@})', 'limit'),
          ]),
          p.timeseries('Room on the disk', 'What is free on the disk that the store lies on, and what will be in 24 hours if it goes on as over the last hour.', 'bytes', [
            p.query('sum by (instance) (muster_store_free_bytes{@})', '{{instance}}'),
            p.query('min(predict_linear(muster_store_free_bytes{@}[1h], 86400))', 'in 24 hours'),
          ]) { fieldConfig+: { defaults+: { min:: null } } },
          p.timeseries('Rows in the store', 'Rows in the store, an estimate, by instance.', 'short', [byInstance('muster_store_rows')]),
          p.timeseries('Trouble', 'In an hour: errors of the work that the store does by itself, and times that it held writes up.', 'short', [
            p.query('sum(increase(muster_store_background_errors_total{@}[1h]))', 'errors'),
            p.query('sum(increase(muster_store_stalls_total{@}[1h]))', 'stalls'),
          ]) + p.size(6, 8),
          p.stat('Full', 'Yes while new futures are refused with STORE_FULL.', 'short', [
            p.query('max(muster_store_full{@})', 'full'),
          ]) + p.words({ '0': 'no', '1': 'yes' }) + p.thresholds(null, 1) + p.plain + p.size(3, 8),
          p.stat('Failed', 'Yes once the disk has failed: nothing is acknowledged until a restart.', 'short', [
            p.query('max(muster_store_failed{@})', 'failed'),
          ]) + p.words({ '0': 'no', '1': 'yes' }) + p.thresholds(null, 1) + p.plain + p.size(3, 8),
          p.stat('Last recovery took', 'How long the last start read the store, of the slowest server.', 's', [
            p.query('max(muster_recovery_seconds{@})', 'recovery'),
          ]) + p.plain + p.size(6, 8),
          p.stat('Futures recovered', 'Futures that the last start found in the store.', 'short', [
            p.query('sum(muster_recovered_futures{@})', 'futures'),
          ]) + p.plain + p.size(6, 8),
        ] },
        { title: 'gRPC', panels: [
          p.timeseries('Started', 'RPCs that reached a handler each second, by method.', 'reqps', [
            p.query(rate('grpc_server_started_total', 'grpc_method'), '{{grpc_method}}'),
          ]) + p.stacked,
          p.timeseries('Under way', 'RPCs that have started and not ended, by method. Long polls and streams stay here for as long as they wait.', 'short', [
            p.query('sum by (grpc_method) (grpc_server_started_total{@}) - sum by (grpc_method) (grpc_server_handled_total{@})', '{{grpc_method}}'),
          ]) + p.stacked,
          p.timeseries('Short requests by method, 99th percentile', 'Of the RPCs that do not wait for a job.', 's', [
            p.query(promql.quantile(0.99, 'grpc_server_handling_seconds_bucket{@, grpc_method!~"%s"}' % waiting, ['grpc_method'], '$__rate_interval'), '{{grpc_method}}'),
          ]),
          p.timeseries('Messages received', 'Each second, by method. A Run stream carries many submits in one message.', 'ops', [
            p.query(rate('grpc_server_msg_received_total', 'grpc_method'), '{{grpc_method}}'),
          ]),
          p.timeseries('Messages sent', 'Each second, by method.', 'ops', [
            p.query(rate('grpc_server_msg_sent_total', 'grpc_method'), '{{grpc_method}}'),
          ]),
          p.timeseries('Held by futures', 'Bytes that the futures of all namespaces hold, by instance; limits.namespace_bytes_max is for one namespace.', 'bytes', [
            byInstance('muster_namespace_bytes'),
          ]),
        ] },
        { title: 'Process', panels: [
          p.timeseries('CPU', 'Cores in use, by instance.', 'short', [
            p.query(rate('process_cpu_seconds_total'), '{{instance}}'),
          ]),
          p.timeseries('Memory', 'Resident and virtual memory of all servers, and the limit of a container (0: none).', 'bytes', [
            p.query('sum(process_resident_memory_bytes{@})', 'resident'),
            p.query('sum(process_virtual_memory_bytes{@})', 'virtual'),
            p.query('max(muster_memory_limit_bytes{@})', 'limit'),
          ]),
          p.timeseries('File descriptors', 'Open ones, as a share of what the process may open, by instance.', 'percentunit', [
            p.query(promql.ratio('sum by (instance) (process_open_fds{@})', 'sum by (instance) (process_max_fds{@})'), '{{instance}}'),
          ]) + p.share + p.limitLines(null, config.fdsUsedRatio),
          p.timeseries('Threads', 'Threads of the process, by instance.', 'short', [byInstance('process_threads')]) + p.size(12, 8),
          p.timeseries('Log entries dropped', 'Each second, because the log could not be written fast enough.', 'ops', [
            p.query(rate('muster_log_dropped_total'), '{{instance}}'),
          ]) + p.size(12, 8),
        ] },
      ]
    ),
  },
}

// The store: what is acknowledged only when it is on disk.
local alert = import '../lib/alert.libsonnet';
local promql = import '../lib/promql.libsonnet';

{
  local config = $._config,
  local new(name, severity, wait, expr, summary, description) =
    alert.new(config, name, severity, wait, expr, summary, description),
  local labels = std.join(', ', config.instanceLabels),
  // Without a store its metrics are all 0, the free space too.
  local durable = 'unless on (%s) muster_durability{@, mode="none"} == 1' % labels,
  // The disk, or the store's own limit, is reached within so many hours if all goes on as over the window.
  local fullWithin(window, hours) = |||
    (
      predict_linear(muster_store_free_bytes{@}[%(window)s], %(hours)d * 3600) < 0
      %(durable)s
    )
    or
    (
      predict_linear(muster_store_disk_bytes{@}[%(window)s], %(hours)d * 3600) > muster_store_disk_bytes_max{@}
      and
      muster_store_disk_bytes_max{@} > 0
    )
  ||| % { window: window, hours: hours, durable: durable },

  prometheusAlerts+:: {
    groups+: [{
      name: 'muster.store',
      rules: [
        new(
          'MusterStoreFailed',
          'critical',
          '0m',
          'muster_store_failed{@} == 1',
          'The disk has failed: Muster acknowledges nothing any more.',
          'A write or a flush of the store of ' + alert.instance + ' has failed. Requests end with STORE_FAILED until it is mended and the server is restarted.'
        ),
        new(
          'MusterStoreFull',
          'critical',
          '1m',
          'muster_store_full{@} == 1',
          'The store is full: Muster takes no new futures.',
          alert.instance + ' refuses new futures with STORE_FULL: its files have reached store.bytes_max, or the disk has less room than store.free_bytes_min.'
        ),
        new(
          'MusterStoreErrors',
          'critical',
          '0m',
          'increase(muster_store_background_errors_total{@}[15m]) > 0',
          'The store has errors in its own work.',
          'The store of ' + alert.instance + ' reported errors of its flushes or compactions, {{ printf "%.0f" $value }} within 15 minutes.'
        ),
        new(
          'MusterCommitsSlow',
          'warning',
          '10m',
          'instance:muster_journal_commit_seconds:p99_rate5m{@} > %g' % config.commitP99Seconds,
          'Commits take long, and so does everything that is acknowledged.',
          'The 99th percentile of commits of ' + alert.instance + ' is {{ $value | humanizeDuration }} (threshold %gs).' % config.commitP99Seconds
        ),
        new(
          'MusterCommitsStalled',
          'critical',
          '2m',
          |||
            sum by (%(labels)s) (grpc_server_started_total{@, grpc_method=~"Submit|SubmitBatch|CreatePromise"})
            - sum by (%(labels)s) (grpc_server_handled_total{@, grpc_method=~"Submit|SubmitBatch|CreatePromise"}) > 0
            and on (%(labels)s)
            increase(muster_journal_commit_seconds_count{@}[3m]) == 0
            %(durable)s
          ||| % { labels: labels, durable: durable },
          'Submits wait for a commit, and none is made.',
          '{{ printf "%.0f" $value }} submits to ' + alert.instance + ' are under way, and no commit has ended for minutes: the disk hangs.'
        ),
        new(
          'MusterStoreStalling',
          'warning',
          '0m',
          'increase(muster_store_stalls_total{@}[1h]) > %g' % config.storeStallsPerHour,
          'The store holds writes up.',
          'The store of ' + alert.instance + ' held writes up {{ printf "%.0f" $value }} times within an hour, so that its compaction could catch up.'
        ),
        new(
          'MusterDiskFillingUp',
          'warning',
          '1h',
          fullWithin('6h', config.diskFullWithin.warningHours),
          'The store fills its disk within a day.',
          'As it went over the last 6 hours, the store of ' + alert.instance + ' reaches the end of its disk, or store.bytes_max, within %d hours.' % config.diskFullWithin.warningHours
        ),
        new(
          'MusterDiskFullSoon',
          'critical',
          '15m',
          fullWithin('1h', config.diskFullWithin.criticalHours),
          'The store fills its disk within hours.',
          'As it went over the last hour, the store of ' + alert.instance + ' reaches the end of its disk, or store.bytes_max, within %d hours.' % config.diskFullWithin.criticalHours
        ),
      ],
    }],
  },
}

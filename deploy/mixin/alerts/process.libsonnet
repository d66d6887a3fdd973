// The process and what the machine gives it.
local alert = import '../lib/alert.libsonnet';
local promql = import '../lib/promql.libsonnet';

{
  local config = $._config,
  local new(name, severity, wait, expr, summary, description) =
    alert.new(config, name, severity, wait, expr, summary, description),
  local labels = std.join(', ', config.instanceLabels),

  prometheusAlerts+:: {
    groups+: [{
      name: 'muster.process',
      rules: [
        new(
          'MusterMemoryNearLimit',
          'warning',
          '10m',
          |||
            process_resident_memory_bytes{@} / on (%s) (muster_memory_limit_bytes{@} > 0) > %g
          ||| % [labels, config.memoryUsedRatio],
          'A Muster server will soon be killed for its memory.',
          alert.instance + ' uses {{ $value | humanizePercentage }} of the memory limit of its container.'
        ),
        new(
          'MusterFileDescriptorsNearLimit',
          'critical',
          '5m',
          |||
            process_open_fds{@} / on (%s) process_max_fds{@} > %g
          ||| % [labels, config.fdsUsedRatio],
          'A Muster server will soon have no file descriptors left.',
          alert.instance + ' uses {{ $value | humanizePercentage }} of its file descriptors; without any it accepts no connections.'
        ),
        new(
          'MusterLogEntriesDropped',
          'info',
          '0m',
          'increase(muster_log_dropped_total{@}[15m]) > 0',
          'Log entries are lost.',
          alert.instance + ' dropped {{ printf "%.0f" $value }} log entries within 15 minutes because they could not be written fast enough.'
        ),
      ],
    }],
  },
}

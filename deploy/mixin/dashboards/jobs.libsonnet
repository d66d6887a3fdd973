// Muster / Jobs: what each function does. For those who submit jobs and those who write functions.
local dashboard = import '../lib/dashboard.libsonnet';
local p = import '../lib/panels.libsonnet';
local promql = import '../lib/promql.libsonnet';

{
  local config = $._config,
  local f = '@, function=~"$function"',
  local perFunction(metric, more='') = 'sum by (function) (rate(%s{%s%s}[$__rate_interval]))' % [metric, f, more],
  local share(state) = promql.ratio(perFunction('muster_futures_done_total', ', state="%s"' % state), perFunction('muster_futures_done_total')),
  local runTime(q) = promql.quantile(q, 'muster_job_run_seconds_bucket{%s}' % f, ['function'], '$__rate_interval'),

  grafanaDashboards+:: {
    'jobs.json': dashboard.new(
      config,
      config.uids.jobs,
      'Muster / Jobs',
      'What each function does: how often, how long, how many fail or are cancelled, and what ran again after a crash.',
      [
        { title: 'Functions', panels: [
          p.table('Functions', 'Each function over the last intervals. "At work" is how many of its bodies run on average.', 'function', [
            ['Submitted', 'ops', perFunction('muster_futures_submitted_total')],
            ['Done', 'ops', perFunction('muster_futures_done_total')],
            ['Failed', 'percentunit', share('failed')],
            ['Cancelled', 'percentunit', share('cancelled')],
            ['Run time p50', 's', runTime(0.5)],
            ['Run time p99', 's', runTime(0.99)],
            ['At work', 'short', perFunction('muster_job_run_seconds_sum')],
            ['Run again', 'short', 'sum by (function) (muster_job_reruns_total{%s})' % f],
          ]),
        ] },
        { title: 'Rate', panels: [
          p.timeseries('Submitted', 'Jobs submitted each second. "none" are futures that run no function: promises and combinators.', 'ops', [
            p.query(perFunction('muster_futures_submitted_total'), '{{function}}'),
          ]) + p.stacked,
          p.timeseries('Done', 'Jobs that ended each second, however. Below what is submitted: a backlog grows.', 'ops', [
            p.query(perFunction('muster_futures_done_total'), '{{function}}'),
          ]) + p.stacked,
          p.timeseries('At work', 'Bodies at work on average: seconds of run time each second. For a blocking function that is threads of the pool.', 'short', [
            p.query(perFunction('muster_job_run_seconds_sum'), '{{function}}'),
          ]) + p.stacked,
        ] },
        { title: 'Waiting', panels: [
          p.timeseries('Nobody serves their function', 'Jobs that are due and wait because no server has their function: one that was there before an upgrade or a change of the configuration. The log of the last start names the functions.', 'short', [
            p.query('sum by (instance) (muster_futures_unserved{@})', '{{instance}}'),
          ]),
        ] },
        { title: 'Outcome', panels: [
          p.timeseries('Failed', 'Jobs that failed each second: errors of the function, timeouts, and jobs interrupted by a crash that may run only once.', 'ops', [
            p.query(perFunction('muster_futures_done_total', ', state="failed"'), '{{function}}'),
          ]),
          p.timeseries('Share that failed', 'Of the jobs that ended.', 'percentunit', [
            p.query(share('failed'), '{{function}}'),
          ]) + p.share + p.limitLines(null, config.jobFailureRatio),
          p.timeseries('Cancelled', 'Jobs that were cancelled each second.', 'ops', [
            p.query(perFunction('muster_futures_done_total', ', state="cancelled"'), '{{function}}'),
          ]),
        ] },
        { title: 'Run time', panels: [
          p.timeseries('Run time, median', 'Half of the bodies took less. Waiting for a start does not count.', 's', [
            p.query(runTime(0.5), '{{function}}'),
          ]),
          p.timeseries('Run time, 99th percentile', 'All but one of a hundred took less. Buckets are wide: a day is the last bound.', 's', [
            p.query(runTime(0.99), '{{function}}'),
          ]),
          p.timeseries('Run time, mean', 'Sum over count; one very long job shows here and not in the median.', 's', [
            p.query(promql.ratio(perFunction('muster_job_run_seconds_sum'), perFunction('muster_job_run_seconds_count')), '{{function}}'),
          ]),
          p.heatmap('Run time, as a heat map', 'How many bodies took how long, of the functions chosen above.', 's', 'muster_job_run_seconds', f) + p.size(24, 8),
        ] },
        { title: 'After a crash, after a cancel', panels: [
          p.timeseries('Run again after a crash', 'Jobs whose body the present process started again because the one before had died. A function that is always among them may be what kills the server.', 'short', [
            p.query('sum by (function) (muster_job_reruns_total{%s})' % f, '{{function}}'),
          ]),
          p.timeseries('From cancel to end',
                       'Quantiles of the time from the first cancel of a future to its end, over all functions. Long ones ignore their cancel token.',
                       's',
                       p.quantiles('muster_cancel_latency_seconds')),
          p.timeseries('Given up and unread', 'Each hour: wait_fors whose inner future did not end after its cancel, and failed futures that were forgotten before anybody asked for their error.', 'short', [
            p.query('sum(increase(muster_wait_for_grace_expired_total{@}[1h]))', 'grace expired'),
            p.query('sum(increase(muster_unretrieved_errors_total{@}[1h]))', 'errors not retrieved'),
          ]),
        ] },
      ],
      [dashboard.labelVariable(
        'function',
        'Function',
        'Registered functions; "none" stands for promises and combinators.',
        'label_values(muster_futures_submitted_total{job=~"$job", namespace=~"$namespace", instance=~"$instance"}, function)',
        '.*'
      )]
    ),
  },
}

// What an installation may want to change. Override it where the mixin is imported:
//   (import 'muster/mixin.libsonnet') + { _config+:: { jobPattern: 'futures-.*' } }
{
  _config+:: {
    // Which targets are Muster. It selects the scraped series in rules, and the values of the variable `job`.
    jobPattern: '.*muster.*',
    selector: 'job=~"%s"' % self.jobPattern,

    // A service is what these labels tell apart, an instance is one process of it. A label that a set-up does not have
    // (namespace and pod outside Kubernetes) does no harm. With several clusters in one Prometheus: add cluster.
    serviceLabels: ['namespace', 'job'],
    instanceLabels: self.serviceLabels + ['pod', 'instance'],

    runbookBase: 'https://github.com/muster-project/muster/blob/main/docs/runbooks',
    // Labels added to every alert, for routing: { team: 'futures' }.
    alertLabels: {},

    // These last as long as what they wait for, so their duration says nothing of the server.
    waitingMethods: 'Call|Wait|Gather|AsCompleted|Run',
    // What the server owes an explanation for. Not RESOURCE_EXHAUSTED: a limit that the operator chose did its work, and
    // has alerts of its own. Not DEADLINE_EXCEEDED or CANCELLED: the client's own decision.
    serverFaultCodes: 'Unknown|Internal|Unavailable|DataLoss',

    // The objective: this share of RPCs does not end with one of the codes above, over the SLO's 30 days.
    availabilityTarget: 0.999,
    // Burn rates (multiples of the rate that spends the whole budget in 30 days), each over a long and a short window.
    burnFast: [
      { long: '1h', short: '5m', factor: 14.4 },
      { long: '6h', short: '30m', factor: 6 },
    ],
    burnSlow: [
      { long: '1d', short: '2h', factor: 3 },
      { long: '3d', short: '6h', factor: 1 },
    ],

    // Thresholds. Durations are seconds unless the name says otherwise.
    rpcP99Seconds: 1,
    queueAgeSeconds: 300,
    poolBusyRatio: 0.9,
    loopLagSeconds: 0.25,
    loopBlockedPerHour: 12,
    limitUsedRatio: 0.8,
    commitP99Seconds: 0.25,
    storeStallsPerHour: 6,
    diskFullWithin: { warningHours: 24, criticalHours: 4 },
    memoryUsedRatio: 0.9,
    fdsUsedRatio: 0.8,
    restartsPerHour: 3,
    jobFailureRatio: 0.5,
    jobFailuresPerSecondMin: 0.05,

    // Dashboards.
    dashboardTags: ['muster'],
    dashboardRefresh: '30s',
    dashboardFrom: 'now-1h',
    uids: { overview: 'muster-overview', jobs: 'muster-jobs', internals: 'muster-internals' },
  },
}

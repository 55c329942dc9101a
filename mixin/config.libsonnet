{
  _config+:: {
    // Where Tidemark's own metrics come from: the job of the scrape configuration. Change it when
    // your job has another name; the health alerts look for this job and fire when it is absent.
    tidemarkSelector: 'job="tidemark"',

    // Which watched series may alert. Narrow it (`team="payments"`) when several Prometheus servers
    // or teams load these rules and each should see its own; empty means all.
    seriesSelector: '',

    // A score of 1 is the edge of what the false-alarm budget allows, so 1 is not a threshold to
    // tune: change the budget instead. An anomaly this many times as far out is critical. Higher
    // means fewer critical alerts, never fewer alerts.
    criticalScore: 3,

    // How long an anomaly must last before its alert fires. The baseline has confirmed it already;
    // raise it only where minutes do not matter.
    anomalyFor: '0m',

    // Warn when the forecast crosses a declared limit within the first figure, page within the
    // second. The second must leave time to act by hand: ordering a disk takes longer than
    // growing a volume. In seconds.
    limitWarningSeconds: 24 * 3600,
    limitCriticalSeconds: 4 * 3600,
    // The forecast must say so for this long: a batch job that fills and empties a disk does not.
    limitFor: '15m',

    // Observed false alarms over the budget, averaged over all series. 1 is on target. Above this
    // for budgetFor, the budget is not being kept and pages are coming that should not.
    budgetRatio: 2,
    budgetFor: '6h',

    // A stage that has not worked for this long withholds the heartbeat soon after, and raw alerts
    // then page directly. Keep it below the stage limits of Tidemark (2 minutes and more).
    stageLagSeconds: 120,
    stageLagFor: '1m',

    // Learning is stuck when the share of learned history has not moved for learningWindow, for
    // learningFor. Longer where the long-term store is slow.
    learningWindow: '30m',
    learningFor: '15m',

    // Prefix of every alert name; runbooks and dashboards do not depend on it.
    alertPrefix: 'Tidemark',

    // Where the page of an alert is; %s is its name in lower case.
    runbookURLPattern: 'https://github.com/tidemark/tidemark/blob/main/docs/runbooks/%s.md',

    // Where people open Tidemark's pages: what the variable of the dashboards starts with. A
    // dashboard links an incident to <url>/incidents/<id>.
    externalURL: 'http://localhost:9099',

    dashboards: {
      prefix: 'Tidemark / ',
      tags: ['tidemark'],
      refresh: '30s',
      timezone: 'browser',
      from: 'now-6h',
    },
  },
}

// Recording rules: what the alerts and people's own rules start from. The scores of all series are
// read once here; the alerts then look at the few that are anomalous.
{
  local selector = if $._config.seriesSelector == '' then '' else '{%s}' % $._config.seriesSelector,
  local own = $._config.tidemarkSelector,

  prometheusRules+:: {
    groups+: [
      {
        name: 'tidemark.rules',
        rules: [
          {
            // One series for each anomaly that lasts, with its kind and detector; the value is the score.
            record: 'tidemark:anomaly_score:active',
            expr: |||
              tidemark_anomaly_active%(selector)s
              * ignoring (kind, detector) group_left ()
              tidemark_anomaly_score%(selector)s
            ||| % { selector: selector },
          },
          {
            // The anomalies whose alarm was raised at this moment: one per episode.
            record: 'tidemark:anomaly_score:alarm',
            expr: |||
              tidemark:anomaly_score:active
              and ignoring (kind, detector)
              tidemark_anomaly_alarm_score%(selector)s > 1
            ||| % { selector: selector },
          },
          {
            // How many anomalies last now, by watch and kind.
            record: 'watch_kind:tidemark_anomalies:count',
            expr: 'count by (watch, kind) (tidemark:anomaly_score:active)',
          },
          {
            // Kept false-alarm budget: the mean over the series of each watch; 1 is on target.
            record: 'watch:tidemark_false_alarm_budget_ratio:avg',
            expr: 'avg by (watch) (tidemark_false_alarm_budget_ratio%s)' % selector,
          },
          {
            // Alerts that started, for each incident that was opened, over a day: the compression.
            record: 'job_instance:tidemark_alerts_per_incident:ratio_increase1d',
            expr: |||
              sum by (job, instance) (increase(tidemark_alerts_received_total{%(own)s, status!="resolved"}[1d]))
              /
              sum by (job, instance) (increase(tidemark_incidents_total{%(own)s}[1d])) > 0
            ||| % { own: own },
          },
          {
            // The slowest stage: how long ago it last did its work.
            record: 'job_instance:tidemark_stage_lag_seconds:max',
            expr: 'max by (job, instance) (tidemark_stage_lag_seconds{%s})' % own,
          },
        ],
      },
    ],
  },
}

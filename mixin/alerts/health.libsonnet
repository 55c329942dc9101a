// Alerts on Tidemark itself. A monitoring tool that fails quietly is worse than none: each of these
// says what still works, because raw alerts go on paging.
{
  local config = $._config,
  local own = config.tidemarkSelector,
  local rule(name, severity, wait, expr, summary, description) = {
    alert: config.alertPrefix + name,
    expr: expr,
    'for': wait,
    labels: { severity: severity },
    annotations: { summary: summary, description: description },
  },

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'tidemark.budget',
        rules: [
          rule(
            'BudgetOverrun',
            'warning',
            config.budgetFor,
            'watch:tidemark_false_alarm_budget_ratio:avg > %g' % config.budgetRatio,
            'More false alarms than the budget allows.',
            'Watch {{ $labels.watch }} raises {{ $value | printf "%.1f" }} times the alarms that its budget allows. ' +
            'The series have changed since they were learned, or something is wrong with them for good.'
          ),
        ],
      },
      {
        name: 'tidemark.health',
        rules: [
          rule(
            'Down',
            'critical',
            '2m',
            'up{%(own)s} == 0 or absent(up{%(own)s})' % { own: own },
            'Tidemark cannot be scraped.',
            'Prometheus has not reached Tidemark{{ with $labels.instance }} on {{ . }}{{ end }} for two minutes. ' +
            'Raw alerts page directly as long as it is down; nothing is correlated.'
          ),
          rule(
            'StageLagging',
            'warning',
            config.stageLagFor,
            'tidemark_stage_lag_seconds{%s} > %d' % [own, config.stageLagSeconds],
            'A stage of Tidemark is not keeping up.',
            'Stage {{ $labels.stage }} of {{ $labels.instance }} last did its work {{ $value | humanizeDuration }} ago. ' +
            'Past its limit the heartbeat is withheld and raw alerts page directly.'
          ),
          rule(
            'HeartbeatWithheld',
            'critical',
            '1m',
            'tidemark_heartbeat_healthy{%s} == 0' % own,
            'Tidemark withholds its heartbeat.',
            'Tidemark on {{ $labels.instance }} judges itself unhealthy and has stopped its heartbeat: ' +
            'raw alerts page directly, as before it was installed. /status says which stage is late and why.'
          ),
          rule(
            'StorageFailing',
            'critical',
            '0m',
            'increase(tidemark_state_log_failures_total{%s}[5m]) > 0' % own,
            'Tidemark cannot write to its storage.',
            '{{ $value | printf "%.0f" }} writes to the log of {{ $labels.instance }} failed in five minutes. ' +
            'Messages that cannot be kept are answered with 503, and Alertmanager sends them again.'
          ),
          rule(
            'StateQuarantined',
            'warning',
            '0m',
            'increase(tidemark_state_log_quarantined_total{%(own)s}[1h]) > 0 or increase(tidemark_state_store_quarantined_total{%(own)s}[1h]) > 0' % { own: own },
            'Tidemark set damaged state aside.',
            'Tidemark on {{ $labels.instance }} found state on disk that it could not read, moved it aside and went on without it. Check the disk.'
          ),
          rule(
            'ReloadFailed',
            'warning',
            '5m',
            'tidemark_config_last_reload_successful{%s} == 0' % own,
            'The last reload of the configuration failed.',
            'Tidemark on {{ $labels.instance }} refused its configuration file and goes on with the one before. Its log names the line.'
          ),
          rule(
            'LearningStuck',
            'warning',
            config.learningFor,
            'tidemark_series_learning{%s} > 0' % own,
            'Series are not being learned.',
            '{{ $value | printf "%.0f" }} series on {{ $labels.instance }} have waited for their history for longer than learning takes. They have no band until then.'
          ),
          rule(
            'RemoteReadFailing',
            'warning',
            '10m',
            |||
              sum by (job, instance) (rate(tidemark_prometheus_call_failures_total{%(own)s}[5m]))
              /
              sum by (job, instance) (rate(tidemark_prometheus_calls_total{%(own)s}[5m])) > 0.1
            ||| % { own: own },
            'Prometheus refuses or breaks the reads of Tidemark.',
            '{{ $value | humanizePercentage }} of the calls of {{ $labels.instance }} to Prometheus fail. Scores are late or missing.'
          ),
        ],
      },
    ],
  },
}

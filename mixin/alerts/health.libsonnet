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
            |||
              sum by (job, instance) (increase(tidemark_heartbeat_withheld_total{%(own)s}[2m])) > 0
              or
              time() - max by (job, instance) (tidemark_heartbeat_last_success_timestamp_seconds{%(own)s} > 0) > 120
            ||| % { own: own },
            'The heartbeat of Tidemark has stopped.',
            'Tidemark on {{ $labels.instance }} judges itself unhealthy, or no Alertmanager takes its heartbeat: ' +
            'raw alerts page directly, as before it was installed. /status says which stage is late and why.'
          ),
          rule(
            'StorageFailing',
            'critical',
            '0m',
            'increase(tidemark_state_log_failures_total{%(own)s}[5m]) > 0 or increase(tidemark_runbook_record_failures_total{%(own)s}[5m]) > 0' % { own: own },
            'Tidemark cannot write to its storage.',
            'Writes of {{ $labels.instance }} to its disk failed in the last five minutes. ' +
            'Messages that cannot be kept are answered with 503, and Alertmanager sends them again; actions that cannot be recorded are not made.'
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
            'tidemark_learning_ratio{%(own)s} < 1 and changes(tidemark_learning_ratio{%(own)s}[%(window)s]) == 0' % { own: own, window: config.learningWindow },
            'Learning makes no progress.',
            'Tidemark on {{ $labels.instance }} has learned {{ $value | humanizePercentage }} of the history and gets no further. ' +
            'The series that wait have no band until then.'
          ),
          rule(
            'WatchFailing',
            'warning',
            '15m',
            'sum by (job, instance, watch) (rate(tidemark_watch_failures_total{%s}[5m])) > 0' % own,
            'A watch cannot be evaluated.',
            'Watch {{ $labels.watch }} has failed on {{ $labels.instance }} for a quarter of an hour: its series are not scored.'
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
          rule(
            'NotificationsFailing',
            'critical',
            '5m',
            'sum by (job, instance, alertmanager) (rate(tidemark_notifications_failed_total{%s}[5m])) > 0' % own,
            'Incidents do not reach Alertmanager.',
            'Tidemark on {{ $labels.instance }} cannot post its incidents to {{ $labels.alertmanager }}. ' +
            'When no Alertmanager takes the heartbeat either, raw alerts page directly.'
          ),
          rule(
            'MessagesRefused',
            'warning',
            '10m',
            'sum by (job, instance, endpoint) (rate(tidemark_receiver_requests_total{%s, code=~"5.."}[5m])) > 0' % own,
            'Tidemark sends messages back.',
            'Endpoint {{ $labels.endpoint }} of {{ $labels.instance }} has answered messages with 5xx for ten minutes. ' +
            'Senders try again, but not for ever.'
          ),
          rule(
            'AlertLoop',
            'warning',
            '15m',
            'sum by (job, instance) (rate(tidemark_receiver_own_alerts_total{%s}[5m])) > 0' % own,
            'A route sends the alerts of Tidemark back to it.',
            'Alertmanager sends the incidents or the heartbeat of {{ $labels.instance }} back to its webhook. They are dropped; exclude them from the route.'
          ),
        ],
      },
      {
        name: 'tidemark.runbooks',
        rules: [
          rule(
            'RunbookWithoutEffect',
            'warning',
            '0m',
            'sum by (job, instance, runbook, verdict) (increase(tidemark_runbook_calls_total{%s, verdict=~"failed|not_verified|unknown"}[30m])) > 0' % own,
            'A runbook was called and did not help.',
            'Runbook {{ $labels.runbook }} ended as {{ $labels.verdict }} in the last half hour: the fault that it was called for is still there.'
          ),
          rule(
            'RunbookHarmful',
            'critical',
            '0m',
            'sum by (job, instance, runbook) (increase(tidemark_runbook_calls_total{%s, verdict="harmful"}[30m])) > 0' % own,
            'A runbook was called and made things worse.',
            'More is out of its band after runbook {{ $labels.runbook }} than before it. Look at what it did; pause actions if it may be called again.'
          ),
          rule(
            'RunbooksPaused',
            'info',
            '1d',
            'tidemark_runbook_paused{%s} == 1' % own,
            'All actions have been paused for a day.',
            'The kill switch of {{ $labels.instance }} has been on for a day: no runbook is called until it is released.'
          ),
        ],
      },
    ],
  },
}

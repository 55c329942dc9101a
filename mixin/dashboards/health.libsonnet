// Tidemark itself: is it alive, is it keeping up, is it gentle with Prometheus?
local dashboard = import '../lib/dashboard.libsonnet';
local grafana = import '../lib/grafana.libsonnet';

function(config)
  local d = dashboard(config);
  local source = grafana.source('prometheus', 'datasource');
  local own = 'job=~"$job", instance=~"$instance"';
  local total(metric) = 'sum(rate(tidemark_%s{%s}[$__rate_interval]))' % [metric, own];
  local by(label, metric) = 'sum by (%s) (rate(tidemark_%s{%s}[$__rate_interval]))' % [label, metric, own];
  local quantile(q, metric, label) =
    'histogram_quantile(%g, sum by (le, %s) (rate(tidemark_%s_bucket{%s}[$__rate_interval])))' % [q, label, metric, own];

  // Every process has these metrics; only those of Tidemark are meant, whatever the variables say.
  local ours(expr) = expr + ' and on (job, instance) tidemark_config_last_reload_successful{%s}' % own;

  d.new(
    'tidemark-health',
    'Health',
    'Tidemark itself: heartbeat, stages, learning, what it receives and sends, its storage, and its load on Prometheus.',
    [d.prometheus],
    d.standard(source, 'tidemark_stage_lag_seconds'),
    [
      grafana.row('Is it well?', [
        grafana.stat(
          'Up',
          'Instances that Prometheus can scrape.',
          grafana.instant(source, 'sum(up{%(own)s} and on (job, instance) max_over_time(tidemark_config_last_reload_successful{%(own)s}[$__range]))' % { own: own }),
          steps=[[null, 'red'], [1, 'green']]
        ),
        grafana.stat(
          'Last heartbeat',
          'Time since an Alertmanager last took the heartbeat. Without it raw alerts page directly within two minutes.',
          grafana.instant(source, 'time() - max(tidemark_heartbeat_last_success_timestamp_seconds{%s} > 0)' % own),
          's',
          steps=[[null, 'green'], [60, 'orange'], [120, 'red']]
        ) + grafana.noValue('none sent'),
        grafana.stat(
          'Slowest stage',
          'Time since the slowest stage last did its work.',
          grafana.instant(source, 'max(tidemark_stage_lag_seconds{%s})' % own),
          's',
          steps=[[null, 'green'], [config.stageLagSeconds / 2, 'orange'], [config.stageLagSeconds, 'red']]
        ),
        grafana.stat(
          'Configuration',
          'Whether the last reload succeeded.',
          grafana.instant(source, 'min(tidemark_config_last_reload_successful{%s})' % own),
          'bool_yes_no',
          steps=[[null, 'red'], [1, 'green']]
        ) + grafana.mapping({ '0': { text: 'refused', color: 'red', index: 0 }, '1': { text: 'loaded', color: 'green', index: 1 } }),
        grafana.stat(
          'Learned',
          'Share of the history that is learned, over all watches.',
          grafana.instant(source, 'min(tidemark_learning_ratio{%s})' % own),
          'percentunit',
          steps=[[null, 'orange'], [1, 'green']]
        ),
        grafana.stat(
          'Series',
          'Series that are watched.',
          grafana.instant(source, 'sum(tidemark_series{%s})' % own)
        ),
        grafana.timeseries(
          'Stage lag',
          'Time since each stage last did its work. A stage beyond its limit withholds the heartbeat.',
          [grafana.target(source, 'max by (stage) (tidemark_stage_lag_seconds{%s})' % own, '{{stage}}')],
          's'
        ) + grafana.range(0),
        grafana.timeseries(
          'Heartbeats',
          'Heartbeats taken by the Alertmanagers, and withheld because a stage was not healthy.',
          [
            grafana.target(source, total('heartbeat_sent_total'), 'sent'),
            grafana.target(source, total('heartbeat_withheld_total') + ' or vector(0)', 'withheld'),
          ],
          'ops'
        ) + grafana.range(0),
      ]),
      grafana.row('Learning and scoring', [
        grafana.timeseries(
          'Samples scored',
          'Samples learned and scored a second, history included.',
          [grafana.target(source, total('samples_scored_total'), 'samples')],
          'cps'
        ) + grafana.range(0),
        grafana.timeseries(
          'Watches that failed',
          'Evaluations of a watch that failed, a second.',
          [grafana.target(source, by('watch', 'watch_failures_total'), '{{watch}}')],
          'ops'
        ) + grafana.range(0),
        grafana.timeseries(
          'Series watched',
          'How many series are watched, over time.',
          [grafana.target(source, 'sum by (instance) (tidemark_series{%s})' % own, '{{instance}}')]
        ) + grafana.range(0),
        grafana.timeseries(
          'Learning',
          'Share of the history that is learned.',
          [grafana.target(source, 'min by (instance) (tidemark_learning_ratio{%s})' % own, '{{instance}}')],
          'percentunit'
        ) + grafana.range(0, 1),
      ]),
      grafana.row('Load on Prometheus', [
        grafana.timeseries(
          'Calls to Prometheus',
          'Calls a second by kind, repeated ones included.',
          [grafana.target(source, by('call', 'prometheus_calls_total'), '{{call}}')],
          'reqps'
        ) + grafana.range(0),
        grafana.timeseries(
          'Failed calls',
          'Calls to Prometheus that failed, by reason.',
          [grafana.target(source, by('call, reason', 'prometheus_call_failures_total'), '{{call}}: {{reason}}')],
          'reqps'
        ) + grafana.range(0),
        grafana.timeseries(
          'Time of a call',
          '95th percentile of the time until the answer of a call was read.',
          [grafana.target(source, quantile(0.95, 'prometheus_call_duration_seconds', 'call'), '{{call}}')],
          's'
        ) + grafana.range(0),
        grafana.timeseries(
          'Received from Prometheus',
          'Bytes of answers a second.',
          [grafana.target(source, by('call', 'prometheus_received_bytes_total'), '{{call}}')],
          'Bps'
        ) + grafana.range(0),
      ]),
      grafana.row('Receiving', [
        grafana.timeseries(
          'Messages by status',
          'Messages a second by endpoint and status. 503 asks the sender to come again; 4xx is final.',
          [grafana.target(source, by('endpoint, code', 'receiver_requests_total'), '{{endpoint}} {{code}}')],
          'reqps'
        ) + grafana.range(0),
        grafana.timeseries(
          'Time to acknowledge',
          '99th percentile of the time until a message is on disk and answered.',
          [grafana.target(source, quantile(0.99, 'receiver_request_seconds', 'endpoint'), '{{endpoint}}')],
          's'
        ) + grafana.range(0),
        grafana.timeseries(
          'Alerts received',
          'Alerts a second: new, repeated by Alertmanager, our own coming back, and cut off by max_alerts.',
          [
            grafana.target(source, by('status', 'alerts_received_total'), '{{status}}'),
            grafana.target(source, total('receiver_repeated_alerts_total'), 'repeated'),
            grafana.target(source, total('receiver_own_alerts_total'), 'our own'),
            grafana.target(source, total('receiver_truncated_alerts_total'), 'cut off'),
          ],
          'cps'
        ) + grafana.range(0),
        grafana.timeseries(
          'Other signals received',
          'Log lines, spans and change events a second.',
          [
            grafana.target(source, total('receiver_lines_total'), 'log lines'),
            grafana.target(source, total('receiver_spans_total'), 'spans'),
            grafana.target(source, total('receiver_changes_total'), 'changes'),
          ],
          'cps'
        ) + grafana.range(0),
      ]),
      grafana.row('Storage and process', [
        grafana.timeseries(
          'Time until durable',
          '99th percentile of the time until a record is on disk, and of one fsync.',
          [
            grafana.target(source, quantile(0.99, 'state_log_append_seconds', 'instance'), 'append'),
            grafana.target(source, quantile(0.99, 'state_log_fsync_seconds', 'instance'), 'fsync'),
            grafana.target(source, quantile(0.99, 'state_store_put_seconds', 'instance'), 'store'),
          ],
          's'
        ) + grafana.range(0),
        grafana.timeseries(
          'Size on disk',
          'Bytes of the write-ahead log.',
          [grafana.target(source, 'sum by (instance) (tidemark_state_log_size_bytes{%s})' % own, '{{instance}}')],
          'bytes'
        ) + grafana.range(0),
        grafana.timeseries(
          'Storage faults',
          'Commits that the disk did not take, and damaged places set aside, in each interval.',
          [
            grafana.target(source, 'sum(increase(tidemark_state_log_failures_total{%s}[$__rate_interval]))' % own, 'commits failed'),
            grafana.target(source, 'sum(increase(tidemark_state_log_quarantined_total{%s}[$__rate_interval]))' % own, 'log set aside'),
            grafana.target(source, 'sum(increase(tidemark_state_store_quarantined_total{%s}[$__rate_interval]))' % own, 'store set aside'),
          ]
        ) + grafana.range(0),
        grafana.timeseries(
          'Memory',
          'Resident memory of the process.',
          [grafana.target(source, ours('process_resident_memory_bytes{%s}' % own), '{{instance}}')],
          'bytes'
        ) + grafana.range(0),
        grafana.timeseries(
          'CPU',
          'CPU seconds a second.',
          [grafana.target(source, ours('rate(process_cpu_seconds_total{%s}[$__rate_interval])' % own), '{{instance}}')],
          'short'
        ) + grafana.range(0),
        grafana.timeseries(
          'Goroutines',
          'Goroutines of the process: a rise without end is a leak.',
          [grafana.target(source, ours('go_goroutines{%s}' % own), '{{instance}}')]
        ) + grafana.range(0),
      ]),
    ]
  )

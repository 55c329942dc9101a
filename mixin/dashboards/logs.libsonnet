// Log templates: which are new, which became frequent, and the lines behind them.
local dashboard = import '../lib/dashboard.libsonnet';
local grafana = import '../lib/grafana.libsonnet';

function(config)
  local d = dashboard(config);
  local source = grafana.source('prometheus', 'prometheus_datasource');
  local loki = grafana.source('loki', 'loki_datasource');
  local own = 'job=~"$job", instance=~"$instance"';
  local lines = 'sum by (template) (rate(tidemark_log_lines_total{%s}[$__rate_interval]))' % own;
  local earlier = 'sum by (template) (rate(tidemark_log_lines_total{%s}[$__rate_interval] offset $compare))' % own;

  d.new(
    'tidemark-logs',
    'Logs',
    'Log lines reduced to templates: what is new, what became frequent, and the lines themselves.',
    [d.typed('prometheus'), d.typed('loki')],
    d.standard(source, 'tidemark_log_lines_total|tidemark_receiver_lines_total') + [
      grafana.variable.custom('compare', 'Compared with', ['1h', '1d', '7d'], 'How long ago a template must be unknown to count as new.'),
      grafana.variable.text('stream', 'Stream', '{service_name=~".+"}', 'Which streams of Loki the lines below come from.'),
      grafana.variable.text('search', 'Search', '', 'Words that the lines must hold.'),
    ],
    [
      grafana.row('Templates', [
        grafana.stat(
          'Lines taken',
          'Log lines that Tidemark received, a second.',
          grafana.instant(source, 'sum(rate(tidemark_receiver_lines_total{%s}[$__rate_interval]))' % own),
          'cps',
          w=8
        ),
        grafana.stat(
          'Templates',
          'Templates with lines at this moment.',
          grafana.instant(source, 'count(%s > 0) or vector(0)' % lines),
          w=8
        ),
        grafana.stat(
          'New templates',
          'Templates that were not there the compared time ago.',
          grafana.instant(source, 'count((%s > 0) unless %s) or vector(0)' % [lines, earlier]),
          w=8,
          steps=[[null, 'green'], [1, 'orange']]
        ),
        grafana.table(
          'New templates and their rates',
          'Templates that were not there the compared time ago: the first place to look after a change.',
          [grafana.instant(source, 'sort_desc((%s > 0) unless %s)' % [lines, earlier], format='table')],
          'cps',
          w=24
        ) + grafana.columns([], { Value: 'lines a second' }) + grafana.noValue('nothing new'),
        grafana.timeseries(
          'Most frequent templates',
          'The ten templates with most lines a second.',
          [grafana.target(source, 'topk(10, %s)' % lines, '{{template}}')],
          'cps',
          w=24
        ) + grafana.range(0),
        grafana.timeseries(
          'Templates that grew most',
          'Ten templates by lines a second, less those of the compared time ago.',
          [grafana.target(source, 'topk(10, %s - (%s or %s * 0))' % [lines, earlier, lines], '{{template}}')],
          'cps',
          w=24
        ),
      ]),
      grafana.row('Lines', [
        grafana.timeseries(
          'Volume',
          'Lines that match, by level.',
          [grafana.target(loki, 'sum by (detected_level) (count_over_time($stream |= "$search" [$__auto]))', '{{detected_level}}')],
          w=24,
          h=6
        ) + grafana.stacked(60) + grafana.range(0) + { fieldConfig+: { defaults+: { custom+: { drawStyle: 'bars' } } } },
        grafana.logs(
          'Lines',
          'The lines themselves, newest first.',
          grafana.target(loki, '$stream |= "$search"')
        ),
      ]),
    ]
  )

// What is abnormal now, and is the false-alarm budget kept?
local dashboard = import '../lib/dashboard.libsonnet';
local grafana = import '../lib/grafana.libsonnet';

function(config)
  local d = dashboard(config);
  local source = grafana.source('prometheus', 'datasource');
  local own = 'job=~"$job", instance=~"$instance"';
  local series = own + ', watch=~"$watch"';
  // The rows of the heat map: scores under, at and beyond the edge of the budget.
  local scoreBand(legend, condition) =
    grafana.target(source, 'count(tidemark_anomaly_score{%s} %s) or vector(0)' % [series, condition], legend);

  d.new(
    'tidemark-overview',
    'Overview',
    'What is abnormal now, which series are worst, and whether the false-alarm budget is kept.',
    [d.prometheus],
    d.standard(source, 'tidemark_anomaly_score|tidemark_incidents') + [d.watch(source)],
    [
      grafana.row('Now', [
        grafana.stat(
          'Anomalies now',
          'Series with an anomaly that lasts, of any kind.',
          grafana.instant(source, 'count(max without (kind, detector) (tidemark_anomaly_active{%s})) or vector(0)' % series),
          steps=[[null, 'green'], [1, 'orange'], [20, 'red']]
        ),
        grafana.stat(
          'Open incidents',
          'Incidents that are not resolved.',
          grafana.instant(source, 'sum(tidemark_incidents{%s, state!="resolved"}) or vector(0)' % own),
          steps=[[null, 'green'], [1, 'red']]
        ) + grafana.link('Incidents', '/d/tidemark-incidents?${__url_time_range}'),
        grafana.stat(
          'Alerts per incident',
          'Alerts received over incidents opened in the time range: the pages you were spared.',
          grafana.instant(
            source,
            'round(sum(increase(tidemark_alerts_received_total{%(own)s, status!="resolved"}[$__range])) / (sum(increase(tidemark_incidents_total{%(own)s}[$__range])) > 0), 0.1)' % { own: own }
          )
        ) + grafana.noValue('no incident'),
        grafana.stat(
          'Budget used',
          'Observed rate of alarms over the rate that the budget allows, averaged over the series. 1 is on target.',
          grafana.instant(source, 'avg(tidemark_false_alarm_budget_ratio{%s})' % series),
          'percentunit',
          steps=[[null, 'green'], [1.2, 'orange'], [config.budgetRatio, 'red']]
        ),
        grafana.stat(
          'Series exported',
          'Watched series that carry a band here. On large fleets only abnormal and pinned series do.',
          grafana.instant(source, 'count(tidemark_anomaly_score{%s})' % series)
        ),
        grafana.stat(
          'Nearest limit',
          'The shortest time until a forecast crosses a declared limit.',
          grafana.instant(source, 'min(tidemark_limit_seconds{%s})' % series),
          's',
          steps=[[null, 'red'], [config.limitCriticalSeconds, 'orange'], [config.limitWarningSeconds, 'green']]
        ) + grafana.noValue('none ahead'),
        grafana.heatmap(
          'Scores',
          'How many series have which score. 1 is the edge of what the budget allows; all above it is abnormal.',
          [
            scoreBand('under 0.5', '< 0.5'),
            scoreBand('0.5 to 1', '>= 0.5 < 1'),
            scoreBand('1 to 2', '>= 1 < 2'),
            scoreBand('2 to 4', '>= 2 < 4'),
            scoreBand('4 and more', '>= 4'),
          ],
          w=12
        ),
        grafana.timeseries(
          'Anomalies by kind',
          'Anomalies that last, by kind: a storm of one kind has one cause more often than not.',
          [grafana.target(source, 'sum by (kind) (tidemark_anomaly_active{%s})' % series, '{{kind}}')],
          w=12
        ) + grafana.stacked() + grafana.range(0),
      ]),
      grafana.row('Which series', [
        grafana.table(
          'Worst series now',
          'The twenty highest scores above 1. The watch links to the band.',
          [grafana.instant(source, 'topk(20, tidemark_anomaly_score{%s} > 1)' % series, format='table')],
          h=10
        ) +
        grafana.columns(['__name__'], { Value: 'score' }) +
        grafana.override('score', { unit: 'short', decimals: 1, 'custom.cellOptions': { type: 'color-background', mode: 'basic' } }) +
        grafana.thresholds([[null, 'yellow'], [2, 'orange'], [config.criticalScore, 'red']]) +
        grafana.columnLink('watch', 'Show the band', d.seriesURL) +
        grafana.noValue('no series is abnormal'),
        grafana.table(
          'Limits ahead',
          'The ten series whose forecast crosses a declared limit first.',
          [grafana.instant(source, 'bottomk(10, tidemark_limit_seconds{%s})' % series, format='table')],
          's',
          h=10
        ) +
        grafana.columns(['__name__'], { Value: 'time left' }) +
        grafana.columnLink('watch', 'Show the forecast', d.seriesURL) +
        grafana.noValue('no limit is ahead'),
        grafana.stateTimeline(
          'Worst score of each watch',
          'One lane per watch: green inside the band, yellow to red beyond it.',
          [grafana.target(source, 'max by (watch) (tidemark_anomaly_score{%s})' % series, '{{watch}}')]
        ) + grafana.thresholds([[null, 'green'], [1, 'yellow'], [2, 'orange'], [config.criticalScore, 'red']]),
      ]),
      grafana.row('Budget', [
        grafana.timeseries(
          'Budget used by watch',
          'Observed false alarms over the budget. 1 is on target; a watch that stays above it has changed or is broken.',
          [grafana.target(source, 'avg by (watch) (tidemark_false_alarm_budget_ratio{%s})' % series, '{{watch}}')],
          'percentunit'
        ) + grafana.range(0) + grafana.thresholds([[null, 'transparent'], [config.budgetRatio, 'red']]) +
        grafana.thresholdLine + { fieldConfig+: { defaults+: { color: { mode: 'palette-classic' } } } },
        grafana.table(
          'Series that use most of the budget',
          'The ten series with the highest observed rate over the budget.',
          [grafana.instant(source, 'topk(10, tidemark_false_alarm_budget_ratio{%s})' % series, format='table')],
          'percentunit'
        ) +
        grafana.columns(['__name__'], { Value: 'budget used' }) +
        grafana.columnLink('watch', 'Show the band', d.seriesURL),
      ]),
    ]
  )

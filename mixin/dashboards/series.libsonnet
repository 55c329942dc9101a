// One series: its band, its score, why it is abnormal, and where it is going.
local dashboard = import '../lib/dashboard.libsonnet';
local grafana = import '../lib/grafana.libsonnet';

function(config)
  local d = dashboard(config);
  local source = grafana.source('prometheus', 'datasource');
  local series = '${series:raw}, job=~"$job", instance=~"$instance"';
  local value(metric, legend) = grafana.target(source, 'tidemark_%s{%s}' % [metric, series], legend);
  local forecast(metric, legend) =
    grafana.target(source, 'tidemark_%s{%s, horizon="$horizon"} offset $horizon' % [metric, series], legend);

  d.new(
    'tidemark-series',
    'Series explorer',
    'One watched series: band, score, kind, the steps that the score comes from, and the forecast.',
    [d.prometheus],
    d.standard(source, 'tidemark_anomaly_score') + [
      d.watch(source),
      grafana.variable.query(
        source,
        'series',
        'Series',
        'query_result(topk(200, max_over_time(tidemark_anomaly_score{job=~"$job", instance=~"$instance", watch=~"$watch"}[$__range])))',
        '/\\{(.*)\\}/',
        'watch=~".+"',
        'The two hundred series with the highest score in the time range, worst first.'
      ),
      grafana.variable.custom('horizon', 'Horizon', ['1h', '6h', '24h', '7d'], 'How far ahead the forecast looks.'),
    ],
    [
      grafana.row('Baseline', [
        grafana.timeseries(
          'Band',
          'The observed value in green, what was expected dashed, the learned band in blue, and anomalies as a yellow ground.',
          [
            value('observed', 'observed'),
            value('expected', 'expected'),
            value('lower', 'lower'),
            value('upper', 'upper'),
            grafana.target(source, 'max without (kind, detector) (tidemark_anomaly_active{%s})' % series, 'anomaly'),
          ],
          w=24,
          h=11
        ) + grafana.band(),
        grafana.timeseries(
          'Score',
          'How far the series is from normal; 1 is the edge of what the budget allows. The alarm score rises once per episode: that is what pages.',
          [value('anomaly_score', 'score'), value('anomaly_alarm_score', 'alarm score')],
          w=12
        ) + grafana.range(0) + grafana.thresholds([[null, 'transparent'], [1, 'red']]) + grafana.thresholdLine +
        grafana.override('score', { color: { mode: 'fixed', fixedColor: 'orange' } }) +
        grafana.override('alarm score', { color: { mode: 'fixed', fixedColor: 'red' } }),
        grafana.stateTimeline(
          'Kinds of anomaly',
          'Which kind lasted when, and which detector found it.',
          [grafana.target(source, 'tidemark_anomaly_active{%s}' % series, '{{kind}}: {{detector}}')],
          w=12
        ) + grafana.thresholds([[null, 'transparent'], [1, 'orange']]) + grafana.noValue('no anomaly in this time range'),
      ]),
      grafana.row('Step by step', [
        grafana.timeseries(
          'Residual',
          'Observed less expected, with the edges of the band drawn around zero: what the detectors look at.',
          [
            grafana.target(source, 'tidemark_observed{%(s)s} - tidemark_expected{%(s)s}' % { s: series }, 'observed'),
            grafana.target(source, 'tidemark_lower{%(s)s} - tidemark_expected{%(s)s}' % { s: series }, 'lower'),
            grafana.target(source, 'tidemark_upper{%(s)s} - tidemark_expected{%(s)s}' % { s: series }, 'upper'),
          ],
          w=12
        ) + grafana.band(),
        grafana.timeseries(
          'Season profile',
          'What is expected now beside what was expected a day and a week ago: the learned rhythm.',
          [
            value('expected', 'expected'),
            grafana.target(source, 'tidemark_expected{%s} offset 1d' % series, 'a day before'),
            grafana.target(source, 'tidemark_expected{%s} offset 1w' % series, 'a week before'),
          ],
          w=12
        ),
        grafana.timeseries(
          'Width of the band',
          'How far apart the edges are. It follows the time of day, and narrows while a young series is learned.',
          [grafana.target(source, 'tidemark_upper{%(s)s} - tidemark_lower{%(s)s}' % { s: series }, 'width')],
          w=12
        ) + grafana.range(0),
        grafana.timeseries(
          'Budget used',
          'Observed rate of alarms of this series over the rate that the budget allows.',
          [value('false_alarm_budget_ratio', 'budget used')],
          'percentunit',
          w=12
        ) + grafana.range(0),
      ]),
      grafana.row('Forecast', [
        grafana.timeseries(
          'Forecast',
          'The forecast of one horizon ago, drawn at the time that it spoke of, over what came. End the time range in the future (now+24h) to see what is to come.',
          [
            value('observed', 'observed'),
            forecast('forecast', 'expected'),
            forecast('forecast_lower', 'lower'),
            forecast('forecast_upper', 'upper'),
          ],
          w=16
        ) + grafana.band(),
        grafana.timeseries(
          'Time to the limit',
          'Time until the forecast crosses the declared limit, with the earliest and the latest plausible time.',
          [
            value('limit_seconds', '{{limit}}'),
            value('limit_seconds_lower', 'earliest ({{limit}})'),
            value('limit_seconds_upper', 'latest ({{limit}})'),
          ],
          's',
          w=8
        ) + grafana.range(0) + grafana.noValue('no limit is ahead'),
      ]),
    ]
  )

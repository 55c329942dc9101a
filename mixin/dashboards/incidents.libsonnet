// Incidents: which are open, what caused them, and how many alerts each stood for.
local dashboard = import '../lib/dashboard.libsonnet';
local grafana = import '../lib/grafana.libsonnet';

function(config)
  local d = dashboard(config);
  local source = grafana.source('prometheus', 'prometheus_datasource');
  local own = 'job=~"$job", instance=~"$instance"';
  local info = own + ', severity=~"$severity"';
  local alertmanager = d.typed('alertmanager');

  d.new(
    'tidemark-incidents',
    'Incidents',
    'Open incidents with their causes, the alerts that each stands for, and how fast the first page went out.',
    [d.typed('prometheus'), alertmanager],
    d.standard(source, 'tidemark_incidents') + [
      // An incident of anomalies alone has no severity.
      grafana.variable.labels(source, 'severity', 'Severity', 'tidemark_incident_info{job=~"$job", instance=~"$instance"}', all='.*'),
    ],
    [
      grafana.row('Now', [
        grafana.stat(
          'Open incidents',
          'Incidents that are not resolved.',
          grafana.instant(source, 'sum(tidemark_incidents{%s, state!="resolved"}) or vector(0)' % own),
          steps=[[null, 'green'], [1, 'red']]
        ),
        grafana.stat(
          'Alerts received',
          'Alerts that started to fire in the time range.',
          grafana.instant(source, 'round(sum(increase(tidemark_alerts_received_total{%s, status!="resolved"}[$__range])))' % own)
        ),
        grafana.stat(
          'Incidents opened',
          'Incidents that began in the time range.',
          grafana.instant(source, 'round(sum(increase(tidemark_incidents_total{%s}[$__range])))' % own)
        ),
        grafana.stat(
          'Alerts per incident',
          'Compression: alerts received over incidents opened in the time range.',
          grafana.instant(
            source,
            'round(sum(increase(tidemark_alerts_received_total{%(own)s, status!="resolved"}[$__range])) / (sum(increase(tidemark_incidents_total{%(own)s}[$__range])) > 0), 0.1)' % { own: own }
          )
        ) + grafana.noValue('no incident'),
        grafana.stat(
          'Time to first page',
          'Median time from the first alert of an incident to its first page, in the time range.',
          grafana.instant(source, 'histogram_quantile(0.5, sum by (le) (increase(tidemark_incident_first_post_seconds_bucket{%s}[$__range])))' % own),
          's'
        ) + grafana.noValue('no incident'),
        grafana.stat(
          'Causes revised',
          'Incidents announced again because their first cause changed, in the time range.',
          grafana.instant(source, 'round(sum(increase(tidemark_notification_revisions_total{%s}[$__range])))' % own)
        ),
        grafana.table(
          'Open incidents by cause',
          'One row per incident. Its number opens the page with evidence, map, time line and action.',
          [grafana.instant(source, 'max by (incident, severity, cause, state) (tidemark_incident_info{%s, state!="resolved"}) == 1' % info, format='table')],
          w=24
        ) +
        grafana.columns(['Value']) +
        grafana.columnLink('incident', 'Open the incident', d.incidentURL) +
        grafana.noValue('no incident is open'),
        grafana.stateTimeline(
          'Time line',
          'One lane per incident, as long as it lasts.',
          [grafana.target(source, 'max by (incident, cause) (tidemark_incident_info{%s, state!="resolved"})' % info, '{{incident}} {{cause}}')]
        ) + grafana.thresholds([[null, 'transparent'], [1, 'red']]) + grafana.noValue('no incident in this time range'),
      ]),
      grafana.row('Alerts and incidents', [
        grafana.timeseries(
          'Alerts and incidents',
          'Alerts that came in, and incidents that were made of them.',
          [
            grafana.target(source, 'sum(increase(tidemark_alerts_received_total{%s, status!="resolved"}[$__rate_interval]))' % own, 'alerts'),
            grafana.target(source, 'sum(increase(tidemark_incidents_total{%s}[$__rate_interval]))' % own, 'incidents'),
          ]
        ) + grafana.range(0) + grafana.override('alerts', { 'custom.drawStyle': 'bars', 'custom.fillOpacity': 40 }) +
        grafana.override('incidents', { 'custom.drawStyle': 'bars', 'custom.fillOpacity': 100, color: { mode: 'fixed', fixedColor: 'red' } }),
        grafana.timeseries(
          'Incidents by state',
          'How many incidents are in which state.',
          [grafana.target(source, 'sum by (state) (tidemark_incidents{%s})' % own, '{{state}}')]
        ) + grafana.stacked() + grafana.range(0),
        grafana.barGauge(
          'Causes',
          'How many incidents of the time range were put down to which cause.',
          [grafana.instant(source, 'topk(15, count by (cause) (max by (incident, cause) (max_over_time(tidemark_incident_info{%s}[$__range]))))' % info, '{{cause}}')]
        ) + grafana.noValue('no incident in this time range'),
        grafana.timeseries(
          'Anomalies that began',
          'New anomalies by kind; they join the alerts of the same cause in one incident.',
          [grafana.target(source, 'sum by (kind) (increase(tidemark_anomalies_total{%s}[$__rate_interval]))' % own, '{{kind}}')]
        ) + grafana.stacked() + grafana.range(0),
        grafana.timeseries(
          'Alerts kept at Alertmanager',
          'Incidents that Tidemark keeps alive at the Alertmanagers, and resolved ones that it still repeats.',
          [grafana.target(source, 'sum by (state) (tidemark_notification_alerts{%s})' % own, '{{state}}')]
        ) + grafana.range(0),
        grafana.timeseries(
          'Posts to Alertmanager',
          'Alerts taken by the Alertmanagers, and posts that failed.',
          [
            grafana.target(source, 'sum(rate(tidemark_notifications_total{%s}[$__rate_interval]))' % own, 'taken'),
            grafana.target(source, 'sum(rate(tidemark_notifications_failed_total{%s}[$__rate_interval])) or vector(0)' % own, 'failed'),
          ],
          'ops'
        ) + grafana.range(0),
      ]),
    ]
  ) {
    links+: [{
      type: 'link',
      title: 'Alerts at Alertmanager',
      tags: [],
      asDropdown: false,
      includeVars: false,
      keepTime: false,
      targetBlank: false,
      icon: 'bell',
      tooltip: 'Grouped alerts, the members of the incidents among them',
      url: '/alerting/groups?alertmanager=${%s:text}' % alertmanager.name,
    }],
  }

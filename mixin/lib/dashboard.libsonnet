// What all of our dashboards share: identity, links, annotations, and the variables job and instance.
local g = import 'grafana.libsonnet';

function(config) {
  // The annotations: what happened, drawn on every dashboard.
  local annotation(source, name, color, expr, title, text='', tags='') = {
    datasource: source,
    enable: true,
    hide: false,
    expr: expr,
    iconColor: color,
    name: name,
    step: '60s',
    titleFormat: title,
    textFormat: text,
    tagKeys: tags,
    useValueForTime: false,
  },

  local annotations(source) = [
    {
      builtIn: 1,
      datasource: { type: 'grafana', uid: '-- Grafana --' },
      enable: true,
      hide: true,
      iconColor: 'rgba(0, 211, 255, 1)',
      name: 'Annotations & Alerts',
      type: 'dashboard',
    },
    annotation(
      source,
      'Incidents',
      'red',
      'max by (incident, severity, cause) (tidemark_incident_info{state="firing"}) == 1',
      'Incident {{incident}}',
      '{{cause}}',
      'severity'
    ),
    annotation(
      source,
      'Changes',
      'blue',
      'sum by (job, namespace, deployment) (changes(process_start_time_seconds{job!=""}[2m]) or changes(kube_deployment_status_observed_generation[2m])) > 0',
      'Change of {{job}} {{deployment}}',
      'Restarted, or its deployment was changed',
      'job,namespace,deployment'
    ),
    annotation(
      source,
      'Runbook calls',
      'purple',
      'sum by (runbook, mode, verdict) (increase(tidemark_runbook_calls_total[2m])) > 0',
      'Runbook {{runbook}}',
      '{{mode}}: {{verdict}}',
      'runbook'
    ),
  ],

  // One dashboard. sources are the variables that select data sources, Prometheus first.
  new(uid, title, description, sources, variables, rows, from=config.dashboards.from, to='now'):: {
    uid: uid,
    title: config.dashboards.prefix + title,
    description: description,
    tags: config.dashboards.tags,
    editable: false,
    graphTooltip: 1,
    refresh: config.dashboards.refresh,
    schemaVersion: 39,
    timezone: config.dashboards.timezone,
    time: { from: from, to: to },
    timepicker: {},
    annotations: { list: annotations(g.source('prometheus', sources[0].name)) },
    links: [
      {
        type: 'dashboards',
        title: 'Tidemark',
        tags: config.dashboards.tags,
        asDropdown: true,
        includeVars: true,
        keepTime: true,
        targetBlank: false,
        icon: 'external link',
        tooltip: 'The other dashboards, with time and variables kept',
        url: '',
      },
      {
        type: 'link',
        title: 'Incident pages',
        tags: [],
        asDropdown: false,
        includeVars: false,
        keepTime: false,
        targetBlank: true,
        icon: 'bolt',
        tooltip: 'Tidemark: incidents with cause, evidence and action',
        url: '${tidemark:raw}/',
      },
    ],
    templating: {
      list: sources + variables + [
        g.variable.text('tidemark', 'Tidemark', config.externalURL, 'Where the pages of Tidemark are; links to incidents start with it.'),
      ],
    },
    panels: g.layout(rows),
  },

  // The variables that every dashboard has; metrics is a regular expression of the names whose
  // jobs and instances they list.
  standard(source, metrics):: [
    g.variable.labels(source, 'job', 'Job', '{__name__=~"%s"}' % metrics, description='Jobs of the watched series, or of Tidemark for what it says of itself.'),
    g.variable.labels(source, 'instance', 'Instance', '{__name__=~"%s", job=~"$job"}' % metrics, 'instance'),
  ],
  watch(source)::
    g.variable.labels(source, 'watch', 'Watch', 'tidemark_anomaly_score{job=~"$job", instance=~"$instance"}'),
  prometheus:: g.variable.datasource('prometheus', 'datasource', 'Data source'),
  // With a second data source on the dashboard, each is named after its kind.
  typed(type):: g.variable.datasource(type, type + '_datasource', std.asciiUpper(type[0]) + type[1:] + ' data source'),

  incidentURL:: '${tidemark:raw}/incidents/${__data.fields.incident}',
  seriesURL:: '/d/tidemark-series?${datasource:queryparam}&var-watch=${__data.fields.watch}&var-job=${__data.fields.job}&var-instance=${__data.fields.instance}&${__url_time_range}',
}

// The reference pages of alerts and dashboards, for `jsonnet -S -m`: docs/*.md.
local mixin = import 'mixin.libsonnet';

local rows(list) = std.join('\n', list);
local file(url) = std.split(url, '/')[std.length(std.split(url, '/')) - 1];
local rules(groups) = std.flattenArrays([g.rules for g in groups]);

// Alerts by name: one name may have a rule for each severity.
local names = std.set([r.alert for r in rules(mixin.prometheusAlerts.groups)]);
local alert(name) =
  local same = [r for r in rules(mixin.prometheusAlerts.groups) if r.alert == name];
  '| [%s](runbooks/%s) | %s | %s | %s |' % [
    name,
    file(same[0].annotations.runbook_url),
    std.join(', ', std.set([r.labels.severity for r in same])),
    same[0]['for'],
    same[0].annotations.summary,
  ];

local boards = mixin.grafanaDashboards;
local panel(p) = '| %s | %s |' % [p.title, p.description];
// Pictures of these are in docs/images, drawn by `make dashboard-pictures`.
local drawn = ['tidemark-health', 'tidemark-incidents', 'tidemark-overview', 'tidemark-runbooks', 'tidemark-series', 'tidemark-topology'];
local picture(b) = if std.member(drawn, b.uid) then '\n![%s](images/dashboard-%s.webp)\n' % [b.title, b.uid] else '';
local section(name) =
  local b = boards[name];
  '## %s\n\n%s\n%s\n[`dashboards/%s`](../dashboards/%s), uid `%s`.\n\n| panel | what it shows |\n|---|---|\n%s\n' % [
    b.title,
    b.description,
    picture(b),
    name,
    name,
    b.uid,
    rows([panel(p) for p in b.panels if p.type != 'row']),
  ];

{
  'alerts.md': |||
    # Alerts and recording rules

    Load [`rules/tidemark-rules.yaml`](../rules/tidemark-rules.yaml) and [`rules/tidemark-alerts.yaml`](../rules/tidemark-alerts.yaml)
    into Prometheus, in this order of evaluation: alerts on anomalies start from the recorded series. Selectors and thresholds
    are in [`mixin/config.libsonnet`](../mixin/config.libsonnet), each with when to change it.

    An alert on an anomaly starts with the alarm, once per episode, and lasts as long as the anomaly. Incidents do not come from
    these rules: Tidemark posts them to Alertmanager itself, with their cause.

    | alert | severity | for | meaning |
    |---|---|---|---|
    %s

    | recorded series | expression |
    |---|---|
    %s
  ||| % [
    rows([alert(n) for n in names]),
    rows(['| `%s` | `%s` |' % [r.record, std.strReplace(std.stripChars(r.expr, '\n'), '\n', ' ')] for r in rules(mixin.prometheusRules.groups)]),
  ],

  'dashboards.md': |||
    # Dashboards

    Import the files of [`dashboards/`](../dashboards) into Grafana, version 10 or newer, or provision them as
    [`examples/docker-compose`](../examples/docker-compose) does. Only panels that come with Grafana are used, and data sources
    are chosen by variables: Prometheus everywhere, Loki for log lines, Alertmanager for the link to the members of an incident.

    On every dashboard incidents, changes and runbook calls are drawn as annotations, and the others are one click away with
    time and variables kept.

    The pictures are not from Grafana: `make dashboard-pictures` runs the queries of the panels against the real Prometheus of
    the demo in the middle of its storm, and draws what they answer in the panels' places. Grafana paints the same
    answers in its own way.

    %s
  ||| % rows([section(n) for n in std.objectFields(boards)]),
}

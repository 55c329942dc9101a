// Who calls whom, as Tidemark sees it: the map that causes are ranked on.
local dashboard = import '../lib/dashboard.libsonnet';
local grafana = import '../lib/grafana.libsonnet';

function(config)
  local d = dashboard(config);
  local source = grafana.source('prometheus', 'datasource');
  local own = 'job=~"$job", instance=~"$instance"';
  local edges = 'max by (client, server) (tidemark_topology_edge{%s, source=~"$source"} >= $confidence)' % own;
  // Panels on calls read the service graph in the names of Tempo, Beyla and the OpenTelemetry
  // connector, so Grafana's own service map works on the same data.
  local calls = 'sum by (client, server) (rate(traces_service_graph_request_total{%s}[$__rate_interval]))' % own;
  local failures = 'sum by (client, server) (rate(traces_service_graph_request_failed_total{%s}[$__rate_interval]))' % own;

  d.new(
    'tidemark-topology',
    'Topology',
    'Who depends on whom, where that is known from, and how sure it is.',
    [d.prometheus],
    d.standard(source, 'tidemark_topology_edge|traces_service_graph_request_total') + [
      grafana.variable.labels(source, 'source', 'Source', 'tidemark_topology_edge{job=~"$job", instance=~"$instance"}'),
      grafana.variable.custom('confidence', 'Confidence', ['0.5', '0', '0.25', '0.75', '0.9'], 'Edges that are less sure are left out.'),
    ],
    [
      // The panel reads columns by the names that the data source gave them, and renaming changes the shown name only:
      // all that it needs is a label, the figure too.
      grafana.row('Map', [
        grafana.nodeGraph(
          'Map',
          'An arrow points from the caller to what it depends on; the figure on it is the confidence. A node shows how many edges it has.',
          grafana.instant(
            source,
            |||
              count_values by (id, title) ("mainstat", label_replace(
                count by (id) (
                  label_replace(%(edges)s, "id", "$1", "client", "(.+)")
                  or
                  label_replace(%(edges)s, "id", "$1", "server", "(.+)")
                ),
                "title", "$1", "id", "(.+)"
              ))
            ||| % { edges: edges },
            format='table'
          ),
          grafana.instant(
            source,
            'count_values by (id, source, target) ("mainstat", round(label_join(label_replace(label_replace(%s, "source", "$1", "client", "(.+)"), "target", "$1", "server", "(.+)"), "id", " > ", "client", "server"), 0.01))' % edges,
            format='table'
          )
        ) + grafana.transform([{
          id: 'organize',
          options: { excludeByName: { Time: true, Value: true, 'Value #nodes': true, 'Value #edges': true }, renameByName: {}, indexByName: {} },
        }]),
      ]),
      grafana.row('Edges', [
        grafana.stat(
          'Edges',
          'Different pairs of caller and callee.',
          grafana.instant(source, 'count(%s)' % edges),
          w=4
        ),
        grafana.stat(
          'Nodes',
          'Different entities on either end of an edge.',
          grafana.instant(
            source,
            'count(count by (id) (label_replace(%(edges)s, "id", "$1", "client", "(.+)") or label_replace(%(edges)s, "id", "$1", "server", "(.+)")))' % { edges: edges }
          ),
          w=4
        ),
        grafana.barGauge(
          'Edges by source',
          'Where the edges are known from. One edge may be known from several sources.',
          [grafana.instant(source, 'count by (source) (tidemark_topology_edge{%s, source=~"$source"})' % own, '{{source}}')],
          w=16,
          h=4
        ),
        grafana.table(
          'Edges by confidence',
          'Every edge and how sure it is, by source.',
          [grafana.instant(source, 'sort_desc(max by (client, server, source) (tidemark_topology_edge{%s, source=~"$source"}))' % own, format='table')],
          'percentunit'
        ) + grafana.columns([], { Value: 'confidence' }),
        grafana.timeseries(
          'Edges over time',
          'A drop says that a source went away; a rise that something was deployed.',
          [grafana.target(source, 'count by (source) (tidemark_topology_edge{%s, source=~"$source"})' % own, '{{source}}')]
        ) + grafana.range(0),
      ]),
      grafana.row('Calls between services', [
        grafana.timeseries(
          'Calls',
          'Calls a second between services, from service-graph metrics.',
          [grafana.target(source, calls, '{{client}} > {{server}}')],
          'reqps'
        ) + grafana.range(0),
        grafana.timeseries(
          'Failed calls',
          'Share of the calls between services that failed.',
          [grafana.target(source, '%s / %s' % [failures, calls], '{{client}} > {{server}}')],
          'percentunit'
        ) + grafana.range(0),
        grafana.timeseries(
          'Time of a call',
          '95th percentile of the time of a call, seen from the server.',
          [grafana.target(
            source,
            'histogram_quantile(0.95, sum by (le, client, server) (rate(traces_service_graph_request_server_seconds_bucket{%s}[$__rate_interval])))' % own,
            '{{client}} > {{server}}'
          )],
          's',
          w=24
        ) + grafana.range(0),
      ]),
    ]
  )

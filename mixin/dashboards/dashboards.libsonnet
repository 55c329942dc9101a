// One file per dashboard; the key is the file that it is rendered to.
{
  grafanaDashboards+:: {
    'tidemark-overview.json': (import 'overview.libsonnet')($._config),
    'tidemark-series.json': (import 'series.libsonnet')($._config),
    'tidemark-incidents.json': (import 'incidents.libsonnet')($._config),
    'tidemark-topology.json': (import 'topology.libsonnet')($._config),
    'tidemark-logs.json': (import 'logs.libsonnet')($._config),
    'tidemark-runbooks.json': (import 'runbooks.libsonnet')($._config),
    'tidemark-health.json': (import 'health.libsonnet')($._config),
  },
}

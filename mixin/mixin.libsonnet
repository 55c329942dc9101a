(import 'config.libsonnet') +
(import 'rules/rules.libsonnet') +
(import 'alerts/anomalies.libsonnet') +
(import 'alerts/forecasts.libsonnet') +
(import 'alerts/health.libsonnet') +
(import 'dashboards/dashboards.libsonnet') +
(import 'lib/runbooks.libsonnet')

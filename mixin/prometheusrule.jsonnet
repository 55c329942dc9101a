// All rules as a resource of the Prometheus Operator: examples/kubernetes/prometheus-rule.yaml.
local mixin = import 'mixin.libsonnet';

std.manifestYamlDoc({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'tidemark', labels: { 'app.kubernetes.io/name': 'tidemark' } },
  spec: { groups: mixin.prometheusRules.groups + mixin.prometheusAlerts.groups },
}, indent_array_in_object=true, quote_keys=false)

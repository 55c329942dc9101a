// Every dashboard by file name, for `jsonnet -m`: dashboards/*.json.
(import 'mixin.libsonnet').grafanaDashboards

// What was done, by whom it was allowed, and whether it helped.
local dashboard = import '../lib/dashboard.libsonnet';
local grafana = import '../lib/grafana.libsonnet';

function(config)
  local d = dashboard(config);
  local source = grafana.source('prometheus', 'datasource');
  local own = 'job=~"$job", instance=~"$instance"';
  local calls = own + ', runbook=~"$runbook"';

  d.new(
    'tidemark-runbooks',
    'Runbooks and audit',
    'Actions by runbook, mode and verdict, what waits for approval, and whether every step is on record.',
    [d.prometheus],
    d.standard(source, 'tidemark_runbook_paused') + [
      grafana.variable.labels(source, 'runbook', 'Runbook', 'tidemark_runbook_calls_total{job=~"$job", instance=~"$instance"}'),
    ],
    [
      grafana.row('Now', [
        grafana.stat(
          'Kill switch',
          'Whether all actions are paused.',
          grafana.instant(source, 'max(tidemark_runbook_paused{%s})' % own),
          'bool_on_off',
          steps=[[null, 'green'], [1, 'red']]
        ) + grafana.mapping({ '0': { text: 'off', color: 'green', index: 0 }, '1': { text: 'PAUSED', color: 'red', index: 1 } }),
        grafana.stat(
          'Open proposals',
          'Proposals that have not ended: suggested, waiting for approval, running, or being verified.',
          grafana.instant(source, 'sum(tidemark_runbook_open_proposals{%s})' % own),
          steps=[[null, 'blue'], [1, 'orange']]
        ) + grafana.link('Incidents', '${tidemark:raw}/'),
        grafana.stat(
          'Calls',
          'Runbooks called in the time range.',
          grafana.instant(source, 'round(sum(increase(tidemark_runbook_calls_total{%s}[$__range])))' % calls)
        ) + grafana.noValue('none'),
        grafana.stat(
          'Verified',
          'Share of the calls after which the system was back in its band.',
          grafana.instant(
            source,
            'sum(increase(tidemark_runbook_calls_total{%(c)s, verdict="verified"}[$__range])) / (sum(increase(tidemark_runbook_calls_total{%(c)s}[$__range])) > 0)' % { c: calls }
          ),
          'percentunit',
          steps=[[null, 'red'], [0.5, 'orange'], [0.9, 'green']]
        ) + grafana.noValue('no call'),
        grafana.stat(
          'Steps not recorded',
          'Steps that were not made because they could not be written to the audit log: no record, no action.',
          grafana.instant(source, 'round(sum(increase(tidemark_runbook_record_failures_total{%s}[$__range])))' % own),
          steps=[[null, 'green'], [1, 'red']]
        ),
        grafana.stat(
          'Unreadable proposals',
          'Stored proposals that could not be read and were left alone.',
          grafana.instant(source, 'round(sum(increase(tidemark_runbook_unreadable_records_total{%s}[$__range])))' % own),
          steps=[[null, 'green'], [1, 'red']]
        ),
      ]),
      grafana.row('Calls', [
        grafana.timeseries(
          'Calls by verdict',
          'What became of each call: verified by the baseline, without effect, or failed.',
          [grafana.target(source, 'sum by (verdict) (increase(tidemark_runbook_calls_total{%s}[$__rate_interval]))' % calls, '{{verdict}}')]
        ) + grafana.stacked(80) + grafana.range(0) + { fieldConfig+: { defaults+: { custom+: { drawStyle: 'bars' } } } },
        grafana.timeseries(
          'Calls by mode',
          'Suggested and started by hand, approved, or made automatically.',
          [grafana.target(source, 'sum by (mode) (increase(tidemark_runbook_calls_total{%s}[$__rate_interval]))' % calls, '{{mode}}')]
        ) + grafana.stacked(80) + grafana.range(0) + { fieldConfig+: { defaults+: { custom+: { drawStyle: 'bars' } } } },
        grafana.timeseries(
          'Attempts by outcome',
          'Attempts to reach the endpoint of a runbook; a call may need more than one.',
          [grafana.target(source, 'sum by (runbook, outcome) (increase(tidemark_runbook_attempts_total{%s}[$__rate_interval]))' % calls, '{{runbook}}: {{outcome}}')]
        ) + grafana.range(0),
        grafana.timeseries(
          'Proposals open',
          'How many proposals wait or run.',
          [grafana.target(source, 'sum(tidemark_runbook_open_proposals{%s})' % own, 'open')]
        ) + grafana.range(0),
        grafana.table(
          'Calls by runbook',
          'All calls of the time range by runbook, mode and verdict. Who approved what is in the audit log: tidetool audit verify.',
          [grafana.instant(source, 'sort_desc(round(sum by (runbook, mode, verdict) (increase(tidemark_runbook_calls_total{%s}[$__range]))))' % calls, format='table')],
          w=24
        ) + grafana.columns([], { Value: 'calls' }) + grafana.override('calls', { decimals: 0 }),
      ]),
    ]
  )

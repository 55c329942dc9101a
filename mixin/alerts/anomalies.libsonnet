// Alerts on anomalies: one per kind, because each kind asks the reader another question, and two
// severities by how far the score is beyond the edge of the budget.
{
  local config = $._config,

  // Each kind of anomaly: the alert's name, its summary, and what the value did in words.
  local kinds = [
    {
      kind: 'point',
      name: 'PointAnomaly',
      summary: 'A series jumped.',
      what: 'jumped: away from its last values or its mean, or beyond all that it remembers',
    },
    {
      kind: 'contextual',
      name: 'ContextualAnomaly',
      summary: 'A series is unusual for this time of day or week.',
      what: 'is unusual for this time of day or week',
    },
    {
      kind: 'collective',
      name: 'CollectiveAnomaly',
      summary: 'A series has drifted away from its baseline for some time.',
      what: 'has stayed to one side of its baseline, drifted, become restless, or no longer moves with its siblings',
    },
    {
      kind: 'shift',
      name: 'LevelShift',
      summary: 'A series settled on a new level.',
      what: 'has left its level; if it stays there that becomes its baseline, its explanation says within what time',
    },
    {
      kind: 'flatline',
      name: 'Flatline',
      summary: 'A series that used to move stands still.',
      what: 'used to move and now repeats one value',
    },
    {
      kind: 'absence',
      name: 'Absence',
      summary: 'A series that should be there is missing.',
      what: 'is missing although it is expected now',
    },
    {
      kind: 'peer',
      name: 'PeerOutlier',
      summary: 'One instance behaves unlike its siblings.',
      what: 'behaves unlike the other series of its group',
    },
  ],

  // The explanation, in numbers: the band is looked up by the labels of the alert, because an alert
  // carries one value and a reader wants four.
  local explanation(what) =
    '{{ $series := "" }}' +
    '{{ range $name, $value := $labels }}' +
    '{{ if not (match "^(__name__|kind|detector)$" $name) }}' +
    '{{ $series = printf "%s%s=%q," $series $name $value }}' +
    '{{ end }}{{ end }}' +
    'Watch {{ $labels.watch }}: the series ' + what + '. ' +
    'Score {{ $value | printf "%.1f" }}, where 1 is the edge of what the false-alarm budget allows; ' +
    'found by {{ $labels.detector }}.' +
    '{{ with printf "tidemark_observed{%s}" $series | query }} Observed {{ . | first | value | humanize }}.{{ end }}' +
    '{{ with printf "tidemark_expected{%s}" $series | query }} Expected {{ . | first | value | humanize }}' +
    '{{ with printf "tidemark_lower{%s}" $series | query }}, between {{ . | first | value | humanize }}{{ end }}' +
    '{{ with printf "tidemark_upper{%s}" $series | query }} and {{ . | first | value | humanize }}{{ end }}.{{ end }}' +
    ' Series: {{ "{" }}{{ $series }}{{ "}" }}',

  // An alert starts when the alarm is raised, which happens once per episode, and lasts as long as
  // the anomaly: hence the look at the alert itself.
  local anomaly(row, severity, extra) = {
    local name = config.alertPrefix + row.name,
    alert: name,
    expr: |||
      tidemark:anomaly_score:alarm{kind="%(kind)s"}%(extra)s
      or
      tidemark:anomaly_score:active{kind="%(kind)s"}
      and ignoring (alertname, alertstate, severity)
      ALERTS{alertname="%(name)s", alertstate="firing", severity="%(severity)s", kind="%(kind)s"}
    ||| % { kind: row.kind, name: name, severity: severity, extra: extra },
    'for': config.anomalyFor,
    labels: { severity: severity },
    annotations: { summary: row.summary, description: explanation(row.what) },
  },

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'tidemark.anomalies',
        rules: [
          anomaly(row, severity.name, severity.extra)
          for row in kinds
          for severity in [
            { name: 'warning', extra: '' },
            { name: 'critical', extra: ' > %g' % config.criticalScore },
          ]
        ],
      },
    ],
  },
}

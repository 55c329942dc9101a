// Alerts on forecasts: something will be full, and when.
{
  local config = $._config,
  local selector = if config.seriesSelector == '' then '' else '{%s}' % config.seriesSelector,
  local limit(severity, seconds) = {
    alert: config.alertPrefix + 'LimitAhead',
    expr: 'tidemark_limit_seconds%s < %d' % [selector, seconds],
    'for': config.limitFor,
    labels: { severity: severity },
    annotations: {
      summary: 'A series is forecast to cross its limit, or has crossed it.',
      description:
        '{{ $series := "" }}' +
        '{{ range $name, $value := $labels }}' +
        '{{ if ne $name "__name__" }}{{ $series = printf "%s%s=%q," $series $name $value }}{{ end }}' +
        '{{ end }}' +
        'Watch {{ $labels.watch }}: {{ if eq $value 0.0 }}the limit {{ $labels.limit }} is crossed already.{{ else }}' +
        'the forecast crosses the limit {{ $labels.limit }} in {{ $value | humanizeDuration }}.' +
        '{{ with printf "tidemark_limit_seconds_lower{%s}" $series | query }} Earliest {{ . | first | value | humanizeDuration }}.{{ end }}' +
        '{{ with printf "tidemark_limit_seconds_upper{%s}" $series | query }} Latest {{ . | first | value | humanizeDuration }}.{{ end }}{{ end }}' +
        ' Series: {{ "{" }}{{ $series }}{{ "}" }}',
    },
  },

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'tidemark.forecasts',
        rules: [
          limit('warning', config.limitWarningSeconds),
          limit('critical', config.limitCriticalSeconds),
        ],
      },
    ],
  },
}

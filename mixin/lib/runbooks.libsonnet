// Adds to every alert the page that says what it means and what to do, unless it names one itself.
{
  local pattern = $._config.runbookURLPattern,
  local withPage(rule) =
    if std.objectHas(rule, 'alert') && !std.objectHas(rule.annotations, 'runbook_url')
    then rule { annotations+: { runbook_url: pattern % std.asciiLower(rule.alert) } }
    else rule,

  prometheusAlerts+:: {
    groups: [group { rules: std.map(withPage, group.rules) } for group in super.groups],
  },
}

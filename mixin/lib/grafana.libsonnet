// The few functions that our dashboards are made of: data sources, variables, targets, panels and
// the layout of rows. Stock panels of Grafana only.
{
  // A data source by the variable that selects it.
  source(type, variable):: { type: type, uid: '${' + variable + '}' },

  variable: {
    local base = { hide: 0, skipUrlSync: false },

    datasource(type, name, label):: base {
      type: 'datasource',
      name: name,
      label: label,
      query: type,
      current: {},
      regex: '',
      refresh: 1,
      includeAll: false,
      multi: false,
      options: [],
    },

    // A list of label values, all by default, reloaded when the time range changes. All stands for
    // series that have the label; with all='.*' for those without it as well.
    labels(source, name, label, metric, of=name, description='', all='.+'):: base {
      type: 'query',
      name: name,
      label: label,
      description: description,
      datasource: source,
      definition: self.query,
      query: 'label_values(%s, %s)' % [metric, of],
      current: { selected: true, text: ['All'], value: ['$__all'] },
      allValue: all,
      includeAll: true,
      multi: true,
      options: [],
      refresh: 2,
      regex: '',
      sort: 1,
    },

    // A list of choices that a query gives, one at a time; start is what holds before it ran.
    query(source, name, label, query, regex, start, description=''):: base {
      type: 'query',
      name: name,
      label: label,
      description: description,
      datasource: source,
      definition: query,
      query: query,
      current: { selected: true, text: start, value: start },
      includeAll: false,
      multi: false,
      options: [],
      refresh: 2,
      regex: regex,
      sort: 0,
    },

    custom(name, label, values, description=''):: base {
      type: 'custom',
      name: name,
      label: label,
      description: description,
      query: std.join(',', values),
      current: { selected: true, text: values[0], value: values[0] },
      includeAll: false,
      multi: false,
      options: [{ selected: v == values[0], text: v, value: v } for v in values],
    },

    text(name, label, start, description=''):: base {
      type: 'textbox',
      name: name,
      label: label,
      description: description,
      query: start,
      current: { selected: true, text: start, value: start },
      options: [{ selected: true, text: start, value: start }],
    },
  },

  // A query drawn over time.
  target(source, expr, legend=''):: {
    datasource: source,
    expr: expr,
    legendFormat: legend,
    range: true,
    instant: false,
    editorMode: 'code',
    [if source.type == 'prometheus' then 'exemplar']: true,
    [if source.type == 'loki' then 'queryType']: 'range',
  },

  // A query of this moment: one row of a table, or one figure.
  instant(source, expr, legend='', format='time_series'):: self.target(source, expr, legend) {
    range: false,
    instant: true,
    format: format,
    [if source.type == 'prometheus' then 'exemplar']: false,
  },

  local letters = std.stringChars('ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
  local lettered(targets) = std.mapWithIndex(
    function(i, t) { refId: letters[i] } + t,
    targets
  ),

  panel(type, title, description, targets, unit='short', w=12, h=8):: {
    type: type,
    title: title,
    description: description,
    datasource: targets[0].datasource,
    targets: lettered(targets),
    gridPos: { w: w, h: h },
    fieldConfig: {
      defaults: {
        [if unit != '' then 'unit']: unit,
        custom: {},
        links: [],
        mappings: [],
        color: { mode: 'palette-classic' },
        thresholds: { mode: 'absolute', steps: [{ color: 'green', value: null }] },
      },
      overrides: [],
    },
    options: {},
  },

  stat(title, description, target, unit='short', w=4, h=4, steps=[[null, 'blue']])::
    self.panel('stat', title, description, [target], unit, w, h) + self.thresholds(steps) {
      options: {
        colorMode: 'value',
        graphMode: 'none',
        justifyMode: 'auto',
        orientation: 'auto',
        textMode: 'auto',
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      },
    },

  timeseries(title, description, targets, unit='short', w=12, h=8)::
    self.panel('timeseries', title, description, targets, unit, w, h) {
      fieldConfig+: {
        defaults+: {
          custom: {
            drawStyle: 'line',
            lineInterpolation: 'linear',
            lineWidth: 1,
            fillOpacity: 0,
            showPoints: 'never',
            spanNulls: false,
            axisPlacement: 'auto',
            stacking: { mode: 'none', group: 'A' },
            thresholdsStyle: { mode: 'off' },
          },
        },
      },
      options: {
        legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
    },

  table(title, description, targets, unit='short', w=12, h=8)::
    self.panel('table', title, description, targets, unit, w, h) {
      fieldConfig+: { defaults+: { color: { mode: 'thresholds' }, custom: { align: 'auto', filterable: true } } },
      options: { showHeader: true, cellHeight: 'sm', footer: { show: false } },
    },

  stateTimeline(title, description, targets, w=24, h=8)::
    self.panel('state-timeline', title, description, targets, 'short', w, h) {
      fieldConfig+: { defaults+: { custom: { fillOpacity: 70, lineWidth: 0 }, color: { mode: 'thresholds' } } },
      options: {
        mergeValues: true,
        showValue: 'never',
        alignValue: 'left',
        rowHeight: 0.85,
        legend: { displayMode: 'list', placement: 'bottom', showLegend: false },
        tooltip: { mode: 'single', sort: 'none' },
      },
    },

  barGauge(title, description, targets, unit='short', w=12, h=8)::
    self.panel('bargauge', title, description, targets, unit, w, h) {
      options: {
        displayMode: 'basic',
        orientation: 'horizontal',
        showUnfilled: true,
        minVizHeight: 16,
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      },
    },

  // Rows of counts, one for each band of values, drawn as a heat map: Grafana 9 and later.
  heatmap(title, description, targets, w=24, h=8)::
    self.panel('heatmap', title, description, targets, 'short', w, h) {
      options: {
        calculate: false,
        cellGap: 1,
        cellValues: { unit: 'short' },
        color: { mode: 'scheme', scheme: 'Oranges', scale: 'exponential', exponent: 0.5, steps: 64, fill: 'dark-orange', reverse: false },
        filterValues: { le: 1e-9 },
        rowsFrame: { layout: 'auto' },
        showValue: 'never',
        tooltip: { mode: 'single', yHistogram: false, showColorScale: true },
        yAxis: { axisPlacement: 'left', reverse: false },
        legend: { show: true },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
      },
    },

  // Nodes and edges by the names of their columns; the panel prints a unit as text, so it has none.
  nodeGraph(title, description, nodes, edges, w=24, h=16)::
    self.panel('nodeGraph', title, description, [nodes { refId: 'nodes' }, edges { refId: 'edges' }], '', w, h) {
      options: { nodes: {}, edges: {}, zoomMode: 'cooperative' },
    },

  logs(title, description, target, w=24, h=12)::
    self.panel('logs', title, description, [target], 'short', w, h) {
      options: {
        dedupStrategy: 'none',
        enableLogDetails: true,
        prettifyLogMessage: false,
        showCommonLabels: false,
        showLabels: false,
        showTime: true,
        sortOrder: 'Descending',
        wrapLogMessage: false,
      },
    },

  // Additions to a panel.
  thresholds(steps):: {
    fieldConfig+: {
      defaults+: {
        color: { mode: 'thresholds' },
        thresholds: { mode: 'absolute', steps: [{ value: s[0], color: s[1] } for s in steps] },
      },
    },
  },
  thresholdLine:: { fieldConfig+: { defaults+: { custom+: { thresholdsStyle: { mode: 'line' } } } } },
  range(min, max=null):: { fieldConfig+: { defaults+: { min: min, [if max != null then 'max']: max } } },
  stacked(opacity=20):: {
    fieldConfig+: { defaults+: { custom+: { stacking: { mode: 'normal', group: 'A' }, fillOpacity: opacity } } },
  },
  noValue(text):: { fieldConfig+: { defaults+: { noValue: text } } },
  link(title, url):: { fieldConfig+: { defaults+: { links+: [{ title: title, url: url, targetBlank: false }] } } },
  mapping(values):: {
    fieldConfig+: { defaults+: { mappings+: [{ type: 'value', options: values }] } },
  },
  transform(list):: { transformations+: list },

  // What is special about the series or column of this name.
  override(name, properties):: {
    fieldConfig+: {
      overrides+: [{
        matcher: { id: 'byName', options: name },
        properties: [{ id: id, value: properties[id] } for id in std.objectFields(properties)],
      }],
    },
  },
  // A link in one column of a table.
  columnLink(name, title, url):: self.override(name, { links: [{ title: title, url: url, targetBlank: false }] }),

  // A table of one instant query: hidden columns go, the value gets a name.
  columns(hide, rename={}):: self.transform([{
    id: 'organize',
    options: { excludeByName: { [c]: true for c in ['Time'] + hide }, renameByName: rename, indexByName: {} },
  }]),

  // The band as the field draws it: upper filled to lower in pale blue, the level grey and dashed,
  // the value green, and anomalies as a pale yellow ground on an axis of their own.
  band(upper='upper', lower='lower', expected='expected', observed='observed', anomaly='anomaly')::
    local plain = { 'custom.showPoints': 'never', color: { mode: 'fixed', fixedColor: 'super-light-blue' } };
    self.override(upper, plain { 'custom.fillBelowTo': lower, 'custom.fillOpacity': 10, 'custom.lineWidth': 0.1 }) +
    self.override(lower, plain { 'custom.lineWidth': 0.1 }) +
    self.override(expected, {
      color: { mode: 'fixed', fixedColor: '#686e67' },
      'custom.lineStyle': { fill: 'dash', dash: [10, 10] },
    }) +
    self.override(observed, { color: { mode: 'fixed', fixedColor: 'green' } }) +
    self.override(anomaly, {
      color: { mode: 'fixed', fixedColor: 'super-light-yellow' },
      'custom.axisPlacement': 'hidden',
      'custom.axisSoftMin': 0,
      'custom.axisSoftMax': 1,
      'custom.lineWidth': 0,
      'custom.fillOpacity': 16,
      'custom.lineInterpolation': 'stepAfter',
      unit: 'bool',
    }),

  // Rows of panels, laid out from left to right; ids are given in reading order.
  row(title, panels):: { title: title, panels: panels },
  layout(rows)::
    local place(state, panel) =
      local wraps = state.x + panel.gridPos.w > 24;
      local x = if wraps then 0 else state.x;
      local y = if wraps then state.bottom else state.y;
      {
        x: x + panel.gridPos.w,
        y: y,
        bottom: std.max(state.bottom, y + panel.gridPos.h),
        id: state.id + 1,
        panels: state.panels + [panel { id: state.id, gridPos+: { x: x, y: y } }],
      };
    local begin(state, row) =
      local header = {
        type: 'row',
        id: state.id,
        title: row.title,
        collapsed: false,
        panels: [],
        gridPos: { x: 0, y: state.bottom, w: 24, h: 1 },
      };
      std.foldl(place, row.panels, {
        x: 0,
        y: state.bottom + 1,
        bottom: state.bottom + 1,
        id: state.id + 1,
        panels: state.panels + [header],
      });
    std.foldl(begin, rows, { x: 0, y: 0, bottom: 0, id: 1, panels: [] }).panels,
}

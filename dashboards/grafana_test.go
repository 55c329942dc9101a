package dashboards_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/dashboards"
)

// What Grafana 12 takes, beyond what its linter asks: CI has no Grafana, which would say nothing of an option that it
// does not know and leave the panel empty. The names are those of its documentation
// (https://grafana.com/docs/grafana/v12.0/dashboards/build-dashboards/view-dashboard-json-model/ and the pages of the
// panels); the lists hold what we use of them.
var (
	// schemas are those that Grafana 10 to 12 write themselves or bring up to date without a loss.
	schemas = [2]int{38, 41}
	// transformations that exist.
	transformations = []string{"organize"}
	// matchers of overrides.
	matchers = []string{"byName"}
	// properties of overrides: standard options, and custom ones of the panels named.
	properties = map[string][]string{
		"color": nil, "decimals": nil, "links": nil, "unit": nil,
		"custom.axisPlacement": {"timeseries"}, "custom.axisSoftMax": {"timeseries"}, "custom.axisSoftMin": {"timeseries"},
		"custom.cellOptions": {"table"}, "custom.drawStyle": {"timeseries"}, "custom.fillBelowTo": {"timeseries"}, "custom.fillOpacity": {"timeseries", "state-timeline"},
		"custom.lineInterpolation": {"timeseries"}, "custom.lineStyle": {"timeseries"}, "custom.lineWidth": {"timeseries", "state-timeline"}, "custom.showPoints": {"timeseries"},
	}
	// options of the panels.
	options = map[string][]string{
		"stat":           {"colorMode", "graphMode", "justifyMode", "orientation", "reduceOptions", "textMode"},
		"timeseries":     {"legend", "tooltip"},
		"table":          {"cellHeight", "footer", "showHeader"},
		"heatmap":        {"calculate", "cellGap", "cellValues", "color", "exemplars", "filterValues", "legend", "rowsFrame", "showValue", "tooltip", "yAxis"},
		"bargauge":       {"displayMode", "minVizHeight", "orientation", "reduceOptions", "showUnfilled"},
		"state-timeline": {"alignValue", "legend", "mergeValues", "rowHeight", "showValue", "tooltip"},
		"nodeGraph":      {"edges", "nodes", "zoomMode"},
		"logs":           {"dedupStrategy", "enableLogDetails", "prettifyLogMessage", "showCommonLabels", "showLabels", "showTime", "sortOrder", "wrapLogMessage"},
	}
	// builtin are the variables of Grafana itself.
	builtin = []string{"__data", "__url_time_range", "__rate_interval", "__range", "__auto", "__all"}
)

// jsonModel is a dashboard as Grafana's JSON model has it.
type jsonModel struct {
	SchemaVersion int `json:"schemaVersion"`
	Templating    struct {
		List []struct{ Name string } `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Name       string `json:"name"`
			DataSource source `json:"datasource"`
		} `json:"list"`
	} `json:"annotations"`
	Panels []modelPanel `json:"panels"`
}

type modelPanel struct {
	Type      string                     `json:"type"`
	Title     string                     `json:"title"`
	Collapsed *bool                      `json:"collapsed"`
	Panels    *[]json.RawMessage         `json:"panels"`
	Options   map[string]json.RawMessage `json:"options"`
	Targets   []struct {
		RefID      string `json:"refId"`
		Expr       string `json:"expr"`
		Format     string `json:"format"`
		QueryType  string `json:"queryType"`
		Range      bool   `json:"range"`
		Instant    bool   `json:"instant"`
		DataSource source `json:"datasource"`
	} `json:"targets"`
	Transformations []struct {
		ID      string `json:"id"`
		Options struct {
			ExcludeByName map[string]bool   `json:"excludeByName"`
			RenameByName  map[string]string `json:"renameByName"`
		} `json:"options"`
	} `json:"transformations"`
	FieldConfig struct {
		Overrides []struct {
			Matcher    struct{ ID, Options string } `json:"matcher"`
			Properties []struct{ ID string }        `json:"properties"`
		} `json:"overrides"`
	} `json:"fieldConfig"`
}

// hides are the columns that a panel leaves out.
func (p *modelPanel) hides(column string) bool {
	for _, t := range p.Transformations {
		if t.Options.ExcludeByName[column] {
			return true
		}
	}
	return false
}

func TestGrafanaKnowsAllThatADashboardUses(t *testing.T) {
	for _, name := range files(t) {
		t.Run(name, func(t *testing.T) {
			data, err := dashboards.FS.ReadFile(name)
			require.NoError(t, err)
			var m jsonModel
			require.NoError(t, json.Unmarshal(data, &m))
			require.GreaterOrEqual(t, m.SchemaVersion, schemas[0])
			require.LessOrEqual(t, m.SchemaVersion, schemas[1])
			for _, a := range m.Annotations.List {
				require.NotEmpty(t, a.DataSource.Type, "the data source of annotation %s is an object", a.Name)
			}

			known := slices.Clone(builtin)
			for _, v := range m.Templating.List {
				known = append(known, v.Name)
			}
			// Regular expressions hold a dollar before a bracket, replacements one before a digit: those are no variables.
			for _, ref := range regexp.MustCompile(`\$\{?([A-Za-z_]\w*)`).FindAllStringSubmatch(string(data), -1) {
				require.Contains(t, known, ref[1], "a variable that the dashboard has not")
			}
			for i := range m.Panels {
				panelIsKnown(t, &m.Panels[i])
			}
		})
	}
}

func panelIsKnown(t *testing.T, p *modelPanel) {
	t.Helper()
	if p.Type == "row" {
		require.NotNil(t, p.Collapsed, "row %q", p.Title)
		require.NotNil(t, p.Panels, "row %q", p.Title)
		return
	}
	for o := range p.Options {
		require.Contains(t, options[p.Type], o, "option of %q", p.Title)
	}
	for _, tr := range p.Transformations {
		require.Contains(t, transformations, tr.ID, p.Title)
	}
	for _, o := range p.FieldConfig.Overrides {
		require.Contains(t, matchers, o.Matcher.ID, p.Title)
		require.NotEmpty(t, o.Matcher.Options, p.Title)
		for _, property := range o.Properties {
			types, ok := properties[property.ID]
			require.True(t, ok, "%q: property %s", p.Title, property.ID)
			require.True(t, types == nil || slices.Contains(types, p.Type), "%q: %s is none of a %s", p.Title, property.ID, p.Type)
		}
	}
	refs := map[string]bool{}
	for _, q := range p.Targets {
		require.False(t, refs[q.RefID], "%q has two queries %s", p.Title, q.RefID)
		refs[q.RefID] = true
		require.NotEqual(t, q.Range, q.Instant, "%q: a query of Prometheus is one or the other", p.Title)
		switch {
		case q.DataSource.Type == "loki":
			require.Equal(t, "range", q.QueryType, p.Title)
		case p.Type == "table" || p.Type == "nodeGraph":
			require.Equal(t, "table", q.Format, p.Title)
		}
	}
}

// columns that a node graph needs, which it finds by the names that the data source gave them.
var nodeGraphColumns = map[string][]string{"nodes": {"id", "title", "mainstat"}, "edges": {"id", "source", "target", "mainstat"}}

// columnsAreThere checks that what a panel reads of a result's labels is there: the columns of a node graph, and those
// that the links of a table name.
func columnsAreThere(t *testing.T, q dashboards.Target, series []map[string]string) {
	t.Helper()
	p := panelOf(t, q)
	var want []string
	switch p.Type {
	case "nodeGraph":
		want = nodeGraphColumns[q.RefID]
		for _, tr := range p.Transformations {
			for from, to := range tr.Options.RenameByName {
				require.NotContains(t, nodeGraphColumns["edges"], to, "%s: renaming %s changes only what is shown", p.Title, from)
			}
		}
	case "table":
		raw, err := json.Marshal(p.raw)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`__data\.fields\.(\w+)`).FindAllStringSubmatch(string(raw), -1) {
			want = append(want, m[1])
		}
	}
	for _, column := range want {
		require.False(t, p.hides(column), "%s needs the column %s, which is left out", p.Title, column)
		require.True(t, slices.ContainsFunc(series, func(ls map[string]string) bool { return ls[column] != "" }),
			"%s needs the column %s, and there are %v", p.Title, column, slices.Sorted(maps.Keys(series[0])))
	}
}

// rawPanel is a panel and all of its JSON.
type rawPanel struct {
	modelPanel
	raw json.RawMessage
}

func panelOf(t *testing.T, q dashboards.Target) rawPanel {
	t.Helper()
	data, err := dashboards.FS.ReadFile(q.Dashboard + ".json")
	require.NoError(t, err)
	var m struct{ Panels []json.RawMessage }
	require.NoError(t, json.Unmarshal(data, &m))
	for _, raw := range m.Panels {
		p := rawPanel{raw: raw}
		require.NoError(t, json.Unmarshal(raw, &p.modelPanel))
		if p.Type != "row" && p.Title == q.Panel {
			return p
		}
	}
	require.FailNow(t, fmt.Sprintf("no panel %s/%s", q.Dashboard, strings.TrimSpace(q.Panel)))
	return rawPanel{}
}

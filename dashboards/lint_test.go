package dashboards_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/dashboards"
)

// The rules below are the seventeen of Grafana's dashboard-linter, in our own words: that program
// needs modules which cannot be had everywhere, and its rules are a page. Each is a function that
// says what is wrong; TestEveryRuleFindsItsMistake breaks a dashboard for each.

// board is a dashboard as the rules see it.
type board struct {
	UID         string                    `json:"uid"`
	Title       string                    `json:"title"`
	Editable    *bool                     `json:"editable"`
	Refresh     string                    `json:"refresh"`
	Timezone    string                    `json:"timezone"`
	Tags        []string                  `json:"tags"`
	Links       []link                    `json:"links"`
	Panels      []panel                   `json:"panels"`
	Templating  struct{ List []variable } `json:"templating"`
	Annotations struct {
		List []struct {
			Name string `json:"name"`
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
}

type link struct {
	Type        string `json:"type"`
	URL         string `json:"url"`
	IncludeVars bool   `json:"includeVars"`
	KeepTime    bool   `json:"keepTime"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type variable struct {
	Name, Label, Type, Query, AllValue string
	DataSource                         source `json:"datasource"`
	Multi, IncludeAll                  bool
	Refresh                            int
	Current                            struct{ Value any }
}

type panel struct {
	ID          int                      `json:"id"`
	Type        string                   `json:"type"`
	Title       string                   `json:"title"`
	Description string                   `json:"description"`
	DataSource  source                   `json:"datasource"`
	Targets     []target                 `json:"targets"`
	GridPos     struct{ X, Y, W, H int } `json:"gridPos"`
	FieldConfig struct {
		Defaults  struct{ Unit string } `json:"defaults"`
		Overrides []struct {
			Properties []struct {
				ID    string `json:"id"`
				Value any    `json:"value"`
			} `json:"properties"`
		} `json:"overrides"`
	} `json:"fieldConfig"`
}

type target struct {
	RefID      string `json:"refId"`
	Expr       string `json:"expr"`
	DataSource source `json:"datasource"`
}

// stock are the panels that come with Grafana, of those that we use.
var stock = []string{"stat", "timeseries", "table", "heatmap", "bargauge", "state-timeline", "nodeGraph", "logs", "row"}

// units are those of Grafana's list (value formats) that we use.
var units = []string{"none", "short", "percentunit", "s", "bytes", "Bps", "cps", "ops", "reqps", "bool", "bool_on_off", "bool_yes_no"}

// rateMagic stands for $__rate_interval while a rule looks at ranges; nobody writes it by hand.
const rateMagic = 4*time.Minute + 59*time.Second

// values are what variables stand for in the rules: job and instance stay recognisable.
func (b *board) values() map[string]string {
	v := map[string]string{"job": "$job", "instance": "$instance", "__rate_interval": "4m59s", "__range": "1h1m", "__auto": "4m59s"}
	for _, t := range b.Templating.List {
		if _, taken := v[t.Name]; taken {
			continue
		}
		v[t.Name], _ = t.Current.Value.(string)
		if t.AllValue != "" {
			v[t.Name] = t.AllValue
		}
	}
	return v
}

func (b *board) variables(typ string) []variable {
	return slices.DeleteFunc(slices.Clone(b.Templating.List), func(v variable) bool { return v.Type != typ })
}

// each calls fn for every panel that is not the heading of a row.
func (b *board) each(fn func(p panel) []string) (wrong []string) {
	for _, p := range b.Panels {
		if p.Type == "row" {
			continue
		}
		for _, w := range fn(p) {
			wrong = append(wrong, fmt.Sprintf("panel %q: %s", p.Title, w))
		}
	}
	return wrong
}

// promql calls fn for every query in PromQL that parses.
func (b *board) promql(fn func(expr parser.Expr) []string) []string {
	return b.each(func(p panel) (wrong []string) {
		for _, t := range p.Targets {
			if t.DataSource.Type != "prometheus" {
				continue
			}
			if expr, err := parse(dashboards.Expand(t.Expr, b.values())); err == nil {
				wrong = append(wrong, fn(expr)...)
			}
		}
		return wrong
	})
}

func parse(expr string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(expr)
}

// hasMatcher finds selectors without name=~"$name".
func hasMatcher(name string) func(parser.Expr) []string {
	return func(expr parser.Expr) (wrong []string) {
		for _, selector := range parser.ExtractSelectors(expr) {
			if !slices.ContainsFunc(selector, func(m *labels.Matcher) bool {
				return m.Name == name && m.Type == labels.MatchRegexp && m.Value == "$"+name
			}) {
				wrong = append(wrong, fmt.Sprintf("%s lacks %s=~\"$%s\"", selector, name, name))
			}
		}
		return wrong
	}
}

// multi checks the variables job and instance.
func multi(name, label string) func(b *board) []string {
	return func(b *board) []string {
		for _, v := range b.Templating.List {
			if v.Name != name {
				continue
			}
			if v.Type != "query" || v.Label != label || !v.Multi || !v.IncludeAll || v.AllValue != ".+" || !b.isVariable(v.DataSource.UID) {
				return []string{fmt.Sprintf("variable %s: a query of the templated data source, labelled %q, multi, with All as .+", name, label)}
			}
			return nil
		}
		return []string{"no variable " + name}
	}
}

// isVariable says whether uid names a variable that selects a data source.
func (b *board) isVariable(uid string) bool {
	return slices.ContainsFunc(b.variables("datasource"), func(v variable) bool {
		return uid == "$"+v.Name || uid == "${"+v.Name+"}"
	})
}

// functions of a variable's query.
var functionCall = regexp.MustCompile(`^(label_names|label_values|metrics|query_result)\((.+?)(?:, [a-z_]+)?\)$`)

// logSelector is the stream selector that a LogQL query begins with, or has inside of a function.
var logSelector = regexp.MustCompile(`\{[^{}]*\}`)

// logRange is the range of a LogQL query.
var logRange = regexp.MustCompile(`\[([^\]]+)\]`)

var lint = []struct {
	name  string
	check func(b *board) []string
}{
	{"template-datasource", func(b *board) (wrong []string) {
		sources := b.variables("datasource")
		if len(sources) == 0 {
			return []string{"no data source is templated"}
		}
		for _, v := range sources {
			name, label := v.Query+"_datasource", strings.ToUpper(v.Query[:1])+v.Query[1:]+" data source"
			plain := len(sources) == 1 && v.Name == "datasource" && v.Label == "Data source"
			if !plain && (v.Name != name || v.Label != label) {
				wrong = append(wrong, fmt.Sprintf("variable %s %q should be %s %q", v.Name, v.Label, name, label))
			}
		}
		return wrong
	}},
	{"template-job", multi("job", "Job")},
	{"template-instance", multi("instance", "Instance")},
	{"template-label-promql", func(b *board) (wrong []string) {
		for _, v := range b.variables("query") {
			m := functionCall.FindStringSubmatch(v.Query)
			if m == nil {
				wrong = append(wrong, v.Query+" is no function of the data source")
				continue
			}
			if _, err := parse(dashboards.Expand(m[2], b.values())); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s: %v", v.Query, err))
			}
		}
		return wrong
	}},
	{"template-on-time-change-reload", func(b *board) (wrong []string) {
		for _, v := range b.variables("query") {
			if v.Refresh != 2 {
				wrong = append(wrong, "variable "+v.Name+" is not reloaded with the time range")
			}
		}
		return wrong
	}},
	{"panel-datasource", func(b *board) []string {
		return b.each(func(p panel) (wrong []string) {
			for _, s := range append([]source{p.DataSource}, sourcesOf(p)...) {
				if !b.isVariable(s.UID) {
					wrong = append(wrong, "data source "+s.UID+" is not templated")
				}
			}
			return wrong
		})
	}},
	{"panel-title-description", func(b *board) []string {
		return b.each(func(p panel) []string {
			if p.Title == "" || p.Description == "" {
				return []string{"title or description is missing"}
			}
			return nil
		})
	}},
	{"panel-units", func(b *board) []string {
		return b.each(func(p panel) []string {
			if p.Type == "nodeGraph" {
				return nil // It prints the unit as text behind each figure.
			}
			all := []string{p.FieldConfig.Defaults.Unit}
			for _, o := range p.FieldConfig.Overrides {
				for _, property := range o.Properties {
					if unit, ok := property.Value.(string); ok && property.ID == "unit" {
						all = append(all, unit)
					}
				}
			}
			for _, u := range all {
				if !slices.Contains(units, u) {
					return []string{fmt.Sprintf("unit %q", u)}
				}
			}
			return nil
		})
	}},
	{"panel-no-targets", func(b *board) []string {
		return b.each(func(p panel) []string {
			if len(p.Targets) == 0 {
				return []string{"no query"}
			}
			return nil
		})
	}},
	{"target-logql", func(b *board) []string {
		return b.logql(func(expr string) []string {
			found := logSelector.FindAllString(expr, -1)
			if len(found) == 0 || strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, `"`)%2 != 0 {
				return []string{expr + " has no stream selector, or an open bracket"}
			}
			for _, s := range found {
				if _, err := parse(s); err != nil {
					return []string{fmt.Sprintf("%s: %v", s, err)}
				}
			}
			return nil
		})
	}},
	{"target-logql-auto", func(b *board) []string {
		return b.logql(func(expr string) (wrong []string) {
			for _, m := range logRange.FindAllStringSubmatch(expr, -1) {
				if m[1] != "4m59s" {
					wrong = append(wrong, "range "+m[1]+" is not $__auto")
				}
			}
			return wrong
		})
	}},
	{"target-promql", func(b *board) []string {
		return b.each(func(p panel) (wrong []string) {
			for _, t := range p.Targets {
				if t.DataSource.Type != "prometheus" {
					continue
				}
				if _, err := parse(dashboards.Expand(t.Expr, b.values())); err != nil {
					wrong = append(wrong, fmt.Sprintf("%s: %v", t.Expr, err))
				}
			}
			return wrong
		})
	}},
	{"target-rate-interval", func(b *board) []string {
		return b.promql(func(expr parser.Expr) (wrong []string) {
			parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
				m, ok := node.(*parser.MatrixSelector)
				if !ok || len(path) == 0 {
					return nil
				}
				// increase over the whole time range is a figure of that range, not a slope.
				call, ok := path[len(path)-1].(*parser.Call)
				if ok && slices.Contains([]string{"rate", "irate"}, call.Func.Name) && m.Range != rateMagic {
					wrong = append(wrong, m.String()+" should have the range $__rate_interval")
				}
				return nil
			})
			return wrong
		})
	}},
	{"target-job", func(b *board) []string { return b.promql(hasMatcher("job")) }},
	{"target-instance", func(b *board) []string { return b.promql(hasMatcher("instance")) }},
	{"target-counter-agg", func(b *board) []string {
		return b.promql(func(expr parser.Expr) (wrong []string) {
			parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
				v, ok := node.(*parser.VectorSelector)
				if !ok || !strings.HasSuffix(v.Name, "_total") {
					return nil
				}
				if len(path) >= 2 {
					call, ok := path[len(path)-2].(*parser.Call)
					if ok && slices.Contains([]string{"rate", "irate", "increase"}, call.Func.Name) {
						return nil
					}
				}
				wrong = append(wrong, "counter "+v.Name+" without rate, irate or increase")
				return nil
			})
			return wrong
		})
	}},
	{"uneditable-dashboard", func(b *board) []string {
		if b.Editable == nil || *b.Editable {
			return []string{"it can be edited"}
		}
		return nil
	}},
}

func sourcesOf(p panel) (s []source) {
	for _, t := range p.Targets {
		s = append(s, t.DataSource)
	}
	return s
}

func (b *board) logql(fn func(expr string) []string) []string {
	return b.each(func(p panel) (wrong []string) {
		for _, t := range p.Targets {
			if t.DataSource.Type == "loki" {
				wrong = append(wrong, fn(dashboards.Expand(t.Expr, b.values()))...)
			}
		}
		return wrong
	})
}

func TestLint(t *testing.T) {
	require.Len(t, lint, 17)
	for _, name := range files(t) {
		b := read(t, name)
		for _, rule := range lint {
			t.Run(name+"/"+rule.name, func(t *testing.T) {
				require.Empty(t, rule.check(b))
			})
		}
	}
}

func TestEveryRuleFindsItsMistake(t *testing.T) {
	// The mistakes are made in the dashboard that has queries of both kinds.
	first := func(b *board) *panel { return &b.Panels[1] }
	loki := func(b *board) *target {
		i := slices.IndexFunc(b.Panels, func(p panel) bool { return p.DataSource.Type == "loki" })
		return &b.Panels[i].Targets[0]
	}
	find := func(b *board, name string) *variable {
		return &b.Templating.List[slices.IndexFunc(b.Templating.List, func(v variable) bool { return v.Name == name })]
	}
	mistakes := map[string]func(b *board){
		"template-datasource":            func(b *board) { b.Templating.List[0].Label = "Source" },
		"template-job":                   func(b *board) { find(b, "job").AllValue = ".*" },
		"template-instance":              func(b *board) { find(b, "instance").Multi = false },
		"template-label-promql":          func(b *board) { find(b, "job").Query = "label_values(up{, job)" },
		"template-on-time-change-reload": func(b *board) { find(b, "job").Refresh = 1 },
		"panel-datasource":               func(b *board) { first(b).Targets[0].DataSource.UID = "prometheus" },
		"panel-title-description":        func(b *board) { first(b).Description = "" },
		"panel-units":                    func(b *board) { first(b).FieldConfig.Defaults.Unit = "bananas" },
		"panel-no-targets":               func(b *board) { first(b).Targets = nil },
		"target-logql":                   func(b *board) { loki(b).Expr = `{app=}` },
		"target-logql-auto":              func(b *board) { loki(b).Expr = `count_over_time({a="b"}[5m])` },
		"target-promql":                  func(b *board) { first(b).Targets[0].Expr = "sum(" },
		"target-rate-interval":           func(b *board) { first(b).Targets[0].Expr = `rate(a_total{job=~"$job"}[5m])` },
		"target-job":                     func(b *board) { first(b).Targets[0].Expr = `up{job="$job", instance=~"$instance"}` },
		"target-instance":                func(b *board) { first(b).Targets[0].Expr = `up{job=~"$job"}` },
		"target-counter-agg":             func(b *board) { first(b).Targets[0].Expr = `sum(a_total{job=~"$job"})` },
		"uneditable-dashboard":           func(b *board) { b.Editable = nil },
	}
	for _, rule := range lint {
		t.Run(rule.name, func(t *testing.T) {
			b := read(t, "tidemark-logs.json")
			require.Empty(t, rule.check(b))
			mistake, ok := mistakes[rule.name]
			require.True(t, ok)
			mistake(b)
			require.NotEmpty(t, rule.check(b))
		})
	}
}

// Package dashboards holds the rendered Grafana dashboards and lists their queries, so that each can
// be run against a real Prometheus.
package dashboards

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
)

// FS holds the dashboards, one JSON file each, as they are rendered from mixin/.
//
//go:embed *.json
var FS embed.FS

// Target is one query of one panel.
type Target struct {
	// Dashboard is the dashboard's uid, Panel the panel's title, RefID the query's letter or name.
	Dashboard, Panel, RefID string
	// DataSource is prometheus or loki.
	DataSource string
	// Expr is the query with every variable replaced.
	Expr string
	// Instant is set for a query of one moment; the others are range queries.
	Instant bool
	// MayBeEmpty says why the query may have no result on a Tidemark that works; empty when it
	// must have one.
	MayBeEmpty string
}

// Dashboard is what is read of a dashboard's JSON; the rest is Grafana's business.
type Dashboard struct {
	UID        string  `json:"uid"`
	Title      string  `json:"title"`
	Panels     []Panel `json:"panels"`
	Templating struct {
		List []Variable `json:"list"`
	} `json:"templating"`
}

// Panel is one panel, or the heading of a row.
type Panel struct {
	Type    string  `json:"type"`
	Title   string  `json:"title"`
	Targets []Query `json:"targets"`
}

// Query is one query of a panel, with Grafana's variables in it.
type Query struct {
	RefID      string `json:"refId"`
	Expr       string `json:"expr"`
	Instant    bool   `json:"instant"`
	DataSource struct {
		Type string `json:"type"`
	} `json:"datasource"`
}

// Variable is one variable of a dashboard and what it stands for at first. Query and the current
// value are strings for the kinds that a query needs.
type Variable struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	AllValue string `json:"allValue"`
	Current  struct {
		Value any `json:"value"`
	} `json:"current"`
}

// globals are the variables that Grafana itself defines, as a range query over an hour with a step
// of 15 s sees them.
var globals = map[string]string{
	"__rate_interval": "1m",
	"__range":         "1h",
	"__auto":          "1m",
}

// Load reads every dashboard, in the order of the file names.
func Load() ([]Dashboard, error) {
	names, err := fs.Glob(FS, "*.json")
	if err != nil {
		return nil, fmt.Errorf("list dashboards: %w", err)
	}
	var all []Dashboard
	for _, name := range names {
		data, err := FS.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read dashboard: %w", err)
		}
		var d Dashboard
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("decode dashboard %s: %w", name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// Targets lists every query of every dashboard. Variables stand for what they do when a dashboard
// is opened; values overrides them by name (without the dollar).
func Targets(values map[string]string) ([]Target, error) {
	all, err := Load()
	if err != nil {
		return nil, err
	}
	var targets []Target
	for _, d := range all {
		vars := maps.Clone(globals)
		for _, v := range d.Templating.List {
			vars[v.Name] = v.start()
		}
		maps.Copy(vars, values)
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				targets = append(targets, Target{
					Dashboard: d.UID, Panel: p.Title, RefID: q.RefID,
					DataSource: q.DataSource.Type, Instant: q.Instant,
					Expr:       Expand(q.Expr, vars),
					MayBeEmpty: cmp.Or(quiet[d.UID][p.Title+"/"+q.RefID], quiet[d.UID][p.Title]),
				})
			}
		}
	}
	return targets, nil
}

// start is what the variable stands for when its dashboard is opened.
func (v Variable) start() string {
	if v.AllValue != "" {
		return v.AllValue
	}
	s, _ := v.Current.Value.(string)
	return s
}

// reference matches $name, ${name} and ${name:format}.
var reference = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::[a-z]+)?\}|([A-Za-z_][A-Za-z0-9_]*))`)

// Expand replaces Grafana's variables in expr. A variable without a value stays as it is, so that
// the error of the query names it.
func Expand(expr string, values map[string]string) string {
	return reference.ReplaceAllStringFunc(expr, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		if v, ok := values[m[1]+m[2]]; ok {
			return v
		}
		return ref
	})
}

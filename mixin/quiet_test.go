package mixin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// unitTest is a file for promtool test rules, as far as it is read here
// (prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules).
type unitTest struct {
	Tests []struct {
		Name  string `yaml:"name"`
		Input []struct {
			Series string `yaml:"series"`
		} `yaml:"input_series"`
		Exprs []struct {
			Expr    string `yaml:"expr"`
			Samples []struct {
				Labels string `yaml:"labels"`
			} `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
		Alerts []struct {
			Name   string `yaml:"alertname"`
			Firing []struct {
				Labels map[string]string `yaml:"exp_labels"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

// metricsOf are the names of metrics that an expression reads, recorded ones replaced by what they are made of.
func metricsOf(t *testing.T, expr string, recorded map[string]string) []string {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	require.NoError(t, err)
	var out []string
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			if of, ok := recorded[s.Name]; ok {
				out = append(out, metricsOf(t, of, recorded)...)
			} else {
				out = append(out, s.Name)
			}
		}
		return nil
	})
	return out
}

// TestEveryAlertStaysQuietInSomeTest: a rule that always fires would pass a test that only sees it fire. For each
// there is a moment in a test that has its metrics and expects it not to fire.
func TestEveryAlertStaysQuietInSomeTest(t *testing.T) {
	recorded := map[string]string{}
	for _, r := range load(t, rulesFile) {
		recorded[r.Record] = r.Expr
	}
	files, err := filepath.Glob("tests/*.yaml")
	require.NoError(t, err)
	var all []unitTest
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		var u unitTest
		require.NoError(t, yaml.Unmarshal(data, &u))
		all = append(all, u)
	}
	for _, r := range load(t, alertsFile) {
		severity := r.Labels["severity"]
		t.Run(r.Alert+" "+severity, func(t *testing.T) {
			metrics := metricsOf(t, r.Expr, recorded)
			for _, u := range all {
				for _, test := range u.Tests {
					has := false
					for _, in := range test.Input {
						name, _, _ := strings.Cut(in.Series, "{")
						for _, m := range metrics {
							has = has || name == m
						}
					}
					if !has {
						continue
					}
					for _, e := range test.Exprs {
						if !strings.Contains(e.Expr, "ALERTS") || strings.Contains(e.Expr, "alertname=") {
							continue
						}
						fires := false
						for _, s := range e.Samples {
							fires = fires || strings.Contains(s.Labels, `alertname="`+r.Alert+`"`) && strings.Contains(s.Labels, `severity="`+severity+`"`)
						}
						if !fires {
							return
						}
					}
					for _, a := range test.Alerts {
						if a.Name == r.Alert && len(a.Firing) == 0 {
							return
						}
					}
				}
			}
			t.Fatal("no promtool test with its metrics expects it not to fire")
		})
	}
}

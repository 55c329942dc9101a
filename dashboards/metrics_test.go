package dashboards_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/dashboards"
)

// used is every metric of ours in dashboards and rules, with a place that uses it.
func used(t *testing.T) map[string]string {
	t.Helper()
	exprs := map[string]string{}
	targets, err := dashboards.Targets(nil)
	require.NoError(t, err)
	for _, target := range targets {
		if target.DataSource == "prometheus" {
			exprs[target.Expr] = target.Dashboard + ", " + target.Panel
		}
	}
	for _, f := range []string{"../rules/tidemark-alerts.yaml", "../rules/tidemark-rules.yaml"} {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		var rules struct {
			Groups []struct {
				Rules []struct{ Alert, Record, Expr string }
			}
		}
		require.NoError(t, yaml.Unmarshal(data, &rules))
		for _, g := range rules.Groups {
			for _, r := range g.Rules {
				exprs[r.Expr] = r.Alert + r.Record
			}
		}
	}
	names := map[string]string{}
	for expr, place := range exprs {
		parsed, err := parse(expr)
		require.NoError(t, err)
		for _, selector := range parser.ExtractSelectors(parsed) {
			for _, m := range selector {
				if m.Name == model.MetricNameLabel && strings.HasPrefix(m.Value, "tidemark_") {
					names[strings.TrimSuffix(m.Value, "_bucket")] = place
				}
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}

// exported is every metric name that the program's source holds as a string.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	literal := regexp.MustCompile(`"(tidemark_[a-z_]+)"`)
	names := map[string]bool{}
	for _, dir := range []string{"../internal", "../receiver", "../baseline", "../correlate"} {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			data, err := os.ReadFile(name)
			for _, m := range literal.FindAllStringSubmatch(string(data), -1) {
				names[m[1]] = true
			}
			return err
		})
		require.NoError(t, err)
	}
	return names
}

func TestMetricsExist(t *testing.T) {
	have := exported(t)
	for name, place := range used(t) {
		require.Truef(t, have[name], "%s is used by %s, and nothing exports it", name, place)
	}
}

func TestMetricsAreDocumented(t *testing.T) {
	reference, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	for name, place := range used(t) {
		require.Containsf(t, string(reference), name, "it is used by %s", place)
	}
}

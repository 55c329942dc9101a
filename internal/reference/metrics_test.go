package reference_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
)

const metricsHead = `# Metrics

<!-- Written by go test ./internal/reference -update from the source. -->

Everything that Tidemark exports at ` + "`/metrics`" + `, besides the collectors of Go, of the process and
` + "`tidemark_build_info`" + `. Scrape with ` + "`honor_labels: true`" + `, so that the labels of watched series stay as they
are. Metrics of watched series carry all labels of the series and ` + "`watch`" + `; a label of the series that
is called as one of ours moves to ` + "`exported_…`" + `. A series that is gone or not a number has none of them.

`

type metric struct{ name, kind, help, labels, group string }

// groups are the parts of the page by the folder that defines the metric.
var groups = []struct{ dir, title string }{
	{"internal/export", "Watched series and remote write"},
	{"internal/app", "Incidents, learning and the process"},
	{"internal/pushed", "What is pushed, counted"},
	{"internal/admit", "Limits"},
	{"receiver", "What comes in"},
	{"correlate/topology", "Topology"},
	{"internal/notify", "Alertmanager"},
	{"internal/runbook", "Runbooks"},
	{"internal/promread", "Reading Prometheus"},
	{"internal/state", "Storage"},
}

// literal is the text of a string literal, and of a sum of them.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return s
		}
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	}
	return ""
}

// labelNames are the strings of every []string{…} in e.
func labelNames(e ast.Node) string {
	var out []string
	ast.Inspect(e, func(n ast.Node) bool {
		if c, ok := n.(*ast.CompositeLit); ok {
			for _, el := range c.Elts {
				if s := literal(el); s != "" {
					out = append(out, "`"+s+"`")
				}
			}
		}
		if c, ok := n.(*ast.CallExpr); ok && fmt.Sprint(c.Fun) == "append" && c.Ellipsis.IsValid() {
			defer func() { out = append(out, "allowed stream labels") }()
		}
		return true
	})
	return strings.Join(out, ", ")
}

func funName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// metricsOf reads the definitions in one file: Opts literals, NewDesc, and the small helpers that take
// name and help as their first two arguments.
func metricsOf(f *ast.File, dir string) (out []metric) {
	const series = "labels of the series, `watch`"
	ours := func(s string) bool { return strings.HasPrefix(s, "tidemark_") }
	fromSeries := map[string]string{"gauge": series, "forecast": series + ", `horizon`", "limit": series + ", `limit`", "perWatch": "`watch`"}
	vec := map[*ast.CompositeLit]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			fun := funName(n.Fun)
			if strings.HasSuffix(fun, "Vec") && len(n.Args) == 2 {
				if c, ok := n.Args[0].(*ast.CompositeLit); ok {
					vec[c] = labelNames(n.Args[1])
				}
			}
			if len(n.Args) < 2 || !ours(literal(n.Args[0])) || literal(n.Args[1]) == "" {
				return true
			}
			m := metric{name: literal(n.Args[0]), help: literal(n.Args[1]), kind: "gauge", labels: fromSeries[fun], group: dir}
			if fun == "NewDesc" {
				m.labels = labelNames(n.Args[2])
			}
			if fun == "counter" || strings.HasSuffix(m.name, "_total") {
				m.kind = "counter"
			}
			out = append(out, m)
		case *ast.CompositeLit:
			m := metric{group: dir, kind: "gauge", labels: vec[n]}
			if t := funName(n.Type); strings.HasSuffix(t, "Opts") {
				m.kind = strings.ToLower(strings.TrimSuffix(t, "Opts"))
			}
			for i, el := range n.Elts {
				switch kv, keyed := el.(*ast.KeyValueExpr); {
				case keyed && fmt.Sprint(kv.Key) == "Name":
					m.name = literal(kv.Value)
				case keyed && fmt.Sprint(kv.Key) == "Help":
					m.help = literal(kv.Value)
				case !keyed && i == 0:
					m.name, m.labels = literal(el), series+", `kind`, `detector`"
				case !keyed && i == 1:
					m.help = literal(el)
				}
			}
			if ours(m.name) {
				out = append(out, m)
			}
		}
		return true
	})
	return out
}

// allMetrics finds the metrics of all rooms.
func allMetrics(t *testing.T) []metric {
	t.Helper()
	var out []metric
	for _, g := range groups {
		err := filepath.WalkDir(filepath.Join(root, g.dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() || d.Name() == "testdata" {
				return err
			}
			rel, err := filepath.Rel(root, path)
			for _, f := range sources(t, rel) {
				out = append(out, metricsOf(f, g.dir)...)
			}
			return err
		})
		require.NoError(t, err)
	}
	return out
}

func TestMetricsPageIsWhatTheCodeSays(t *testing.T) {
	found := allMetrics(t)
	var b strings.Builder
	b.WriteString(metricsHead)
	for _, g := range groups {
		fmt.Fprintf(&b, "## %s\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", g.title)
		rows := slices.DeleteFunc(slices.Clone(found), func(m metric) bool { return m.group != g.dir })
		require.NotEmpty(t, rows, g.dir)
		slices.SortFunc(rows, func(a, b metric) int { return strings.Compare(a.name, b.name) })
		for _, m := range slices.CompactFunc(rows, func(a, b metric) bool { return a.name == b.name }) {
			require.NotEmptyf(t, m.help, "%s has no help", m.name)
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, cell(m.help))
		}
		b.WriteByte('\n')
	}
	page(t, "metrics.md", strings.TrimSuffix(b.String(), "\n"))
}

func TestNoNameOfAMetricStandsOutsideTheForms(t *testing.T) {
	known := map[string]bool{}
	for _, m := range allMetrics(t) {
		known[m.name] = true
	}
	for _, dir := range []string{"internal", "receiver", "correlate", "baseline", "rules"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if d.Name() == "testdata" || d.Name() == "benchmarks" || d.Name() == "reference" {
				return filepath.SkipDir
			}
			for _, f := range sources(t, rel) {
				ast.Inspect(f, func(n ast.Node) bool {
					if lit, ok := n.(*ast.BasicLit); ok && len(literal(lit)) > len("tidemark_") && strings.HasPrefix(literal(lit), "tidemark_") {
						require.Truef(t, known[literal(lit)], "%s in %s is a metric that the reference does not see", literal(lit), rel)
					}
					return true
				})
			}
			return err
		})
		require.NoError(t, err)
	}
}

func TestNamesKeepTheCustomsOfPrometheus(t *testing.T) {
	var text strings.Builder
	for _, m := range allMetrics(t) {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s %s\n", m.name, strings.ReplaceAll(m.help, "\n", " "), m.name, m.kind)
		if m.kind == "histogram" {
			fmt.Fprintf(&text, "%s_bucket{le=\"+Inf\"} 1\n%s_sum 1\n%s_count 1\n", m.name, m.name, m.name)
		} else {
			fmt.Fprintf(&text, "%s 1\n", m.name)
		}
	}
	problems, err := promlint.New(strings.NewReader(text.String())).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

package dashboards_test

import (
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/dashboards"
)

func TestTargets(t *testing.T) {
	targets, err := dashboards.Targets(nil)
	require.NoError(t, err)
	require.NotEmpty(t, targets)
	p := parser.NewParser(parser.Options{})
	for _, target := range targets {
		t.Run(target.Dashboard+"/"+target.Panel+"/"+target.RefID, func(t *testing.T) {
			require.NotContains(t, target.Expr, "$__", "every variable is replaced")
			require.NotRegexp(t, `\$[a-z{]`, target.Expr, "every variable is replaced")
			if target.DataSource == "prometheus" {
				_, err := p.ParseExpr(target.Expr)
				require.NoError(t, err)
			}
		})
	}
}

func TestTargetsTakeValues(t *testing.T) {
	targets, err := dashboards.Targets(map[string]string{"job": "shop", "__range": "5m"})
	require.NoError(t, err)
	for _, target := range targets {
		if target.DataSource == "prometheus" {
			require.Contains(t, target.Expr, `job=~"shop"`)
			require.NotContains(t, target.Expr, "[1h]")
		}
	}
}

func TestExpand(t *testing.T) {
	values := map[string]string{"a": "1", "series": `x="y"`}
	for _, tc := range []struct{ name, expr, want string }{
		{"plain", `m{l=~"$a"}`, `m{l=~"1"}`},
		{"in braces", `m[${a}m]`, `m[1m]`},
		{"with a format", `m{${series:raw}}`, `m{x="y"}`},
		{"a longer name is another variable", `m{l="$ab"}`, `m{l="$ab"}`},
		{"unknown ones stay", `m{l="$b"}`, `m{l="$b"}`},
		{"a group of a regular expression stays", `label_replace(m, "l", "$1", "k", "(.+)")`, `label_replace(m, "l", "$1", "k", "(.+)")`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, dashboards.Expand(tc.expr, values))
		})
	}
}

func TestPanelsThatMayBeEmptyExist(t *testing.T) {
	targets, err := dashboards.Targets(nil)
	require.NoError(t, err)
	excused := map[string]bool{}
	strict := 0
	for _, target := range targets {
		if target.MayBeEmpty == "" {
			strict++
		} else {
			excused[target.Dashboard+"/"+target.Panel] = true
			excused[target.Dashboard+"/"+target.Panel+"/"+target.RefID] = true
		}
	}
	for _, name := range dashboards.QuietPanels() {
		require.Truef(t, excused[name], "%s is in the table of quiet panels and has another title now", name)
	}
	require.Greater(t, strict, len(targets)/2, "most queries must have a result")
}

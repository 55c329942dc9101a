package cause_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/cause"
)

// Kinds of evidence that claim something, and those that only order the list and claim nothing.
var (
	claiming = []string{"alert_rarity", "anomaly", "change", "edge_gap", "excess", "log_pattern", "residual", "resource", "shared_attribute", "span_gap", "state"}
	ordering = []string{"correlation", "family_walk", "onset", "pagerank"}
)

// kindsInSource are the kinds that the package makes findings and evidence of.
func kindsInSource(t *testing.T) []string {
	t.Helper()
	kinds := map[string]bool{}
	set := token.NewFileSet()
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, f.Name(), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			lit, literal := call.Args[0].(*ast.BasicLit)
			if ok && literal && (fun.Sel.Name == "newFinding" || fun.Sel.Name == "evidenceOf") {
				kind, err := strconv.Unquote(lit.Value)
				require.NoError(t, err)
				kinds[kind] = true
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(kinds))
}

// TestEveryKindOfClaimCarriesItsQueryAndValue walks cases of every kind of fault, and fails for a kind that was not
// seen, too: a new one needs a case here.
func TestEveryKindOfClaimCarriesItsQueryAndValue(t *testing.T) {
	require.ElementsMatch(t, append(slices.Clone(claiming), ordering...), kindsInSource(t), "the kinds of this test are those of the package")

	cases := []cause.Case{lostLines(), lostTime(), alertCase(alert("cart-1", "rare", 1), alert("cart-0", "slow", 2), alert("cart-1", "slow", 3))}
	for i, f := range []fault{{cpu: 3}, {memory: 1}, {disk: 20}, {delay: .2}, {network: .2}, {errors: .3}} {
		s := newShop(uint64(20 + i))
		s.names = plain
		c := s.make("cart", f)
		c.Changes = []cause.Change{{Time: s.start.Add(-90e9), Entity: "cart", Kind: "deploy", Text: "v2", Query: "/api/v1/changes?kind=deploy"}}
		cases = append(cases, c)
	}
	slow := newShop(28)
	slow.names = plain
	unlike := slow.make("store", fault{delay: .5}) // Cart is slow because of it, and has errors of its own.
	for _, x := range unlike.Series {
		if x.Entity == "cart" && x.Metric == plain("errors") {
			for i := range x.V[slow.normal:] {
				x.V[slow.normal+i] *= 50
			}
		}
	}
	busy := newShop(29)
	busy.names = plain
	surge := busy.make("cart", fault{})
	for _, x := range surge.Series {
		if x.Entity == "cart" && x.Metric == plain("requests") {
			for i := range x.V[busy.normal:] {
				x.V[busy.normal+i] *= 5
			}
		}
	}
	cases = append(cases, unlike, surge)
	zones := newShop(30)
	zones.names = plain
	c := zones.make("cart", fault{cpu: 3})
	other := zones.make("payment", fault{cpu: 3})
	for i, x := range other.Series { // Two are broken, and share a zone.
		if x.Entity == "payment" {
			c.Series[i] = x
		}
	}
	c.Attributes = map[string]map[string]string{}
	for _, e := range zones.order {
		c.Attributes[e] = map[string]string{"zone": "zone-b"}
	}
	for _, e := range []string{"cart", "payment"} {
		c.Attributes[e]["zone"] = "zone-a"
	}
	alerts := alertCase(alert("node-0", "NodeNotReady", 0), alert("node-1", "NodeNotReady", 2), alert("mail-2", "slow", 3))
	alerts.Attributes = map[string]map[string]string{"node-0": {"zone": "zone-a"}, "node-1": {"zone": "zone-a"}, "node-2": {"zone": "zone-b"}, "node-3": {"zone": "zone-b"}}
	cases = append(cases, c, alerts)

	seen := map[string]bool{}
	for _, c := range cases {
		r := cause.Rank(c, cause.Options{MaxEvidence: 100})
		var all []cause.Evidence
		for _, x := range r.Candidates {
			all = append(all, x.Evidence...)
		}
		for _, h := range r.Path {
			require.Equal(t, h.Deviation > 0, len(h.Evidence) > 0, "%s: %s", c.ID, h.State)
			all = append(all, h.Evidence...)
		}
		for _, x := range r.RuledOut {
			require.NotEmpty(t, x.Evidence, x.Text)
			all = append(all, x.Evidence...)
		}
		for _, e := range all {
			seen[e.Kind] = true
			require.NotEmpty(t, e.Query, "%s: %s", e.Kind, e.Text)
			require.NotEmpty(t, e.Text, e.Kind)
			require.False(t, math.IsNaN(e.Value) || math.IsInf(e.Value, 0), "%s: %s", e.Kind, e.Text)
			require.False(t, e.Time.IsZero(), "%s: %s", e.Kind, e.Text)
		}
	}
	require.ElementsMatch(t, claiming, slices.Collect(maps.Keys(seen)))
}

func TestASharedValueIsShownByTheTroubleOfThoseThatShareIt(t *testing.T) {
	c := alertCase(alert("node-0", "NodeNotReady", 0), alert("node-1", "NodeNotReady", 2))
	c.Attributes = map[string]map[string]string{"node-0": {"zone": "zone-a"}, "node-1": {"zone": "zone-a"}, "node-2": {"zone": "zone-b"}, "node-3": {"zone": "zone-b"}}
	r := cause.Rank(c, cause.Options{})
	require.Equal(t, "zone-a", r.Candidates[0].Entity)
	ev := r.Candidates[0].Evidence
	require.Len(t, ev, 1, "one query says it of both nodes")
	require.Equal(t, "2 of 2 entities with zone zone-a are anomalous, and 0 of 2 others, as NodeNotReady on node-0 says.", ev[0].Text)
	require.Equal(t, `ALERTS{alertname="NodeNotReady"}`, ev[0].Query)
}

package correlate

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/correlate/topology"
)

// Constants of scopes.
const (
	scopeRare   = 0.5 // rate under a label pair that few alerts have
	scopeCommon = 0.1 // under one that nearly all have
	maxScopes   = 500
)

// loose says that the graph cannot explain an alert there: its entity calls and is called by nothing.
func (w *world) loose(v int) bool {
	x := &w.v[v]
	switch x.level {
	case levelService:
		return len(x.callers)+len(x.callees) == 0
	case levelPod:
		return !slices.ContainsFunc(x.owners, func(s int) bool { return !w.loose(s) })
	case levelNode:
		return len(x.guests) == 0 && len(x.zones) == 0
	}
	return true
}

// scopeKey is a label pair, or a word of alert names (label "").
type scopeKey struct{ label, value string }

// noScope are labels that say what an alert is, not where.
var noScope = []string{"alertname", "severity", "pod", "instance", "container", "prometheus", "alertstate", "fingerprint", "uid", "path", "url"}

// scopes are the causes that labels alone speak for, for alerts without a place in the graph: a
// namespace, a rack, a provider, or a word that alert names share. Weighted by rarity.
func scopes(w *world, cells []cell, items []*item) []root {
	byKey := map[scopeKey]map[int]float64{} // cell → weight share of its items
	total := 0
	for c := range cells {
		if !w.loose(cells[c].vertex) {
			continue
		}
		total++
		for _, i := range cells[c].items {
			for _, k := range scopeKeys(items[i].rec) {
				if byKey[k] == nil {
					byKey[k] = map[int]float64{}
				}
				byKey[k][c] += 1 / float64(len(cells[c].items))
			}
		}
	}
	keys := make([]scopeKey, 0, len(byKey))
	for k, in := range byKey {
		if len(in) >= 2 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b scopeKey) int {
		return cmp.Or(cmp.Compare(len(byKey[b]), len(byKey[a])), cmp.Compare(a.label, b.label), cmp.Compare(a.value, b.value))
	})
	if len(keys) > maxScopes {
		keys = keys[:maxScopes]
	}
	out := make([]root, 0, len(keys))
	for _, k := range keys {
		out = append(out, scopeRoot(k, byKey[k], total))
	}
	return out
}

func scopeRoot(k scopeKey, in map[int]float64, total int) root {
	share := float64(len(in)) / float64(max(total, 10))
	lambda := scopeRare + (scopeCommon-scopeRare)*share
	x := root{vertex: -1, scope: k.label + "=" + k.value, ent: topology.Entity{Kind: topology.Kind(k.label), Name: k.value}}
	if k.label == "" {
		x.ent.Kind = "alert"
	}
	for c, part := range in {
		x.cells = append(x.cells, reach{c, math.Log(lambda * part), densityRow(1, false)})
		x.sum += lambda
	}
	slices.SortFunc(x.cells, func(a, b reach) int { return cmp.Compare(a.cell, b.cell) })
	return x
}

func scopeKeys(r *record) []scopeKey {
	var out []scopeKey
	for k, v := range r.Labels {
		if !slices.Contains(noScope, string(k)) && !strings.HasPrefix(string(k), "__") {
			out = append(out, scopeKey{string(k), string(v)})
		}
	}
	for _, word := range strings.Fields(words(r.place.name)) {
		if len(word) >= 4 && !slices.Contains(commonWords, word) {
			out = append(out, scopeKey{"", word})
		}
	}
	return out
}

// commonWords of alert names say nothing about the place.
var commonWords = []string{
	"high", "alert", "error", "errors", "rate", "latency", "down", "failed", "slow", "usage", "critical", "warning", "unavailable", "timeout",
	"health", "check", "service", "kube", "node", "host", "missing", "burn", "budget", "failing", "failure", "requests", "request",
}

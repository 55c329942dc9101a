package cause

import (
	"fmt"
	"slices"
)

// An attribute's value is the cause when this share of the entities that have it are anomalous, at
// least this many, and hardly any other is.
const (
	sharedShare  = .6
	sharedLeast  = 2
	sharedOthers = .2
)

// sharedAttribute names causes that are no vertex of the graph: a zone whose nodes all fail, a
// version that all broken pods run, a provider that all slow services use. The entity is the value
// of the attribute, as `zone-a`.
func sharedAttribute(v *view) finding {
	f := v.newFinding("shared_attribute")
	type group struct {
		name, value string
		members     []int
	}
	groups := map[[2]string]*group{}
	var list []*group
	have := map[string][]int{}
	for _, entity := range sortedKeys(v.c.Attributes) {
		e, ok := v.index[entity]
		if !ok {
			continue
		}
		for _, name := range sortedKeys(v.c.Attributes[entity]) {
			k := [2]string{name, v.c.Attributes[entity][name]}
			if groups[k] == nil {
				groups[k] = &group{name: name, value: k[1]}
				list = append(list, groups[k])
			}
			groups[k].members = append(groups[k].members, e)
			have[name] = append(have[name], e)
		}
	}
	why, matcher := map[int]string{}, map[int]string{}
	for _, g := range list {
		target, ok := v.index[g.value]
		if !ok || !v.candidate[target] || len(g.members) < sharedLeast {
			continue
		}
		in, out := 0, 0
		for _, e := range have[g.name] {
			if !v.anomalous(e) {
				continue
			}
			if slices.Contains(g.members, e) {
				in++
			} else {
				out++
			}
		}
		others := len(have[g.name]) - len(g.members)
		if in >= sharedLeast && others > 0 && float64(in) >= sharedShare*float64(len(g.members)) && float64(out) <= sharedOthers*float64(others) {
			f.score[target] = float64(in)
			matcher[target] = fmt.Sprintf("%s=%q", g.name, g.value)
			why[target] = fmt.Sprintf("%d of %d entities with %s %s are anomalous, and %d of %d others.", in, len(g.members), g.name, g.value, out, others)
		}
	}
	f.evidence = func(e int) []Evidence {
		if why[e] == "" {
			return nil
		}
		return []Evidence{{
			Kind: f.kind, For: true, Entity: v.names[e], Time: msTime(v.start), Value: f.score[e], Weight: 2, Text: why[e],
			Query: fmt.Sprintf("ALERTS{%s}", matcher[e]),
		}}
	}
	if best, first, second := v.topTwo(f.score); best >= 0 && first > second {
		f.decided, f.strength, f.margin = []int{best}, 2, 1
	}
	return f
}

// anomalous says whether an entity itself, or most of what runs on it, is in trouble.
func (v *view) anomalous(e int) bool {
	if v.ownStrength(e) >= resourceStrength || v.alerting(e) {
		return true
	}
	n := 0
	for _, g := range v.guests[e] {
		if v.ownStrength(g) >= resourceStrength || v.alerting(g) {
			n++
		}
	}
	return n > 0 && float64(n) >= sharedShare*float64(len(v.guests[e]))
}

func sortedKeys[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

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
	why, sick := map[int]string{}, map[int][]int{}
	for _, g := range list {
		target, ok := v.index[g.value]
		if !ok || !v.candidate[target] || len(g.members) < sharedLeast {
			continue
		}
		var ill []int
		out := 0
		for _, e := range have[g.name] {
			if !v.anomalous(e) {
				continue
			}
			if slices.Contains(g.members, e) {
				ill = append(ill, e)
			} else {
				out++
			}
		}
		others := len(have[g.name]) - len(g.members)
		in := len(ill)
		if in >= sharedLeast && others > 0 && float64(in) >= sharedShare*float64(len(g.members)) && float64(out) <= sharedOthers*float64(others) {
			f.score[target] = float64(in)
			sick[target] = ill
			why[target] = fmt.Sprintf("%d of %d entities with %s %s are anomalous, and %d of %d others", in, len(g.members), g.name, g.value, out, others)
		}
	}
	f.evidence = func(e int) []Evidence {
		if why[e] == "" {
			return nil
		}
		return v.sharedEvidence(f.kind, v.names[e], why[e], sick[e])
	}
	if best, first, second := v.topTwo(f.score); best >= 0 && first > second {
		f.decided, f.strength, f.margin = []int{best}, 2, 1
	}
	return f
}

// sharedShown is of how many entities that share a value the own trouble is shown.
const sharedShown = 3

// sharedEvidence shows the trouble of those that share a value, the strongest first; the first says how many they are.
func (v *view) sharedEvidence(kind, value, why string, ill []int) []Evidence {
	strongest := func(e int) *sample {
		best := v.topDev(e)
		for _, g := range v.guests[e] {
			if s := v.topDev(g); s != nil && strength(s.dev()) >= resourceStrength && (best == nil || strength(best.dev()) < resourceStrength) {
				best = s
			}
		}
		return best
	}
	dev := func(e int) float64 {
		if s := strongest(e); s != nil {
			return s.dev()
		}
		return 0
	}
	ill = slices.Clone(ill)
	slices.SortStableFunc(ill, func(a, b int) int { return cmpFloat(dev(b), dev(a)) })
	var out []Evidence
	for _, e := range ill[:min(sharedShown, len(ill))] {
		s := strongest(e)
		var ev Evidence
		switch a := v.firstAlertAt(e); {
		case s != nil && strength(s.dev()) >= resourceStrength:
			ev = v.evidenceOf(kind, s, 2)
			if len(out) == 0 {
				ev.Text = fmt.Sprintf("%s, as %s of %s: %s, normally %s.", why, s.called(), v.names[s.ent], s.say(s.mean), s.say(s.median))
			}
		case a != nil:
			at := a.Time.UTC()
			ev = Evidence{Kind: kind, For: true, Time: at, From: at, To: at, Query: alertQuery(a), Value: 1, Weight: 2, Text: fmt.Sprintf("%s on %s.", a.Name, a.entity())}
			if len(out) == 0 {
				ev.Text = fmt.Sprintf("%s, as %s on %s says.", why, a.Name, a.entity())
			}
		default:
			continue
		}
		ev.Entity = value
		out = append(out, ev)
	}
	return out
}

// firstAlertAt is the earliest alert of an entity or of what runs on it; nil: it has none.
func (v *view) firstAlertAt(e int) *Alert {
	var first *Alert
	for i := range v.c.Alerts {
		a := &v.c.Alerts[i]
		at, known := v.index[a.entity()]
		if known && (at == e || slices.Contains(v.guests[e], at)) && (first == nil || a.Time.Before(first.Time)) {
			first = a
		}
	}
	return first
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

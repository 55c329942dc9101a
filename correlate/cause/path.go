package cause

import (
	"fmt"
	"slices"
)

// maxRuledOut bounds the entities that are said to be ruled out.
const maxRuledOut = 5

// path leads from the cause to the symptom along calls, hosts and replicas, shortest first, with the
// state of each hop. Empty when they are not connected.
func (v *view) path(from int) []Hop {
	if v.symptom < 0 || from < 0 {
		return nil
	}
	prev := make([]int, len(v.names))
	for i := range prev {
		prev[i] = -1
	}
	prev[from] = from
	queue := []int{from}
	for len(queue) > 0 && prev[v.symptom] < 0 {
		e := queue[0]
		queue = queue[1:]
		for _, next := range [][]int{v.callers[e], v.guests[e], v.parents[e], v.members[e]} {
			for _, n := range next {
				if prev[n] < 0 {
					prev[n] = e
					queue = append(queue, n)
				}
			}
		}
	}
	if prev[v.symptom] < 0 {
		return nil
	}
	var out []Hop
	for e := v.symptom; ; e = prev[e] {
		out = append(out, v.hop(e))
		if e == from {
			break
		}
	}
	slices.Reverse(out)
	return out
}

// hop is the state of one entity.
func (v *view) hop(e int) Hop {
	h := Hop{Entity: v.names[e]}
	s := v.topDev(e)
	switch {
	case s != nil && s.dev() >= 3:
		h.Deviation = s.dev()
		h.State = fmt.Sprintf("%s is %s, normally %s", s.called(), s.say(s.mean), s.say(s.median))
		h.Evidence = []Evidence{v.evidenceOf("state", s, 0)}
	case v.alerting(e):
		h.State = "alerting"
	case len(v.own[e]) == 0:
		h.State = "no series known"
	default:
		h.State = "normal"
	}
	return h
}

func (v *view) alerting(e int) bool {
	for i := range v.c.Alerts {
		if v.c.Alerts[i].entity() == v.names[e] {
			return true
		}
	}
	return false
}

// ruledOut names entities with a strong anomaly that are not among the first three, and why.
func (v *view) ruledOut(d *decision) []RuledOut {
	rank := make([]int, len(v.names))
	for i, e := range d.list {
		rank[e] = i
	}
	var out []RuledOut
	for _, e := range order(anomalies(v), func(e int) bool { return v.candidate[e] && rank[e] >= 3 }) {
		s := v.topDev(e)
		if s == nil || s.dev() < 3 || len(out) == maxRuledOut {
			break
		}
		out = append(out, RuledOut{
			Entity: v.names[e], Text: fmt.Sprintf("%s is %s (normally %s), but %s.", s.called(), s.say(s.mean), s.say(s.median), v.why(e, d)),
			Evidence: []Evidence{v.evidenceOf("state", s, 0)},
		})
	}
	return out
}

func anomalies(v *view) []float64 {
	out := make([]float64, len(v.names))
	for e := range out {
		out[e] = v.ownStrength(e)
	}
	return out
}

// why says what speaks against an entity.
func (v *view) why(e int, d *decision) string {
	for i := range d.findings {
		f := &d.findings[i]
		if f.kind != "excess" || f.evidence == nil {
			continue
		}
		for _, ev := range f.evidence(e) {
			if !ev.For {
				return "its callees account for most of what it added"
			}
		}
	}
	if v.reachesAny() && v.depth[e] < 0 && len(v.callers[e])+len(v.callees[e]) > 0 {
		return "the symptom does not depend on it by calls"
	}
	if d.by != nil {
		return fmt.Sprintf("the %s evidence of %s is clearer", words(d.by.kind)[0], v.names[d.list[0]])
	}
	return "others deviate further"
}

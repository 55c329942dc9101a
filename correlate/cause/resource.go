package cause

import "fmt"

// A resource decides when its strongest entity is this strong, and leads the second by this much,
// in logarithms of deviations: the lead, not the height, tells a cause from noise, as on a noisy
// system some processor series is always far out.
const (
	resourceStrength = 1.3
	resourceLead     = 1.0
)

// resource finds the entity whose processor, memory, disk or queues left its normal period far more than
// anybody else's.
func resource(v *view) finding {
	f := v.newFinding("resource")
	top := make([]*sample, len(v.names))
	for e := range v.names {
		for _, s := range v.own[e] {
			if s.class.Kind.resource() && (top[e] == nil || s.up > top[e].up) {
				top[e] = s
			}
		}
		if top[e] != nil {
			f.score[e] = strength(top[e].up)
		}
	}
	f.evidence = func(e int) []Evidence {
		if top[e] == nil || top[e].up < 2 {
			return v.membersEvidence(f.kind, e, top)
		}
		return []Evidence{v.evidenceOf(f.kind, top[e], f.score[e])}
	}
	f.score = v.level(f.score)
	best, first, lead := v.lead(f.score)
	if best >= 0 && first >= resourceStrength && lead >= resourceLead {
		f.decided, f.strength, f.margin = []int{best}, first, 1
	}
	return f
}

// membersEvidence shows a group's strongest member where the group has no series of its own.
func (v *view) membersEvidence(kind string, e int, top []*sample) []Evidence {
	var best *sample
	n := 0
	group := append(append([]int(nil), v.members[e]...), v.guests[e]...)
	for _, m := range group {
		if s := top[m]; s != nil && strength(s.up) >= resourceStrength {
			n++
			if best == nil || s.up > best.up {
				best = s
			}
		}
	}
	if n < 2 {
		return nil
	}
	ev := v.evidenceOf(kind, best, strength(best.up))
	ev.Entity = v.names[e]
	ev.Text = fmt.Sprintf("%d of %d entities of %s use far more than normal, as %s of %s: %s, normally %s.", n, len(group), v.names[e], best.called(), v.names[best.ent], best.say(best.mean), best.say(best.median))
	return []Evidence{ev}
}

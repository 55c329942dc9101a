package cause

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
			return nil
		}
		return []Evidence{v.evidenceOf(f.kind, top[e], f.score[e])}
	}
	best, first, second := v.topTwo(f.score)
	if best >= 0 && first >= resourceStrength && first-second >= resourceLead {
		f.decided, f.strength, f.margin = []int{best}, first, 1
	}
	return f
}

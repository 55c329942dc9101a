package cause

import "time"

// walkDeviation is how far, in spreads, an entity's series of the symptom's family has to be for the
// walk to pass it.
const walkDeviation = 4

// fineStep is the longest distance of samples at which the order of onsets tells something.
const fineStep = 15 * time.Second

// familyWalk keeps to the kind of metric that people noticed, latency with latency and errors with
// errors, and walks from the symptom along anomalous callees: the deepest come first. The baseline
// of the PetShop data set (Hardt et al., CLeaR 2024).
func familyWalk(v *view) finding {
	f := v.newFinding("family_walk")
	if v.symptom < 0 {
		return f
	}
	fam := v.symptomFamily()
	worst := make([]*sample, len(v.names))
	for e := range v.names {
		for _, s := range v.own[e] {
			if sf := familyOf(s.class.Kind); sf != anyFamily && (fam == anyFamily || sf == fam) && (worst[e] == nil || s.dev() > worst[e].dev()) {
				worst[e] = s
			}
		}
	}
	passes := func(e int) bool { return worst[e] != nil && worst[e].dev() >= walkDeviation }
	reached := make([]bool, len(v.names))
	reached[v.symptom] = true
	queue := []int{v.symptom}
	for len(queue) > 0 {
		e := queue[0]
		queue = queue[1:]
		for _, b := range v.callees[e] {
			if !reached[b] && passes(b) {
				reached[b] = true
				queue = append(queue, b)
			}
		}
	}
	for e := range v.names {
		if !passes(e) {
			continue
		}
		f.score[e] = strength(worst[e].dev()) / 100
		if !reached[e] {
			continue
		}
		f.score[e]++
		leaf := true
		for _, b := range v.callees[e] {
			leaf = leaf && !reached[b]
		}
		if leaf {
			f.score[e]++
		}
	}
	return f
}

// earliest ranks entities by when they first left their normal period. It speaks only where samples
// are fine enough for the order to mean something.
func earliest(v *view) finding {
	f := v.newFinding("onset")
	if v.step > fineStep {
		return f
	}
	for e := range v.names {
		for _, s := range v.own[e] {
			if s.at > 0 && strength(s.dev()) >= resourceStrength && v.end > v.start {
				f.score[e] = max(f.score[e], float64(v.end-s.at)/float64(v.end-v.start))
			}
		}
	}
	return f
}

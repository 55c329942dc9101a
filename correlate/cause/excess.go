package cause

import (
	"fmt"
	"slices"
)

// moved is how many spreads a level has to move before its excess counts.
const moved = .5

// A total of quantiles decides at this strength and margin.
const (
	quantileStrength = 1.8
	quantileMargin   = .5
)

// activityBlocks is how many stretches of the fault are told apart.
const activityBlocks = 6

// excessPart is the extra seconds or failures of an entity in the fault.
type excessPart struct {
	level, traffic *sample
	total, own     float64
	exact          bool // A mean or a failure share: totals add up along calls.
}

// excess accounts for the time or the failures that the fault added: requests times the change of
// the level. Totals travel up the calls unchanged, so that what remains of an entity after its
// callees' excess is subtracted arose in the entity itself.
func excess(v *view) finding {
	f := v.newFinding("excess")
	parts := v.excessParts(v.symptomFamily(), v.activity())
	exact := false
	for e := range parts {
		p := &parts[e]
		if p.level == nil {
			continue
		}
		p.own = p.total
		for _, b := range v.callees[e] {
			p.own -= min(v.withMembers(parts, b), p.total)
		}
		p.own = max(p.own, 0)
		f.score[e] = p.own
		if v.reachesAny() && v.depth[e] < 0 {
			f.score[e] *= .5
		}
		exact = exact || (p.exact && p.total > 0)
	}
	f.evidence = func(e int) []Evidence {
		p := parts[e]
		if p.level == nil || p.total <= 0 {
			return nil
		}
		ev := v.evidenceOf(f.kind, p.level, f.score[e])
		share := p.own / p.total
		if share < .5 {
			ev.For = false
			ev.Text = fmt.Sprintf("%s of %s moved from %s to %s, but its callees account for %s of it.", p.level.called(), v.names[e], p.level.say(p.level.median), p.level.say(p.level.mean), percent(1-share))
			return []Evidence{ev}
		}
		ev.Text = fmt.Sprintf("%s of %s moved from %s to %s, and its callees account for only %s of it.", p.level.called(), v.names[e], p.level.say(p.level.median), p.level.say(p.level.mean), percent(1-share))
		return []Evidence{ev}
	}
	best, first, second := v.topTwo(f.score)
	if best < 0 {
		return f
	}
	// Totals of quantiles do not add up along calls: they decide only when they are clear.
	f.strength, f.margin = strength(parts[best].level.dev()), (first-second)/first
	if (exact && parts[best].exact) || (!exact && f.strength >= quantileStrength && f.margin >= quantileMargin) {
		f.decided = []int{best}
	}
	return f
}

// withMembers is the total of an entity, or what its replicas report together where that is more.
func (v *view) withMembers(parts []excessPart, e int) float64 {
	sum := 0.0
	for _, m := range v.members[e] {
		sum += max(parts[m].total, 0)
	}
	return max(parts[e].total, sum)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// family is the symptom's: what kind of trouble people noticed.
type family uint8

const (
	anyFamily family = iota
	latencyFamily
	failureFamily
)

func familyOf(k Kind) family {
	switch k {
	case Latency:
		return latencyFamily
	case Errors, Availability:
		return failureFamily
	}
	return anyFamily
}

// symptomFamily is the family of the symptom's metric; without one, that of the symptom entity's
// worst series.
func (v *view) symptomFamily() family {
	if f := familyOf(Classify(v.c.Symptom.Metric).Kind); f != anyFamily {
		return f
	}
	if v.symptom >= 0 {
		if s := v.topDev(v.symptom); s != nil {
			return familyOf(s.class.Kind)
		}
	}
	return anyFamily
}

// activity says by time stamp whether the symptom was there, for every sample of the fault; nil when
// it was there all the time or never, so that the times tell nothing.
func (v *view) activity() map[int64]bool {
	s := v.symptomSeries()
	if s == nil || s.spread <= 0 {
		return nil
	}
	over := func(x float64) float64 {
		if s.class.Kind.worse() == downIsBad {
			return s.median - x
		}
		return x - s.median
	}
	// Blocks, so that the noise of fine samples does not choose the times.
	size := max(1, len(s.fault)/activityBlocks)
	var level []float64
	for i := 0; i < len(s.fault); i += size {
		block := sorted(s.fault[i:min(i+size, len(s.fault))])
		level = append(level, over(quantile(block, .5)))
	}
	peak := slices.Max(level)
	if peak < s.spread {
		return nil
	}
	active := make(map[int64]bool, len(s.fault))
	n := 0
	for i, t := range s.faultT {
		if active[t] = level[i/size] >= peak/4; active[t] {
			n++
		}
	}
	if n == len(s.fault) {
		return nil
	}
	return active
}

// levelIn is the mean of a series over the samples at which the symptom was there, and over those at
// which it was not.
func levelIn(s *sample, active map[int64]bool) (with, without float64, ok bool) {
	var n, m int
	for i, x := range s.fault {
		on, known := active[s.faultT[i]]
		switch {
		case !known:
		case on:
			with += x
			n++
		default:
			without += x
			m++
		}
	}
	if n == 0 || m == 0 {
		return 0, 0, false
	}
	return with / float64(n), without / float64(m), true
}

func (v *view) excessParts(fam family, active map[int64]bool) []excessPart {
	parts := make([]excessPart, len(v.names))
	for e := range parts {
		p := &parts[e]
		for _, s := range v.own[e] {
			if len(s.fault) == 0 || s.spread == 0 {
				continue
			}
			if s.class.Kind == Traffic && (p.traffic == nil || requestsFirst(s) < requestsFirst(p.traffic)) {
				p.traffic = s
			}
			if sf := familyOf(s.class.Kind); sf == anyFamily || (fam != anyFamily && sf != fam) {
				continue
			}
			if p.level == nil || levelChoice(s) < levelChoice(p.level) {
				p.level = s
			}
		}
		if p.level == nil {
			v.seenByCallers(e, p, fam)
		}
		if p.level == nil {
			continue
		}
		s := p.level
		delta, n := 0.0, 0
		for _, same := range v.own[e] { // The replicas of a service may be series of it.
			if same.Metric == s.Metric && len(same.fault) > 0 && same.spread > 0 {
				delta += shift(same, active)
				n++
			}
		}
		if n == 0 { // Its callers measured it.
			delta, n = shift(s, active), 1
		}
		delta /= float64(n)
		raw := delta
		if s.class.Kind == Availability {
			delta = -delta
			if s.class.Percent || max(s.upper, slices.Max(s.fault)) > 1.5 {
				delta /= 100
			}
		}
		requests := 1.0
		if p.traffic != nil {
			requests = v.allRequests(e, p.traffic)
			p.exact = s.class.Kind != Latency || s.class.Stat == StatMean
		}
		if abs(s.mean-s.median) >= moved*s.spread || abs(raw) >= moved*s.spread {
			p.total = max(0, delta*requests)
		}
	}
	return parts
}

// shift is how far a level moved in the fault. What is as bad while the symptom is absent does not cause it.
func shift(s *sample, active map[int64]bool) float64 {
	delta := s.mean - s.median
	if with, without, ok := levelIn(s, active); ok {
		delta = with - s.median
		if d := with - without; abs(d) < abs(delta) || d*delta < 0 {
			delta = d
		}
	}
	return delta
}

// allRequests is what all series of an entity's traffic carry together.
func (v *view) allRequests(e int, traffic *sample) float64 {
	sum := 0.0
	for _, same := range v.own[e] {
		if same.Metric == traffic.Metric && len(same.fault) > 0 {
			sum += same.mean
		}
	}
	if sum == 0 { // Its callers counted it.
		return traffic.mean
	}
	return sum
}

// seenByCallers takes what the callers of an entity measured where it reports nothing itself, as an
// external provider or a database.
func (v *view) seenByCallers(e int, p *excessPart, fam family) {
	for _, s := range v.incoming[e] {
		if len(s.fault) == 0 || s.spread == 0 || s.class.Side == SideServer {
			continue
		}
		sf := familyOf(s.class.Kind)
		switch {
		case s.class.Kind == Traffic:
			if p.traffic == nil || s.mean > p.traffic.mean {
				p.traffic = s
			}
		case sf == anyFamily || (fam != anyFamily && sf != fam):
		case p.level == nil || s.dev() > p.level.dev():
			p.level = s
		}
	}
}

// levelChoice prefers what adds up along calls: a mean before a low quantile before a high one, the
// server's side before the client's.
func levelChoice(s *sample) float64 {
	x := s.class.Quantile
	if s.class.Kind != Latency || s.class.Stat == StatMean {
		x = -1
	}
	if s.class.Kind == Errors {
		x -= .25
	}
	if s.class.Side == SideClient {
		x += .5
	}
	return x
}

func requestsFirst(s *sample) int {
	for _, w := range words(s.Metric) {
		if w == "request" || w == "requests" || w == "calls" || w == "ops" {
			return 0
		}
	}
	return 1
}

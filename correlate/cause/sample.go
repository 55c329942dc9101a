package cause

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// sample is one series of the view.
type sample struct {
	*Series
	class      Class
	ent, peer  int
	median     float64
	spread     float64
	lower      float64 // 2.5 % and 97.5 % quantiles of the normal period.
	upper      float64
	normal     []float64 // In time order, base first.
	normalT    []int64
	fault      []float64 // In time order.
	faultT     []int64
	up, down   float64 // Deviation in spreads, contrasted with the recent past; >= 0.
	mean       float64 // Of the fault.
	at         int64   // First fault sample past the normal quantiles.
	recentSeen bool
}

// called is the series' name for people.
func (s *sample) called() string { return cmp.Or(s.Name, s.Metric) }

// dev is the deviation in the direction in which this kind of metric gets worse.
func (s *sample) dev() float64 {
	switch s.class.Kind.worse() {
	case upIsBad:
		return s.up
	case downIsBad:
		return s.down
	default:
		return max(s.up, s.down)
	}
}

// strength is the logarithm of a deviation, so that units and heavy tails do not decide.
func strength(dev float64) float64 { return math.Log1p(min(max(dev, 0), 1e4)) }

// measure splits a series into normal period and fault and sets its deviation.
func (v *view) measure(s *sample) {
	s.normal, s.normalT = s.normal[:0], s.normalT[:0]
	s.fault, s.faultT = s.fault[:0], s.faultT[:0]
	s.up, s.down, s.at, s.spread, s.recentSeen = 0, 0, 0, 0, false
	for i, x := range s.BaseV {
		if finite(x) && i < len(s.BaseT) {
			s.normal, s.normalT = append(s.normal, x), append(s.normalT, s.BaseT[i])
		}
	}
	base := len(s.normal)
	near := v.near[:0]
	gap := guard.Milliseconds()
	if v.step >= time.Minute { // Coarse samples: a longer gap would leave too few.
		gap = time.Minute.Milliseconds()
	}
	for i, t := range s.T {
		if i >= len(s.V) || !finite(s.V[i]) {
			continue
		}
		x := s.V[i]
		switch {
		case t > v.end:
		case t >= v.start:
			s.fault, s.faultT = append(s.fault, x), append(s.faultT, t)
		default:
			if t >= v.start-recent.Milliseconds() && t <= v.start-gap {
				near = append(near, x)
			}
			if !v.otherFault(t) {
				s.normal, s.normalT = append(s.normal, x), append(s.normalT, t)
			}
		}
	}
	v.near = near
	cut := len(s.normal)
	for cut > base && s.normalT[cut-1] >= v.start-guard.Milliseconds() {
		cut--
	}
	if cut >= minNormal {
		s.normal, s.normalT = s.normal[:cut], s.normalT[:cut]
	}
	if len(s.normal) < 2 || len(s.fault) == 0 {
		return
	}
	v.scratch = append(v.scratch[:0], s.normal...)
	n := v.scratch
	slices.Sort(n)
	s.median = quantile(n, .5)
	s.lower, s.upper = quantile(n, .025), quantile(n, .975)
	s.spread = spreadOf(n, s.median*levelFloor(s.class.Kind))
	v.scratch = append(v.scratch[:0], s.fault...)
	f := v.scratch
	slices.Sort(f)
	s.mean = mean(s.fault)
	if s.spread <= 0 {
		return
	}
	hi, lo := quantile(f, .75), quantile(f, .25)
	s.up, s.down = max(0, hi-s.median)/s.spread, max(0, s.median-lo)/s.spread
	if len(near) >= 2 {
		slices.Sort(near)
		m := quantile(near, .5)
		s.recentSeen = true
		s.up, s.down = min(s.up, max(0, hi-m)/s.spread), min(s.down, max(0, m-lo)/s.spread)
	}
	for i, x := range s.fault {
		if x > s.upper || x < s.lower {
			s.at = s.faultT[i]
			break
		}
	}
}

// spreadOf is a robust scale with floors, so that a series that hardly ever moves does not turn
// every move into a thousand spreads.
func spreadOf(sortedV []float64, floor float64) float64 {
	return max((quantile(sortedV, .75)-quantile(sortedV, .25))/1.349,
		(quantile(sortedV, .975)-quantile(sortedV, .025))/3.92,
		math.Abs(floor), 1e-9)
}

// levelFloor is the least spread as a share of the level. What is normally near 100 % moves in
// small steps that matter.
func levelFloor(k Kind) float64 {
	if k == Availability {
		return .001
	}
	return .01
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func sorted(v []float64) []float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s
}

// quantile interpolates linearly in sorted values; 0 for none.
func quantile(s []float64, q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	p := q * float64(len(s)-1)
	i := int(p)
	j := min(i+1, len(s)-1)
	return s[i] + (s[j]-s[i])*(p-float64(i))
}

func mean(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	t := 0.0
	for _, x := range v {
		t += x
	}
	return t / float64(len(v))
}

// topDev is the series of an entity that left its normal period furthest; nil when none moved.
func (v *view) topDev(e int) *sample {
	var best *sample
	for _, s := range v.own[e] {
		if s.dev() > 0 && (best == nil || s.dev() > best.dev()) {
			best = s
		}
	}
	return best
}

// tidy returns a series whose samples can be searched: as many values as time stamps, in order. It
// returns the series itself where that is so already, which is the rule.
func tidy(s *Series) *Series {
	n, m := min(len(s.T), len(s.V)), min(len(s.BaseT), len(s.BaseV))
	if n+m == 0 {
		return nil
	}
	if n == len(s.T) && n == len(s.V) && m == len(s.BaseT) && m == len(s.BaseV) && slices.IsSorted(s.T) {
		return s
	}
	c := *s
	c.T, c.V, c.BaseT, c.BaseV = slices.Clone(s.T[:n]), slices.Clone(s.V[:n]), s.BaseT[:m], s.BaseV[:m]
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(s.T[a], s.T[b]) })
	for i, j := range at {
		c.T[i], c.V[i] = s.T[j], s.V[j]
	}
	return &c
}

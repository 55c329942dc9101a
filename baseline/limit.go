package baseline

import (
	"math"
	"slices"
	"time"
)

// Limit is the time until a forecast crosses a declared limit.
type Limit struct{ Seconds, Lower, Upper float64 }

const (
	trendPoints  = 24 // hours of hourly values
	teeth        = 8  // peaks of saw-teeth remembered
	limitHorizon = 30 * 24 * time.Hour
)

// trend remembers the last hours and the last saw-teeth: a value that climbs and is reset, as log
// rotation and garbage collection do.
type trend struct {
	Value  [trendPoints]float32 // last value of each hour before the current one
	Filled int64                // hours, the current one included
	Peak   [teeth]float32       // where the last climbs ended
	Foot   [teeth]float32       // and began
	Hours  [teeth]float32       // and how long they took, 0 when unknown; negative when the fall to half took long as well
	Teeth  int64
}

// turn begins an hour; last is the value that the one before ended with. before 0: there was none.
func (tr *trend) turn(before, hour int64, last float64) {
	if before == 0 {
		tr.Filled = 1
		return
	}
	tr.Value[before%trendPoints] = float32(last)
	for h := max(before+1, hour-trendPoints); h < hour; h++ {
		tr.Value[h%trendPoints] = float32(last)
	}
	tr.Filled = min(trendPoints, tr.Filled+min(trendPoints, hour-before))
}

// median is that of the last value of each hour of the last day, and of v. It is sought from a guess on, that of the hour
// before for instance, from value to value: sorting costs ten times as much.
func (tr *trend) median(hour int64, v, guess float64) float64 {
	var all [trendPoints + 1]float32
	n := int(min(tr.Filled, trendPoints))
	for i := range n {
		all[i] = tr.Value[(hour-1-int64(i)+2*trendPoints)%trendPoints]
	}
	all[n] = float32(v)
	x, rank, at := all[:n+1], (n+1)/2, float32(guess)
	if at != at {
		at = x[n]
	}
	for {
		less, equal := 0, 0
		under, over := float32(math.Inf(-1)), float32(math.Inf(1))
		for _, y := range x {
			switch {
			case y < at:
				less++
				under = max(under, y)
			case y > at:
				over = min(over, y)
			default:
				equal++
			}
		}
		switch {
		case rank < less:
			at = under
		case rank >= less+equal:
			at = over
		default:
			return float64(at)
		}
	}
}

// slope is the Theil-Sen slope (the median of all pairwise slopes) of the last hours, per second,
// with the quartiles; false while there are fewer than three hours.
func (tr *trend) slope(hour int64, hours int) (mid, low, high float64, ok bool) {
	n := min(int(tr.Filled), hours)
	if n < 3 {
		return 0, 0, 0, false
	}
	s := make([]float64, 0, n*(n-1)/2)
	for i := 1; i < n; i++ {
		for j := range i {
			a := tr.Value[(hour-int64(i))%trendPoints]
			b := tr.Value[(hour-int64(j))%trendPoints]
			s = append(s, float64(b-a)/(3600*float64(i-j)))
		}
	}
	slices.Sort(s)
	return s[len(s)/2], s[len(s)/4], s[3*len(s)/4], true
}

// foreseen leaves out what is beyond the horizon.
func foreseen(l Limit) (Limit, bool) {
	if !(l.Seconds <= limitHorizon.Seconds()) {
		return Limit{}, false
	}
	return l, true
}

// TimeToLimit is the time until the series crosses limit from its present side, judged by the trend of
// the last day, or of the present climb where the series is a saw-tooth, or of the feet of its teeth where that
// climb should end below the limit, or by the forecast of the season where it has a rhythm; zero beyond it, in the direction that is bad. It is false when the trend
// leads away or the crossing is more than 30 days off.
func (s *Series) TimeToLimit(limit float64) (Limit, bool) {
	s.lock()
	defer s.unlock()
	if s.blank() || math.IsNaN(limit) || math.IsInf(limit, 0) {
		return Limit{}, false
	}
	tr, v := s.page().Trend, s.core.LastValue      // A copy: asking changes nothing.
	tr.Value[s.core.Hour%trendPoints] = float32(v) // The current hour's, as far as it goes.
	switch d := s.opts.Direction; {
	case d == Up && v >= limit, d == Down && v <= limit:
		return Limit{}, s.core.N > 0 // crossed already
	}
	c, t, hour := &s.core.Climb, s.core.Last, int64(s.core.Hour)
	var mid, low, high float64
	ok := true
	h, age := tr.habit(), c.hours(t)
	if float64(c.High-c.Low) > otherKind*h.climb.most {
		h = habit{}
	}
	switch {
	case v < limit && h.wavy() && rhythmic(&s.model):
		return s.seasonal(&tr, limit)
	case v < limit && h.n > 0:
		mid, low, high = c.pace(h, &tr, hour, t, v)
		_, grows, _ := tr.growth(c)
		noise := max(s.core.LocalAbs, s.floor())
		if !c.outlasts(h, v, noise, mid, age, grows > 0 || tr.raised(c), limit) {
			return c.later(h, &tr, age, limit)
		}
		mid = max(mid, tr.recent(hour, t, v, age, s.rates.Step))
		high = max(high, mid)
	default:
		if mid, low, high, ok = tr.slope(hour, trendPoints); v >= limit { // a limit below: mirror
			mid, low, high = -mid, -high, -low
		}
	}
	if !ok || !(mid > 0) {
		return Limit{}, false
	}
	dist := math.Abs(limit - v)
	l := Limit{Seconds: dist / mid, Lower: dist / high, Upper: math.Inf(1)}
	if low > 0 {
		l.Upper = dist / low
	}
	return foreseen(l)
}

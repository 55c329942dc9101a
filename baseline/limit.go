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
	Teeth  int64
}

// climb is the highest and lowest value since the last saw-tooth ended.
type climb struct{ High, Low float32 }

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

// learn takes a sample and says whether it ends a tooth: a fall by more than half of the climb, and by
// more than noise.
func (c *climb) learn(v, spread float64) bool {
	x := float32(v)
	c.High = max(c.High, x)
	up := c.High - c.Low
	if float64(up) > 6*spread && c.High-x > up/2 {
		return true
	}
	c.Low = min(c.Low, x)
	return false
}

// peak files where a climb ended.
func (tr *trend) peak(high float32) {
	tr.Peak[tr.Teeth%teeth] = high
	tr.Teeth++
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

// beyond reports whether v has left what the remembered teeth reached, by more than they differ
// from each other; seen is false while no tooth is remembered.
func (tr *trend) beyond(v, low, limit float64) (out, seen bool) {
	n := min(teeth, tr.Teeth)
	if n == 0 {
		return false, false
	}
	top, bottom := float64(tr.Peak[0]), float64(tr.Peak[0])
	for _, p := range tr.Peak[:n] {
		top, bottom = max(top, float64(p)), min(bottom, float64(p))
	}
	if top >= limit {
		return true, true // the limit has been reached before: no tooth protects it
	}
	margin := max(0.1*(limit-top), top-bottom, 0.1*(top-low))
	if n < 2 { // too few to know how much they differ
		margin = limit - top
	}
	return v > top+min(margin, 0.8*(limit-top)), true
}

// TimeToLimit is the time until the series crosses limit from its present side, judged by the
// trend of the last day, or of the last six hours once the series is above all it has reached before. It is false when the trend leads away, the crossing is more than 30 days
// off, or the climb is one of a series of saw-teeth that have always ended below the limit.
func (s *Series) TimeToLimit(limit float64) (Limit, bool) {
	s.lock()
	defer s.unlock()
	if s.blank() {
		return Limit{}, false
	}
	tr, v := s.page().Trend, s.core.LastValue      // A copy: asking changes nothing.
	tr.Value[s.core.Hour%trendPoints] = float32(v) // The current hour's, as far as it goes.
	hours := trendPoints
	if v < limit {
		out, seen := tr.beyond(v, float64(s.core.Climb.Low), limit)
		if seen && !out {
			return Limit{}, false
		}
		if out { // new ground: the last hours say more than the teeth of the day
			hours = 6
		}
	}
	mid, low, high, ok := tr.slope(s.core.Hour, hours)
	if !ok {
		return Limit{}, false
	}
	if v > limit { // a limit below: mirror
		mid, low, high = -mid, -high, -low
	}
	dist := math.Abs(limit - v)
	if mid <= 0 || dist/mid > limitHorizon.Seconds() {
		return Limit{}, false
	}
	l := Limit{Seconds: dist / mid, Lower: dist / high, Upper: math.Inf(1)}
	if low > 0 {
		l.Upper = dist / low
	}
	return l, true
}

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
	Value     [trendPoints]float32 // last value of each hour
	Hour      int64
	Filled    int64
	High, Low float32 // since the last reset
	HighAt    int64
	Peak      [teeth]float32 // where the last climbs ended
	Teeth     int64
}

// learn takes a sample.
func (tr *trend) learn(t int64, v, spread float64) {
	x := float32(v)
	hour := t / 3600e3
	if hour != tr.Hour {
		if tr.Hour != 0 {
			last := tr.Value[tr.Hour%trendPoints]
			for h := max(tr.Hour+1, hour-trendPoints); h < hour; h++ {
				tr.Value[h%trendPoints] = last
			}
			tr.Filled = min(trendPoints, tr.Filled+min(trendPoints, hour-tr.Hour))
		} else {
			tr.Low, tr.High, tr.Filled = x, x, 1
		}
		tr.Hour = hour
	}
	tr.Value[hour%trendPoints] = x
	if x > tr.High {
		tr.High, tr.HighAt = x, t
	}
	// A fall by more than half of the climb, and by more than noise, ends a tooth.
	climb := tr.High - tr.Low
	if float64(climb) > 6*spread && tr.High-x > climb/2 {
		tr.Peak[tr.Teeth%teeth] = tr.High
		tr.Teeth++
		tr.High, tr.Low = x, x
	}
	tr.Low = min(tr.Low, x)
}

// slope is the Theil-Sen slope (the median of all pairwise slopes) of the last hours, per second,
// with the quartiles; false while there are fewer than three hours.
func (tr *trend) slope(hours int) (mid, low, high float64, ok bool) {
	n := min(int(tr.Filled), hours)
	if n < 3 {
		return 0, 0, 0, false
	}
	s := make([]float64, 0, n*(n-1)/2)
	for i := 1; i < n; i++ {
		for j := range i {
			a := tr.Value[(tr.Hour-int64(i))%trendPoints]
			b := tr.Value[(tr.Hour-int64(j))%trendPoints]
			s = append(s, float64(b-a)/(3600*float64(i-j)))
		}
	}
	slices.Sort(s)
	return s[len(s)/2], s[len(s)/4], s[3*len(s)/4], true
}

// beyond reports whether v has left what the remembered teeth reached, by more than they differ
// from each other; seen is false while no tooth is remembered.
func (tr *trend) beyond(v, limit float64) (out, seen bool) {
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
	margin := max(0.1*(limit-top), top-bottom, 0.1*(top-float64(tr.Low)))
	if n < 2 { // too few to know how much they differ
		margin = limit - top
	}
	return v > top+min(margin, 0.8*(limit-top)), true
}

// TimeToLimit is the time until the series crosses limit from its present side, judged by the
// trend of the last day, or of the last six hours once the series is above all it has reached before. It is false when the trend leads away, the crossing is more than 30 days
// off, or the climb is one of a series of saw-teeth that have always ended below the limit.
func (s *Series) TimeToLimit(limit float64) (Limit, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tr, v := &s.trend, s.core.LastValue
	hours := trendPoints
	if v < limit {
		out, seen := tr.beyond(v, limit)
		if seen && !out {
			return Limit{}, false
		}
		if out { // new ground: the last hours say more than the teeth of the day
			hours = 6
		}
	}
	mid, low, high, ok := tr.slope(hours)
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

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
	teeth        = 4  // peaks of saw-teeth remembered
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

// slope is the Theil-Sen slope of the hourly values since the last reset, per second, with the
// quartiles of the pairwise slopes.
func (tr *trend) slope() (mid, low, high float64, ok bool) {
	n := int(tr.Filled)
	if n < 3 {
		return 0, 0, 0, false
	}
	var s []float64
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

// TimeToLimit is the time until the series crosses limit from its present side, judged by the
// trend of the last day. It is false when the trend leads away, the crossing is more than 30 days
// off, or the climb is one of a series of saw-teeth that have always ended below the limit.
func (s *Series) TimeToLimit(limit float64) (Limit, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tr := &s.trend
	mid, low, high, ok := tr.slope()
	if !ok {
		return Limit{}, false
	}
	v := s.core.LastValue
	if v > limit { // a limit from below: mirror
		mid, low, high = -mid, -high, -low
	}
	dist := math.Abs(limit - v)
	if mid <= 0 || dist/mid > limitHorizon.Seconds() {
		return Limit{}, false
	}
	if tr.Teeth >= 2 && v < limit {
		top := tr.Peak[0]
		for _, p := range tr.Peak[:min(teeth, tr.Teeth)] {
			top = max(top, p)
		}
		if float64(top) < limit && v <= float64(top)+0.1*(limit-float64(top)) {
			return Limit{}, false
		}
	}
	l := Limit{Seconds: dist / mid, Lower: dist / high, Upper: math.Inf(1)}
	if low > 0 {
		l.Upper = dist / low
	}
	return l, true
}

package peers

import (
	"math"
	"time"
)

// seasonalNaive expects the value of a week ago (of a day ago in the first week), with three
// robust deviations of what that missed in the last day.
type seasonalNaive struct {
	past      *window
	miss      *moving
	day, week int
}

func newSeasonalNaive(step time.Duration) Scorer {
	day := max(1, int(24*time.Hour/step))
	return &seasonalNaive{past: newWindow(7*24*time.Hour, step), miss: newMoving(24*time.Hour, step), day: day, week: 7 * day}
}

func (s *seasonalNaive) Score(_ int64, v float64) float64 {
	was, ok := s.past.ago(s.week - 1)
	if !ok {
		was, ok = s.past.ago(s.day - 1)
	}
	x := 0.0
	if ok {
		miss := v - was
		if s.miss.w.full(0.5) {
			med, dev := s.miss.medians()
			x = over(math.Abs(miss-med), 3*1.4826*dev)
		}
		s.miss.push(miss)
	}
	s.past.push(v)
	return x
}

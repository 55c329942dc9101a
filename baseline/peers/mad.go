package peers

import (
	"math"
	"time"
)

// mad alarms at three robust deviations (1.4826 median absolute deviations) from the median of the
// last day.
type mad struct{ m *moving }

func newMAD(step time.Duration) Scorer { return &mad{newMoving(24*time.Hour, step)} }

func (s *mad) Score(_ int64, v float64) float64 {
	x := 0.0
	if s.m.w.full(0.5) {
		med, dev := s.m.medians()
		x = over(math.Abs(v-med), 3*1.4826*dev)
	}
	s.m.push(v)
	return x
}

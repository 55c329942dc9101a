package peers

import (
	"math"
	"time"
)

// threeSigma alarms at three standard deviations from the mean of the last day.
type threeSigma struct{ m *moving }

func newThreeSigma(step time.Duration) Scorer { return &threeSigma{newMoving(24*time.Hour, step)} }

func (s *threeSigma) Score(_ int64, v float64) float64 {
	x := 0.0
	if s.m.w.full(0.5) {
		x = over(math.Abs(v-s.m.mean()), 3*s.m.dev())
	}
	s.m.push(v)
	return x
}

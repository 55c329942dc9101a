package peers

import (
	"math"
	"time"
)

// holtWinters is triple exponential smoothing, additive, with a season of a day (Winters 1960) and
// the band of Brutlag (2000): three smoothed absolute deviations of the same time of day.
type holtWinters struct {
	level, trend float64
	season, dev  []float64
	n            int
}

const hwAlpha, hwBeta, hwGamma = 0.1, 0.0035, 0.1

func newHoltWinters(step time.Duration) Scorer {
	n := max(1, int(24*time.Hour/step))
	return &holtWinters{season: make([]float64, n), dev: make([]float64, n)}
}

func (s *holtWinters) Score(_ int64, v float64) float64 {
	p := len(s.season)
	k := s.n % p
	if s.n == 0 {
		s.level = v
	}
	expected := s.level + s.trend + s.season[k]
	miss := v - expected
	x := 0.0
	if s.n >= 2*p {
		x = over(math.Abs(miss), 3*s.dev[k])
	}
	gamma := hwGamma
	if s.n < 2*p {
		gamma = 0.5
	}
	old := s.level
	s.level = hwAlpha*(v-s.season[k]) + (1-hwAlpha)*(s.level+s.trend)
	s.trend = hwBeta*(s.level-old) + (1-hwBeta)*s.trend
	s.season[k] = gamma*(v-s.level) + (1-gamma)*s.season[k]
	s.dev[k] = gamma*math.Abs(miss) + (1-gamma)*s.dev[k]
	s.n++
	return x
}

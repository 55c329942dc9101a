package baseline

import (
	"math"
	"time"

	"github.com/tidemark/tidemark/baseline/season"
)

// Forecast is an expected value at a later time, with an interval that holds it nine times of ten.
type Forecast struct{ Expected, Lower, Upper float64 }

// Coverage is the share of values a forecast interval is meant to hold.
const Coverage = 0.9

// Forecast is the expected value h after the last sample, with an interval of stated Coverage.
// While nothing is known all three are NaN or infinite.
func (s *Series) Forecast(h time.Duration) Forecast {
	s.lock()
	defer s.unlock()
	if s.blank() || s.core.N == 0 {
		return Forecast{math.NaN(), math.NaN(), math.NaN()}
	}
	level := s.model.Level()
	look := &s.page().Look
	now := past{level, float64(look.Slow), level + s.core.Short}
	x, low, high := look.interval(h, now.opinions(s.ahead(s.core.Last+h.Milliseconds())))
	return Forecast{Expected: s.within(x), Lower: s.within(x + low), Upper: s.within(x + high)}
}

// ProfilePoint is the baseline at one time of a day.
type ProfilePoint struct {
	Offset                 time.Duration // since local midnight
	Expected, Lower, Upper float64
}

// Profile is the day that the baseline expects for the day of the last sample, slot by slot, for a
// page. It is empty while the step is unknown.
func (s *Series) Profile() []ProfilePoint {
	s.lock()
	defer s.unlock()
	if s.blank() || s.core.N == 0 {
		return nil
	}
	s.page()
	n := s.model.Slots()
	out := make([]ProfilePoint, n)
	width := 24 * time.Hour / time.Duration(n)
	for i := range n {
		sc := Score{Expected: s.model.ProfileOfToday(i) + s.model.Level()}
		s.band(&sc, s.spreadAt(i), 0, 0)
		out[i] = ProfilePoint{Offset: time.Duration(i)*width + width/2, Expected: sc.Expected, Lower: sc.Lower, Upper: sc.Upper}
	}
	return out
}

// Season is the season in force.
func (s *Series) Season() season.Kind {
	s.lock()
	defer s.unlock()
	if s.blank() {
		return season.None
	}
	return s.model.Active()
}

// ahead is the profile at a later time, and the median of the last days at that time of day.
func (s *Series) ahead(t int64) (profile, recent float64) {
	profile = s.model.Ahead(t, s.rates.Step)
	recent, ok := s.model.Recent(t)
	if !ok {
		recent = profile + s.model.Level()
	}
	return profile, recent
}

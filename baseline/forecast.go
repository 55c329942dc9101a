package baseline

import (
	"math"
	"time"

	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// Forecast is an expected value at a later time, with an interval that holds it nine times of ten.
type Forecast struct{ Expected, Lower, Upper float64 }

// Coverage is the share of values a forecast interval is meant to hold.
const Coverage = 0.9

// Forecast is the expected value h after the last sample, with an interval of stated Coverage.
// While nothing is known all three are NaN, and the interval is infinite until some forecasts have been checked.
func (s *Series) Forecast(h time.Duration) Forecast {
	s.lock()
	defer s.unlock()
	if s.blank() || s.core.N == 0 {
		return Forecast{math.NaN(), math.NaN(), math.NaN()}
	}
	level := s.model.Level()
	look := &s.page().Look
	now := past{level, float64(look.Slow), s.stand(s.core.Last, s.core.LastValue, level)}
	view, t := seasonView{&s.model, s.rates.Step}, s.core.Last+h.Milliseconds()
	x, low, high := look.interval(h, now.moved(view.profile(t)).with(view, t, int64(math.Ceil(h.Hours()))))
	if math.IsInf(low, 0) || math.IsInf(high, 0) {
		return Forecast{s.within(x), math.Inf(-1), math.Inf(1)}
	}
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

// seasonView is what the season says of other times, for forecasts.
type seasonView struct {
	*season.Model
	step float64 // seconds
}

func (v seasonView) profile(t int64) float64 { return v.Ahead(t, v.step) }

func (v seasonView) lastDays(t, hours int64) (median, last float64, ok bool) {
	return v.LastDays(t, max(1, (hours+23)/24))
}

// stand is the residual of the last sample to the profile, averaged with the samples before it where
// they are closer together than some twenty minutes.
func (s *Series) stand(t int64, v, level float64) float64 {
	const minutes = 20
	w := tuning.Weight(s.rates.Step, minutes/60.0)
	return w*(v-s.model.Ahead(t, s.rates.Step)) + (1-w)*(level+s.core.Short)
}

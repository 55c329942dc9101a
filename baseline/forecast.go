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
	k, c := s.page(), &s.rates.Forecasts
	look := &k.Look
	now := s.stand(s.core.Last, s.core.LastValue, float64(k.Trend.Value[(s.core.Hour+trendPoints-1)%trendPoints]), k)
	now.slow = float64(look.Slow)
	view, t := seasonView{&s.model, s.rates.Step}, s.core.Last+h.Milliseconds()
	x, low, high := look.interval(h, now.promise(view.profile(t), c.Fade, look.most(c)).with(view, t, int64(math.Ceil(h.Hours()))), c)
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

func (v seasonView) season() season.Kind { return v.Active() }

func (v seasonView) levelOn(k season.Kind) float64 { return v.Cand[k].Level }

func (v seasonView) lastDays(t, hours int64) (median, last float64, ok bool) {
	return v.LastDays(t, max(1, (hours+23)/24))
}

// stand is where a sample leaves the series, but for the slow level; before is the last value of the hour
// before. The residual is averaged with the samples before it where they are closer together than some twenty
// minutes; one that is wild counts as far as the hour before bears it out.
func (s *Series) stand(t int64, v, before float64, k *cold) past {
	const minutes = 20
	level, step := s.model.Level(), s.rates.Step
	w := tuning.Weight(step, minutes/60.0)
	now := w*(v-s.model.Ahead(t, step)) + (1-w)*(level+s.core.Short)
	if most := k.Look.most(&s.rates.Forecasts); math.Abs(now-level) > most {
		then := before - s.model.Ahead(t/3600e3*3600e3-int64(1000*step), step) - level
		if now > level {
			now = min(now, level+max(0, then)+most)
		} else {
			now = max(now, level+min(0, then)-most)
		}
	}
	return past{level: level, now: now, day: k.Trend.median(int64(s.core.Hour), v, float64(k.Look.Open[rings[0].from][byDay]))}
}

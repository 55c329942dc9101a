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

// horizons are the distances at which forecasts are checked against what came, in hours. Between
// them the interval is interpolated.
var horizons = [...]int{1, 6, 24, 168}

// outlook remembers past levels, so that the forecast of an hour, a day or a week ago can be
// repeated and compared with the value that came: the intervals are learned from forecasts.
type outlook struct {
	Hour  int64                  // number of the current hour
	Level [24]float32            // level above the profile at the start of each of the last hours
	Daily [8]float32             // the same at the start of each of the last days
	Low   [len(horizons)]float32 // quantiles of the error at each horizon
	High  [len(horizons)]float32
	N     [len(horizons)]float32
	Hours float32
}

// learn compares the forecasts for now with the value, once an hour and sample.
func (o *outlook) learn(t int64, level, profile, v float64) {
	hour := t / 3600e3
	if hour != o.Hour {
		for h := max(o.Hour+1, hour-24); h <= hour; h++ {
			o.Level[h%24] = float32(level)
			if h%24 == 0 {
				o.Daily[h/24%8] = float32(level)
			}
		}
		if o.Hour == 0 {
			for i := range o.Daily {
				o.Daily[i] = float32(level)
			}
			o.Hour = hour
		}
		o.Hours += float32(min(hour-o.Hour, 1000))
		o.Hour = hour
		for i, h := range horizons {
			if float64(o.Hours) < float64(h) {
				continue
			}
			then := float64(o.Level[(hour+1)%24])
			switch h {
			case 1:
				then = float64(o.Level[(hour+23)%24])
			case 6:
				then = float64(o.Level[(hour+18)%24])
			case 168:
				then = float64(o.Daily[(hour/24+1)%8])
			}
			o.quantiles(i, v-profile-then)
		}
	}
}

// quantiles moves the two quantile estimates of a horizon by sign steps in units of their own
// distance (Robbins-Monro), so that the long-run share below each is what it should be.
func (o *outlook) quantiles(i int, err float64) {
	o.N[i]++
	e := float32(err)
	if o.N[i] == 1 {
		o.Low[i], o.High[i] = -float32(math.Abs(err))-1e-30, float32(math.Abs(err))+1e-30
		return
	}
	width := max(o.High[i]-o.Low[i], 1e-30)
	eta := width * max(1/o.N[i], 0.03)
	const tail = (1 - Coverage) / 2
	if e > o.High[i] {
		o.High[i] += eta * (1 - tail) * 2
	} else {
		o.High[i] -= eta * tail * 2
	}
	if e < o.Low[i] {
		o.Low[i] -= eta * (1 - tail) * 2
	} else {
		o.Low[i] += eta * tail * 2
	}
	if o.Low[i] > o.High[i] {
		o.Low[i], o.High[i] = o.High[i], o.Low[i]
	}
}

// at interpolates the interval of a horizon in the logarithm of time.
func (o *outlook) at(h time.Duration) (low, high float64) {
	x := math.Log(max(h.Hours(), 1.0/60))
	last := -1
	for i, k := range horizons {
		if o.N[i] == 0 {
			break
		}
		y := math.Log(float64(k))
		if x <= y {
			if last < 0 {
				return float64(o.Low[i]), float64(o.High[i])
			}
			x0 := math.Log(float64(horizons[last]))
			w := (x - x0) / (y - x0)
			return float64(o.Low[last]) + w*float64(o.Low[i]-o.Low[last]), float64(o.High[last]) + w*float64(o.High[i]-o.High[last])
		}
		last = i
	}
	if last < 0 {
		return math.Inf(-1), math.Inf(1)
	}
	// Beyond what was ever checked errors grow as a random walk's.
	grow := math.Sqrt(h.Hours() / float64(horizons[last]))
	return grow * float64(o.Low[last]), grow * float64(o.High[last])
}

// Forecast is the expected value h after the last sample, with an interval of stated Coverage.
// While nothing is known all three are NaN or infinite.
func (s *Series) Forecast(h time.Duration) Forecast {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model == nil || s.core.N == 0 {
		return Forecast{math.NaN(), math.NaN(), math.NaN()}
	}
	x := s.model.Ahead(s.core.Last+h.Milliseconds(), s.rates.Step) + s.model.Level()
	low, high := s.look.at(h)
	return Forecast{Expected: x, Lower: x + low, Upper: x + high}
}

// ProfilePoint is the baseline at one time of a day.
type ProfilePoint struct {
	Offset                 time.Duration // since local midnight
	Expected, Lower, Upper float64
}

// Profile is the day that the baseline expects for the day of the last sample, slot by slot, for a
// page. It is empty while the step is unknown.
func (s *Series) Profile() []ProfilePoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model == nil || s.core.N == 0 {
		return nil
	}
	n := s.model.Slots()
	out := make([]ProfilePoint, n)
	width := 24 * time.Hour / time.Duration(n)
	zu, zl := s.edges()
	for i := range n {
		x := s.model.ProfileOfToday(i) + s.model.Level()
		sc := s.spread(i)
		out[i] = ProfilePoint{Offset: time.Duration(i)*width + width/2, Expected: x, Lower: x - zl*sc, Upper: x + zu*sc}
	}
	return out
}

// Season is the season in force.
func (s *Series) Season() season.Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model == nil {
		return season.None
	}
	return s.model.Active()
}

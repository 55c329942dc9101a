package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// difficult is a series that monitoring brings and textbooks don't, and what an operator wants of it.
type difficult struct {
	n      int                       // samples
	at     func(i int) time.Duration // nil: every five minutes
	value  func(i int) float64
	alarms int // on what is normal, from the fourth day on, at most
	// The last band must lie within these ends; both zero: no band is wanted, or none is checked.
	low, high float64
	band      bool
	then      float64 // one more value
	alarmed   bool    // must it score above 1?
}

const (
	perDay  = 288
	twelve  = 12 * perDay
	fiveMin = 5 * time.Minute
)

func plain(i int) float64 { return 100 + 10*math.Sin(2*math.Pi*float64(i)/perDay) + noise(i) }

// counter climbs by about 100 each five minutes and is reset by a restart every 30 to 40 hours.
func counter(i int) float64 {
	reset := i - i%(360+i/2000*40)
	return 100*float64(i-reset) + 10*noise(i)
}

var awkward = map[string]difficult{
	"a constant stays silent":                    {n: twelve, value: func(int) float64 { return 7 }, band: true, low: 6.8, high: 7.2, then: 7},
	"a constant that moves":                      {n: twelve, value: func(int) float64 { return 7 }, band: true, low: 6.8, high: 7.2, then: 9, alarmed: true},
	"stuck at zero stays silent":                 {n: twelve, value: func(int) float64 { return 0 }, band: true, low: 0, high: 0, then: 0},
	"stuck at zero that moves":                   {n: twelve, value: func(int) float64 { return 0 }, band: true, low: 0, high: 0, then: 1, alarmed: true},
	"a percentage stuck at one stays silent":     {n: twelve, value: func(int) float64 { return 1 }, band: true, low: 0.97, high: 1.03, then: 1},
	"a percentage stuck at one that falls":       {n: twelve, value: func(int) float64 { return 1 }, band: true, low: 0.97, high: 1.03, then: 0.2, alarmed: true},
	"a percentage mostly at one":                 {n: twelve, value: func(i int) float64 { return 1 - 0.05*float64(b2i(i%53 == 0)) }, alarms: 2, band: true, low: 0.5, high: 1.5, then: 0.95},
	"sparse error counts stay silent":            {n: twelve, value: func(i int) float64 { return float64(b2i(i%41 == 0) + b2i(i%97 == 0)) }, alarms: 2, band: true, low: 0, high: 4, then: 1},
	"sparse error counts at random":              {n: twelve, value: func(i int) float64 { return float64(b2i(noise(i) > 0.48)) }, alarms: 2, band: true, low: 0, high: 4, then: 1},
	"sparse error counts that explode":           {n: twelve, value: func(i int) float64 { return float64(b2i(i%41 == 0)) }, alarms: 2, band: true, low: 0, high: 4, then: 60, alarmed: true},
	"three levels at random stay silent":         {n: twelve, value: func(i int) float64 { return math.Floor(3 * (noise(i) + 0.5)) }, alarms: 2, band: true, low: 0, high: 6, then: 2},
	"three levels that are left":                 {n: twelve, value: func(i int) float64 { return math.Floor(3 * (noise(i) + 0.5)) }, alarms: 2, band: true, low: 0, high: 6, then: 40, alarmed: true},
	"a saw-tooth alarms at most at its resets":   {n: twelve, value: func(i int) float64 { return float64(i % 1000) }, alarms: 6, then: 457},
	"a raw counter alarms at most at its resets": {n: twelve, value: counter, alarms: 6, then: counter(twelve)},
	"two hours old: a wide band, no alarm":       {n: 24, value: plain, band: true, low: 80, high: 120, then: 100},
	"two hours old and far out":                  {n: 24, value: plain, band: true, low: 80, high: 120, then: 1e6, alarmed: true},
	"ten minutes old: no band, no score":         {n: 2, value: plain, then: 1e6},
	"a gap of three days":                        {n: twelve, at: func(i int) time.Duration { return time.Duration(i+b2i(i > 6*perDay)*3*perDay) * fiveMin }, value: plain, alarms: 2, band: true, low: 92, high: 108, then: 1000, alarmed: true},
	"a gap of three days, then as before":        {n: 6*perDay + 1, at: func(i int) time.Duration { return time.Duration(i+b2i(i >= 6*perDay)*3*perDay) * fiveMin }, value: plain, alarms: 1, then: plain(1)},
	"an interval that goes from 5m to 1m":        {n: twelve, at: narrower, value: func(i int) float64 { return 50 + noise(i) }, alarms: 2, band: true, low: 46, high: 54, then: 500, alarmed: true},
	"an interval that goes from 1m to 5m":        {n: twelve, at: wider, value: func(i int) float64 { return 50 + noise(i) }, alarms: 2, band: true, low: 46, high: 54, then: 500, alarmed: true},
	"values beyond 1e30 have no band":            {n: twelve, value: func(i int) float64 { return 1e308 * (1 + noise(i)/10) }, then: 1e308},
	"infinite values are left out":               {n: twelve, value: func(i int) float64 { return math.Inf(1 - 2*(i%2)) }, then: 3},
	"now and then an infinite value":             {n: twelve, value: func(i int) float64 { return map[bool]float64{true: math.Inf(1), false: plain(i)}[i%50 == 49] }, alarms: 2, band: true, low: 92, high: 108, then: 1000, alarmed: true},
	"denormal values":                            {n: twelve, value: func(i int) float64 { return 5e-320 * float64(1+i%2) }, then: 5e-320},
	"nothing but no numbers":                     {n: twelve, value: func(int) float64 { return math.NaN() }, then: math.NaN()},
	"every second value is no number":            {n: twelve, value: func(i int) float64 { return map[bool]float64{true: math.NaN(), false: plain(i)}[i%2 == 1] }, alarms: 2, band: true, low: 92, high: 108, then: 1000, alarmed: true},
	"duplicate and late samples teach once":      {n: twelve, at: func(i int) time.Duration { return time.Duration(i/3) * 15 * time.Minute }, value: plain, alarms: 2, then: 1000, alarmed: true},
	"negative values are as good as others":      {n: twelve, value: func(i int) float64 { return -plain(i) }, alarms: 2, band: true, low: -108, high: -92, then: -1000, alarmed: true},
	"tiny noise on a huge level stays quiet":     {n: twelve, value: func(i int) float64 { return 1e12 + noise(i) }, alarms: 1, band: true, low: 0.9e12, high: 1.1e12, then: 1e12 + 2},
	"a square wave of the hour, as crons make":   {n: twelve, value: func(i int) float64 { return 5 + 90*float64(b2i(i%12 < 2)) + noise(i) }, alarms: 2, then: 95},
}

func narrower(i int) time.Duration {
	return fiveMin*time.Duration(min(i, 6*perDay)) + time.Minute*time.Duration(max(0, i-6*perDay))
}

func wider(i int) time.Duration {
	return time.Minute*time.Duration(min(i, 6*perDay)) + fiveMin*time.Duration(max(0, i-6*perDay))
}

// Each must neither panic nor give a number that is none, and must be as silent, or as awake, as an operator
// would want, with a band that one would draw.
func TestDifficultSeries(t *testing.T) {
	for name, c := range awkward {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.FromStrings("i", "0"), 0, baseline.SeriesOptions{})
			at := c.at
			if at == nil {
				at = func(i int) time.Duration { return time.Duration(i) * fiveMin }
			}
			alarms, last := 0, baseline.Score{}
			for i := range c.n {
				v := c.value(i)
				sc := s.Observe(monday.Add(at(i)).UnixMilli(), v)
				require.False(t, math.IsNaN(sc.Raw) || math.IsInf(sc.Raw, 0) || sc.Raw < 0, "raw score %v at %d", sc.Raw, i)
				require.False(t, math.IsNaN(sc.Alarm) || sc.Alarm < 0)
				require.False(t, math.IsInf(sc.Lower, 0) || math.IsInf(sc.Upper, 0) || sc.Lower > sc.Upper, "band %g to %g", sc.Lower, sc.Upper)
				if i > 4*perDay {
					alarms += b2i(sc.Alarm > 1)
				}
				if !math.IsNaN(v) && !math.IsInf(v, 0) && !math.IsNaN(sc.Lower) {
					last = sc
				}
			}
			if c.value(0) > 1e300 {
				require.Zero(t, last.Time)
			}
			t.Logf("%d alarms, band %g to %g, state %s", alarms, last.Lower, last.Upper, last.State)
			require.LessOrEqual(t, alarms, c.alarms, "alarms on what is normal")
			if c.band {
				require.GreaterOrEqual(t, last.Lower, c.low)
				require.LessOrEqual(t, last.Upper, c.high)
			}
			sc := s.Observe(monday.Add(at(c.n)+15*time.Minute).UnixMilli(), c.then)
			require.Equal(t, c.alarmed, sc.Raw > 1, s.Explain().Text)
			require.NotContains(t, s.Explain().Text, "NaN")
			s.Forecast(24 * time.Hour)
			s.TimeToLimit(100)
			s.Profile()
			switch {
			case c.n < 10:
				require.Equal(t, baseline.Learning, sc.State)
			case c.n < perDay:
				require.Equal(t, baseline.Warming, sc.State)
			}
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// Inputs that monitoring brings and textbooks don't: each must neither panic nor give a number
// that is none, and must be as silent, or as awake, as an operator would want.
func TestAwkwardInput(t *testing.T) {
	const perDay = 288
	long := 12 * perDay
	plain := func(i int) float64 { return 100 + 10*math.Sin(2*math.Pi*float64(i)/perDay) + noise(i) }
	for name, c := range map[string]struct {
		n       int
		at      func(i int) time.Duration // nil: every five minutes
		value   func(i int) float64
		alarms  int     // at most, from the fourth day on
		then    float64 // one more value
		alarmed bool    // must it alarm?
	}{
		"constant stays silent":                 {n: long, value: func(int) float64 { return 7 }, then: 7},
		"constant that moves alarms":            {n: long, value: func(int) float64 { return 7 }, then: 9, alarmed: true},
		"stuck at zero stays silent":            {n: long, value: func(int) float64 { return 0 }, then: 0},
		"stuck at zero that moves alarms":       {n: long, value: func(int) float64 { return 0 }, then: 1, alarmed: true},
		"percentage stuck at one stays silent":  {n: long, value: func(int) float64 { return 1 }, then: 1},
		"percentage stuck at one that falls":    {n: long, value: func(int) float64 { return 1 }, then: 0.2, alarmed: true},
		"sparse error counts stay silent":       {n: long, value: func(i int) float64 { return float64(b2i(i%41 == 0) + b2i(i%97 == 0)) }, alarms: 3, then: 1},
		"sparse error counts that explode":      {n: long, value: func(i int) float64 { return float64(b2i(i%41 == 0)) }, alarms: 3, then: 60, alarmed: true},
		"three levels at random stay silent":    {n: long, value: func(i int) float64 { return math.Floor(3 * (noise(i) + 0.5)) }, alarms: 3, then: 2},
		"a counter with resets":                 {n: long, value: func(i int) float64 { return float64(i % 1000) }, alarms: 20, then: 400},
		"two hours old says that it is warming": {n: 24, value: plain, then: 100},
		"a gap of three days":                   {n: long, at: func(i int) time.Duration { return time.Duration(i+b2i(i > 6*perDay)*3*perDay) * 5 * time.Minute }, value: plain, alarms: 4, then: 1000, alarmed: true},
		"an interval that goes from 5m to 1m": {n: long, at: func(i int) time.Duration {
			return 5*time.Minute*time.Duration(min(i, 6*perDay)) + time.Minute*time.Duration(max(0, i-6*perDay))
		}, value: func(i int) float64 { return 50 + noise(i) }, alarms: 4, then: 500, alarmed: true},
		"values at the end of the range":         {n: long, value: func(i int) float64 { return 1e308 * (1 + noise(i)/10) }, then: 1e308},
		"infinite values are left out":           {n: long, value: func(i int) float64 { return math.Inf(1 - 2*(i%2)) }, then: 3},
		"denormal values":                        {n: long, value: func(i int) float64 { return 5e-320 * float64(1+i%2) }, then: 5e-320},
		"every second value is no number":        {n: long, value: func(i int) float64 { return map[bool]float64{true: math.NaN(), false: plain(i)}[i%2 == 1] }, alarms: 4, then: 1000, alarmed: true},
		"duplicate and late samples teach once":  {n: long, at: func(i int) time.Duration { return time.Duration(i/3) * 15 * time.Minute }, value: plain, alarms: 4, then: 1000, alarmed: true},
		"negative values are as good as others":  {n: long, value: func(i int) float64 { return -plain(i) }, alarms: 4, then: -1000, alarmed: true},
		"tiny noise on a huge level stays quiet": {n: long, value: func(i int) float64 { return 1e12 + noise(i) }, alarms: 2, then: 1e12 + 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.FromStrings("i", "0"), 0, baseline.SeriesOptions{})
			at := c.at
			if at == nil {
				at = func(i int) time.Duration { return time.Duration(i) * 5 * time.Minute }
			}
			alarms := 0
			for i := range c.n {
				sc := s.Observe(monday.Add(at(i)).UnixMilli(), c.value(i))
				require.False(t, math.IsNaN(sc.Raw) || math.IsInf(sc.Raw, 0) || sc.Raw < 0, "raw score %v at %d", sc.Raw, i)
				require.False(t, math.IsNaN(sc.Alarm) || sc.Alarm < 0)
				if i > 4*perDay && sc.Alarm > 1 {
					alarms++
				}
			}
			require.LessOrEqual(t, alarms, c.alarms, "alarms on what is normal")
			sc := s.Observe(monday.Add(at(c.n)+15*time.Minute).UnixMilli(), c.then)
			require.Equal(t, c.alarmed, sc.Raw > 1, s.Explain().Text)
			s.Forecast(24 * time.Hour)
			s.TimeToLimit(100)
			s.Profile()
			if c.n < perDay {
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

package baseline_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

func TestForecastADayAhead(t *testing.T) {
	const days = 21
	for name, c := range map[string]struct {
		value         func(hour int) float64
		expected, off float64
	}{
		"a daily wave is forecast at its own time": {func(i int) float64 { return 100 + wave(12*i) }, 100 + wave(0), 4},
		"what is mostly zero and seldom large is forecast as zero": {func(i int) float64 {
			if i%53 == 7 {
				return 1000
			}
			return 0
		}, 0, 1},
		"one wild sample foretells little": {func(i int) float64 {
			if i == days*24-1 {
				return 5000
			}
			return 50 + noise(i)
		}, 50, 4},
		"a level that left two days ago is the new one": {func(i int) float64 {
			if i > (days-2)*24 {
				return 90 + noise(i)
			}
			return 20 + noise(i)
		}, 90, 6},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), time.Hour, baseline.SeriesOptions{})
			feed(s, monday, days*24, time.Hour, c.value)
			f := s.Forecast(25 * time.Hour) // the same hour of the day as sample 0
			require.InDelta(t, c.expected, f.Expected, c.off)
			require.LessOrEqual(t, f.Lower, f.Expected)
			require.GreaterOrEqual(t, f.Upper, f.Expected)
		})
	}
}

func TestForecastDropsASeasonThatHasEnded(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), time.Hour, baseline.SeriesOptions{})
	day := func(i int) float64 {
		if i < 10*24 {
			return wave(12*i) + 100
		}
		return 60 + noise(i)
	}
	feed(s, monday, 13*24, time.Hour, day)
	f := s.Forecast(24 * time.Hour)
	require.InDelta(t, 60, f.Expected, 10, "three days after a daily season has ended, the day before is the best witness")
}

func TestForecastsAndLimitsOfDifficultSeries(t *testing.T) {
	type sample struct {
		at int // minutes
		v  float64
	}
	every := func(step, n int, f func(i int) float64) (out []sample) {
		for i := range n {
			out = append(out, sample{i * step, f(i)})
		}
		return out
	}
	later := func(by int, list []sample) []sample {
		for i := range list {
			list[i].at += by
			list[i].v += 50
		}
		return list
	}
	const days = 10 * 288
	none := [2]float64{math.Inf(1), math.Inf(1)}
	for name, c := range map[string]struct {
		samples []sample
		limit   float64
		within  [2]float64 // that the forecast a day ahead is in
		hours   [2]float64 // that the time to the limit is in; none
	}{
		"constant":                               {every(5, days, func(int) float64 { return 5 }), 6, [2]float64{5, 5}, none},
		"constant at its limit":                  {every(5, days, func(int) float64 { return 1 }), 1, [2]float64{1, 1}, none},
		"stuck at zero":                          {every(5, days, func(int) float64 { return 0 }), 0.95, [2]float64{0, 0}, none},
		"a share stuck at one, beyond its limit": {every(5, days, func(int) float64 { return 1 }), 0.95, [2]float64{1, 1}, none},
		"a counter that is reset":                {every(5, days, func(i int) float64 { return float64(i % 500) }), 5000, [2]float64{0, 500}, none},
		"errors now and then, mostly none":       {every(5, days, func(i int) float64 { return float64(i % 97 / 96 * 3) }), 10, [2]float64{0, 0.5}, none},
		"whole numbers of three levels":          {every(5, days, func(i int) float64 { return 3 + math.Round(2*noise(i)) }), 8, [2]float64{2, 4}, none},
		"two hours old, level":                   {every(5, 24, func(i int) float64 { return 50 + noise(i) }), 90, [2]float64{48, 52}, none},
		"two hours old, climbing to its limit":   {every(5, 40, func(i int) float64 { return 50 + float64(i) }), 120, [2]float64{50, 120}, [2]float64{1.5, 5}},
		"a gap of three days":                    {append(every(5, days, func(i int) float64 { return 50 + noise(i) }), sample{5*days + 3*1440, 50}, sample{5*days + 3*1440 + 5, 50}), 90, [2]float64{48, 52}, none},
		"a scrape interval that changed":         {slices.Concat(every(5, days, func(i int) float64 { return 50 + noise(i) }), later(5*days, every(1, 1440, noise))), 90, [2]float64{48, 52}, none},
		"as large as numbers get":                {every(5, days, func(i int) float64 { return 1e308 * (1 - 0.5*float64(i%2)) }), 1.7e308, [2]float64{-1e308, 1.7e308}, none},
		"as small as numbers get":                {every(5, days, func(i int) float64 { return 5e-324 * float64(i%3) }), 1, [2]float64{0, 1e-300}, none},
		"not a number, and infinite, now and then": {every(5, days, func(i int) float64 {
			return map[int]float64{0: math.NaN(), 1: math.Inf(1), 2: math.Inf(-1)}[i%7] + 50 + noise(i)
		}), 90, [2]float64{48, 52}, none},
		"never a number":                    {every(5, days, func(int) float64 { return math.NaN() }), 90, none, none},
		"a limit that is no number":         {every(5, days, func(i int) float64 { return float64(i) }), math.NaN(), [2]float64{2000, 4000}, none},
		"a limit without end":               {every(5, days, func(i int) float64 { return float64(i) }), math.Inf(1), [2]float64{2000, 4000}, none},
		"a slow fill":                       {every(5, days, func(i int) float64 { return 10 + 50*float64(i)/days + noise(i) }), 90, [2]float64{58, 70}, [2]float64{120, 170}},
		"falling to a limit below it":       {every(5, days, func(i int) float64 { return 100 - 80*float64(i)/days + noise(i) }), 10, [2]float64{5, 25}, [2]float64{24, 36}},
		"a saw-tooth that grows by the day": {every(5, days, func(i int) float64 { return 40 + 2*float64(i/288) + 20*float64(i%288)/288 + noise(i) }), 90, [2]float64{70, 82}, [2]float64{24 * 5.5, 24 * 6.5}},
		"a saw-tooth that does not":         {every(5, days, func(i int) float64 { return 40 + 20*float64(i%288)/288 + noise(i) }), 90, [2]float64{38, 62}, none},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 0, baseline.SeriesOptions{})
			for _, x := range c.samples {
				s.Observe(monday.Add(time.Duration(x.at)*time.Minute).UnixMilli(), x.v)
			}
			f := s.Forecast(24 * time.Hour)
			if c.within == none {
				require.True(t, math.IsNaN(f.Expected), "%+v", f)
			} else {
				require.True(t, f.Expected >= c.within[0] && f.Expected <= c.within[1], "%+v", f)
				require.True(t, f.Lower <= f.Expected && f.Expected <= f.Upper, "%+v", f)
			}
			l, ok := s.TimeToLimit(c.limit)
			require.Equal(t, c.hours != none, ok, "%+v", l)
			if ok {
				require.True(t, l.Seconds >= 3600*c.hours[0] && l.Seconds <= 3600*c.hours[1], "%.1f h", l.Seconds/3600)
				require.True(t, 0 <= l.Lower && l.Lower <= l.Seconds && l.Seconds <= l.Upper, "%+v", l)
			}
		})
	}
}

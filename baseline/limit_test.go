package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

func TestWarnsOfALimitOnlyWhereASawToothWillReachIt(t *testing.T) {
	const period = 100 // samples of five minutes
	tooth := func(i int) float64 { return 40 * float64(i%period) / period }
	for name, c := range map[string]struct {
		value func(i int) float64
		warns bool // on the last sample, of 90 within four hours
	}{
		"rotated by the clock, far below":          {func(i int) float64 { return 30 + tooth(i) }, false},
		"rotated by the clock, always just below":  {func(i int) float64 { return 47 + tooth(i) }, false},
		"collected at a threshold just below":      {func(i int) float64 { return 47 + tooth(i+i/period) }, false},
		"the last rotation did not come":           {func(i int) float64 { return 12 + tooth(min(i, 14*period-1)) + 0.4*float64(max(0, i-14*period)) }, true},
		"each climb starts higher, this one at 52": {func(i int) float64 { return 52 + float64(i/period-14) + tooth(i) }, true},
		"each climb starts higher, this one at 45": {func(i int) float64 { return 45 + float64(i/period-14) + tooth(i) }, false},
		"a climb faster than any, on new ground":   {func(i int) float64 { return 40 + tooth(i)*(1+0.3*float64(i/period/14)) }, true},
		"one tooth known, the second as the first": {func(i int) float64 { return 45 + 40*float64(i%900)/900 }, false},
		"never reset, and climbing towards it":     {func(i int) float64 { return 10 + 0.0525*float64(i) }, true},
		"emptied at a threshold to odd levels, this time to a high one": {func(i int) float64 {
			return map[bool]float64{true: 82 - 0.4*float64(period-i%period), false: 82 - 0.3*float64(period-i%period)}[i/period%2 == 0] + float64(i/period/14)*6*float64(period-i%period)/period
		}, false},
		"growing by steps, past where it was always emptied": {func(i int) float64 {
			if i < 1100 {
				return 30 + 10*float64(i%220/44)
			}
			return 30 + 7*float64((i-1100)/44)
		}, true},
		"a level that rippled, and now climbs towards it": {func(i int) float64 {
			return 40 + 2*float64(i%20)/20 + 0.4*float64(max(0, i-15*period+120))
		}, true},
		"a level that rippled, and has climbed to a new level": {func(i int) float64 {
			return 40 + 2*float64(i%20)/20 + 0.4*float64(min(60, max(0, i-15*period+400)))
		}, false},
		"bursts at odd times, and the next has not begun": {func(i int) float64 {
			if i%300 < 20 {
				return 50 + 2.2*float64(i%300)
			}
			return 50
		}, false},
		"a level, far below": {func(int) float64 { return 50 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			feed(s, monday, 15*period-10, 5*time.Minute, func(i int) float64 { return c.value(i) + 0.1*noise(i) })
			l, ok := s.TimeToLimit(90)
			require.Equal(t, c.warns, ok && l.Seconds < 4*3600, "%v %+v", ok, l)
		})
	}
}

func TestWarnsOfALimitByTheForecastOfARhythm(t *testing.T) {
	const days = 12
	day := func(i int) float64 { return 15 * math.Sin(2*math.Pi*float64(i)/288) } // climbs from 18:00 to 06:00
	for name, c := range map[string]struct {
		value func(i int) float64
		end   int     // sample of the last day
		hours float64 // until the limit of 90; 0 is not within a day, -1 not at all
	}{
		"a wave on its way up, to below the limit":                  {func(i int) float64 { return 70 + day(i) }, 0, -1},
		"a steep wave, past its middle, to below the limit":         {func(i int) float64 { return 62 + 1.4*day(i) }, 26, -1},
		"a wave on its way up, a little above other days":           {func(i int) float64 { return 70 + day(i) + 2*float64(i/((days-1)*288)) }, 0, -1},
		"a wave on its way up, eight above other days":              {func(i int) float64 { return 70 + day(i) + 8*float64(i/((days-1)*288)) }, 0, 4},
		"a wave on its way down, under a ramp of the last hours":    {func(i int) float64 { return 70 + day(i) + 0.5*float64(max(0, i-days*288+36))/12 }, 108, 16.5},
		"a wave whose tops grow by half a percent a day, far below": {func(i int) float64 { return 55 + day(i) + 0.5*float64(i)/288 }, 0, 24 * 27},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			feed(s, monday, days*288+c.end, 5*time.Minute, func(i int) float64 { return c.value(i) + 0.2*noise(i) })
			l, ok := s.TimeToLimit(90)
			require.Equal(t, c.hours >= 0, ok, "%.1f h", l.Seconds/3600)
			require.InDelta(t, max(0, c.hours), l.Seconds/3600, max(2, c.hours/4))
			require.True(t, l.Lower <= l.Seconds && l.Seconds <= l.Upper, "%+v", l)
		})
	}
}

func TestALimitIsCrossedInTheDirectionThatIsBad(t *testing.T) {
	for name, c := range map[string]struct {
		direction baseline.Direction
		slope     float64 // a day
		limit     float64
		crossed   bool
		hours     float64 // 0: none
	}{
		"above a limit that is not to be exceeded, falling": {baseline.Up, -1, 40, true, 0},
		"above a limit that is not to be exceeded, rising":  {baseline.Up, 1, 40, true, 0},
		"below a limit that is to be kept, rising":          {baseline.Down, 1, 60, true, 0},
		"falling to a limit that is to be kept":             {baseline.Down, -1, 40, false, 240},
		"a limit below, either side":                        {baseline.Both, -1, 40, false, 240},
		"rising from a limit, either side":                  {baseline.Both, 1, 40, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{Direction: c.direction})
			feed(s, monday, 5*288, 5*time.Minute, func(i int) float64 { return 50 + c.slope*float64(i-5*288+1)/288 })
			l, ok := s.TimeToLimit(c.limit)
			require.Equal(t, c.crossed || c.hours > 0, ok, "%+v", l)
			if c.crossed {
				require.Zero(t, l)
			} else if ok {
				require.InDelta(t, c.hours*3600, l.Seconds, 12*3600)
			}
		})
	}
}

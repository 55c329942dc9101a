package baseline_test

import (
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
		"a level, far below":                       {func(int) float64 { return 50 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			feed(s, monday, 15*period-10, 5*time.Minute, func(i int) float64 { return c.value(i) + 0.1*noise(i) })
			l, ok := s.TimeToLimit(90)
			require.Equal(t, c.warns, ok && l.Seconds < 4*3600, "%v %+v", ok, l)
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

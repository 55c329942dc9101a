package baseline_test

import (
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

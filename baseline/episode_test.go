package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/tuning"
)

func tuned(t *testing.T, change func(*tuning.Params)) *baseline.Engine {
	t.Helper()
	p := tuning.Default()
	change(&p)
	e, err := baseline.NewTuned(baseline.DefaultConfig(), p, nil)
	require.NoError(t, err)
	return e
}

func TestWithinAnEpisodeTheOtherSideIsToldAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		value func(i int) float64 // from the first sample of the episode on
		alarm []int               // samples that alarm
	}{
		{"a rise, a calm of an hour, and a fall as large", func(i int) float64 {
			switch {
			case i < 3:
				return wave(i) + 60
			case i >= 15 && i < 40:
				return wave(i) - 60
			}
			return wave(i)
		}, []int{0, 15}},
		{"a rise that comes back", func(i int) float64 {
			if i < 3 || i >= 15 && i < 18 {
				return wave(i) + 60
			}
			return wave(i)
		}, []int{0}},
		{"a rise that falls back to what is usual", func(i int) float64 {
			if i < 3 {
				return wave(i) + 60
			}
			return wave(i)
		}, []int{0}},
		{"a value that swings is one anomaly", func(i int) float64 {
			if i < 24 {
				return wave(i) + 60*float64(1-2*(i%2))
			}
			return wave(i)
		}, []int{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			feed(s, monday, 14*288, 5*time.Minute, wave)
			var alarms []int
			for i := range 45 {
				sc := s.Observe(monday.Add(time.Duration(14*288+i)*5*time.Minute).UnixMilli(), c.value(i))
				if sc.Alarm > 1 {
					alarms = append(alarms, i)
				}
			}
			require.Equal(t, c.alarm, alarms)
		})
	}
	s := tuned(t, func(p *tuning.Params) { p.Turned = math.Inf(1) }).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	feed(s, monday, 14*288, 5*time.Minute, wave)
	told := 0
	for i, by := range []float64{60, 60, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -60, -60, -60} {
		told += b2i(s.Observe(monday.Add(time.Duration(14*288+i)*5*time.Minute).UnixMilli(), wave(i)+by).Alarm > 1)
	}
	require.Equal(t, 1, told, "it is this rule that tells of the fall")
}

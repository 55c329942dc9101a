package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// week feeds a daily rhythm with a little noise, one sample a minute, and returns the scores.
func feed(s *baseline.Series, start time.Time, n int, step time.Duration, f func(i int) float64) []baseline.Score {
	out := make([]baseline.Score, n)
	for i := range n {
		out[i] = s.Observe(start.Add(time.Duration(i)*step).UnixMilli(), f(i))
	}
	return out
}

func noise(i int) float64 {
	x := uint64(i)*0x9E3779B97F4A7C15 + 0x1234567
	x ^= x >> 31
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 29
	return float64(x>>11)/(1<<53) - 0.5
}

func TestSpikeOnDailyRhythm(t *testing.T) {
	e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	s := e.Add("w", labels.FromStrings("job", "a"), time.Minute, baseline.SeriesOptions{})
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	wave := func(i int) float64 { return 100 + 50*math.Sin(2*math.Pi*float64(i)/1440) + 4*noise(i) }
	n := 10 * 1440
	feed(s, start, n, time.Minute, wave)
	normal := s.Observe(start.Add(time.Duration(n)*time.Minute).UnixMilli(), wave(n))
	require.Less(t, normal.Raw, 1.0)
	spike := s.Observe(start.Add(time.Duration(n+1)*time.Minute).UnixMilli(), wave(n)+60)
	require.Greater(t, spike.Raw, 1.0)
	require.Greater(t, spike.Alarm, 1.0)
	require.True(t, spike.Active)
	require.Less(t, spike.Upper, wave(n)+60)
}

// What lies right after an abnormal sample is no calm: the alarm score fades, and never so that it would alarm.
func TestTheAlarmScoreFadesWithinAnEpisode(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	feed(s, monday, 8*288, 5*time.Minute, wave)
	at := func(i int) int64 { return monday.Add(time.Duration(8*288+i) * 5 * time.Minute).UnixMilli() }
	require.Greater(t, s.Observe(at(0), 600).Alarm, 1.0)
	above, faded := 0, 0
	for i := 1; i <= 100; i++ {
		sc := s.Observe(at(i), wave(8*288+i))
		if sc.Raw > 1 { // It falls back as suddenly as it rose.
			above = i
			continue
		}
		want := 0.9 * sc.Raw
		if i-above <= 56 { // The episode lasts 4.7 hours more.
			want = max(want, 0.9*math.Exp2(-float64(i-above)/12))
		}
		require.InDelta(t, want, sc.Alarm, 1e-9, "sample %d", i)
		faded += b2i(sc.Alarm > 0.9*sc.Raw)
	}
	require.Greater(t, faded, 20)
	require.Less(t, above, 15)
}

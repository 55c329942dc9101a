package baseline

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

func TestAnEpisodeOfHoursIsOneBlockOfTheCalibration(t *testing.T) {
	const hour = int64(time.Hour / time.Millisecond)
	e, err := NewEngine(DefaultConfig(), nil)
	require.NoError(t, err)
	s := e.Add("w", labels.EmptyLabels(), 5*time.Minute, SeriesOptions{})
	for _, c := range []struct {
		name  string
		since int64 // start of the episode, 0 none
		above int64 // its last abnormal sample
		start int64 // of the block
		goes  bool
	}{
		{"a calm block counts", 0, 0, 100 * hour, false},
		{"the block in which an episode begins counts", 100*hour + 1, 100*hour + 2, 100 * hour, false},
		{"one in which it only goes on does not", 100*hour - 1, 100*hour + 2, 100 * hour, true},
		{"nor one in which it comes back", 97 * hour, 100*hour + 2, 100 * hour, true},
		{"a block without an abnormal sample counts, though the episode has not ended", 97 * hour, 99 * hour, 100 * hour, false},
		{"after half a day it is no episode, but what the series is like", 88 * hour, 100*hour + 2, 100 * hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.own().episode = episode{Since: c.since, AboveAt: c.above}
			require.Equal(t, c.goes, s.goesOn(c.start))
		})
	}
}

func TestABlockThatGoesOnTeachesTheTestsNothing(t *testing.T) {
	e, err := NewEngine(DefaultConfig(), nil)
	require.NoError(t, err)
	s := e.Add("w", labels.EmptyLabels(), 5*time.Minute, SeriesOptions{})
	filed := func() (n int) {
		for _, x := range s.cold.Counts[0] {
			n += int(x)
		}
		return n
	}
	at := int64(0)
	day := func(value func(i int) float64) int {
		before := filed()
		for i := range 288 {
			at += 300_000
			s.Observe(at, value(i))
		}
		return filed() - before
	}
	calm := func(i int) float64 { return 100 + math.Sin(float64(i*i)) }
	for range 10 {
		day(calm)
	}
	whole := day(calm)
	require.Less(t, day(func(i int) float64 { return calm(i) + 80*b2f(i < 96)*math.Sin(float64(i*i*i)) }), whole*3/4)
	require.Less(t, whole*3/4, day(calm))
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

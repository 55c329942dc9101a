//go:build !race

// The race detector's pools drop what they hold at random: allocations are counted without it.

package baseline_test

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

func TestLearningAllocatesNothing(t *testing.T) {
	const n = 3 * 1440
	e := engine(t)
	s := e.Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
	feed(s, monday, 3*1440, time.Minute, wave)
	at, v := make([]int64, n), make([]float64, n)
	next := monday.Add(3 * 24 * time.Hour).UnixMilli()
	require.Zero(t, testing.AllocsPerRun(3, func() { // Three days, with their slots, blocks and hours.
		for i := range at {
			at[i], v[i] = next, wave(i)
			next += 60e3
		}
		s.ObserveAll(at, v, nil)
	}))
}

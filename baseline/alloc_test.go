//go:build !race

// The race detector's pools drop what they hold at random: allocations are counted without it.

package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

func TestLearningAllocatesNothing(t *testing.T) {
	for name, from := range map[string]int64{"observed": math.MinInt64, "skimmed": monday.Add(28 * 24 * time.Hour).UnixMilli(), "filed": math.MaxInt64} {
		t.Run(name, func(t *testing.T) {
			const n = 3*1440 + 7
			s := engine(t).Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
			at, v := make([]int64, n), make([]float64, n)
			next := monday.UnixMilli()
			learn := func() { // Three days, with their slots, blocks and hours.
				for i := range at {
					at[i], v[i] = next, wave(i)
					next += 60e3
				}
				s.Learn(at, v, from, nil)
			}
			learn()
			require.Zero(t, testing.AllocsPerRun(3, learn))
		})
	}
}

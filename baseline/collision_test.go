package baseline

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

// Two label sets of one hash cannot be made on purpose; the test files them as if they had one.
func TestSeriesOfOneHashAreFoundAfterOneIsRemoved(t *testing.T) {
	for gone := range 3 {
		e, err := NewEngine(DefaultConfig(), nil)
		require.NoError(t, err)
		var all []*Series
		sought := labels.FromStrings("instance", "sought")
		for n, name := range []string{"a", "b", "sought"} {
			s := newSeries(e, "w", labels.FromStrings("instance", name), 0, SeriesOptions{})
			s.key = key{watch: "w", hash: sought.Hash(), n: n}
			e.series[s.key] = s
			all = append(all, s)
		}
		e.Remove(all[gone])
		require.Len(t, e.series, 2)
		if gone == 2 {
			require.Nil(t, e.find("w", sought))
			continue
		}
		require.Same(t, all[2], e.find("w", sought))
		e.Remove(all[2])
		require.Len(t, e.series, 1)
	}
}

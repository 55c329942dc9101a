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
		w := e.watchName("w")
		for _, name := range []string{"a", "b", "sought"} {
			s := newSeries(e, "w", labels.FromStrings("instance", name), 0, SeriesOptions{})
			e.series.insert(7, s)
			all = append(all, s)
		}
		require.True(t, e.series.remove(7, all[gone]))
		require.False(t, e.series.remove(7, all[gone]))
		require.Equal(t, 2, e.series.n)
		for i, s := range all {
			found := e.series.find(7, w, s.Labels())
			if i == gone {
				require.Nil(t, found)
				continue
			}
			require.Same(t, s, found)
		}
	}
}

func TestLabelsOutliveTheirSeries(t *testing.T) {
	e, err := NewEngine(DefaultConfig(), nil)
	require.NoError(t, err)
	ls := labels.FromStrings("__name__", "up", "instance", "a:1", "odd", "=\"{}\n\x00")
	first := e.Add("w", ls, 0, SeriesOptions{})
	e.Remove(first)
	require.Len(t, e.symbols.free, 6, "nothing is kept of labels that nobody has")
	for i := range 300 { // Symbols of two bytes, and the freed ones again.
		more := labels.FromStrings("a", string(rune('a'+i)), "b", "x")
		require.True(t, labels.Equal(more, e.Add("w", more, 0, SeriesOptions{}).Labels()))
		known := e.Add("w", more, 0, SeriesOptions{})
		require.Same(t, known, e.Add("w", more, 0, SeriesOptions{}))
	}
	require.True(t, labels.Equal(ls, first.Labels()))
	require.True(t, labels.Equal(labels.EmptyLabels(), e.Add("w", labels.EmptyLabels(), 0, SeriesOptions{}).Labels()))
}

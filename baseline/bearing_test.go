package baseline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

func TestSeriesBearATextThatPasses(t *testing.T) {
	e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	add := func(pairs ...string) *baseline.Series {
		return e.Add("w", labels.FromStrings(pairs...), time.Minute, baseline.SeriesOptions{})
	}
	api, db, none := add("service", "api", "zone", "a"), add("service", "db", "zone", "a"), add()
	texts := map[string]int{}
	bears := e.Bearing(func(text string) bool {
		texts[text]++
		return strings.HasPrefix(text, "d")
	})
	require.Equal(t, map[string]int{"service": 1, "api": 1, "zone": 1, "a": 1, "db": 1}, texts, "each text is tested once")
	require.True(t, bears(db))
	require.False(t, bears(api))
	require.False(t, bears(none))
	require.False(t, bears(add("service", "dns")), "what came later is not known")
	e.Remove(db)
	require.False(t, bears(db), "nor what was removed")
}

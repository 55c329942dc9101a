//go:build !race

// The race detector's pools drop what they hold at random: allocations are counted without it.

package export_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/export"
)

func TestAGaugeAllocatesNothing(t *testing.T) {
	allocations := func(n int) float64 {
		many := make(fixed, n)
		for i := range many {
			many[i] = series("w", float64(i)+0.5, "job", "calm", "instance", "10.0.0.1:9100")
			many[i].Active = []export.Active{{Kind: "point", Detector: "local_up"}}
			many[i].Forecasts = []export.Forecast{{Horizon: "1h", Expected: 4, Lower: 3, Upper: 5}}
		}
		e := export.New(export.DefaultConfig(), many)
		return testing.AllocsPerRun(20, func() { _ = e.WriteText(discard{}) })
	}
	require.InDelta(t, allocations(10), allocations(1000), 1, "none of them grows with the gauges")
}

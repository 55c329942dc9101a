package detect_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/tuning"
)

func TestALocalSurpriseCostsWhatTheLastSamplesAreWorth(t *testing.T) {
	p := tuning.Default()
	for _, c := range []struct {
		name            string
		surprise, apart float64
		cost            float64
	}{
		{"nothing where the last samples foretell the next one", 0.01, 1, 0},
		{"nothing at the edge of that", p.Smooth, 1, 0},
		{"half on half of the way, by the logarithm", math.Sqrt(p.Smooth), 1, p.Rough / 2},
		{"all where they tell no more than the mean", 1, 1, p.Rough},
		{"no more where they tell less", 3, 1, p.Rough},
		{"all where nothing is known yet", 0, 0, p.Rough},
		{"the same in every unit", 1e-9 * math.Sqrt(p.Smooth), 1e-9, p.Rough / 2},
	} {
		t.Run(c.name, func(t *testing.T) { require.InDelta(t, c.cost, detect.Rough(c.surprise, c.apart, &p), 1e-9) })
	}
}

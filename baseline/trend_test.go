package baseline

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheMedianIsTheSameFromAnyGuess(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range int64(40) {
		var tr trend
		before := int64(0)
		for hour := int64(1000); hour < 1000+n; hour++ {
			tr.turn(before, hour, math.Round(4*r.NormFloat64()))
			before = hour
		}
		v := math.Round(4 * r.NormFloat64())
		var x []float32
		for i := range min(tr.Filled, trendPoints) {
			x = append(x, tr.Value[(999+n-1-i)%trendPoints])
		}
		x = append(x, float32(v))
		slices.Sort(x)
		for _, guess := range []float64{0, 1, -1, 1e30, -1e30, math.Inf(1), math.Inf(-1), math.NaN()} {
			require.EqualValues(t, x[len(x)/2], tr.median(999+n, v, guess), "%d hours, from %g", n, guess)
		}
	}
}

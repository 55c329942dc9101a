package detect

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLnIsTheLogarithm(t *testing.T) {
	for x := 1e-300; x < 1e300; x *= 1.0037 {
		require.InDelta(t, math.Log(x), Ln(x), 1e-10+1e-11*math.Abs(math.Log(x)), x)
	}
	for _, x := range []float64{1, 2, math.Nextafter(2, 1), 5e-324, 0, math.Inf(1), math.MaxFloat64} {
		require.InDelta(t, math.Log(x), Ln(x), 1e-9, x)
	}
	require.True(t, math.IsNaN(Ln(-1)))
	require.True(t, math.IsNaN(Ln(math.NaN())))
}

func TestLogTailIsTheTailOfGumbelsLaw(t *testing.T) {
	last := -1.0
	for x := -6.0; x < 40; x += 0.00137 {
		want := x
		if x < 30 {
			want = -math.Log(-math.Expm1(-math.Exp(-x)))
		}
		got := logTail(x)
		require.InDelta(t, want, got, 3e-8, x)
		require.GreaterOrEqual(t, got, last, "rises with x")
		last = got
	}
	require.Zero(t, logTail(math.Inf(-1)))
	require.Zero(t, logTail(math.NaN()))
}

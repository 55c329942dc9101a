package season

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListsOfAnyLengthAreInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	some := func(n int) (l list, x []float32) {
		for range n {
			v := float32(math.Round(8*r.NormFloat64())) * []float32{1, 1e-30, 1e30}[r.IntN(3)]
			l.add(v)
			x = append(x, v)
		}
		l.sort()
		slices.Sort(x)
		return l, x
	}
	middle := func(x []float32) float32 {
		n := len(x)
		if n%2 == 1 {
			return x[n/2]
		}
		return (x[n/2-1] + x[n/2]) / 2
	}
	for n := range room {
		a, x := some(n)
		for i := range x {
			require.Equal(t, x[i], a.at(i), "value %d of %d", i, n)
		}
		if n == 0 {
			continue
		}
		require.Equal(t, middle(x), a.median(), "%d values", n)
		for m := range room {
			b, y := some(m)
			all := append(slices.Clone(x), y...)
			slices.Sort(all)
			require.Equal(t, middle(all), medianOfTwo(&a, &b), "%d and %d values", n, m)
		}
	}
}

func TestKeysAreInTheOrderOfTheNumbers(t *testing.T) {
	x := []float32{float32(math.Inf(-1)), -math.MaxFloat32, -1, -math.SmallestNonzeroFloat32, 0, math.SmallestNonzeroFloat32, 1, math.MaxFloat32, float32(math.Inf(1))}
	for i, v := range x {
		require.Equal(t, v, valueOf(keyOf(v)))
		if i > 0 {
			require.Greater(t, keyOf(v), keyOf(x[i-1]))
		}
	}
}

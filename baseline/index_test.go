package baseline

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

func TestTheIndexHoldsWhatAMapHolds(t *testing.T) {
	e, err := NewEngine(DefaultConfig(), nil)
	require.NoError(t, err)
	w := e.watchName("w")
	r := rand.New(rand.NewPCG(1, 2))
	var x index
	held := map[int]*Series{}
	// Few keys for many series: runs of one tag, that end beyond the last place, and holes in them.
	key := func(k int) uint64 { return uint64(k%37) * 0x07ffffff }
	for range 5000 {
		k := r.IntN(200)
		s := held[k]
		if s == nil {
			s = newSeries(e, "w", labels.FromStrings("i", strconv.Itoa(k)), 0, SeriesOptions{})
			x.insert(key(k), s)
			held[k] = s
		} else {
			require.True(t, x.remove(key(k), s))
			require.False(t, x.remove(key(k), s))
			delete(held, k)
		}
		require.Equal(t, len(held), x.n)
		k = r.IntN(200)
		require.Same(t, held[k], x.find(key(k), w, labels.FromStrings("i", strconv.Itoa(k))))
	}
	n := 0
	for s := range x.each {
		require.Same(t, held[func() int { k, _ := strconv.Atoi(s.Labels().Get("i")); return k }()], s)
		n++
	}
	require.Equal(t, len(held), n)
}

// The garbage collector puts a word before each object of more than 512 bytes that holds pointers, and rounds up to a
// size class: 1024 bytes is the next one.
func TestASeriesFitsItsSizeClass(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Series{})+8, uintptr(896))
	require.LessOrEqual(t, unsafe.Sizeof(live{}), uintptr(288))
}

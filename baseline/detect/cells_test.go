package detect

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline/tuning"
)

func TestNoRowUsesMoreMemoryThanItsOwn(t *testing.T) {
	rates := tuning.NewRates(tuning.Default(), 60)
	last := len(table) - 1
	require.Equal(t, memory-Words, windows[last]+words[table[last].Family], "the room is what the rows use")
	for i := range table {
		d := &table[i]
		t.Run(d.Name, func(t *testing.T) {
			var m [Words]float32
			for k := words[d.Family]; k < Words; k++ {
				m[k] = 12345
			}
			for _, v := range []float64{3, -7, 3, 3, 0, 0, 1e9} {
				in := &Input{Value: v, Last: 3, Season: v, Local: v, Global: v, Bulk: v, Scale: 1, GlobalScale: 1, Rates: rates, N: 1, Move: v}
				d.Stat(&m, in)
				if d.Turn != nil {
					d.Turn(&m, in)
				}
			}
			for k := words[d.Family]; k < Words; k++ {
				require.Equal(t, float32(12345), m[k], "word %d is another row's", k)
			}
		})
	}
}

func TestPackedCellsFollowTheLaws(t *testing.T) {
	p := tuning.Default()
	var c Cells
	c.Reset(&p)
	var laws [Count]Law
	var n [Count]Counts
	for i := range table {
		laws[i].Reset(&table[i], &p)
	}
	for block := range 300 {
		for i := range table {
			y := table[i].Floor + math.Mod(float64(block*(i+3))*0.618, 1.4)
			c.Raise(i, y)
			laws[i].Max = max(laws[i].Max, float32(y))
			laws[i].Close(&table[i], &p)
		}
		c.Close(&p, &n)
	}
	for i := range table {
		for _, y := range []float64{1, 2, 4} {
			require.InEpsilon(t, 10+laws[i].Score(y), 10+c.Score(i, y), 0.003, table[i].Name)
			require.InDelta(t, y, c.Statistic(i, c.Score(i, y)), 1e-9)
		}
	}
	require.True(t, c.Valid())
}

package detect

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// Cells are the calibrations of all tests on one series, packed: what every sample of a large fleet reads.
type Cells struct {
	Peak         [Count]uint8 // bin of the block's largest statistic so far
	Place, Scale [Count]fixed // fitted
	Mem          [memory]float32
}

// fixed is a number between -8 and 8 in steps of 1/4096: the laws of statistics in logarithms need no more.
type fixed int16

func pack(x float64) fixed { return fixed(math.RoundToEven(4096 * clamp(x, 7.999))) }

func (f fixed) unpack() float64 { return float64(f) / 4096 }

// memory is the room for what all tests together keep between samples: words of each, and as many behind
// the last as a window of Words takes.
const memory = 26 + Words

// words is how much of its window a row of a family uses.
var words = [tuning.Families]int{
	tuning.Slow: 1, tuning.Variance: 3, tuning.Stuck: 3, tuning.Zero: 3, tuning.CusumShort: 1, tuning.CusumLong: 1, tuning.Ramp: 2, tuning.Record: 2, tuning.Likelihood: 3,
}

// windows is where each row's memory begins.
var windows = func() (at [Count]int) {
	n := 0
	for i, d := range table {
		at[i] = n
		n += words[d.Family]
	}
	return at
}()

// Window is the memory of a row. Windows overlap: a row uses no more words than its own.
func (c *Cells) Window(i int) *[Words]float32 { return (*[Words]float32)(c.Mem[windows[i]:]) }

// Reset gives every cell its prior.
func (c *Cells) Reset(p *tuning.Params) {
	*c = Cells{}
	for i := range table {
		c.put(i, fit(&table[i], p, &Counts{}))
	}
}

func (c *Cells) put(i int, law Gumbel) { c.Place[i], c.Scale[i] = pack(law.Place), pack(law.Scale) }

// Raise notes a statistic of the block, which must not lie under the floor.
func (c *Cells) Raise(i int, y float64) {
	x := (y - bins[i].floor) * bins[i].perUnit
	if x >= Bins {
		x = Bins - 1
	}
	if b := uint8(x); b > c.Peak[i] {
		c.Peak[i] = b
	}
}

// bins are where each row's histogram begins, and how many of its bins are one unit wide.
var bins = func() (t [Count]struct{ floor, perUnit float64 }) {
	for i := range table {
		t[i].floor, t[i].perUnit = table[i].Floor, 1/table[i].width()
	}
	return t
}()

// Score is a row's statistic in units of its own tail; see Cell.Score.
func (c *Cells) Score(i int, y float64) float64 {
	return (y - c.Place[i].unpack()) / c.Scale[i].unpack()
}

// Statistic is the statistic whose score is u: Score backwards.
func (c *Cells) Statistic(i int, u float64) float64 {
	return u*c.Scale[i].unpack() + c.Place[i].unpack()
}

// Close files the largest statistics of the block and fits again.
func (c *Cells) Close(p *tuning.Params, n *[Count]Counts) {
	for i := range table {
		n[i].add(int(c.Peak[i]), p)
		c.Peak[i] = 0
		c.put(i, fit(&table[i], p, &n[i]))
	}
}

// Fit sets every law by the counts.
func (c *Cells) Fit(p *tuning.Params, n *[Count]Counts) {
	for i := range table {
		c.put(i, fit(&table[i], p, &n[i]))
	}
}

// Valid says whether every law can be used.
func (c *Cells) Valid() bool {
	for i := range table {
		if c.Scale[i] <= 0 || c.Peak[i] >= Bins {
			return false
		}
	}
	return true
}

// Recall tells the record tests what the lowest and highest of n samples before the first were.
func (c *Cells) Recall(low, high float64, n int) {
	for i := range table {
		d := &table[i]
		if m := c.Window(i); d.Family == tuning.Record && m[1] == 0 {
			top := high
			if d.Up < 0 {
				top = -low
			}
			m[0], m[1] = float32(top), float32(min(n, 1e7))
		}
	}
}

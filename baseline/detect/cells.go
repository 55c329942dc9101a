package detect

import (
	"math"
	"math/bits"

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

// Beats are the rows that look at beats.
func Beats() []int { return beats }

// Turns are the rows with a memory that a beat updates.
func Turns() []int { return turns }

var (
	beats = rowsOf(func(d *Detector) bool { return !d.Each })
	turns = rowsOf(func(d *Detector) bool { return d.Turn != nil })
)

func rowsOf(which func(*Detector) bool) (out []int) {
	for i := range table {
		if which(&table[i]) {
			out = append(out, i)
		}
	}
	return out
}

// Rows that are asked by what they are before any of them is run: Points look at every sample alone, Sums sum up many
// (slow, CUSUM, ramp), and the rest looks at beats.
const (
	rowSeasonUp, rowSeasonDown = 0, 1
	rowSlowUp, rowSlowDown     = 2, 3
	rowLocalUp, rowLocalDown   = 4, 5
	rowGlobalUp, rowGlobalDown = 6, 7
	rowVariance                = 8
	rowStuck, rowZero          = 9, 10
	rowCusum                   = 11 // short up, short down, long up, long down
	rowRampUp, rowRampDown     = 15, 16
	rowRecordUp, rowRecordDown = 17, 18
	rowLikelihood              = 19
)

// ClearPoints forgets what was kept of the rows of Points, and ClearSums of the rows of Sums.
func ClearPoints(x *[Count]uint16) {
	x[rowSeasonUp], x[rowSeasonDown] = 0, 0
	clear(x[rowLocalUp:rowVariance])
	x[rowStuck], x[rowZero] = 0, 0
	x[rowRecordUp], x[rowRecordDown] = 0, 0
}

// ClearSums is ClearPoints for the others that look at each sample.
func ClearSums(x *[Count]uint16) {
	x[rowSlowUp], x[rowSlowDown] = 0, 0
	clear(x[rowCusum : rowRampDown+1])
}

// Bounds are statistics that a sample must not pass to teach the calibrations nothing and to score nothing: not their
// logarithms, so that a calm sample costs none.
type Bounds struct {
	Season, Local, Global [2]float32 // surprise up and down, in spreads
	Runs                  [2]float32 // repeats, and zeros, in a row
	Slow, Ramp            [2]float32 // up and down, see Sum
	Cusum                 [4]float32
	Silent                Silent
}

// Silent are statistics that score nothing that counts.
type Silent struct{ Season, Local, Global, Runs [2]float32 }

// Silence looks up which statistics score nothing: those with a score of at most u, in units of their tails and before the costs.
func (c *Cells) Silence(b *Bounds, u float64, p *tuning.Params) {
	at := func(i int) float32 {
		return float32(math.Exp(max(0, min(c.Statistic(i, u+p.Cost[table[i].Family]), 60))))
	}
	b.Silent = Silent{
		Season: [2]float32{at(rowSeasonUp), at(rowSeasonDown)}, Local: [2]float32{at(rowLocalUp), at(rowLocalDown)},
		Global: [2]float32{at(rowGlobalUp), at(rowGlobalDown)}, Runs: [2]float32{at(rowStuck), at(rowZero)},
	}
}

// Bound looks up the bounds.
func (c *Cells) Bound(b *Bounds) {
	raise := func(i int) float32 { return edges[i][min(c.Peak[i]+1, Bins)] }
	b.Season = [2]float32{min(b.Silent.Season[0], raise(rowSeasonUp)), min(b.Silent.Season[1], raise(rowSeasonDown))}
	b.Local = [2]float32{min(b.Silent.Local[0], raise(rowLocalUp)), min(b.Silent.Local[1], raise(rowLocalDown))}
	b.Global = [2]float32{min(b.Silent.Global[0], raise(rowGlobalUp)), min(b.Silent.Global[1], raise(rowGlobalDown))}
	b.Slow = [2]float32{raise(rowSlowUp), raise(rowSlowDown)}
	b.Ramp = [2]float32{raise(rowRampUp), raise(rowRampDown)}
	for k := range b.Cusum {
		b.Cusum[k] = raise(rowCusum + k)
	}
	for k, i := range [2]int{rowStuck, rowZero} {
		b.Runs[k] = 0
		if m := c.Window(i); m[1] > fewRepeats && m[2] >= fewRuns {
			b.Runs[k] = min(b.Silent.Runs[k], raise(i)) / float32(rarity(m))
		}
	}
}

// fewRepeats is the share of repeats under which each is looked at.
const fewRepeats = 0.01

// edges are the statistics at which each row's bins begin; nothing lies beyond the last.
var edges = func() (t [Count][Bins + 1]float32) {
	for i := range table {
		for k := range Bins {
			t[i][k] = float32(math.Exp(table[i].Floor + float64(k)*table[i].width()))
		}
		t[i][Bins] = math.MaxFloat32
	}
	return t
}()

// unbounded are bounds that nothing passes.
var unbounded = func() (b Bounds) {
	for _, at := range []*[2]float32{&b.Slow, &b.Ramp, (*[2]float32)(b.Cusum[:]), (*[2]float32)(b.Cusum[2:])} {
		*at = [2]float32{math.MaxFloat32, math.MaxFloat32}
	}
	return b
}()

// Sum tells the tests that sum up many samples of one: its residual in spreads, and in spreads that leave peaks out, both
// clipped. False, and nothing is done, when one of them would reach a new height.
func (c *Cells) Sum(season, bulk float32, b *Bounds, r *tuning.Sum) bool {
	slow := &c.Mem[windows[rowSlowUp]]
	x := *slow + r.Slow*(season-*slow)
	if y := r.SlowGain * x; y > b.Slow[0] || -y > b.Slow[1] {
		return false
	}
	up, down := (*[2]float32)(c.Mem[windows[rowRampUp]:]), (*[2]float32)(c.Mem[windows[rowRampDown]:])
	fast, long := up[0]+r.RampFast*(bulk-up[0]), up[1]+r.RampSlow*(bulk-up[1])
	if y := rampGain * (fast - long); y > b.Ramp[0] || -y > b.Ramp[1] {
		return false
	}
	sums := (*[4]float32)(c.Mem[windows[rowCusum]:])
	s0, s1 := (sums[0]+bulk-r.Slack[0])*r.Keep[0], (sums[1]-bulk-r.Slack[0])*r.Keep[0]
	s2, s3 := (sums[2]+bulk-r.Slack[1])*r.Keep[1], (sums[3]-bulk-r.Slack[1])*r.Keep[1]
	if s0 > b.Cusum[0] || s1 > b.Cusum[1] || s2 > b.Cusum[2] || s3 > b.Cusum[3] {
		return false
	}
	*sums = [4]float32{}
	if s0 > 0 {
		sums[0] = s0
	}
	if s1 > 0 {
		sums[1] = s1
	}
	if s2 > 0 {
		sums[2] = s2
	}
	if s3 > 0 {
		sums[3] = s3
	}
	up[0], up[1], down[0], down[1] = fast, long, fast, long
	*slow, c.Mem[windows[rowSlowDown]] = x, x
	return true
}

// SumAll is Sum for any sample.
func (c *Cells) SumAll(in *Input) {
	c.Sum(float32(clamp(in.Season, SlowClip)), float32(clamp(in.Bulk, in.Rates.BulkClip)), &unbounded, &in.Rates.Sum)
}

// Rows are some rows, a bit each.
type Rows uint32

// Next takes the first row out.
func (r *Rows) Next() (row int) {
	row = bits.TrailingZeros32(uint32(*r))
	*r &= *r - 1
	return row
}

// evident is the row where x is more than what says nothing.
func evident(x float64, row int) Rows {
	if x > calmZ {
		return 1 << row
	}
	return 0
}

// Lasting are the rows of Sums that say something by their memory as it is.
func (c *Cells) Lasting(r *tuning.Sum) Rows {
	slow := float64(r.SlowGain * c.Mem[windows[rowSlowUp]])
	ramp := (*[2]float32)(c.Mem[windows[rowRampUp]:])
	slope := float64(rampGain * (ramp[0] - ramp[1]))
	sums := (*[4]float32)(c.Mem[windows[rowCusum]:])
	found := evident(slow, rowSlowUp) | evident(-slow, rowSlowDown) | evident(slope, rowRampUp) | evident(-slope, rowRampDown)
	for k, x := range sums {
		found |= evident(float64(x), rowCusum+k)
	}
	return found
}

// Evident are the rows of Points to which a sample may say something. The others need not be asked: they are told here
// that it is of no matter.
func (c *Cells) Evident(in *Input) Rows {
	found := evident(in.Season, rowSeasonUp) | evident(-in.Season, rowSeasonDown) | evident(in.Local, rowLocalUp) | evident(-in.Local, rowLocalDown) |
		evident(in.Far, rowGlobalUp) | evident(-in.Far, rowGlobalDown)
	repeats, zeros := c.Runs()
	if in.Value != in.Last || in.Gap {
		*repeats = 0
	} else {
		found |= 1 << rowStuck
	}
	if in.Value != 0 || in.Gap {
		*zeros = 0
	} else {
		found |= 1 << rowZero
	}
	top, bottom := (*[2]float32)(c.Mem[windows[rowRecordUp]:]), (*[2]float32)(c.Mem[windows[rowRecordDown]:])
	if in.Value > float64(top[0]) || top[1] == 0 {
		found |= 1 << rowRecordUp
	}
	if -in.Value > float64(bottom[0]) || bottom[1] == 0 {
		found |= 1 << rowRecordDown
	}
	return found
}

// Records are the highest and the lowest value in memory.
func (c *Cells) Records() (high, low float32) {
	return c.Window(rowRecordUp)[0], -c.Window(rowRecordDown)[0]
}

// Record notes a value that is beyond the records by too little to say anything.
func (c *Cells) Record(v float64) {
	x := float32(v)
	if m := &c.Mem[windows[rowRecordUp]]; x > *m {
		*m = x
	}
	if m := &c.Mem[windows[rowRecordDown]]; -x > *m {
		*m = -x
	}
}

// Restless is the largest step from sample to sample that counts as such, 0 where nothing bounds it.
func (c *Cells) Restless() float64 { return restless(c.Window(rowVariance)) }

// Runs are the lengths of the run of repeats and of the run of zeros.
func (c *Cells) Runs() (repeats, zeros *float32) {
	return &c.Mem[windows[rowStuck]], &c.Mem[windows[rowZero]]
}

// Window is the memory of a row. Windows overlap: a row uses no more words than its own.
func (c *Cells) Window(i int) *[Words]float32 { return (*[Words]float32)(c.Mem[windows[i]:]) }

// Reset gives every cell its prior.
func (c *Cells) Reset(p *tuning.Params) {
	*c = Cells{}
	c.Fit(p, &[Count]Counts{})
}

func (c *Cells) put(i int, law Gumbel) { c.Place[i], c.Scale[i] = pack(law.Place), pack(law.Scale) }

// Raise notes a statistic of the block, which must not lie under the floor, and says whether it is the largest.
func (c *Cells) Raise(i int, y float64) bool {
	x := (y - bins[i].floor) * bins[i].perUnit
	if x >= Bins {
		x = Bins - 1
	}
	if b := uint8(x); b > c.Peak[i] {
		c.Peak[i] = b
		return true
	}
	return false
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

// Above is how far a statistic's score is above a cost, 0 where it is not: most are not, and cost no division.
func (c *Cells) Above(i int, y, cost float64) float64 {
	scale := c.Scale[i].unpack()
	if y -= c.Place[i].unpack() + cost*scale; y > 0 {
		return y / scale
	}
	return 0
}

// Statistic is the statistic whose score is u: Score backwards.
func (c *Cells) Statistic(i int, u float64) float64 {
	return u*c.Scale[i].unpack() + c.Place[i].unpack()
}

// Close files the largest statistics of the block and fits again.
func (c *Cells) Close(p *tuning.Params, n *[Count]Counts) {
	q := quantileOf(p.Quantile)
	for i := range table {
		sum := n[i].add(int(c.Peak[i]), p)
		c.put(i, fit(&table[i], p, &n[i], q, sum))
	}
	c.Peak = [Count]uint8{}
}

// Skip forgets the block's largest statistics.
func (c *Cells) Skip() { c.Peak = [Count]uint8{} }

// Fit sets every law by the counts.
func (c *Cells) Fit(p *tuning.Params, n *[Count]Counts) {
	q := quantileOf(p.Quantile)
	for i := range table {
		c.put(i, fit(&table[i], p, &n[i], q, n[i].sum()))
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

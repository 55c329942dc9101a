package detect

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// Skimmed are the largest statistics of the rows over some samples, before their logarithms; of a row that is Plain,
// the statistic itself.
type Skimmed [Count]float64

// Skim tells the tests that sum up many samples, and those that look at beats, of one beat of old history: the
// samples' residuals, in spreads that leave peaks out one over perBulk, the sum of the residuals in spreads, the mean
// step (below zero: there is none) and the mean surprise. It raises top to what they say.
func (c *Cells) Skim(res []float32, perBulk float32, season float64, in *Input, top *Skimmed) {
	r := in.Rates // of as many samples
	n := float32(len(res))
	sums := (*[4]float32)(c.Mem[windows[rowCusum]:])
	s0, s1, s2, s3 := sums[0], sums[1], sums[2], sums[3]
	one := in.One
	k0, k1, keep0, keep1 := one.Slack[0], one.Slack[1], one.Keep[0], one.Keep[1]
	var m0, m1, m2, m3 float32
	lim := float32(r.BulkClip)
	bulk := float32(0)
	for _, x := range res {
		z := x * perBulk
		if z > lim {
			z = lim
		} else if z < -lim {
			z = -lim
		}
		bulk += z
		s0, s1 = Positive((s0+z-k0)*keep0), Positive((s1-z-k0)*keep0)
		s2, s3 = Positive((s2+z-k1)*keep1), Positive((s3-z-k1)*keep1)
		m0, m1, m2, m3 = Higher(m0, s0), Higher(m1, s1), Higher(m2, s2), Higher(m3, s3)
	}
	sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
	for k, x := range [4]float32{m0, m1, m2, m3} {
		top.raise(rowCusum+k, float64(x))
	}

	slow := float64(c.Mem[windows[rowSlowUp]])
	slow += r.Slow * (season/float64(n) - slow)
	c.Mem[windows[rowSlowUp]], c.Mem[windows[rowSlowDown]] = float32(slow), float32(slow)
	top.raise(rowSlowUp, r.SlowGain*slow)
	top.raise(rowSlowDown, -r.SlowGain*slow)

	up, down := (*[2]float32)(c.Mem[windows[rowRampUp]:]), (*[2]float32)(c.Mem[windows[rowRampDown]:])
	mean := float64(bulk / n)
	fast, long := float64(up[0]), float64(up[1])
	fast += r.Ramp * (mean - fast)
	long += r.Ramp / 3 * (mean - long)
	up[0], up[1], down[0], down[1] = float32(fast), float32(long), float32(fast), float32(long)
	top.raise(rowRampUp, rampGain*(fast-long))
	top.raise(rowRampDown, rampGain*(long-fast))

	if in.Move >= 0 {
		top.raise(rowVariance, restlessness(c.Window(rowVariance), in))
	}
	top.raise(rowLikelihood, unlikeliness(c.Window(rowLikelihood), in))
}

// raise notes a statistic.
func (s *Skimmed) raise(i int, x float64) {
	if x > s[i] {
		s[i] = x
	}
}

// Raise notes the largest surprises of samples: above and below the season, the last samples and the slow mean.
func (s *Skimmed) Raise(season, local [2]float32, global [2]float64) {
	for k := range 2 {
		s.raise(rowSeasonUp+k, float64(season[k]))
		s.raise(rowLocalUp+k, float64(local[k]))
		s.raise(rowGlobalUp+k, global[k])
	}
}

// LongRuns notes the longest runs of repeats and of zeros.
func (c *Cells) LongRuns(repeats, zeros int, s *Skimmed) {
	for k, n := range [2]int{repeats, zeros} {
		if m := c.Window(rowStuck + k); n > 0 && m[2] >= fewRuns {
			s.raise(rowStuck+k, float64(n)*rarity(m))
		}
	}
}

// Beyond tells the record tests of a value that is higher or lower than all before.
func (c *Cells) Beyond(row int, in *Input, s *Skimmed) {
	s.raise(row, table[row].Stat(c.Window(row), in))
}

// RecordRows are those of the record tests, up and down.
func RecordRows() (up, down int) { return rowRecordUp, rowRecordDown }

// Lift files what was skimmed in the block, and sets u to the scores of the rows that say something, in units of their tails and
// after their costs.
func (c *Cells) Lift(s *Skimmed, cost *[tuning.Families]float64, u *[Count]float32) (found Rows) {
	for i, x := range s {
		d := &table[i]
		if d.Plain {
			if x <= d.Floor {
				continue
			}
		} else {
			if x <= float64(edges[i][0]) {
				continue
			}
			x = Ln(x)
		}
		c.Raise(i, x)
		if y := float32(c.Score(i, x) - cost[d.Family]); y > 0 {
			u[i] = y
			found |= 1 << i
		}
	}
	return found
}

// Sided are the rows that look at what rises, and at what falls; both are in either.
func Sided() (rise, fall Rows) { return rising, falling }

var rising, falling = func() (rise, fall Rows) {
	for i := range table {
		if table[i].Up >= 0 {
			rise |= 1 << i
		}
		if table[i].Up <= 0 {
			fall |= 1 << i
		}
	}
	return rise, fall
}()

// Count files the block's largest statistics, and fits nothing.
func (c *Cells) Count(n *[Count]Counts) {
	for i, b := range c.Peak {
		n[i][b] += unit
		c.Peak[i] = 0
	}
}

// Settle forgets what is beyond the memory of histograms that were counted into, and fits every law.
func (c *Cells) Settle(p *tuning.Params, n *[Count]Counts) {
	q := quantileOf(p.Quantile)
	for i := range table {
		c.put(i, fit(&table[i], p, &n[i], q, n[i].trim(p)))
	}
}

// trim forgets as filing a block does, and returns the sum of all.
func (c *Counts) trim(p *tuning.Params) (sum int) {
	if sum = c.sum(); float64(sum) >= unit*p.Memory {
		c.Forget(1.0 / 32)
		sum = c.sum()
	}
	return sum
}

// Count files the block's largest statistic, and fits nothing.
func (c *Cell) Count(d *Detector, n *Counts) {
	n[d.bin(float64(c.Max))] += unit
	c.Max = float32(d.Floor)
}

// Settle forgets what is beyond the memory, and fits the law.
func (c *Cell) Settle(d *Detector, p *tuning.Params, n *Counts) {
	n.trim(p)
	c.Fit(d, p, n)
}

// Positive is max(0, x) of a number, without a branch that nobody can foretell.
func Positive(x float32) float32 {
	b := math.Float32bits(x)
	return math.Float32frombits(b &^ uint32(int32(b)>>31))
}

// Higher is the larger of two numbers of which the first is not below zero.
func Higher(x, y float32) float32 {
	return math.Float32frombits(uint32(max(int32(math.Float32bits(x)), int32(math.Float32bits(y)))))
}

// Blocks is the number of blocks remembered.
func (c *Counts) Blocks() int { return c.sum() / unit }

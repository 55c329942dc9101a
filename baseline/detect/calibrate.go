package detect

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// Gumbel is the extreme-value law of the largest statistic in a block of time.
type Gumbel struct{ Place, Scale float64 }

// Bins is the number of cells of a Cell's histogram.
const Bins = 24

// Cell is one test's calibration on one series, as far as every sample needs it. It is fitted from
// Counts.
type Cell struct {
	Max          float32 // of the block so far
	Place, Scale float32 // fitted
}

// Counts is a histogram of a test's largest statistic per block, in 1/unit of a block.
// Blocks, not samples, because the budget is in episodes per week: neither autocorrelation nor
// the sampling step matters then. The histogram forgets by halves, so that it holds about the
// last 300 blocks; the anomalies themselves stay in, since the quantiles bear some percent of them.
type Counts [Bins]uint16

// Law is a cell with its counts.
type Law struct {
	Cell
	Counts Counts
}

// Reset gives the law its prior.
func (l *Law) Reset(d *Detector, p *tuning.Params) {
	l.Counts = Counts{}
	l.Cell.Reset(d, p)
}

// Close files the block's largest statistic and fits again.
func (l *Law) Close(d *Detector, p *tuning.Params) { l.Cell.Close(d, p, &l.Counts) }

const (
	lnLn2  = -0.36651292058166435 // log(log 2)
	lnLn99 = -4.600149226776579   // log(-log .99)
)

const (
	binWidth = 0.15
	unit     = 64 // of a count; a memory of up to 1000 blocks fits 16 bits
)

// Reset gives the cell its prior.
func (c *Cell) Reset(d *Detector, p *tuning.Params) {
	*c = Cell{Max: float32(d.Floor)}
	c.Fit(d, p, &Counts{})
}

// Score is the statistic in units of the test's own tail: 0 near the usual largest value of a
// block, each further unit e times as rare.
func (c *Cell) Score(y float64) float64 { return (y - float64(c.Place)) / float64(c.Scale) }

// Statistic is the statistic whose score is u: Score backwards.
func (c *Cell) Statistic(u float64) float64 { return u*float64(c.Scale) + float64(c.Place) }

// Usual is what one block in a hundred exceeds, as far as the series has told: the law without the floor
// under its scale, which is there for what a series has not shown yet. A long trouble, once it fills the
// upper quantile, may not make itself usual: the same from a lower quantile bounds it to three times as far.
func (c *Counts) Usual(d *Detector, p *tuning.Params) float64 {
	const lower, farther = 0.8, 3
	sum := c.sum()
	at := func(q quantile) float64 {
		place, scale := c.law(d, p, q, sum)
		return place - scale*lnLn99
	}
	return max(d.Floor, min(at(quantileOf(p.Quantile)), at(quantileOf(lower))+math.Log(farther)))
}

// Close files the block's largest statistic and fits again.
func (c *Cell) Close(d *Detector, p *tuning.Params, n *Counts) {
	sum := n.add(d.bin(float64(c.Max)), p)
	c.Max = float32(d.Floor)
	c.put(fit(d, p, n, quantileOf(p.Quantile), sum))
}

func (c *Cell) put(law Gumbel) { c.Place, c.Scale = float32(law.Place), float32(law.Scale) }

// bin is where a statistic falls in the histogram.
func (d *Detector) bin(y float64) int { return int(max(0, min(Bins-1, (y-d.Floor)/d.width()))) }

// add files a block and returns the sum of all.
func (c *Counts) add(bin int, p *tuning.Params) (sum int) {
	if sum = c.sum(); float64(sum) >= unit*p.Memory {
		c.Forget(1.0 / 32)
		sum = c.sum()
	}
	c[bin] += unit
	return sum + unit
}

// Blend is what several histograms have in common, as of so many blocks.
func Blend(of []Counts, blocks float64) (out Counts) {
	var share [Bins]float64
	n := 0.0
	for i := range of {
		total := of[i].total()
		if total == 0 {
			continue
		}
		n++
		for k, x := range of[i] {
			share[k] += float64(x) / unit / total
		}
	}
	for k := range out {
		if n > 0 {
			out[k] = uint16(unit*blocks*share[k]/n + 0.5)
		}
	}
	return out
}

// Fit sets the law by the counts.
func (c *Cell) Fit(d *Detector, p *tuning.Params, n *Counts) {
	c.put(fit(d, p, n, quantileOf(p.Quantile), n.sum()))
}

// Forget takes a share of all counts away.
func (c *Counts) Forget(share float64) {
	for k, n := range c {
		c[k] = n - uint16(share*float64(n)+0.5)
	}
}

// total is the number of blocks remembered.
func (c *Counts) total() float64 {
	return float64(c.sum()) / unit
}

func (c *Counts) sum() int {
	n := 0
	for _, x := range c {
		n += int(x)
	}
	return n
}

// quantile is an upper quantile to fit by, and how many scales of a Gumbel law lie between it and the median.
type quantile struct{ upper, apart float64 }

func quantileOf(upper float64) quantile { return quantile{upper, lnLn2 - Ln(-Ln(upper))} }

// fit is the law by the median and an upper quantile (0.95) of the block maxima, whose sum is given. For
// a Gumbel law the two lie 2.60 scales apart and the median 0.367 above the place. The fitted
// scale has a floor, since too thin a tail makes harmless values look impossible.
func fit(d *Detector, p *tuning.Params, counts *Counts, q quantile, sum int) Gumbel {
	if d.Plain {
		return Gumbel{0, 1}
	}
	place, scale := counts.law(d, p, q, sum)
	least := p.Least[d.Family]
	if d.Min > 0 {
		least = d.Min
	}
	return Gumbel{place, max(scale, least)}
}

// law is the place and scale of the block maxima by their median and an upper quantile, mixed with the prior,
// which weighs less as blocks come.
func (c *Counts) law(d *Detector, p *tuning.Params, q quantile, sum int) (place, scale float64) {
	place, scale = d.Prior.Place, d.Prior.Scale
	if sum > 0 {
		q50, high := c.quantiles(0.5*float64(sum), q.upper*float64(sum))
		width := d.width()
		b := width * (high - q50) / q.apart
		m := d.Floor + width*q50 + lnLn2*b
		n := float64(sum) / unit
		w := n / (n + p.PriorWeight)
		place += w * (m - place)
		scale += w * (b - scale)
	}
	return place, scale
}

// quantiles are the places in the histogram, in bins, under which k and l of its sum lie; k is above zero and l not less. The
// first bin has no width: what is in it lies at the floor.
func (c *Counts) quantiles(k, l float64) (x, y float64) {
	below, i := 0, 0
	for i < Bins && float64(below+int(c[i])) < k {
		below += int(c[i])
		i++
	}
	x = c.within(i, k-float64(below))
	for i < Bins && float64(below+int(c[i])) < l {
		below += int(c[i])
		i++
	}
	return x, c.within(i, l-float64(below))
}

// within is the place in a bin under which so much of it lies.
func (c *Counts) within(i int, much float64) float64 {
	switch i {
	case 0:
		return 0
	case Bins:
		return Bins
	}
	return float64(i) + much/float64(c[i])
}

// Pool is the second stage: the law of the largest test of all, in longer blocks. Its fit takes
// the place of a correction for the number of tests.
type Pool struct {
	PoolState
}

// PoolState is saved as it is.
type PoolState struct {
	Max, Mean, Var, N float32
}

// Reset gives the pool its prior.
func (q *Pool) Reset(p *tuning.Params) {
	q.PoolState = PoolState{Max: float32(math.Inf(-1)), Mean: float32(p.PriorMean2), Var: float32(p.PriorDev2 * p.PriorDev2)}
}

// Close files the block's largest score, clipped so that an anomaly hardly moves the law.
func (q *Pool) Close(p *tuning.Params) {
	if math.IsInf(float64(q.Max), -1) {
		return
	}
	dev := q.dev(p)
	mean := float64(q.Mean)
	x := max(mean-p.Clip2*dev, min(mean+p.Clip2*dev, float64(q.Max)))
	n := float64(q.N) + 1
	w := max(1/(n+p.PriorWeight), 1/p.Memory2)
	d := x - mean
	q.Mean += float32(w * d)
	q.Var = float32((1 - w) * (float64(q.Var) + w*d*d))
	q.N = float32(min(n, 1e6))
	q.Max = float32(math.Inf(-1))
}

// Silent is the score at and under which all are the same to Close.
func (q *Pool) Silent(p *tuning.Params) float64 {
	return float64(q.Mean) - p.Clip2*q.dev(p)
}

// Note counts a score of the block.
func (q *Pool) Note(u float64) { q.Max = max(q.Max, float32(u)) }

// Blank says that the block has no score yet.
func (q *Pool) Blank() bool { return math.IsInf(float64(q.Max), -1) }

// Forget lets the blocks so far count for less: what comes next tells more about what comes after.
func (q *Pool) Forget(share float64) { q.N *= float32(1 - share) }

// law is the Gumbel law in force and the allowance for its youth. Its place lies between the series' own and that of
// series in general (shrinkage: James and Stein 1961; no farther than so many deviations: Efron and Morris 1972). A
// series whose tests stir more than is usual may have more alarms, one whose tests hardly stir has fewer.
func (q *Pool) law(p *tuning.Params) (place, scale, young float64) {
	mean := float64(q.Mean)
	most := p.CommonMost2 * q.dev(p)
	return q.around(mean+max(-most, min(most, p.Common2*(p.PriorMean2-mean))), p)
}

// around is the law of a mean.
func (q *Pool) around(mean float64, p *tuning.Params) (place, scale, young float64) {
	scale = 0.78 * q.dev(p)
	return mean - 0.577*scale, scale, 1 + 1/(float64(q.N)+p.PriorWeight)
}

// dev is the deviation of the largest scores of a block.
func (q *Pool) dev(p *tuning.Params) float64 { return max(p.DevMin2, math.Sqrt(float64(q.Var))) }

// LogP is minus the natural logarithm of the probability that a block holds a score of u or more.
func (q *Pool) LogP(u float64, p *tuning.Params) float64 {
	place, scale, young := q.law(p)
	return logTail((u - place) / (scale * young))
}

// LogPAlone is LogP by the series' own law: of a test that looks at more than the series' values (its siblings, its
// absence), which series in general have no part in.
func (q *Pool) LogPAlone(u float64, p *tuning.Params) float64 {
	place, scale, young := q.around(float64(q.Mean), p)
	return logTail((u - place) / (scale * young))
}

// At is the score u that has a probability of exp(-logp) per block: LogP backwards.
func (q *Pool) At(logp float64, p *tuning.Params) float64 {
	place, scale, young := q.law(p)
	x := -math.Log(-math.Log1p(-math.Exp(-logp)))
	return x*scale*young + place
}

func (d *Detector) width() float64 {
	if d.Width > 0 {
		return d.Width
	}
	return binWidth
}

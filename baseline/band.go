package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/detect"
)

// Signs of the values seen.
const (
	negative = 1 << iota
	positive
)

// band is the usual range: on either side a calm series has one hour in a hundred with a sample outside
// of it. A seasonal test alone scores above 1 only outside of it; what is outside need not score, since
// the budget allows less than that. down and up is what the phase neighbourhood forgives (see observe).
// It reaches beyond what the remembered days have held by no more than half of that range, or than some spreads.
// A series that has never been negative has no band, and no expectation, under zero; never positive, none above.
func (s *Series) band(sc *Score, scale, down, up float64) {
	du, dd := s.edges()
	low, high := sc.Expected-down-dd*scale, sc.Expected+up+du*scale
	if lo, hi, ok := s.model.Extent(); ok {
		room := max((hi-lo)/2, someSpreads*scale)
		low, high = max(low, min(lo, sc.Expected)-room), min(high, max(hi, sc.Expected)+room)
	}
	sc.Lower, sc.Upper = s.within(low), s.within(high)
	sc.Expected = s.within(sc.Expected)
}

// someSpreads is how far the band may always reach.
const someSpreads = 4

// edges are the distances of the band's ends, in spreads.
func (s *Series) edges() (up, down float64) { return float64(s.edge[0]), float64(s.edge[1]) }

// bound computes anew the edges and what scores nothing: the laws or what is usual have changed.
func (s *Series) bound() {
	p := &s.rates.Params
	if s.live != nil {
		s.cells.Silence(&s.live.Bounds, s.pool.Silent(p), p)
	}
	u := s.pool.At(s.budget(), p)
	for i := range s.edge {
		s.edge[i] = float32(math.Exp(min(s.usual[i].number(), s.cells.Statistic(i, u+p.Cost[seasonRows[i].Family]))))
	}
}

// settle looks up what is usual anew, once a block.
func (s *Series) settle(p *params, n *[detect.Count]detect.Counts) {
	for i := range s.usual {
		s.usual[i] = statisticOf(n[i].Usual(&seasonRows[i], p))
	}
}

// statistic is a number between -16 and 16 in steps of 1/2048: what tests measure is a logarithm.
type statistic int16

func statisticOf(x float64) statistic {
	return statistic(math.RoundToEven(2048 * max(-15.999, min(15.999, x))))
}

func (x statistic) number() float64 { return float64(x) / 2048 }

// within keeps a number on the side of zero on which all values of the series have been.
func (s *Series) within(x float64) float64 {
	if s.core.Signs&negative == 0 && x < 0 || s.core.Signs&positive == 0 && x > 0 {
		return 0
	}
	return x
}

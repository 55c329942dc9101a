package season

import (
	"github.com/tidemark/tidemark/baseline/tuning"
)

// Line is the profile of the season in force within one slot: two straight lines that meet in its middle, and what it
// is at most and at least from the slot before to the one after.
type Line struct {
	Mid, Before, After float64 // value in the middle, and growth per slot on either side of it
	Level              float64
	Low, High          float64
}

// Line is that of a candidate for the current slot.
func (m *Model) Line(k Kind) Line {
	c := &m.Cand[k]
	return Line{
		Mid: float64(c.Cur), Before: float64(c.Cur - c.Prev), After: float64(c.Next - c.Cur), Level: c.Level,
		Low: float64(min(c.Prev, c.Cur, c.Next)), High: float64(max(c.Prev, c.Cur, c.Next)),
	}
}

// SlotMs is the length of a slot in milliseconds.
func (sh *Shape) SlotMs() int64 { return sh.slotMs }

// Base is the spread in the current slot before volatility and floors.
func (s *Scale) Base() float64 { return s.base(s.Now) }

// Volatility is the factor by which the spread differs from its base.
func (s *Scale) Volatility(r *tuning.Rates) float64 {
	switch v := float64(s.Vol); {
	case v < r.VolMin:
		return r.VolMin
	case v > r.VolMax:
		return r.VolMax
	default:
		return v
	}
}

// Stir moves the volatility by samples whose residuals are of the mean amount a, in units of the base; r is for so many.
func (s *Scale) Stir(a float64, r *tuning.Rates) {
	if a > r.ClipScales {
		a = r.ClipScales
	}
	s.Vol += float32(r.Vol * (a - float64(s.Vol)))
}

// Skim is Learn for n samples by which Stir has been told.
func (s *Scale) Skim(a, n float64, r *tuning.Rates) {
	s.N += float32(n)
	s.Mean += float32(tuning.Mean(float64(s.N)/n, r.Scale) * (a - float64(s.Mean)))
	s.Sum += float32(n * a)
	s.Count += float32(n)
}

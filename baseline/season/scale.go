package season

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// Half is a float32 cut to its upper 16 bits: the range of a float32 with two to three digits,
// enough for a spread.
type Half = uint16

func pack(x float64) Half {
	f := float32(min(x, 3e38))
	return Half((math.Float32bits(f) + 0x8000) >> 16)
}

func unpack(h Half) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }

// Peaks remembers what amplitude of surprise is usual at each time of day: cron jobs, batches,
// backups. Per slot it follows a quantile, over days, of the day's largest surprise in the slot
// and its two neighbours. The quantiles lie in the archive, in the slice that the methods are given.
type Peaks struct {
	Max  [3]float32 // largest of the last three slots, the current one first
	Days float32    // days seen, in slots
	Now  Half       // of the current slot
}

// Turn begins a slot.
func (p *Peaks) Turn(q []Half, slot int) { p.Now = q[slot] }

// At is the usual peak in the current slot, 0 in the first three days.
func (p *Peaks) At(slots int) float64 { return p.usual(p.Now, slots) }

// AtSlot is the usual peak in another slot.
func (p *Peaks) AtSlot(q []Half, slot int) float64 { return p.usual(q[slot], len(q)) }

func (p *Peaks) usual(h Half, slots int) float64 {
	if float64(p.Days) < 3*float64(slots) {
		return 0
	}
	return unpack(h)
}

// File ends a slot, the last one before that of the moment.
func (p *Peaks) File(q []Half, mo Moment, r *tuning.Rates) {
	if mo.LastSlot < 0 {
		return
	}
	k := (mo.LastSlot + len(q) - 1) % len(q) // the middle one of the last three
	m := float64(max(p.Max[0], p.Max[1], p.Max[2]))
	if m > 0 {
		q[k] = pack(p.step(len(q), unpack(q[k]), m, r.PeakQuantile))
	}
	p.Days++
	p.Max[2], p.Max[1], p.Max[0] = p.Max[1], p.Max[0], 0
}

// Learn takes the amount of the surprise of one sample.
func (p *Peaks) Learn(x float32) {
	if x > p.Max[0] {
		p.Max[0] = x
	}
}

// step moves the estimate towards x in the logarithm, faster upwards than downwards by the odds of
// the quantile (a Huber expectile), so that a first day without a season is soon forgotten.
func (p *Peaks) step(slots int, q, x, tau float64) float64 {
	if q <= 0 {
		return x
	}
	n := float64(p.Days)/float64(slots) + 1
	d := math.Log(x / q)
	w := 1 - tau
	if d > 0 {
		w = tau
	}
	return q * exp(2*w*max(1/n, 0.08)*max(-1.5, min(1.5, d)))
}

// exp is the exponential, to five digits where its argument is small.
func exp(x float64) float64 {
	if x > 0.25 || x < -0.25 {
		return math.Exp(x)
	}
	return 1 + x*(1+x*(1.0/2+x*(1.0/6+x*(1.0/24))))
}

// Scale is the time-varying spread of the seasonal residual. The spreads by time of day lie in the
// archive, in the slice that the methods are given.
type Scale struct {
	Mean, Vol, N float32
	Sum, Count   float32 // of the current slot
	Now          Half    // of the current slot
}

// Reset forgets everything.
func (s *Scale) Reset() { *s = Scale{Vol: 1} }

// Turn begins a slot.
func (s *Scale) Turn(slots []Half, slot int) { s.Now = slots[slot] }

// At is the spread in the current slot before floors.
func (s *Scale) At(r *tuning.Rates) float64 { return s.moving(s.Now, r) }

// AtSlot is the spread in another slot before floors.
func (s *Scale) AtSlot(slots []Half, slot int, r *tuning.Rates) float64 {
	return s.moving(slots[slot], r)
}

func (s *Scale) moving(h Half, r *tuning.Rates) float64 {
	return s.base(h) * max(r.VolMin, min(r.VolMax, float64(s.Vol)))
}

func (s *Scale) base(h Half) float64 {
	a := float64(s.Mean)
	if x := unpack(h); x > 0 {
		a = (a + x) / 2
	}
	return a
}

// File ends a slot, the last one before that of the moment.
func (s *Scale) File(slots []Half, mo Moment, r *tuning.Rates) {
	if mo.LastSlot < 0 || s.Count == 0 {
		return
	}
	m := float64(s.Sum / s.Count)
	old := unpack(slots[mo.LastSlot])
	if old == 0 {
		old = m
	}
	slots[mo.LastSlot] = pack(old + r.SlotWeight*(m-old))
	s.Sum, s.Count = 0, 0
}

// Clip is the largest residual that teaches; floor is the smallest spread that means anything.
func (s *Scale) Clip(floor float64, r *tuning.Rates) float64 {
	if s.N < 12 {
		return math.Inf(1)
	}
	return r.ClipScales * max(s.base(s.Now), floor)
}

// Learn takes the mean amount of the residuals of n samples, none of them above Clip; r is for so many.
func (s *Scale) Learn(a, n, floor float64, r *tuning.Rates) {
	s.N += float32(n)
	base := max(s.base(s.Now), floor)
	if s.N > 12 && base > 0 {
		s.Vol += float32(r.Vol * (min(a/base, r.ClipScales) - float64(s.Vol)))
	}
	s.Mean += float32(tuning.Mean(float64(s.N)/n, r.Scale) * (a - float64(s.Mean)))
	s.Sum += float32(n * a)
	s.Count += float32(n)
}

// Multiply makes every spread a multiple of itself: the season has changed.
func (s *Scale) Multiply(slots []Half, slot int, by float64) {
	s.Mean *= float32(by)
	s.Sum *= float32(by)
	multiply(slots, by)
	s.Turn(slots, slot)
}

// Multiply makes every peak a multiple of itself: the season has changed.
func (p *Peaks) Multiply(q []Half, slot int, by float64) {
	multiply(q, by)
	for i := range p.Max {
		p.Max[i] *= float32(by)
	}
	p.Turn(q, slot)
}

func multiply(q []Half, by float64) {
	for i := range q {
		q[i] = pack(by * unpack(q[i]))
	}
}

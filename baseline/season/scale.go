package season

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// half is a float32 cut to its upper 16 bits: the range of a float32 with two to three digits,
// enough for a spread.
type half = uint16

func pack(x float64) half {
	f := float32(min(x, 3e38))
	return half((math.Float32bits(f) + 0x8000) >> 16)
}

func unpack(h half) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }

// Peaks remembers what amplitude of surprise is usual at each time of day: cron jobs, batches,
// backups. Per slot it follows a quantile, over days, of the day's largest surprise in the slot
// and its two neighbours.
type Peaks struct {
	PeakState
	q []half
}

// PeakState is the part of Peaks that is saved as it is.
type PeakState struct {
	Max  [3]float32 // largest of the last three slots, the current one first
	Days float32    // days seen, in slots
}

// NewPeaks makes Peaks for a number of slots a day.
func NewPeaks(slots int) *Peaks { return &Peaks{q: make([]half, slots)} }

// At is the usual peak in a slot, 0 in the first three days.
func (p *Peaks) At(slot int) float64 {
	if float64(p.Days) < 3*float64(len(p.q)) {
		return 0
	}
	return unpack(p.q[slot])
}

// Learn takes the surprise of one sample.
func (p *Peaks) Learn(mo Moment, x float64, r *tuning.Rates) {
	if mo.NewSlot && mo.LastSlot >= 0 {
		k := (mo.LastSlot + len(p.q) - 1) % len(p.q) // the middle one of the last three
		m := float64(max(p.Max[0], p.Max[1], p.Max[2]))
		if m > 0 {
			p.q[k] = pack(p.step(unpack(p.q[k]), m, r.PeakQuantile))
		}
		p.Days++
		p.Max[2], p.Max[1], p.Max[0] = p.Max[1], p.Max[0], 0
	}
	p.Max[0] = max(p.Max[0], float32(min(math.Abs(x), 3e38)))
}

// step moves the estimate towards x in the logarithm, faster upwards than downwards by the odds of
// the quantile (a Huber expectile), so that a first day without a season is soon forgotten.
func (p *Peaks) step(q, x, tau float64) float64 {
	if q <= 0 {
		return x
	}
	n := float64(p.Days)/float64(len(p.q)) + 1
	d := math.Log(x / q)
	w := 1 - tau
	if d > 0 {
		w = tau
	}
	return q * math.Exp(2*w*max(1/n, 0.08)*max(-1.5, min(1.5, d)))
}

// Scale is the time-varying spread of the seasonal residual.
type Scale struct {
	ScaleState
	slot []half
}

// ScaleState is the part of Scale that is saved as it is.
type ScaleState struct {
	Mean, Vol, N float32
	Sum, Count   float32 // of the current slot
}

// NewScale makes a Scale for a number of slots a day.
func NewScale(slots int) *Scale {
	s := &Scale{slot: make([]half, slots)}
	s.Vol = 1
	return s
}

// At is the spread in a slot before floors.
func (s *Scale) At(slot int, r *tuning.Rates) float64 {
	a := s.base(slot)
	return a * max(r.VolMin, min(r.VolMax, float64(s.Vol)))
}

func (s *Scale) base(slot int) float64 {
	a := float64(s.Mean)
	if x := unpack(s.slot[slot]); x > 0 {
		a = (a + x) / 2
	}
	return a
}

// Learn takes a residual; floor is the smallest spread that means anything.
func (s *Scale) Learn(mo Moment, res, floor float64, r *tuning.Rates) {
	s.N++
	if mo.NewSlot && mo.LastSlot >= 0 && s.Count > 0 {
		m := float64(s.Sum / s.Count)
		old := unpack(s.slot[mo.LastSlot])
		if old == 0 {
			old = m
		}
		s.slot[mo.LastSlot] = pack(old + r.SlotWeight*(m-old))
		s.Sum, s.Count = 0, 0
	}
	base := max(s.base(mo.Slot), floor)
	a := math.Abs(res)
	if s.N > 12 && base > 0 {
		a = min(a, r.ClipScales*base)
		s.Vol += float32(r.Vol * (min(a/base, r.ClipScales) - float64(s.Vol)))
	}
	s.Mean += float32(max(r.Scale, 1/float64(s.N)) * (a - float64(s.Mean)))
	s.Sum += float32(a)
	s.Count++
}

// Multiply makes every spread a multiple of itself: the season has changed.
func (s *Scale) Multiply(by float64) {
	s.Mean *= float32(by)
	s.Sum *= float32(by)
	multiply(s.slot, by)
}

// Multiply makes every peak a multiple of itself: the season has changed.
func (p *Peaks) Multiply(by float64) {
	multiply(p.q, by)
	for i := range p.Max {
		p.Max[i] *= float32(by)
	}
}

func multiply(q []half, by float64) {
	for i := range q {
		q[i] = pack(by * unpack(q[i]))
	}
}

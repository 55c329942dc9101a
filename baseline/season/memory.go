package season

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// reach codes how far beyond the slots of a day, which lie between lo and hi, a sample went: the
// logarithm of the distance in units of the day's range, rounded up, so that what is read back is
// never less. The last code means farther than can be said.
func reach(d, lo, hi float32) uint8 {
	if !(d > 0) {
		return 0
	}
	return uint8(min(255, math.Ceil(reachSteps*math.Log2(1+float64(d)/reachUnit(lo, hi)))))
}

const reachSteps = 32

func reachUnit(lo, hi float32) float64 {
	return max(float64(hi-lo), math.Abs(float64(hi))/1024, 1e-30)
}

func reached(code uint8, lo, hi float32) float64 {
	switch code {
	case 0:
		return 0
	case 255:
		return math.Inf(1)
	}
	return reachUnit(lo, hi) * reaches[code]
}

// reaches are the distances of the codes, in units.
var reaches = func() (t [256]float64) {
	for code := range t {
		t[code] = math.Exp2(float64(code)/reachSteps) - 1
	}
	return t
}()

// extremes are the lowest and highest sample of a remembered day.
func (m *Model) extremes(d int) (low, high float64) {
	lo := m.base[d]
	hi := lo + 254*m.unit[d]
	return float64(lo) - reached(m.under[d], lo, hi), float64(hi) + reached(m.over[d], lo, hi)
}

// Extent is the lowest and highest sample of the remembered days; false before there are two of them.
func (m *Model) Extent() (low, high float64, ok bool) {
	return float64(m.Least), float64(m.Most), m.Filled >= 2
}

// measure looks the extent up anew, once a day.
func (m *Model) measure() {
	low, high := math.Inf(1), math.Inf(-1)
	for d := range int(m.Filled) {
		l, h := m.extremes(d)
		low, high = min(low, l), max(high, h)
	}
	m.Least, m.Most = float32(max(low, -math.MaxFloat32)), float32(min(high, math.MaxFloat32))
}

// dayOf is the local day of t (unix milliseconds), in days since 1970-01-01.
func (m *Model) dayOf(t int64) int64 { return floorDiv(m.cal.Local(t), dayMs) }

// LastBeyond is how many days before t a remembered day last held a sample as high as v, or as low
// when up is false. With never it is the number of days looked back.
func (m *Model) LastBeyond(v float64, up bool, t int64) (days int, never bool) {
	today := m.dayOf(t)
	never = true
	for d := range int(m.Filled) {
		ago := int(today - int64(m.number[d]))
		if ago <= 0 {
			continue
		}
		low, high := m.extremes(d)
		beyond := up && high >= v || !up && low <= v
		switch {
		case beyond && (never || ago < days):
			days, never = ago, false
		case never:
			days = max(days, ago)
		}
	}
	return days, never
}

// Fitted is the number of remembered days and the number of days since the first of them.
func (m *Model) Fitted() (days, of int) {
	for d := range int(m.Filled) {
		of = max(of, int(m.Day-m.number[d]))
	}
	return int(m.Filled), max(of, int(m.Filled))
}

// Today is the class of the current day by the calendar, and whether it behaves like the other one.
func (m *Model) Today() (class Class, swapped bool) { return m.cal.Class(int64(m.Day)), m.Swapped }

// Holiday reports whether the current day is a working weekday that the calendar calls a day off.
func (m *Model) Holiday() bool {
	w := Weekday(int64(m.Day))
	return w != 0 && w != 6 && m.cal.Class(int64(m.Day)) == Restday
}

// Follow is how many samples at distance d from what is expected it takes until the level has come to
// within half, half the width of a band: the recursions of Learn with a constant value. False when that
// is farther than 30 days.
func (m *Model) Follow(d, half float64, r *tuning.Rates) (steps float64, ok bool) {
	c := m.Cand[m.active()]
	err := float64(c.Err)
	limit := 30 * 86400 / r.Step
	for d > half {
		if steps++; steps > limit {
			return 0, false
		}
		res := min(d, r.ClipScales*err)
		if err == 0 {
			res = d
		}
		d -= r.Level * res
		err += r.Err * (res - err)
	}
	return steps, true
}

// Beyond is how far v lies from slow, as far as that is beyond what half of the days hold around this time: a
// nightly job is no surprise although no season is in force for it.
func (m *Model) Beyond(v, slow float64) float64 {
	d := v - slow
	if m.Filled < 3 || m.Chosen != None {
		return d
	}
	c := &m.Cand[Daily]
	far := v - c.Level - float64(max(c.Prev, c.Cur, c.Next))
	if d < 0 {
		far = v - c.Level - float64(min(c.Prev, c.Cur, c.Next))
	}
	if far*d <= 0 {
		return 0
	}
	if share := far / d; share < beyondShare {
		return far
	}
	return d
}

// beyondShare is the share of the distance to the slow mean up to which a value counts as what most days hold.
const beyondShare = 0.2

// Peak is the highest sample of a remembered day.
type Peak struct {
	Day  int32 // local, since 1970-01-01
	High float64
}

// Peaks fills p with those of the last days, the youngest first, and returns how many there are.
func (m *Model) Peaks(p []Peak) int {
	n := min(len(p), int(m.Filled))
	for i := range p[:n] {
		d := (int(m.Head) - 1 - i + m.days) % m.days
		_, high := m.extremes(d)
		p[i] = Peak{m.number[d], high}
	}
	return n
}

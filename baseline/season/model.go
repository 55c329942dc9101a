// Package season models what a series usually does at this time of day and week: a robust profile
// over slots of the day, on a slowly moving level, with the season (none, day, class of day,
// weekday) that predicts best.
package season

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

const dayMs = 86400e3

// Kind of season a model follows.
type Kind uint8

// The candidates. Other is the profile of the other class of day: a holiday that no calendar knew.
const (
	None Kind = iota
	Daily
	ByClass
	Weekly
	Other
	kinds
)

// String names the season as explanations do.
func (k Kind) String() string {
	return [...]string{"no season", "daily", "daily by working day and day off", "daily and weekly", "like the other class of day"}[k]
}

// candidate is one season on trial: its three profile values around now, its level, its error.
type candidate struct {
	Level           float64
	Err, Age        float32
	Prev, Cur, Next float32
}

// State is the part of a model that is saved as it is; fixed size.
type State struct {
	Cand           [kinds]candidate
	Sum            float64 // of the slot's values so far
	Slot, Day      int32   // current slot (-1 none) and local day
	SwitchAt       int32   // local hour of the last choice of season
	Count          float32 // samples in the slot
	N              float32 // samples learned
	OwnErr, OthErr float32 // mean error of the day so far, own and other class
	DayN           float32
	Chosen         Kind
	Swapped        bool // today behaves like the other class
	Head, Filled   uint8
	High, Low      float32 // highest and lowest sample of the day so far, Low > High: none
	Least, Most    float32 // lowest and highest sample of the remembered days
}

// Model is the seasonal model of one series. It is not safe for concurrent use.
//
// Its archive may be nil between two moments in the same slot: only what is new in a slot, and questions
// about other times, need it.
type Model struct {
	State
	*Shape
	*Archive
}

// New makes a model of a shape with an archive of its own.
func New(sh *Shape) *Model {
	m := &Model{Shape: sh, Archive: &Archive{}}
	sh.Place(make([]byte, sh.ArchiveBytes()), m.Archive)
	m.Reset()
	return m
}

// Reset forgets everything.
func (m *Model) Reset() {
	m.State = State{Slot: -1}
	m.Clear()
	m.clearToday()
}

func (m *Model) clearToday() {
	m.Archive.clearToday()
	m.Low, m.High = 1, 0
}

// Slots is the number of slots of a day for samples every step milliseconds: of SlotMinutes, or of
// the next longer length that divides a day and holds a step.
func Slots(p *tuning.Params, step int64) int {
	slotMs := int64(p.SlotMinutes * 60e3)
	if step > slotMs {
		slotMs = min(step, dayMs)
		for slotMs < dayMs && int64(dayMs)%slotMs != 0 {
			slotMs += 1000 - slotMs%1000
		}
	}
	return int(dayMs / slotMs)
}

// Moment is where an instant lies in the season.
type Moment struct {
	Day      int64   // local day number
	Slot     int     // slot of the day
	Frac     float64 // position in the slot, 0 to 1
	NewSlot  bool    // the first sample of its slot
	LastSlot int     // the slot before, -1 at the start
}

// At is the moment of t (unix milliseconds), which must not lie before the last one.
func (m *Model) At(t int64) Moment {
	local := m.cal.Local(t)
	day := floorDiv(local, dayMs)
	in := local - day*dayMs
	slot := in / m.slotMs
	frac := float64(in-slot*m.slotMs) / float64(m.slotMs)
	return Moment{Day: day, Slot: int(slot), Frac: frac, LastSlot: int(m.Slot), NewSlot: day != int64(m.Day) || slot != int64(m.Slot)}
}

// Within says whether t lies in the current slot, and when that began (unix milliseconds).
func (m *Model) Within(t int64) (begin int64, ok bool) {
	in := m.cal.Local(t) - int64(m.Day)*dayMs - int64(m.Slot)*m.slotMs
	return t - in, m.Slot >= 0 && in >= 0 && in < m.slotMs
}

// Advance moves the model to a moment. It needs the archive when the moment is in a new slot.
func (m *Model) Advance(mo Moment) {
	if !mo.NewSlot {
		return
	}
	slot := int64(mo.Slot)
	next := slot == int64(m.Slot)+1 && mo.Day == int64(m.Day) && m.N > 0
	m.turn(mo)
	if next {
		for i := range m.Cand {
			c := &m.Cand[i]
			c.Prev, c.Cur = c.Cur, c.Next
		}
		m.lookUp(slot+1, 2)
		return
	}
	for i := range int64(3) {
		m.lookUp(slot-1+i, int(i))
	}
}

// turn ends the slot before, and its day.
func (m *Model) turn(mo Moment) {
	day := mo.Day
	if m.Slot >= 0 && m.Count > 0 {
		m.today[m.Slot] = float32(m.Sum / float64(m.Count))
	}
	m.Sum, m.Count = 0, 0
	if day != int64(m.Day) {
		if m.Slot >= 0 {
			m.endDay()
		}
		m.Day = int32(day)
		m.startDay()
	}
	m.Slot = int32(mo.Slot)
}

// File adds samples of one slot to the memory of days, and teaches nothing else: their number, sum, and
// lowest and highest. It may only come before the first Learn.
func (m *Model) File(mo Moment, n int, sum float64, low, high float32) {
	if mo.NewSlot {
		m.turn(mo)
	}
	m.Sum += sum
	m.Count += float32(n)
	m.reach(low, high)
}

func (m *Model) reach(low, high float32) {
	if m.Low > m.High {
		m.Low, m.High = low, high
		return
	}
	if low < m.Low {
		m.Low = low
	}
	if high > m.High {
		m.High = high
	}
}

// Left is how many milliseconds of the slot are left at a moment.
func (m *Model) Left(mo Moment) int64 { return max(1, int64((1-mo.Frac)*float64(m.slotMs)+0.5)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// endDay files the finished day into the ring.
func (m *Model) endDay() {
	lo, hi, n := float32(math.Inf(1)), float32(math.Inf(-1)), 0
	for _, v := range m.today {
		if v == v {
			lo, hi, n = min(lo, v), max(hi, v), n+1
		}
	}
	if n == 0 {
		return
	}
	d := int(m.Head)
	unit := (hi - lo) / 254
	m.base[d], m.unit[d], m.number[d] = lo, unit, m.Day
	cl := m.cal.Class(int64(m.Day))
	if m.Swapped {
		cl ^= 1
	}
	m.class[d] = uint8(cl)
	m.over[d], m.under[d] = reach(m.High-hi, lo, hi), reach(lo-m.Low, lo, hi)
	for s, v := range m.today {
		code := uint8(0)
		if v == v {
			code = 1
			if unit > 0 {
				code = 1 + uint8(min(254, (v-lo)/unit+0.5))
			}
		}
		m.codes[s*m.days+d] = code
	}
	m.Head = uint8((d + 1) % m.days)
	m.Filled = uint8(min(int(m.Filled)+1, m.days))
	m.measure()
	m.clearToday()
}

// Grown says that the day that has just begun sees the week much better than the one before: its weekday
// is in memory for the first or the second time, and the weekday tells far more than the time of day.
func (m *Model) Grown() bool {
	return m.Chosen == Weekly && (m.Filled == 7 || m.Filled == 14) && m.Cand[Weekly].Err < grownErr*m.Cand[Daily].Err
}

// grownErr is the share of the daily season's error from which on the weekly one is another matter.
const grownErr = 0.8

func (m *Model) startDay() {
	m.OwnErr, m.OthErr, m.DayN, m.Swapped = 0, 0, 0, false
	m.Cand[Other].Level = m.Cand[ByClass].Level
}

// lookUp computes every candidate's profile at a slot (which may lie a day before or after) and
// puts it into the place 0 prev, 1 current, 2 next.
func (m *Model) lookUp(slot int64, place int) {
	day := int64(m.Day)
	switch {
	case slot < 0:
		slot, day = slot+int64(m.slots), day-1
	case slot >= int64(m.slots):
		slot, day = slot-int64(m.slots), day+1
	}
	var v [kinds]float32
	var ok [kinds]bool
	if m.Filled > 0 {
		v, ok = m.profile(int(slot), Weekday(day), m.cal.Class(day))
	}
	for i := range m.Cand {
		c := &m.Cand[i]
		x := v[i]
		if !ok[i] { // an empty slot takes its neighbour's value
			x = 0
			if place > 0 && Kind(i) != None {
				x = *c.at(place - 1)
			}
		}
		*c.at(place) = x
	}
}

func (c *candidate) at(place int) *float32 {
	switch place {
	case 0:
		return &c.Prev
	case 1:
		return &c.Cur
	}
	return &c.Next
}

// at interpolates between slot centres.
func (c *candidate) interpolate(frac float64, flat bool) float64 {
	if flat {
		return float64(c.Cur)
	}
	x := frac - 0.5
	if x < 0 {
		return float64(c.Cur) + x*float64(c.Cur-c.Prev)
	}
	return float64(c.Cur) + x*float64(c.Next-c.Cur)
}

// active is the candidate in force.
func (m *Model) active() Kind {
	if m.Swapped && m.Chosen >= ByClass {
		return Other
	}
	return m.Chosen
}

// Active is the season in force now.
func (m *Model) Active() Kind { return m.active() }

// Flat reports whether a slot holds one sample, so that nothing is interpolated.
func (m *Model) flat(step float64) bool { return step*1000 >= float64(m.slotMs) }

// Expect is the expected value at the moment, apart in profile and level, and the lowest and
// highest profile value one slot to either side.
func (m *Model) Expect(mo Moment, step float64) (profile, level, low, high float64) {
	c := &m.Cand[m.active()]
	profile = c.interpolate(mo.Frac, m.flat(step))
	low = float64(min(c.Prev, c.Cur, c.Next))
	high = float64(max(c.Prev, c.Cur, c.Next))
	return profile, c.Level, min(low, profile), max(high, profile)
}

// Around is the lowest and the highest profile from the slot before to the slot after.
func (m *Model) Around() (low, high float32) {
	c := &m.Cand[m.active()]
	return min(c.Prev, c.Cur, c.Next), max(c.Prev, c.Cur, c.Next)
}

// Doubtful says that today may turn out to be of the other class of day, so that Doubt must be asked.
func (m *Model) Doubtful(r *tuning.Rates) bool {
	_, _, ok := m.Doubt(Moment{}, r)
	return ok
}

// Doubt is the expectation of the other class of day, while today fits it as well as its own: on
// the morning of a holiday nobody can know yet. False on any other day.
func (m *Model) Doubt(mo Moment, r *tuning.Rates) (profile, level float64, ok bool) {
	if m.Filled < 5 || m.Chosen < ByClass || m.Swapped || float64(m.DayN)*r.Step < r.ClassHours*3600 || m.OthErr > 1.1*m.OwnErr {
		return 0, 0, false
	}
	c := &m.Cand[Other]
	return c.interpolate(mo.Frac, m.flat(r.Step)), c.Level, true
}

// Begin is when the slot of a moment at t (unix milliseconds) began, and End when it ends.
func (m *Model) Begin(mo Moment, t int64) int64 { return t - int64(mo.Frac*float64(m.slotMs)+0.5) }

// End is when the slot of a moment at t (unix milliseconds) ends.
func (m *Model) End(mo Moment, t int64) int64 { return m.Begin(mo, t) + m.slotMs }

// Frac is how far into the slot that began at begin t lies, 0 to 1.
func (m *Model) Frac(t, begin int64) float64 { return float64(t-begin) / float64(m.slotMs) }

// Profile is that of the season in force.
func (m *Model) Profile(frac, step float64) float64 {
	return m.Cand[m.active()].interpolate(frac, m.flat(step))
}

// Add counts a value towards the mean of its slot.
func (m *Model) Add(v float64) {
	m.reach(float32(v), float32(v))
	m.Sum += v
	m.Count++
}

// Clip is the largest residual to the season in force that teaches.
func (m *Model) Clip(r *tuning.Rates) float64 {
	c := &m.Cand[m.active()]
	if c.Age < 12 || c.Err == 0 {
		return math.Inf(1)
	}
	return r.ClipScales * float64(c.Err)
}

// Learn teaches n samples that lie close together: the mean of their residuals to the season in force, each clipped,
// in the middle of them, and the value v of the last, at the moment. The weights r are of so many samples, step is
// in seconds. Means move the levels; the last value, which is as noisy as the others, tells how wrong each candidate
// is, together with some from before it, if they are given. Residuals are clipped before they move level or error.
func (m *Model) Learn(mo Moment, res, n, v float64, before []Point, one, r *tuning.Rates) {
	flat := m.flat(one.Step)
	m.N += float32(n)
	mid := v
	from := mo.Frac
	if n > 1 {
		from = max(0, mo.Frac-(n-1)/2*one.Step*1000/float64(m.slotMs))
		a := &m.Cand[m.active()]
		mid = a.interpolate(from, flat) + a.Level + res
	}
	for i := range m.Cand {
		c := &m.Cand[i]
		if Kind(i) != None && m.Filled == 0 {
			c.Level = m.Cand[None].Level
			continue
		}
		p := c.interpolate(mo.Frac, flat)
		if c.Age == 0 && (Kind(i) != Other || m.N == 1) {
			c.Level = v - p // It starts where the value stands.
		}
		off := v - p - c.Level
		move := off
		if n > 1 {
			move = mid - c.interpolate(from, flat) - c.Level
		}
		c.Age += float32(n)
		age := float64(c.Age) / n
		most := math.Inf(1)
		if clip := r.ClipScales * float64(c.Err); c.Age > 12 && clip > 0 {
			most = clip
			off, move = clamp(off, clip), clamp(move, clip)
		}
		wrong := math.Abs(off)
		if len(before) > 0 {
			wrong = c.wrong(wrong, before, most, flat)
		}
		c.Level += tuning.Mean(age, r.Level) * move
		c.Err += float32(tuning.Mean(age, r.Err) * (wrong - float64(c.Err)))
		if !(c.Err <= math.MaxFloat32) {
			c.Err = math.MaxFloat32 / 1e8
		}
	}
	m.judgeDay(mo, v, n, before, one, r, flat)
	m.choose(mo, one)
}

// Point is a value, and how far into its slot it lies, 0 to 1.
type Point struct{ Frac, Value float64 }

// wrong is the mean amount by which the candidate is wrong about the last value, which is given, and those before it.
func (c *candidate) wrong(last float64, before []Point, most float64, flat bool) float64 {
	sum := last
	for _, p := range before {
		sum += min(most, math.Abs(p.Value-c.interpolate(p.Frac, flat)-c.Level))
	}
	return sum / float64(1+len(before))
}

func clamp(x, lim float64) float64 {
	if x > lim {
		return lim
	}
	if x < -lim {
		return -lim
	}
	return x
}

// judgeDay decides early whether today behaves like the other class of day.
func (m *Model) judgeDay(mo Moment, v, n float64, before []Point, one, r *tuning.Rates, flat bool) {
	if m.Filled < 5 || m.Chosen < ByClass {
		return
	}
	a, b := &m.Cand[m.Chosen], &m.Cand[Other]
	own := math.Abs(v - a.interpolate(mo.Frac, flat) - a.Level)
	oth := math.Abs(v - b.interpolate(mo.Frac, flat) - b.Level)
	if len(before) > 0 {
		own, oth = a.wrong(own, before, math.Inf(1), flat), b.wrong(oth, before, math.Inf(1), flat)
	}
	m.DayN += float32(n)
	w := float32(tuning.Mean(float64(m.DayN)/n, r.Class))
	m.OwnErr += w * (float32(own) - m.OwnErr)
	m.OthErr += w * (float32(oth) - m.OthErr)
	if float64(m.DayN)*one.Step < r.ClassHours*3600 {
		return
	}
	if !m.Swapped {
		m.Swapped = float64(m.OthErr) < r.ClassRatio*float64(m.OwnErr) && m.OwnErr > 1.5*a.Err
	} else if m.OwnErr < m.OthErr {
		m.Swapped = false
	}
}

// choose changes the season once an hour, when another has proved better for a day.
func (m *Model) choose(mo Moment, r *tuning.Rates) {
	hour := m.Day*24 + int32(mo.Slot*24/m.slots)
	if hour == m.SwitchAt {
		return
	}
	m.SwitchAt = hour
	day := float32(86400 / r.Step)
	best := m.Chosen
	limit := float64(m.Cand[best].Err) * r.SwitchRatio
	for i := None; i < Other; i++ {
		c := &m.Cand[i]
		if i != m.Chosen && c.Age >= day && float64(c.Err) < limit {
			best, limit = i, float64(c.Err)
		}
	}
	m.Chosen = best
}

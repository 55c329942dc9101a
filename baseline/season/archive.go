package season

import (
	"math"
	"unsafe"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// Shape is what the models of all series of one step length share.
type Shape struct {
	cal    *Calendar
	slots  int
	slotMs int64
	days   int
}

// NewShape makes the shape for samples every step milliseconds.
func NewShape(cal *Calendar, p *tuning.Params, step int64) *Shape {
	n := Slots(p, step)
	return &Shape{cal: cal, slots: n, slotMs: int64(dayMs) / int64(n), days: p.Days}
}

// Slots is the number of slots of a day.
func (sh *Shape) Slots() int { return sh.slots }

// Archive is what is remembered of the days: needed only when a slot of the day ends, or when
// somebody asks about another time than now. It is kept apart from the model so that it may lie on disk
// meanwhile. All its memory is one buffer.
//
// Finished days are one byte per slot, scaled between the day's own lowest and highest slot, so that
// neither a spike nor a level shift spoils the other days.
type Archive struct {
	base   []float32 // per remembered day: value of code 1
	unit   []float32 // per remembered day: value of one code
	number []int32   // per remembered day: local day number
	class  []uint8
	over   []uint8   // per remembered day: how far samples went above its highest slot, see reach
	under  []uint8   // ... and beneath its lowest
	codes  []uint8   // slot-major: codes[slot*days+day]; 0 is empty
	today  []float32 // NaN is empty
	// Usual sizes per slot of the day.
	Spread    []Half // of the seasonal residual, for Scale
	Peak      []Half // largest seasonal residual, for Peaks
	LocalPeak []Half // largest local surprise, for Peaks
}

// ArchiveBytes is the size of the buffer that Place needs: a multiple of eight.
func (sh *Shape) ArchiveBytes() int {
	return (12*sh.days + 3*sh.days + sh.slots*sh.days + 4*sh.slots + 3*2*sh.slots + 7) &^ 7
}

// Place lays an archive out in a buffer of ArchiveBytes that begins at a multiple of eight. What the buffer
// holds is taken as it is.
func (sh *Shape) Place(buf []byte, a *Archive) {
	c := carver{buf}
	a.base, a.unit, a.number = carve[float32](&c, sh.days), carve[float32](&c, sh.days), carve[int32](&c, sh.days)
	a.today = carve[float32](&c, sh.slots)
	a.Spread, a.Peak, a.LocalPeak = carve[Half](&c, sh.slots), carve[Half](&c, sh.slots), carve[Half](&c, sh.slots)
	a.class, a.over, a.under = carve[uint8](&c, sh.days), carve[uint8](&c, sh.days), carve[uint8](&c, sh.days)
	a.codes = carve[uint8](&c, sh.slots*sh.days)
}

// Clear empties an archive that was placed.
func (a *Archive) Clear() {
	clear(a.base)
	clear(a.unit)
	clear(a.number)
	clear(a.class)
	clear(a.over)
	clear(a.under)
	clear(a.codes)
	clear(a.Spread)
	clear(a.Peak)
	clear(a.LocalPeak)
	a.clearToday()
}

func (a *Archive) clearToday() {
	nan := float32(math.NaN())
	for i := range a.today {
		a.today[i] = nan
	}
}

// carver cuts a buffer into slices of numbers. The buffer never leaves the process (what is saved goes
// through the codec), so the order of bytes does not matter.
type carver struct{ rest []byte }

func carve[T float32 | int32 | Half | uint8](c *carver, n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	s := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(c.rest))), n) // Larger types come first: aligned.
	c.rest = c.rest[n*size:]
	return s
}

// Codes are the remembered slot means, a byte each: those of all days for a slot, slot by slot.
func (a *Archive) Codes() []uint8 { return a.codes }

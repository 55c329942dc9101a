package baseline

import (
	"math"
	"time"
)

// FiledBefore is the time (unix milliseconds) before which history is filed and not observed, as configured;
// now is the end of the history.
func (e *Engine) FiledBefore(now time.Time) int64 {
	if e.cfg.Observe <= 0 {
		return math.MinInt64
	}
	return now.Add(-time.Duration(e.cfg.Observe)).UnixMilli()
}

// Learn teaches samples of the past, in order of time (t is unix milliseconds). Those before from are filed: the slots
// of their days are remembered exactly as if they had been observed, at a hundredth of the cost, and the tests
// learn nothing of them. The others are observed, and each may be told (it must not call the series).
// A series that has observed a sample observes all that follow.
func (s *Series) Learn(t []int64, v []float64, from int64, each func(Score)) {
	s.lock()
	defer s.unlock()
	w := s.name.engine.work.Get().(*work)
	defer s.name.engine.work.Put(w)
	for len(t) > 0 && t[0] < from && s.core.N == 0 {
		n := s.file(t, v, from, w)
		t, v = t[n:], v[n:]
	}
	for i := range t {
		if each == nil && i < len(t)-1 {
			s.observe(t[i], v[i], w, false)
		} else if sc := s.take(t[i], v[i], w); each != nil {
			each(sc)
		}
	}
}

// ObserveAll observes samples one after the other and hands each score to each, which may be nil and must not
// call the series. It spares a large fleet the way to the disk and back for every slot of the day.
func (s *Series) ObserveAll(t []int64, v []float64, each func(Score)) {
	s.Learn(t, v, math.MinInt64, each)
}

// file files the first samples, as far as they lie in one slot and before from, and returns how many it
// has dealt with.
func (s *Series) file(t []int64, v []float64, from int64, w *work) int {
	c := &s.core
	if s.blank() || t[0] <= c.Last || s.torn(t[0], v[0]) {
		s.take(t[0], v[0], w) // The first two tell the step; the late, and those after a hole, are left out.
		return 1
	}
	mo := s.model.At(t[0])
	end := min(t[0]+s.model.Left(mo), from)
	if c.First == 0 {
		c.First = t[0]
	}
	n, sum, low, high, last := 0, 0.0, math.Inf(1), math.Inf(-1), c.Last
	i := 0
	for ; i < len(t) && t[i] < end; i++ {
		x := v[i]
		if i > 0 && s.opens(last, t[i]) || isTorn(x) {
			break
		}
		if !(x-x == 0) || t[i] <= last { // no number, or late
			continue
		}
		x = max(-limitValue, min(limitValue, x))
		sum += x
		low, high = min(low, x), max(high, x)
		last = t[i]
		n++
	}
	if n == 0 {
		return max(i, 1)
	}
	if mo.NewSlot {
		s.touch()
	}
	s.model.File(mo, n, sum, float32(low), float32(high))
	s.core.Filed += int32(min(n, math.MaxInt32-int(s.core.Filed)))
	c.Last, c.LastValue, c.Torn = last, v[i-1], 0
	if c.LastValue-c.LastValue != 0 {
		c.LastValue = sum / float64(n)
	}
	return i
}

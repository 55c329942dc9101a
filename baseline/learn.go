package baseline

import (
	"math"
	"time"
)

// ObserveFrom is the time (unix milliseconds) from which on a history that ends at end is observed, as configured; what is
// older is skimmed. It is a full hour, so that who learns the same history a little later learns it alike. Series that are
// compared with each other are observed for as long as Together at least.
func (e *Engine) ObserveFrom(end time.Time, compared bool) int64 {
	d := time.Duration(e.cfg.Observe)
	if d <= 0 {
		return math.MinInt64
	}
	if compared {
		d = max(d, Together)
	}
	return end.Add(-d).Truncate(time.Hour).UnixMilli()
}

// Learn teaches samples of the past, in order of time (t is unix milliseconds). Those before from are skimmed (see
// skim.go). The others are observed, and each may be told (it must not call the series).
// A series that has observed a sample that is not before from observes all that follow.
func (s *Series) Learn(t []int64, v []float64, from int64, each func(Score)) {
	s.lock()
	defer s.unlock()
	w := s.name.engine.work.Get().(*work)
	defer s.name.engine.work.Put(w)
	if s.old() {
		for len(t) > 0 && t[0] < from {
			n := s.skim(t, v, from, w)
			t, v = t[n:], v[n:]
		}
		if len(t) > 0 {
			s.rouse(w)
		} else if c := &s.core; c.Last > s.last.Time {
			sc := s.silent(c.Last, c.LastValue)
			s.last.set(&sc)
		}
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

package baseline

import "math"

// A value computed over a window (a rate) is wrong while the window reaches over a hole in the scrapes: rate() of
// Prometheus extrapolates to the edges of the window by half an interval at most, so that `1 - rate(idle)` jumps
// by itself after a restart of Prometheus. Such a sample is neither scored nor learned.
//
// Two things tell: samples that are missing, for the length of SeriesOptions.Window after them and after the first
// sample of all (a hole may lie just before it); and the value itself, where the reader has seen the scrapes.

// tornBits is a quiet NaN with a payload of its own, in the manner of Prometheus' stale marker. internal/promread
// marks values with the same bits.
const tornBits = 0x7ff8_686f_6c65_0001

// Torn is the value of a sample whose window reaches over a hole in the scrapes.
func Torn() float64 { return math.Float64frombits(tornBits) }

func isTorn(v float64) bool { return math.Float64bits(v) == tornBits }

// opens says whether samples are missing between two times so that a window reaches over a hole.
func (s *Series) opens(last, t int64) bool {
	return s.opts.Window > 0 && s.core.Step > 0 && 2*(t-last) > 3*s.core.step()
}

// torn says whether a sample's value is made of less than its window, and notes where a hole ends.
func (s *Series) torn(t int64, v float64) bool {
	c := &s.core
	if c.Last == 0 && s.opts.Window > 0 || c.Last != 0 && s.opens(c.Last, t) {
		s.own().whole = t + s.opts.Window.Milliseconds()
	}
	if s.rare != nil && s.rare.whole != 0 && t >= s.rare.whole {
		s.rare.whole = 0
		s.shed()
	}
	return isTorn(v) || t < s.whole()
}

// whole is until when samples are made of less than their window, 0 while they are not.
func (s *Series) whole() int64 {
	if s.rare == nil {
		return 0
	}
	return s.rare.whole
}

// suspend passes over a torn sample: an anomaly from before ends in its time, and nothing is learned but that the
// series is there.
func (s *Series) suspend(t int64, v float64, w *work) Score {
	c := &s.core
	s.flush(w)
	sc := s.silent(t, v)
	s.calm()
	if c.Last != 0 && s.learnStep(t, w) {
		s.endGap(t)
		s.alarm(&sc, t)
	}
	sc.State, sc.Alarm = AfterGap, 0
	c.Last, c.Torn = t, 1
	return sc
}

// endGap notes the samples that were missing before t.
func (s *Series) endGap(t int64) {
	if s.missed(t) && s.model.Filled >= 3 { // before, nobody knows which gaps are usual
		s.gap.Max = max(s.gap.Max, float32(s.gapStat(t-s.core.step())))
	}
}

// missed says whether samples are missing before t.
func (s *Series) missed(t int64) bool { return t-s.core.Last > 3*s.core.step() }

// Blind says that up to t (unix milliseconds) no series at all gave a sample: what is missing is the monitoring, and
// no series is absent by that time.
func (e *Engine) Blind(t int64) { e.blind.Store(t) }

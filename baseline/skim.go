package baseline

import (
	"math"
	"time"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// Old history is skimmed: all that observing teaches is learned, a run of samples at a time, and nothing is scored. A
// run ends with the slot of the day, after MostRun samples, and where a sample comes out of step, so that it does not matter how
// samples are handed over. Levels, candidate seasons and spreads move once a run; volatilities and the tests that
// look at beats, once a beat; the tests' sums with each sample. Each test's largest statistic of a block is counted as
// when observed, but the laws are fitted to the counts every few hours only, and forecasts are made less often.

// skimmed are the samples of a run that is not complete.
type skimmed struct {
	n     int
	filed bool // They are to be filed.
	t     [tuning.MostRun]int64
	v     [tuning.MostRun]float64
}

// skimRoom is what skimming a run needs.
type skimRoom struct {
	res, bulk, sur [tuning.MostRun]float32      // residuals, the same for tests that leave peaks out, and surprises
	step           [tuning.MostRun]float32      // amount of the step from the sample before
	ends           [tuning.MostRun]season.Point // of the beats but the last
	top            detect.Skimmed
}

const (
	// fitEach is the number of blocks up to which the laws are fitted with each; then, with each of the second stage. More
	// seldom would widen the law of the scores: in a restless time laws that lag behind call the second hour as unusual as the first.
	fitEach = 48
	// promiseEvery is how many hours pass between two forecasts: nine, so that they come at every time of day.
	promiseEvery = 9
)

// old says whether the series has seen nothing yet but old history.
func (s *Series) old() bool { return s.core.N == 0 || s.core.N == float64(s.core.Filed) }

// coarse says that a run is hardly more than a sample: observing it costs no more.
func (s *Series) coarse() bool { return 2*s.core.step() >= s.model.SlotMs() }

// skim learns the first samples as far as they are of one run and before from, and returns how many it has dealt with.
func (s *Series) skim(t []int64, v []float64, from int64, w *work) int {
	c := &s.core
	if s.blank() {
		s.glance(t[0], v[0], w)
		return 1
	}
	k, last := s.open(), c.Last
	if k != nil {
		last = k.t[k.n-1]
	}
	before := from - time.Duration(s.name.engine.cfg.Skim).Milliseconds() // What is older is filed.
	filed := c.N == 0 && t[0] < before
	if k != nil && k.filed != filed {
		s.close(w)
		k = nil
	}
	step := c.step()
	inStep := near(t[0]-last, step) && c.OtherRun == 0 && c.Torn == 0 && s.whole() == 0
	switch {
	case inStep && sound(v[0]) && (filed || c.N > youngBeat && !s.coarse()):
	case filed && last != 0 && t[0] > last && sound(v[0]) && !s.torn(t[0], v[0]):
		s.close(w)
		k = nil
	default:
		s.close(w)
		s.glance(t[0], v[0], w)
		return 1
	}
	if k != nil && t[0] >= s.slotEnd(k.t[0]) {
		s.close(w)
		k = nil
	}
	room := tuning.MostRun
	begin := t[0]
	if k != nil {
		room -= k.n
		begin = k.t[0]
	}
	slotEnd := s.slotEnd(begin)
	end, ends := min(slotEnd, from), slotEnd-step-step/50
	if filed {
		end = min(end, before)
	}
	n, whole := 0, false
	for last = t[0] - step; n < len(t) && t[n] < end && near(t[n]-last, step) && sound(v[n]) && !whole; n++ {
		last = t[n]
		whole = n+1 == room || last >= ends // The next one is of another slot, unless it comes early.
	}
	whole = whole || n < len(t)
	if k == nil && whole {
		s.learnRun(t[:n], v[:n], filed, w)
		return n
	}
	if k == nil {
		k = s.begin()
	}
	k.filed = filed
	copy(k.t[k.n:], t[:n])
	copy(k.v[k.n:], v[:n])
	if k.n += n; whole {
		s.close(w)
	}
	return n
}

// learnRun skims or files a run.
func (s *Series) learnRun(t []int64, v []float64, filed bool, w *work) {
	if filed {
		s.file(t, v)
	} else {
		s.run(t, v, w)
	}
}

// file remembers the slot that samples are of, and learns nothing else of them.
func (s *Series) file(t []int64, v []float64) {
	c := &s.core
	mo := s.model.At(t[0])
	if mo.NewSlot {
		s.touch()
	}
	sum, low, high := 0.0, v[0], v[0]
	for _, x := range v {
		sum += x
		if x < low {
			low = x
		}
		if x > high {
			high = x
		}
	}
	if c.First == 0 {
		c.First = t[0]
	}
	s.model.File(mo, len(t), sum, float32(low), float32(high))
	c.Filed += int32(min(len(t), math.MaxInt32-int(c.Filed)))
	c.Last, c.LastValue, c.Torn = t[len(t)-1], v[len(v)-1], 0
}

// sound says whether a value can be learned as it is.
func sound(v float64) bool { return v <= limitValue && v >= -limitValue }

// slotEnd is when the slot of a time ends.
func (s *Series) slotEnd(t int64) int64 { return t + s.model.Left(s.model.At(t)) }

// glance observes a sample of old history.
func (s *Series) glance(t int64, v float64, w *work) {
	s.observe(t, v, w, false)
	s.flush(w)
	if s.core.N > 0 {
		s.core.Filed = int32(min(s.core.N, math.MaxInt32))
	}
}

// open are the samples of the open run, nil where there are none.
func (s *Series) open() *skimmed {
	if s.rare == nil {
		return nil
	}
	return s.rare.skimmed
}

// begin opens a run.
func (s *Series) begin() *skimmed {
	k := s.name.engine.runs.Get().(*skimmed)
	k.n = 0
	s.own().skimmed = k
	return k
}

// close learns the open run.
func (s *Series) close(w *work) {
	k := s.open()
	if k == nil {
		return
	}
	s.rare.skimmed = nil
	s.shed()
	s.learnRun(k.t[:k.n], k.v[:k.n], k.filed, w)
	s.name.engine.runs.Put(k)
}

// rouse ends the time of old history: what is to be scored is scored by laws of all that is known.
func (s *Series) rouse(w *work) {
	s.close(w)
	if s.blank() || s.core.N == 0 {
		return
	}
	k, p := s.touch(), &s.rates.Params
	s.cells.Settle(p, &k.Counts)
	s.gap.Settle(&absence, p, &k.Gap)
	s.settle(p, &k.Counts)
	s.bound()
}

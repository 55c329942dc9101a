package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/season"
)

func (s *Series) setStep(step int64) {
	step = min(max(step, 1000), math.MaxInt32)
	s.core.Step = int32(step)
	s.rates = s.name.engine.ratesOf(step)
	s.enliven()
	s.bound()
	s.model.Shape = s.name.engine.shapeOf(step)
	s.cold = s.name.engine.pager.fresh(s.model.Shape)
	s.cold.dirty = true
	s.clear()
}

// stepRun is how many intervals in a row of another length change the step.
const stepRun = 30

// learnStep follows the sampling step; false while it is unknown. The first interval is taken for
// the step; thirty intervals in a row that differ from it by more than a third and agree with each
// other change it. What was learned stays as long as the slots of the day stay the same.
func (s *Series) learnStep(t int64, w *work) bool {
	c := &s.core
	if c.Last == 0 {
		return false
	}
	d := max(1000, (t-c.Last+500)/1000*1000)
	switch {
	case c.Step == 0:
		s.setStep(min(d, maxStep))
	case near(d, c.step()):
		c.OtherRun = 0
	case c.OtherRun > 0 && near(d, int64(c.OtherStep)):
		if c.OtherRun++; c.OtherRun >= stepRun && d <= maxStep {
			s.flush(w)
			s.changeStep(d)
		}
	default:
		c.OtherStep, c.OtherRun = int32(min(d, math.MaxInt32)), 1
	}
	return true
}

// maxStep is the longest step that is followed: a day.
const maxStep = int64(dayMs)

func near(a, b int64) bool { return 3*a > 2*b && 2*a < 3*b }

func (s *Series) changeStep(step int64) {
	s.core.OtherRun = 0
	if season.Slots(&s.name.engine.params, step) != s.model.Slots() {
		s.setStep(step)
		return
	}
	s.core.Step = int32(step)
	s.rates = s.name.engine.ratesOf(step)
	s.enliven()
	s.bound()
}

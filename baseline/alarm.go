package baseline

import (
	"math"
	"time"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// turnBlocks ends the blocks of the calibration that are over at t.
func (s *Series) turnBlocks(t int64) {
	p, changed := &s.rates.Params, false
	if b := int32(t / s.rates.BlockMs); b != s.core.Block {
		if s.core.Block != 0 && s.core.N > 0 {
			k := s.touch()
			if s.goesOn(int64(s.core.Block) * s.rates.BlockMs) {
				s.cells.Skip()
			} else {
				s.cells.Close(p, &k.Counts)
				s.settle(p, &k.Counts)
			}
			changed = true
			s.gap.Close(&absence, p, &k.Gap)
		}
		s.core.Block = b
	}
	if b := int32(t / s.rates.Block2Ms); b != s.core.Block2 {
		if s.core.Block2 != 0 {
			s.pool.Close(p)
			changed = true
		}
		s.core.Block2 = b
	}
	if changed {
		s.bound()
	}
}

// saying is the score of one test, in units of its tail and above zero.
type saying struct {
	u   float32
	row uint8
}

// sayings are those of a sample: of the tests that look at it alone first, then of those that hold until the beat's end.
type sayings struct {
	n, held int // number, and of which the first that holds
	all     [detect.Count]saying
}

func (y *sayings) add(row int, u float32) {
	if u > 0 {
		y.all[y.n] = saying{u, uint8(row)}
		y.n++
	}
}

// agreement is the factor by which tests that agree raise the largest score: the p-norm of all
// scores over the largest. Scores under 0.6 of it add less than 2 % and are left out.
func (s *Series) agreement(best float64, all []saying) float64 {
	norm := s.rates.Norm
	sum, n := 0.0, 0
	least := float32(0.6 * best)
	for _, say := range all {
		u := say.u
		if u <= least {
			continue
		}
		switch x := float64(u) / best; {
		case x >= 0.999999:
			sum++
		case norm == 6.5: // the shipped constant, without a logarithm
			x2 := x * x
			sum += x2 * x2 * x2 * math.Sqrt(x)
		default:
			sum += math.Exp(norm * detect.Ln(x))
		}
		n++
	}
	if norm <= 0 || n < 2 {
		return 1
	}
	return math.Exp(detect.Ln(sum) / norm)
}

// age says what the baseline is worth at t.
func (s *Series) age(t int64) State {
	p := &s.rates.Params
	age := float64(t - s.core.First)
	switch {
	case s.core.N < float64(p.WarmSamples) || age < p.WarmHours*3600e3:
		return Learning
	case age < p.ReadyHours*3600e3:
		return Warming
	}
	return Ready
}

// budget is minus the log of the probability per block that the budget allows. Budgets under the
// default one ask for more than in proportion, since the largest scores of real series fall off
// more slowly than the fitted law.
func (e *Engine) budget(r *tuning.Rates) float64 {
	rate := e.cfg.Budget.perDay()
	x := -math.Log(min(0.9, r.BudgetGain*rate*float64(r.Block2Ms)/dayMs))
	return x + (r.Tail-1)*math.Log(max(1, r.TailRate/rate))
}

func (s *Series) budget() float64 { return s.rates.Budget }

const dayMs = 86400e3

// grade turns the largest test score into the anomaly score.
func (s *Series) grade(sc *Score, best float64, which int) {
	if sc.State == Learning || which < 0 {
		return
	}
	if s.rate.Start == 0 {
		s.rate.begin(sc.Time)
	}
	sc.Raw = s.raw(best)
	d := &detect.All()[which]
	sc.Kind, sc.Detector, sc.row = d.Kind, d.Name, int8(which)
}

// raw is the anomaly score of a score in units of the tests' tails.
func (s *Series) raw(best float64) float64 {
	return s.pool.LogP(best, &s.rates.Params) / s.budget() / float64(s.core.Debt)
}

// rawAlone is the anomaly score of a test that looks at more than the series' own values.
func (s *Series) rawAlone(u float64) float64 {
	return s.pool.LogPAlone(u, &s.rates.Params) / s.budget()
}

// spread is the scale of the seasonal residual in the current slot.
func (s *Series) spread() float64 {
	return max(s.scale.At(s.rates), s.floor(), s.rates.PeakShare*s.peak.At(s.model.Slots()))
}

// spreadAt is the scale in any slot; the cold part is in memory.
func (s *Series) spreadAt(slot int) float64 {
	return max(s.scale.AtSlot(s.cold.Spread, slot, s.rates), s.floor(), s.rates.PeakShare*s.peak.AtSlot(s.cold.Peak, slot))
}

// breakMs is the longest break that an anomaly is said to have lasted through.
const breakMs = int64(10 * time.Minute / time.Millisecond)

// alarm shows one alarm per episode.
func (s *Series) alarm(sc *Score, t int64) {
	r, step := s.rates, s.core.step()
	if e := s.rare; e != nil && e.Since != 0 && t-max(e.ShownAt, e.AboveAt) > r.EpisodeMs {
		e.episode, e.withheld = episode{}, false
		s.shed()
	}
	if s.rare == nil && sc.Raw <= 1 {
		sc.Alarm, sc.Active, sc.Withheld, sc.Since = 0.9*sc.Raw, false, false, 0
		return
	}
	c := s.own()
	if sc.Raw > 1 && t-c.AboveAt > max(3*step, breakMs) {
		c.RunAt = t
	}
	switch {
	case sc.Raw <= 1:
		sc.Alarm = 0.9 * sc.Raw
		if c.Since != 0 && r.FadeHours > 0 {
			sc.Alarm = max(sc.Alarm, r.FadeTop*math.Exp2(-float64(t-c.AboveAt)/3600e3/r.FadeHours))
		}
	case c.Since == 0:
		c.Since, c.Shown, c.ShownAt, c.AboveAt = t, sc.Raw, t, t
		sc.Alarm = sc.Raw
	case c.RunAt == t && s.turned(&c.Course):
		c.Shown, c.ShownAt, c.AboveAt, c.Course = sc.Raw, t, t, course{}
		sc.Alarm = sc.Raw
	case sc.Raw > r.Growth*c.Shown:
		c.Shown, c.ShownAt, c.AboveAt = sc.Raw, t, t
		sc.Alarm = sc.Raw
	default:
		c.AboveAt = t
		sc.Alarm = 0.9 + 0.1*(1-1/sc.Raw)
	}
	if sc.Alarm > 1 {
		c.withheld = false
		s.rate.count(t)
		s.reckon(t)
	}
	// An anomaly lasts through short breaks; the episode, within which nobody is told again, is longer.
	lasts := c.Since != 0 && t-c.AboveAt <= max(3*step, breakMs)
	sc.Active, sc.Withheld, sc.Since = lasts && !c.withheld, c.withheld, max(c.Since, c.RunAt)
}

package baseline

import (
	"math"
	"slices"

	"github.com/tidemark/tidemark/baseline/detect"
)

// rateDays is the memory of the observed alarm rate.
const rateDays = 60

// alarmRate counts alarms with exponential forgetting.
type alarmRate struct {
	Sum   float64
	At    uint32 // time Sum was true, in unix seconds
	Start uint32 // first scored sample, the same; 0 none
}

func seconds(ms int64) uint32 { return uint32(min(max(ms/1000, 0), math.MaxUint32)) }

func (a *alarmRate) begin(t int64) { a.Start, a.At = max(1, seconds(t)), seconds(t) }

// since is the time from the first scored sample to t, in milliseconds.
func (a *alarmRate) since(t int64) float64 { return float64(t - 1000*int64(a.Start)) }

func (a *alarmRate) count(t int64) {
	a.Sum = a.value(t) + 1
	a.At = seconds(t)
}

func (a *alarmRate) value(t int64) float64 {
	return a.Sum * math.Exp(-float64(t-1000*int64(a.At))/(rateDays*dayMs))
}

// BudgetRatio is the series' observed rate of alarms over the rate its budget allows, both over
// about the last 60 days. False alarms and true ones are counted alike: only a person can tell
// them apart. It is NaN in the first day of scoring.
func (s *Series) BudgetRatio() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.core.Last
	if s.rate.Start == 0 || s.rate.since(t) < dayMs {
		return math.NaN()
	}
	seen := 1 - math.Exp(-s.rate.since(t)/(rateDays*dayMs))
	return s.rate.value(t) / (s.name.engine.cfg.Budget.perDay() * rateDays * seen)
}

// BudgetRatio is the same over all series: alarms observed over alarms allowed. NaN while no
// series has been scored for a day.
func (e *Engine) BudgetRatio() float64 {
	e.mu.RLock()
	all := slices.Collect(e.series.each)
	e.mu.RUnlock()
	sum, n := 0.0, 0.0
	for _, s := range all {
		if x := s.BudgetRatio(); !math.IsNaN(x) {
			sum, n = sum+x, n+1
		}
	}
	return sum / n
}

// debt is how much more a series must show that has spent its budget of alarms over about the last 60
// days: 1 within the budget, growing with the logarithm of the excess. One alarm more on either side
// keeps a young series from being judged by its first. It moves slowly: core.Debt holds it, reckoned anew
// every hour and at each alarm.
func (s *Series) debt(t int64) float64 {
	if s.rate.Sum <= 0 {
		return 1
	}
	seen := rateDays * (1 - math.Exp(-s.rate.since(t)/(rateDays*dayMs)))
	excess := (s.rate.value(t) + 1) / (s.name.engine.cfg.Budget.perDay()*seen + 1)
	if excess <= 1 {
		return 1
	}
	return 1 + s.rates.Debt*detect.Ln(excess)
}

// reckon brings the debt up to date.
func (s *Series) reckon(t int64) { s.core.Debt = float32(s.debt(t)) }

// Package peers holds the formulas that people use today in place of learned baselines, as
// causal scorers of one series, so that a backtest can run them beside ours on the same files.
// A score above 1 is an alarm; thresholds are the customary ones.
package peers

import (
	"math"
	"slices"
	"time"
)

// Scorer scores the samples of one series in order. t is unix milliseconds.
type Scorer interface {
	Score(t int64, v float64) float64
}

// Method is one formula: one file and one row each.
type Method struct {
	Name string
	New  func(step time.Duration) Scorer
}

// All is every method.
func All() []Method {
	return []Method{
		{"three-sigma", newThreeSigma},
		{"mad", newMAD},
		{"seasonal-naive", newSeasonalNaive},
		{"holt-winters", newHoltWinters},
		{"grafana-adaptive", newGrafanaAdaptive},
		{"grafana-robust", newGrafanaRobust},
	}
}

// window is the last samples of a fixed number, in order of arrival.
type window struct {
	v    []float64
	n, i int
}

func newWindow(span, step time.Duration) *window {
	return &window{v: make([]float64, max(3, int(span/step)))}
}

func (w *window) push(x float64) {
	w.v[w.i] = x
	w.i = (w.i + 1) % len(w.v)
	w.n = min(w.n+1, len(w.v))
}

func (w *window) full(share float64) bool { return float64(w.n) >= share*float64(len(w.v)) }

func (w *window) values() []float64 { return w.v[:w.n] }

// ago is the sample k places back, 0 the newest; false when it is not there.
func (w *window) ago(k int) (float64, bool) {
	if k >= w.n {
		return 0, false
	}
	return w.v[((w.i-1-k)%len(w.v)+len(w.v))%len(w.v)], true
}

// moving keeps mean and deviation of a window in constant time.
type moving struct {
	w        *window
	sum, sq  float64
	pushes   int
	tmp      []float64
	med, mad float64
	medAt    int
}

func newMoving(span, step time.Duration) *moving { return &moving{w: newWindow(span, step)} }

func (m *moving) push(x float64) {
	if m.w.n == len(m.w.v) {
		old := m.w.v[m.w.i]
		m.sum -= old
		m.sq -= old * old
	}
	m.w.push(x)
	m.sum += x
	m.sq += x * x
	if m.pushes++; m.pushes%len(m.w.v) == 0 { // rounding does not pile up
		m.sum, m.sq = 0, 0
		for _, v := range m.w.values() {
			m.sum += v
			m.sq += v * v
		}
	}
}

func (m *moving) mean() float64 { return m.sum / float64(m.w.n) }

func (m *moving) dev() float64 {
	u := m.mean()
	return math.Sqrt(max(0, m.sq/float64(m.w.n)-u*u))
}

// medians are the median and the median absolute deviation, computed again after every hundredth
// part of the window: exact enough for a comparison.
func (m *moving) medians() (med, mad float64) {
	if m.medAt == 0 || m.pushes-m.medAt >= max(1, len(m.w.v)/100) {
		m.medAt = m.pushes
		m.tmp = append(m.tmp[:0], m.w.values()...)
		m.med = median(m.tmp)
		for i, x := range m.tmp {
			m.tmp[i] = math.Abs(x - m.med)
		}
		m.mad = median(m.tmp)
	}
	return m.med, m.mad
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func over(dist, width float64) float64 {
	if width <= 0 {
		if dist > 0 {
			return 10
		}
		return 0
	}
	return max(0, dist) / width
}

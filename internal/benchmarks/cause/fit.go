package main

import (
	"math"
	"slices"

	"github.com/tidemark/tidemark/correlate/cause"
)

// Ridges of the two fits: strong, as systems and cases are few.
const (
	alertRidge      = 10
	confidenceRidge = 5
)

// choice is one case of the conditional logit: the features of its candidates and which is true.
type choice struct {
	x    [][5]float64
	true int
}

func choices(cases []recorded) []choice {
	var out []choice
	for _, r := range cases {
		names, x := cause.AlertFeatures(r.given, cause.Options{})
		if i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(r.truth, n) }); i >= 0 {
			out = append(out, choice{x, i})
		}
	}
	return out
}

// fitAlerts is a conditional logit (McFadden 1974) with a ridge on standardised features, by damped
// Newton steps.
func fitAlerts(data []choice) cause.AlertWeights {
	var scale [5]float64
	for j := range scale {
		var n, sum, sq float64
		for _, c := range data {
			for _, x := range c.x {
				n, sum, sq = n+1, sum+x[j], sq+x[j]*x[j]
			}
		}
		scale[j] = math.Sqrt(max(0, sq/n-sum/n*sum/n)) + 1e-9
	}
	value := func(w []float64) float64 {
		v := 0.0
		for _, x := range w {
			v -= .5 * alertRidge * x * x
		}
		for _, c := range data {
			s, top := scores(c, w, scale)
			sum := 0.0
			for _, x := range s {
				sum += math.Exp(x - top)
			}
			v += s[c.true] - top - math.Log(sum)
		}
		return v
	}
	w := newton(5, value, func(w []float64) ([]float64, [][]float64) {
		g, h := make([]float64, 5), square(5)
		for j := range w {
			g[j], h[j][j] = -alertRidge*w[j], alertRidge
		}
		for _, c := range data {
			s, top := scores(c, w, scale)
			sum := 0.0
			for i := range s {
				s[i] = math.Exp(s[i] - top)
				sum += s[i]
			}
			var m [5]float64
			for i, x := range c.x {
				for j := range m {
					m[j] += s[i] / sum * x[j] / scale[j]
				}
			}
			for j := range m {
				g[j] += c.x[c.true][j]/scale[j] - m[j]
			}
			for i, x := range c.x {
				for j := range m {
					for k := range m {
						h[j][k] += s[i] / sum * (x[j]/scale[j] - m[j]) * (x[k]/scale[k] - m[k])
					}
				}
			}
		}
		return g, h
	})
	for j := range w {
		w[j] /= scale[j]
	}
	return cause.AlertWeights{Own: w[0], Lift: w[1], Host: w[2], Node: w[3], Service: w[4]}
}

func scores(c choice, w []float64, scale [5]float64) (s []float64, top float64) {
	s, top = make([]float64, len(c.x)), math.Inf(-1)
	for i, x := range c.x {
		for j := range w {
			s[i] += w[j] * x[j] / scale[j]
		}
		top = max(top, s[i])
	}
	return s, top
}

// outcome is one answer for the fit of the confidence.
type outcome struct {
	x     [2]float64
	right bool
}

// fitConfidence is a logistic regression with a ridge on the weights.
func fitConfidence(data []outcome) cause.Logistic {
	logit := func(w []float64, x [2]float64) float64 { return w[0] + w[1]*x[0] + w[2]*x[1] }
	value := func(w []float64) float64 {
		v := -.5 * confidenceRidge * (w[1]*w[1] + w[2]*w[2])
		for _, o := range data {
			z := logit(w, o.x)
			if !o.right {
				z = -z
			}
			v -= math.Log1p(math.Exp(-z))
		}
		return v
	}
	w := newton(3, value, func(w []float64) ([]float64, [][]float64) {
		g, h := make([]float64, 3), square(3)
		for j := 1; j < 3; j++ {
			g[j], h[j][j] = -confidenceRidge*w[j], confidenceRidge
		}
		h[0][0] = 1e-6
		for _, o := range data {
			p := 1 / (1 + math.Exp(-logit(w, o.x)))
			y := 0.0
			if o.right {
				y = 1
			}
			f := [3]float64{1, o.x[0], o.x[1]}
			for j := range f {
				g[j] += (y - p) * f[j]
				for k := range f {
					h[j][k] += p * (1 - p) * f[j] * f[k]
				}
			}
		}
		return g, h
	})
	return cause.Logistic{Bias: w[0], Weights: [2]float64{w[1], w[2]}}
}

func square(n int) [][]float64 {
	h := make([][]float64, n)
	for i := range h {
		h[i] = make([]float64, n)
	}
	return h
}

// newton climbs a concave function with halved steps where a whole one overshoots.
func newton(n int, value func([]float64) float64, slope func([]float64) (g []float64, h [][]float64)) []float64 {
	w := make([]float64, n)
	best := value(w)
	for range 100 {
		g, h := slope(w)
		for i := range h {
			h[i] = append(h[i], g[i])
		}
		step := solve(h)
		next := make([]float64, n)
		gain := 0.0
		for t := 1.0; t > 1e-4; t /= 2 {
			for i := range w {
				next[i] = w[i] + t*step[i]
			}
			if gain = value(next) - best; gain >= 0 {
				break
			}
		}
		if gain < 1e-9 {
			break
		}
		copy(w, next)
		best += gain
	}
	return w
}

// solve is Gaussian elimination of [A|b], A positive definite.
func solve(a [][]float64) []float64 {
	n := len(a)
	for i := range n {
		for r := range n {
			if r == i {
				continue
			}
			f := a[r][i] / a[i][i]
			for k := i; k <= n; k++ {
				a[r][k] -= f * a[i][k]
			}
		}
	}
	out := make([]float64, n)
	for i := range n {
		out[i] = a[i][n] / a[i][i]
	}
	return out
}

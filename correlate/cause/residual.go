package cause

import (
	"fmt"
	"math"
)

// maxCallees bounds the regression of an entity on its callees.
const maxCallees = 8

// residual regresses an entity's latency and errors on the same metrics of its callees over the
// normal period; only what the callees do not explain counts. After CIRCA (Li et al., KDD 2022),
// with a small ridge.
func residual(v *view) finding {
	f := v.newFinding("residual")
	type worst struct {
		s           *sample
		unexplained float64
	}
	top := make([]worst, len(v.names))
	for e := range v.names {
		var first, second float64
		best := map[family]float64{}
		for _, s := range v.own[e] {
			d := s.dev()
			fam := familyOf(s.class.Kind)
			if fam != anyFamily && d > 3 {
				d = min(d, v.unexplained(s))
			}
			x := strength(d)
			if s.class.Kind == Traffic {
				fam, x = 10, x/3
			}
			if x > best[fam] {
				best[fam] = x
			}
			if x > strength(top[e].unexplained) {
				top[e] = worst{s, d}
			}
		}
		for _, x := range best {
			if x > first {
				first, second = x, first
			} else if x > second {
				second = x
			}
		}
		f.score[e] = first + .5*second
		if v.reachesAny() && v.depth[e] < 0 && len(v.callers[e])+len(v.callees[e]) > 0 {
			f.score[e] *= .5
		}
	}
	f.evidence = func(e int) []Evidence {
		s := top[e].s
		if s == nil || top[e].unexplained < 3 || familyOf(s.class.Kind) == anyFamily {
			return nil
		}
		ev := v.evidenceOf(f.kind, s, f.score[e])
		if len(v.callees[e]) > 0 {
			ev.Text = fmt.Sprintf("%s of %s is %s (normally %s), and its callees do not explain it.", s.called(), v.names[e], s.say(s.mean), s.say(s.median))
		}
		return []Evidence{ev}
	}
	return f
}

// unexplained is the deviation of a series that its callees' series of the same name leave over.
func (v *view) unexplained(s *sample) float64 {
	var x []*sample
	for _, b := range v.callees[s.ent] {
		for _, t := range v.own[b] {
			if t.Metric == s.Metric && len(t.normal) == len(s.normal) && len(t.fault) == len(s.fault) && len(x) < maxCallees {
				x = append(x, t)
				break
			}
		}
	}
	if len(x) == 0 || len(s.normal) < 4 {
		return s.dev()
	}
	p, n := len(x), len(s.normal)
	mu, sd := make([]float64, p), make([]float64, p)
	for j, t := range x {
		mu[j] = mean(t.normal)
		for _, y := range t.normal {
			sd[j] += (y - mu[j]) * (y - mu[j])
		}
		if sd[j] = math.Sqrt(sd[j] / float64(n)); sd[j] <= 0 {
			sd[j] = 1
		}
	}
	my := mean(s.normal)
	a := make([][]float64, p)
	for j := range a {
		a[j] = make([]float64, p+1)
		for k := range p {
			for i := range n {
				a[j][k] += (x[j].normal[i] - mu[j]) / sd[j] * (x[k].normal[i] - mu[k]) / sd[k]
			}
		}
		a[j][j] += .01 * float64(n)
		for i := range n {
			a[j][p] += (x[j].normal[i] - mu[j]) / sd[j] * (s.normal[i] - my)
		}
	}
	w, ok := solve(a)
	if !ok {
		return s.dev()
	}
	left := func(y float64, at func(t *sample) float64) float64 {
		r := y - my
		for j, t := range x {
			r -= w[j] * (at(t) - mu[j]) / sd[j]
		}
		return r
	}
	res := make([]float64, n)
	for i, y := range s.normal {
		res[i] = left(y, func(t *sample) float64 { return t.normal[i] })
	}
	res = sorted(res)
	med := quantile(res, .5)
	spread := max((quantile(res, .75)-quantile(res, .25))/1.349, (quantile(res, .975)-quantile(res, .025))/3.92, .01*abs(my), 1e-9)
	now := make([]float64, len(s.fault))
	for i, y := range s.fault {
		now[i] = left(y, func(t *sample) float64 { return t.fault[i] }) - med
		if s.class.Kind.worse() == downIsBad {
			now[i] = -now[i]
		}
	}
	return max(0, quantile(sorted(now), .75)) / spread
}

// solve is Gaussian elimination with partial pivots of [A|b] for a few unknowns.
func solve(a [][]float64) ([]float64, bool) {
	p := len(a)
	for i := range p {
		q := i
		for r := i + 1; r < p; r++ {
			if abs(a[r][i]) > abs(a[q][i]) {
				q = r
			}
		}
		a[i], a[q] = a[q], a[i]
		if abs(a[i][i]) < 1e-12 {
			return nil, false
		}
		for r := range p {
			if r == i {
				continue
			}
			f := a[r][i] / a[i][i]
			for k := i; k <= p; k++ {
				a[r][k] -= f * a[i][k]
			}
		}
	}
	w := make([]float64, p)
	for i := range p {
		w[i] = a[i][p] / a[i][i]
	}
	return w, true
}

package cause

import "math"

// Power iteration of the walk.
const (
	damping = .85
	rounds  = 50
)

// anomaly is an entity's own anomaly from several of its series: the mean strength of the worst
// three.
func (v *view) anomaly(e int) float64 {
	var a, b, c float64
	for _, s := range v.own[e] {
		switch x := strength(max(s.up, s.down)); {
		case x > a:
			a, b, c = x, a, b
		case x > b:
			b, c = x, b
		case x > c:
			c = x
		}
	}
	return (a + b + c) / 3
}

// ownAnomaly ranks entities by their own anomaly alone.
func ownAnomaly(v *view) finding {
	f := v.newFinding("anomaly")
	for e := range v.names {
		f.score[e] = v.anomaly(e)
	}
	f.evidence = func(e int) []Evidence {
		s := v.topDev(e)
		if s == nil || s.dev() < 3 {
			return nil
		}
		return []Evidence{v.evidenceOf(f.kind, s, f.score[e])}
	}
	return f
}

// pageRank walks from the symptom towards anomalous callees, a little back to callers, and stays
// where no callee is worse; after MicroRCA (Wu et al., NOMS 2020).
func pageRank(v *view) finding {
	f := v.newFinding("pagerank")
	n := len(v.names)
	if n == 0 {
		return f
	}
	w := make([]float64, n)
	total := 0.0
	for e := range w {
		w[e] = .05 + v.anomaly(e)
		total += w[e]
	}
	type step struct {
		to    int
		share float64
	}
	out := make([][]step, n)
	for e := range n {
		stay := w[e]
		sum := 0.0
		for _, b := range v.callees[e] {
			out[e] = append(out[e], step{b, w[b]})
			sum += w[b]
			stay = min(stay, w[e]-w[b])
		}
		for _, a := range v.callers[e] {
			out[e] = append(out[e], step{a, .2 * w[a]})
			sum += .2 * w[a]
		}
		if len(v.callees[e]) == 0 {
			stay = w[e]
		}
		if stay = max(0, stay); stay > 0 {
			out[e] = append(out[e], step{e, stay})
			sum += stay
		}
		for i := range out[e] {
			out[e][i].share /= math.Max(sum, 1e-12)
		}
	}
	p := make([]float64, n)
	if v.symptom >= 0 {
		p[v.symptom] = 1
	} else {
		for e := range p {
			p[e] = w[e] / total
		}
	}
	q := make([]float64, n)
	for range rounds {
		for e := range q {
			q[e] = (1 - damping) * w[e] / total
		}
		for e, x := range p {
			for _, s := range out[e] {
				q[s.to] += damping * x * s.share
			}
		}
		p, q = q, p
	}
	copy(f.score, p)
	return f
}

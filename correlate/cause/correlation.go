package cause

import "math"

// correlated is how many samples of the normal period are compared with the symptom.
const correlated = 60

// correlation ranks anomalous entities by how much a series of theirs moves with the symptom.
func correlation(v *view) finding {
	f := v.newFinding("correlation")
	ref := v.symptomSeries()
	if ref == nil {
		return f
	}
	r := tail(ref)
	for e := range v.names {
		for _, s := range v.own[e] {
			if s == ref {
				continue
			}
			x := abs(pearson(tail(s), r))
			if max(s.up, s.down) <= 5 {
				x *= .01
			}
			f.score[e] = max(f.score[e], x)
		}
	}
	return f
}

// symptomSeries is the series people noticed; nil when the case does not hold it.
func (v *view) symptomSeries() *sample {
	if v.symptom < 0 {
		return nil
	}
	for _, s := range v.own[v.symptom] {
		if s.Metric == v.c.Symptom.Metric && len(s.fault) > 0 {
			return s
		}
	}
	return nil
}

func tail(s *sample) []float64 {
	n := s.normal[max(0, len(s.normal)-correlated):]
	return append(append(make([]float64, 0, len(n)+len(s.fault)), n...), s.fault...)
}

func pearson(a, b []float64) float64 {
	n := min(len(a), len(b))
	if n < 3 {
		return 0
	}
	a, b = a[:n], b[:n]
	ma, mb := mean(a), mean(b)
	var va, vb, ab float64
	for i := range a {
		va += (a[i] - ma) * (a[i] - ma)
		vb += (b[i] - mb) * (b[i] - mb)
		ab += (a[i] - ma) * (b[i] - mb)
	}
	if va <= 0 || vb <= 0 {
		return 0
	}
	return ab / math.Sqrt(va*vb)
}

package detect

import (
	"github.com/tidemark/tidemark/baseline/tuning"
)

// variance sees a series that jumps about more than it does: the mean absolute step of the last
// 45 minutes over that of the last day.
var variance = Detector{
	Family: tuning.Variance, Name: "variance_up", Kind: Collective, Up: 1, Floor: 0, Prior: Gumbel{Place: 0.34, Scale: 0.27}, Say: sayVariance,
	Stat: func(m *[Words]float32, in *Input) float64 {
		if in.Move < 0 {
			return 0
		}
		return logAt(restlessness(m, in), 0)
	},
}

// restlessness is the mean step of the last 45 minutes over that of the last day, 0 while that is unknown.
func restlessness(m *[Words]float32, in *Input) float64 {
	r, d := in.Rates, in.Move
	short, long, n := float64(m[0]), float64(m[1]), float64(m[2])+in.N
	if lim := restless(m); lim > 0 {
		d = min(d, lim)
	}
	fast, slow := r.Var, r.VarLong
	if n*slow < in.N { // It is young.
		fast, slow = tuning.Mean(n/in.N, fast), tuning.Mean(n/in.N, slow)
	}
	short += fast * (d - short)
	long += slow * (d - long)
	m[0], m[1], m[2] = float32(short), float32(long), float32(min(n, 1e6))
	if n < 20 || long <= 0 {
		return 0
	}
	return short / long
}

// restless is the largest step that counts as such, 0 where nothing bounds it.
func restless(m *[Words]float32) float64 {
	if m[2] < 8 || m[1] <= 0 {
		return 0
	}
	return 6 * float64(m[1])
}

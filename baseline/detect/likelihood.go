package detect

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// likelihood sees samples that are each a little surprising, up or down, one after the other: the mean
// surprise of the last quarter of an hour against that of the last days, in usual distances between
// the two (after the anomaly likelihood of Lavin and Ahmad 2015, by exponential means). A surprise is
// the logarithm of one plus the spreads that a sample is off its season or off its last samples,
// whichever is more, at most three, so that no single sample decides.
var likelihood = Detector{
	Family: tuning.Likelihood, Name: "likelihood", Kind: Collective, Floor: floorZ, Prior: priorZ, Say: sayLikelihood,
	Stat: func(m *[Words]float32, in *Input) float64 { return logAt(unlikeliness(m, in), floorZ) },
}

// unlikeliness is how many usual distances the mean surprise of the last quarter of an hour lies above that of the last days, 0 in
// the first samples.
func unlikeliness(m *[Words]float32, in *Input) float64 {
	r := in.Rates
	x := Ln(1 + in.Off)
	short, long, apart := float64(m[0]), float64(m[1]), float64(m[2])
	fast, slow := r.Likelihood, r.Global
	if all := in.Steps + in.N; all*slow < in.N { // It is young.
		slow = in.N / all
		fast = max(slow, fast)
	}
	short += fast * (x - short)
	long += slow * (x - long)
	d := short - long
	apart += slow * (math.Abs(d) - apart)
	m[0], m[1], m[2] = float32(short), float32(long), float32(apart)
	if in.Steps < 50 {
		return 0
	}
	if apart < leastApart {
		apart = leastApart
	}
	return d / apart
}

// leastApart is the smallest usual distance that means anything: a twentieth of the spreads.
const leastApart = 0.05

// Surprise is the larger of two distances, to season and to the last samples, on the side that matters (above zero, below,
// or 0 for both), as far as a single sample may count.
func Surprise(season, local float32, side int) float32 {
	switch {
	case side < 0:
		season, local = -season, -local
	case side == 0 && season < 0:
		season = -season
	}
	if side == 0 && local < 0 {
		local = -local
	}
	if local > season {
		season = local
	}
	switch {
	case season < 0:
		return 0
	case season > MostOff:
		return MostOff
	}
	return season
}

// MostOff is how many spreads off a single sample counts at most: so far off that the logarithm of one more is three.
const MostOff = 19.0855

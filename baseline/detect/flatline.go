package detect

import (
	"github.com/tidemark/tidemark/baseline/tuning"
)

// The flatline tests see a value, or a zero, that repeats for longer than the series' values do.
// When a step leaves the value unchanged with probability q, a run of k unchanged steps has
// probability q^k: the statistic is minus its logarithm. Series whose values repeat as a rule
// (integers with few levels, constants) have a q near 1 and need long runs; where repeats come in
// bursts the calibration on the series' own runs takes over.
var (
	stuck = Detector{
		Family: tuning.Stuck, Each: true, Name: "stuck", Kind: Flatline, Floor: runFloor, Prior: Gumbel{Place: runFloor, Scale: 0.2}, Say: sayStuck,
		Stat: func(m *[Words]float32, in *Input) float64 {
			return run(m, in, in.Value == in.Last)
		},
		Turn: func(m *[Words]float32, in *Input) { repeat(m, in, in.Same) },
	}
	zero = Detector{
		Family: tuning.Zero, Each: true, Name: "zero", Kind: Flatline, Up: -1, Floor: runFloor, Prior: Gumbel{Place: runFloor, Scale: 0.2}, Say: sayZero,
		Stat: func(m *[Words]float32, in *Input) float64 {
			return run(m, in, in.Value == 0)
		},
		Turn: func(m *[Words]float32, in *Input) { repeat(m, in, in.Zero) },
	}
)

// runFloor is what a run must reach to say anything, in nats.
const runFloor = 1.8

// run keeps the length of the run in the first word.
func run(m *[Words]float32, in *Input, same bool) float64 {
	if in.Gap || !same {
		m[0] = 0
		return runFloor
	}
	m[0]++
	if m[2] < fewRuns {
		return runFloor
	}
	return logAt(float64(m[0])*rarity(m), runFloor)
}

// fewRuns is the number of samples from which on the share of repeats means anything.
const fewRuns = 50

// rarity is minus the logarithm of how often a sample continues a run.
func rarity(m *[Words]float32) float64 {
	share, n := float64(m[1]), float64(m[2])
	q := (share*n + 1) / (n + 2) // Laplace's rule
	return -Ln(min(q, 0.999))
}

// repeat follows the share of samples that continue a run, and counts the samples, in the other two words.
func repeat(m *[Words]float32, in *Input, share float64) {
	n := float32(in.N)
	m[2] = min(m[2]+n, 1e5)
	m[1] += max(n/m[2], float32(in.Rates.Day)/7) * (float32(share) - m[1])
}

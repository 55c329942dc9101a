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
		Family: tuning.Stuck, Name: "stuck", Kind: Flatline, Floor: runFloor, Prior: Gumbel{Place: runFloor, Scale: 0.2}, Say: sayStuck,
		Stat: func(m *[Words]float32, in *Input) float64 {
			return run(m, in, in.Value == in.Last)
		},
	}
	zero = Detector{
		Family: tuning.Zero, Name: "zero", Kind: Flatline, Up: -1, Floor: runFloor, Prior: Gumbel{Place: runFloor, Scale: 0.2}, Say: sayZero,
		Stat: func(m *[Words]float32, in *Input) float64 {
			return run(m, in, in.Value == 0)
		},
	}
)

// runFloor is what a run must reach to say anything, in nats.
const runFloor = 1.8

// run keeps the length of the run, the share of samples that continue one, and the samples seen.
func run(m *[Words]float32, in *Input, same bool) float64 {
	if in.Gap {
		m[0] = 0
		return runFloor
	}
	share, n := float64(m[1]), float64(m[2])
	x := float32(0)
	if same {
		x = 1
	}
	m[0] = (m[0] + 1) * x
	m[2] = min(m[2]+1, 1e5)
	m[1] += max(1/m[2], float32(in.Rates.Day)/7) * (x - m[1])
	if m[0] == 0 || m[2] < 50 {
		return runFloor
	}
	q := (share*n + 1) / (n + 2) // Laplace's rule
	return logAt(-float64(m[0])*Ln(min(q, 0.999)), runFloor)
}

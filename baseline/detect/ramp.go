package detect

import "github.com/tidemark/tidemark/baseline/tuning"

// The ramp tests see a level that drifts, as a leak does: the difference of two exponentially
// weighted means of the clipped surprise, one three times as slow as the other, is proportional to
// the slope of the level.
var (
	rampUp   = Detector{Family: tuning.Ramp, Name: "ramp_up", Kind: Collective, Up: 1, Floor: floorZ, Prior: priorZ, Stat: ramp(1)}
	rampDown = Detector{Family: tuning.Ramp, Name: "ramp_down", Kind: Collective, Up: -1, Floor: floorZ, Prior: priorZ, Stat: ramp(-1)}
)

func ramp(sign float64) func(*[Words]float32, *Input) float64 {
	return func(m *[Words]float32, in *Input) float64 {
		z := clamp(in.Bulk, in.Rates.BulkClip)
		fast, slow := float64(m[0]), float64(m[1])
		fast += in.Rates.Ramp * (z - fast)
		slow += in.Rates.Ramp / 3 * (z - slow)
		m[0], m[1] = float32(fast), float32(slow)
		return logAt(sign*(fast-slow)*6, floorZ)
	}
}

package detect

import "github.com/tidemark/tidemark/baseline/tuning"

// The slow tests see many samples that are each a little too high or too low: an exponentially
// weighted mean of the clipped surprise (EWMA control chart, Roberts 1959).
var (
	slowUp   = Detector{Family: tuning.Slow, Name: "slow_up", Kind: Collective, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: saySlow(1), Stat: slowStat(1), Sums: true}
	slowDown = Detector{Family: tuning.Slow, Name: "slow_down", Kind: Collective, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: saySlow(-1), Stat: slowStat(-1), Sums: true}
)

// SlowClip bounds a single sample's part, in spreads.
const SlowClip = 8

func slowStat(sign float64) func(*[Words]float32, *Input) float64 {
	return func(m *[Words]float32, in *Input) float64 {
		return logAt(sign*float64(in.Rates.Sum.SlowGain*m[0]), floorZ)
	}
}

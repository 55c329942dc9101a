package detect

import (
	"fmt"
	"time"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// The ramp tests see a level that drifts, as a leak does: the difference of two exponentially
// weighted means of the clipped surprise, one three times as slow as the other, is proportional to
// the slope of the level.
var (
	rampUp   = Detector{Family: tuning.Ramp, Name: "ramp_up", Kind: Collective, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayRamp(1), Stat: ramp(1), Sums: true}
	rampDown = Detector{Family: tuning.Ramp, Name: "ramp_down", Kind: Collective, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayRamp(-1), Stat: ramp(-1), Sums: true}
)

func ramp(sign float64) func(*[Words]float32, *Input) float64 {
	return func(m *[Words]float32, _ *Input) float64 {
		return logAt(sign*float64(rampGain*(m[0]-m[1])), floorZ)
	}
}

const rampGain = 6

// sayRamp: under a steady slope the means lag behind by 1/w and 3/w samples, w the weight of the fast
// one, so that the slope per sample is w/2 times their difference.
func sayRamp(sign float64) func(*Facts) string {
	word := "up"
	if sign < 0 {
		word = "down"
	}
	return func(f *Facts) string {
		perHour := sign * float64(f.Mem[0]-f.Mem[1]) * f.Bulk * f.Rates.Ramp / 2 * float64(time.Hour) / float64(max(f.Step, 1))
		return fmt.Sprintf("%s, drifting %s against %s by about %s an hour over the last hours", f.Num(f.Value), word, f.rhythm(), f.Num(perHour))
	}
}

package detect

import (
	"github.com/tidemark/tidemark/baseline/tuning"
)

// The point tests compare one sample with the few before it and with the slow mean: they see
// spikes and dips that no season explains, and values that no past day has reached.
var (
	localUp = Detector{
		Family: tuning.Local, Name: "local_up", Kind: Point, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayJump,
		Stat: func(_ *[Words]float32, in *Input) float64 { return logAt(in.Local, floorZ) },
	}
	localDown = Detector{
		Family: tuning.Local, Name: "local_down", Kind: Point, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayJump,
		Stat: func(_ *[Words]float32, in *Input) float64 { return logAt(-in.Local, floorZ) },
	}
	globalUp = Detector{
		Family: tuning.Global, Name: "global_up", Kind: Point, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayMean,
		Stat: func(_ *[Words]float32, in *Input) float64 { return logAt(in.Far, floorZ) },
	}
	globalDown = Detector{
		Family: tuning.Global, Name: "global_down", Kind: Point, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayMean,
		Stat: func(_ *[Words]float32, in *Input) float64 { return logAt(-in.Far, floorZ) },
	}
)

func clamp(x, lim float64) float64 {
	if x > lim {
		return lim
	}
	if x < -lim {
		return -lim
	}
	return x
}

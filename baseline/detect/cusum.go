package detect

import "github.com/tidemark/tidemark/baseline/tuning"

// The cumulative sums see a lasting shift that no single sample shows (Page 1954): the sum of
// clipped surprises above a slack, never under zero, slowly forgotten, at two horizons.
var (
	cusumShortUp   = Detector{Family: tuning.CusumShort, Name: "cusum_short_up", Kind: Collective, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayCusum(1), Stat: cusum, Sums: true}
	cusumShortDown = Detector{Family: tuning.CusumShort, Name: "cusum_short_down", Kind: Collective, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayCusum(-1), Stat: cusum, Sums: true}
	cusumLongUp    = Detector{Family: tuning.CusumLong, Name: "cusum_long_up", Kind: Shift, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayShift(1), Stat: cusum, Sums: true}
	cusumLongDown  = Detector{Family: tuning.CusumLong, Name: "cusum_long_down", Kind: Shift, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayShift(-1), Stat: cusum, Sums: true}
)

func cusum(m *[Words]float32, _ *Input) float64 { return logAt(float64(m[0]), floorZ) }

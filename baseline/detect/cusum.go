package detect

import "github.com/tidemark/tidemark/baseline/tuning"

// The cumulative sums see a lasting shift that no single sample shows (Page 1954): the sum of
// clipped surprises above a slack, never under zero, slowly forgotten, at two horizons.
var (
	cusumShortUp   = Detector{Family: tuning.CusumShort, Name: "cusum_short_up", Kind: Collective, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayCusum(1), Stat: cusum(0, 1), Sums: true}
	cusumShortDown = Detector{Family: tuning.CusumShort, Name: "cusum_short_down", Kind: Collective, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayCusum(-1), Stat: cusum(0, -1), Sums: true}
	cusumLongUp    = Detector{Family: tuning.CusumLong, Name: "cusum_long_up", Kind: Shift, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayShift(1), Stat: cusum(1, 1), Sums: true}
	cusumLongDown  = Detector{Family: tuning.CusumLong, Name: "cusum_long_down", Kind: Shift, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayShift(-1), Stat: cusum(1, -1), Sums: true}
)

func cusum(horizon int, sign float64) func(*[Words]float32, *Input) float64 {
	return func(m *[Words]float32, in *Input) float64 {
		r := in.Rates
		s := float64(m[0])
		s += clamp(sign*in.Bulk, r.BulkClip) - r.CusumSlack[horizon]
		s = max(0, s*(1-r.Cusum[horizon]))
		m[0] = float32(s)
		return logAt(s, floorZ)
	}
}

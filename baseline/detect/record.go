package detect

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// The record tests see a value beyond everything in memory. When the largest value of a block has
// a tail that falls like x^(-1/a), the chance that the next block exceeds the record of n blocks
// by a factor r is r^(-1/a)/(n+1): the statistic is minus its logarithm. Distances are measured
// from the slow mean.
var (
	recordUp   = Detector{Family: tuning.Record, Name: "record_up", Kind: Point, Up: 1, Each: true, Plain: true, Say: sayRecord(1), Stat: record(1), Turn: fade(1)}
	recordDown = Detector{Family: tuning.Record, Name: "record_down", Kind: Point, Up: -1, Each: true, Plain: true, Say: sayRecord(-1), Stat: record(-1), Turn: fade(-1)}
)

func record(sign float64) func(*[Words]float32, *Input) float64 {
	return func(m *[Words]float32, in *Input) float64 {
		r := in.Rates
		x := sign * in.Value
		mid := sign * (in.Value - in.Global*in.GlobalScale)
		top, n := float64(m[0]), float64(m[1])
		if n == 0 {
			m[0], m[1] = float32(x), 1
			return 0
		}
		y := 0.0
		if x > top {
			span := max(top-mid, in.GlobalScale) + 3*in.Scale // beyond the record by more than noise
			blocks := n * r.Step / (float64(r.Block2Ms) / 1000)
			y = r.RecordAge*math.Log1p(blocks) + math.Log((x-mid)/span)/r.RecordTail
			if x-mid < span {
				y = 0
			}
			m[0] = float32(x)
		}
		return max(0, y)
	}
}

// fade lets the record sink towards the slow mean, and counts the samples it is of.
func fade(sign float64) func(*[Words]float32, *Input) {
	return func(m *[Words]float32, in *Input) {
		mid := sign * (in.Value - in.Global*in.GlobalScale)
		top := float64(m[0])
		if sign*in.Value < top {
			top += in.Rates.Record * (mid - top)
		}
		m[0], m[1] = float32(top), float32(min(float64(m[1])+in.N, 1e7))
	}
}

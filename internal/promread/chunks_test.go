package promread

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"
)

// odd are the chunk shapes beside those of xor_test.go: what the encoder does when something changes.
var odd = map[string]func(i int) (t int64, v float64){
	"a constant": func(i int) (int64, float64) { return int64(i) * 60_000, 7 },
	"zeros":      func(i int) (int64, float64) { return int64(i) * 60_000, 0 },
	"stale markers and no numbers": func(i int) (int64, float64) {
		return int64(i) * 60_000, []float64{1, math.NaN(), math.Float64frombits(value.StaleNaN), 2}[i%4]
	},
	"infinite, denormal and largest": func(i int) (int64, float64) {
		return int64(i) * 60_000, []float64{math.Inf(1), 5e-324, math.Inf(-1), math.MaxFloat64, math.Copysign(0, -1)}[i%5]
	},
	"a step that changes": func(i int) (int64, float64) { return int64(i)*15_000 + int64(max(0, i-60))*45_000, float64(i) },
	"gaps of hours and of years": func(i int) (int64, float64) {
		return int64(i)*60_000 + int64(i/7)*7_200_000 + int64(i/50)*1e12, float64(i % 3)
	},
	"milliseconds apart":    func(i int) (int64, float64) { return 1_700_000_000_000 + int64(i), float64(i) },
	"times before 1970":     func(i int) (int64, float64) { return -1e12 + int64(i)*60_000, float64(-i) },
	"a counter with resets": func(i int) (int64, float64) { return int64(i) * 60_000, float64(i % 40 * 17) },
	"jittered decimals":     func(i int) (int64, float64) { return int64(i)*60_000 + int64(i*7%5), float64(i*31%1000) / 1000 },
	"jittered integers":     func(i int) (int64, float64) { return int64(i)*60_000 - int64(i*5%7), float64(i * 13 % 90) },
	"jittered sparse":       func(i int) (int64, float64) { return int64(i)*60_000 + int64(i*3%7), float64(b2i(i%20 == 0)) },
	"one bit of the value flips": func(i int) (int64, float64) {
		return int64(i) * 60_000, math.Float64frombits(1<<(i%64) | 0x3ff0000000000000)
	},
	"delta of deltas at the class ends": func(i int) (int64, float64) {
		return int64(i)*1e7 + []int64{0, 8191, 8192, -8192, 65536, -65535, 524288, -524287}[i%8], 1
	},
}

func b2i(x bool) int {
	if x {
		return 1
	}
	return 0
}

func TestEveryShapeIsDecodedAsByPrometheus(t *testing.T) {
	for name, at := range odd {
		for _, encoding := range []chunkenc.Encoding{chunkenc.EncXOR, chunkenc.EncXOR2} {
			t.Run(name+" "+encoding.String(), func(t *testing.T) {
				for _, n := range []int{1, 2, 3, 119, 120} {
					ck, err := chunkenc.NewEmptyChunk(encoding)
					require.NoError(t, err)
					app, err := ck.Appender()
					require.NoError(t, err)
					for i := range n {
						at, v := at(i)
						app.Append(0, at, v)
					}
					var wantT []int64
					var wantV []float64
					it := ck.Iterator(nil)
					for it.Next() == chunkenc.ValFloat {
						at, v := it.At()
						wantT, wantV = append(wantT, at), append(wantV, v)
					}
					require.NoError(t, it.Err())
					var d floatDecoder
					gotT, gotV, passed, err := d.decode(chunk{encoding: uint64(encoding), data: ck.Bytes()}, math.MinInt64, math.MaxInt64, nil, nil)
					require.NoError(t, err)
					require.Zero(t, passed)
					require.Equal(t, wantT, gotT)
					require.True(t, sameBits(wantV, gotV))
				}
			})
		}
	}
}

func TestHistogramChunksAreCountedAndPassedOver(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, encoding := range []chunkenc.Encoding{chunkenc.EncHistogram, chunkenc.EncFloatHistogram} {
		t.Run(encoding.String(), func(t *testing.T) {
			ck, err := chunkenc.NewEmptyChunk(encoding)
			require.NoError(t, err)
			app, err := ck.Appender()
			require.NoError(t, err)
			h := &histogram.Histogram{Schema: 1, Count: 3, Sum: 4, PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}}, PositiveBuckets: []int64{1, 1}}
			for i := range 5 {
				h.Sum += r.Float64()
				if encoding == chunkenc.EncHistogram {
					_, _, app, err = app.AppendHistogram(nil, 0, int64(i)*60_000, h.Copy(), false)
				} else {
					_, _, app, err = app.AppendFloatHistogram(nil, 0, int64(i)*60_000, h.ToFloat(nil), false)
				}
				require.NoError(t, err)
			}
			var d floatDecoder
			at, v, passed, err := d.decode(chunk{encoding: uint64(encoding), data: ck.Bytes()}, 0, math.MaxInt64, nil, nil)
			require.NoError(t, err)
			require.Empty(t, at)
			require.Empty(t, v)
			require.Equal(t, 5, passed)
		})
	}
}

func TestAnUnknownEncodingIsAnErrorThatNamesIt(t *testing.T) {
	var d floatDecoder
	for _, encoding := range []uint64{0, 99, 1 << 20} {
		_, _, _, err := d.decode(chunk{encoding: encoding, data: []byte{0, 1, 2, 3}}, 0, 1, nil, nil)
		require.ErrorContains(t, err, "encoding")
	}
}

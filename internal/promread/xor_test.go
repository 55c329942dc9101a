package promread

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"
)

// shapes are how real series look to the encoder: what they hold and how regular they are.
var shapes = []struct {
	name   string
	jitter int64
	value  func(r *rand.Rand, i int, before float64) float64
}{
	{"float", 0, func(r *rand.Rand, _ int, _ float64) float64 { return r.NormFloat64() }},
	{"decimals", 0, func(r *rand.Rand, _ int, _ float64) float64 { return math.Round(r.Float64()*1e6) / 1e3 }},
	{"integers", 0, func(r *rand.Rand, _ int, _ float64) float64 { return float64(r.IntN(100)) }},
	{"counter", 0, func(r *rand.Rand, _ int, before float64) float64 { return before + float64(r.IntN(50)) }},
	{"sparse", 0, func(r *rand.Rand, _ int, before float64) float64 {
		if r.IntN(20) == 0 {
			return float64(r.IntN(5))
		}
		return before
	}},
	{"jittered float", 3, func(r *rand.Rand, _ int, _ float64) float64 { return r.NormFloat64() }},
	{"jittered counter", 3, func(r *rand.Rand, _ int, before float64) float64 { return before + float64(r.IntN(50)) }},
	{"wild times", 1 << 40, func(r *rand.Rand, _ int, _ float64) float64 { return math.Float64frombits(r.Uint64()) }},
}

func shapeChunk(tb testing.TB, shape, n int, seed uint64) []byte {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, uint64(shape)))
	ck := chunkenc.NewXORChunk()
	app, err := ck.Appender()
	require.NoError(tb, err)
	at, v := 1_700_000_000_000+int64(seed)*121*60_000, 0.0
	for i := range n {
		at += 60_000
		if j := shapes[shape].jitter; j > 0 {
			at += r.Int64N(2*j) - j
		}
		v = shapes[shape].value(r, i, v)
		app.Append(0, at, v)
	}
	return ck.Bytes()
}

func stock(chunk []byte) (t []int64, v []float64, err error) {
	ck, err := chunkenc.FromData(chunkenc.EncXOR, chunk)
	if err != nil {
		return nil, nil, err
	}
	it := ck.Iterator(nil)
	for it.Next() == chunkenc.ValFloat {
		at, value := it.At()
		t, v = append(t, at), append(v, value)
	}
	return t, v, it.Err()
}

func sameBits(a, b []float64) bool {
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestXORChunksAreDecodedAsByPrometheus(t *testing.T) {
	var d xorDecoder
	for shape, s := range shapes {
		for n := range 130 {
			chunk := shapeChunk(t, shape, n, uint64(n))
			wantT, wantV, err := stock(chunk)
			require.NoError(t, err)
			gotT, gotV, err := d.decode(chunk, []int64{1}, []float64{2})
			require.NoError(t, err)
			require.Equal(t, append([]int64{1}, wantT...), gotT, s.name)
			require.True(t, sameBits(append([]float64{2}, wantV...), gotV), s.name)
		}
	}
}

func TestCutXORChunksAreNoticed(t *testing.T) {
	var d xorDecoder
	chunk := shapeChunk(t, 0, 50, 1)
	for n := 2; n < len(chunk)-1; n++ {
		_, _, err := d.decode(chunk[:n], nil, nil)
		require.Error(t, err, "cut to %d of %d bytes", n, len(chunk))
	}
}

// FuzzXORChunk holds that what is decoded is what Prometheus' iterator decodes, and that neither
// takes what the other refuses, but for positions of bits that can't be.
func FuzzXORChunk(f *testing.F) {
	for shape := range shapes {
		f.Add(shapeChunk(f, shape, 20, 1))
	}
	f.Fuzz(func(t *testing.T, chunk []byte) {
		if len(chunk) < 3 {
			return
		}
		var d xorDecoder
		gotT, gotV, err := d.decode(chunk, nil, nil)
		wantT, wantV, stockErr := stock(chunk)
		if err != nil {
			return
		}
		require.NoError(t, stockErr)
		require.Equal(t, wantT, gotT)
		require.True(t, sameBits(wantV, gotV))
	})
}

// BenchmarkDecode reports nanoseconds a sample of both decoders on the same chunks of 120 samples.
func BenchmarkDecode(b *testing.B) {
	for shape, s := range shapes[:7] {
		chunk := shapeChunk(b, shape, 120, 1)
		c := chunk1(chunk)
		report := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/120, "ns/sample")
			b.ReportMetric(float64(len(chunk))/120, "B/sample")
		}
		t, v := make([]int64, 0, 120), make([]float64, 0, 120)
		b.Run(s.name+"/stock", func(b *testing.B) {
			var d floatDecoder
			for b.Loop() {
				ck, err := openChunk(c)
				if err != nil {
					b.Fatal(err)
				}
				t, v, _ = d.iterate(ck, t[:0], v[:0])
			}
			report(b)
		})
		b.Run(s.name+"/block", func(b *testing.B) {
			var d floatDecoder
			for b.Loop() {
				t, v, _, _ = d.decode(c, 0, math.MaxInt64, t[:0], v[:0])
			}
			report(b)
		})
	}
}

func chunk1(data []byte) chunk {
	return chunk{encoding: uint64(chunkenc.EncXOR), data: data}
}

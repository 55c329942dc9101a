package receiver

import (
	"fmt"
	"hash/maphash"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
)

// counting is a SampleSink that wants everything and keeps nothing.
type counting struct{ n int }

func (*counting) Begin() uint64                  { return 1 }
func (*counting) End()                           {}
func (*counting) Add(uint32, labels.Labels) bool { return true }
func (*counting) Forget(uint32)                  {}

func (c *counting) Append(_ uint32, t []int64, _ []float64) int {
	c.n += len(t)
	return 0
}

// messages are one scrape of 2 000 series with eight labels, in both versions: what Prometheus sends at once.
func messages(tb testing.TB) (v1, v2 []byte) {
	const n = 2000
	req := prompb.WriteRequest{}
	second := writev2.Request{}
	symbols := writev2.NewSymbolTable()
	for i := range n {
		ls := labels.FromStrings("__name__", "http_requests_total", "cluster", "prod-eu-1", "namespace", "shop", "job", "checkout",
			"pod", fmt.Sprintf("checkout-7c9f8d6b5-%05d", i/8), "instance", fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250),
			"method", "GET", "code", fmt.Sprint(200+i%8))
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{Labels: prompb.FromLabels(ls, nil), Samples: []prompb.Sample{{Timestamp: int64(i), Value: float64(i)}}})
		second.Timeseries = append(second.Timeseries, writev2.TimeSeries{LabelsRefs: symbols.SymbolizeLabels(ls, nil), Samples: []writev2.Sample{{Timestamp: int64(i), Value: float64(i)}}})
	}
	second.Symbols = symbols.Symbols()
	v1, err := req.Marshal()
	require.NoError(tb, err)
	v2, err = second.Marshal()
	require.NoError(tb, err)
	return v1, v2
}

// BenchmarkWrite is decoding, finding the series and handing the samples over, of series that are known: it
// allocates nothing.
func BenchmarkWrite(b *testing.B) {
	v1, v2 := messages(b)
	for _, tc := range []struct {
		name   string
		body   []byte
		decode func(*writeBatch, []byte) error
	}{{"v1", v1, (*writeBatch).decodeV1}, {"v2", v2, (*writeBatch).decodeV2}} {
		b.Run(tc.name, func(b *testing.B) {
			write := steady(b, tc.body, tc.decode)
			b.ReportAllocs()
			for b.Loop() {
				write()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/sample")
		})
	}
}

func steady(tb testing.TB, body []byte, decode func(*writeBatch, []byte) error) func() {
	batch := &writeBatch{seed: maphash.MakeSeed()}
	index, sink, c, now := &writeIndex{}, &counting{}, DefaultConfig(), time.Now()
	write := func() {
		require.NoError(tb, decode(batch, body))
		if o := index.apply(&c.RemoteWrite, batch, sink, now); o.written != 2000 {
			tb.Fatal(o)
		}
	}
	write()
	return write
}

func TestSamplesOfKnownSeriesAllocateNothing(t *testing.T) {
	v1, v2 := messages(t)
	require.Zero(t, testing.AllocsPerRun(10, steady(t, v1, (*writeBatch).decodeV1)))
	require.Zero(t, testing.AllocsPerRun(10, steady(t, v2, (*writeBatch).decodeV2)))
}

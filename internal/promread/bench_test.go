package promread

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
)

const (
	benchSeries = 4
	benchChunks = 24 // Of 120 samples each.
)

// streamOf is a streamed answer of one data shape, a mebibyte a frame at most, as Prometheus sends.
func streamOf(tb testing.TB, shape int) (body []byte, chunks [][]byte) {
	tb.Helper()
	for i := range benchSeries {
		s := &prompb.ChunkedSeries{Labels: prompb.FromLabels(labels.FromStrings("__name__", "http_requests_total", "job", "api", "instance", string(rune('a'+i))), nil)}
		for j := range benchChunks {
			data := shapeChunk(tb, shape, 120, uint64(i*benchChunks+j))
			chunks = append(chunks, data)
			s.Chunks = append(s.Chunks, prompb.Chunk{Type: prompb.Chunk_XOR, Data: data, MaxTimeMs: 1})
		}
		b, err := (&prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{s}}).Marshal()
		require.NoError(tb, err)
		body = binary.AppendUvarint(body, uint64(len(b)))
		body = binary.BigEndian.AppendUint32(body, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
		body = append(body, b...)
	}
	return body, chunks
}

// BenchmarkReadPath compares, for each data shape, the whole way of an answer to samples (frames,
// checksum, messages, chunks) with Prometheus' own chunk iterator alone over the same chunks. Both
// alternate in short slices, and the least CPU time of each counts, which a busy machine disturbs
// little: path is ours in ns a sample, iterator theirs, ratio the quotient.
func BenchmarkReadPath(b *testing.B) {
	for shape, s := range shapes[:7] {
		b.Run(s.name, func(b *testing.B) {
			body, chunks := streamOf(b, shape)
			m := newMetrics(prometheus.NewRegistry())
			samples := 0
			inner := &floatHandler{m: m, to: math.MaxInt64, fn: func(s Series) error { samples += len(s.T); return nil }}
			var d floatDecoder
			t, v := make([]int64, 0, 120), make([]float64, 0, 120)
			var ours, theirs []time.Duration
			for b.Loop() {
				ours = append(ours, cpuTime(b, func() error { return readFrames(bytes.NewReader(body), 1<<20, &onceHandler{inner: inner}) }))
				theirs = append(theirs, cpuTime(b, func() error {
					for _, data := range chunks {
						ck, err := openChunk(chunk1(data))
						if err != nil {
							return err
						}
						if t, v, err = d.iterate(ck, t[:0], v[:0]); err != nil {
							return err
						}
					}
					return nil
				}))
			}
			require.Equal(b, len(ours)*benchSeries*benchChunks*120, samples)
			const n = benchSeries * benchChunks * 120
			b.ReportMetric(float64(slices.Min(ours).Nanoseconds())/n, "path-ns/sample")
			b.ReportMetric(float64(slices.Min(theirs).Nanoseconds())/n, "iterator-ns/sample")
			b.ReportMetric(float64(slices.Min(ours))/float64(slices.Min(theirs)), "ratio")
		})
	}
}

// cpuTime is what the process spent on f.
func cpuTime(b *testing.B, f func() error) time.Duration {
	b.Helper()
	var before, after syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
	require.NoError(b, f())
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
	spent := func(u syscall.Rusage) time.Duration {
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return spent(after) - spent(before)
}

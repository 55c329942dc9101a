package baseline_test

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// BenchmarkObserve is the cost of scoring and learning one sample of a series with a day of
// one-minute history. It allocates nothing.
func BenchmarkObserve(b *testing.B) {
	e := engine(b)
	s := e.Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
	feed(s, monday, 5*1440, time.Minute, wave)
	t := monday.Add(5 * 24 * time.Hour).UnixMilli()
	values := make([]float64, 1440)
	for i := range values {
		values[i] = wave(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.Observe(t, values[i%1440])
		t += 60e3
		i++
	}
}

// The state of a series, all parts of the heap together and without its labels, is bounded.
func TestStateSize(t *testing.T) {
	const n, limit = 500, 8192
	e := engine(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		s := e.Add("w", labels.FromStrings("i", strconv.Itoa(i)), time.Minute, baseline.SeriesOptions{})
		feed(s, monday, 30, time.Minute, wave)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perSeries := (after.HeapAlloc - before.HeapAlloc) / n
	t.Logf("%d bytes a series", perSeries)
	require.LessOrEqual(t, perSeries, uint64(limit))
	runtime.KeepAlive(e)
}

func TestObserveAllocatesNothing(t *testing.T) {
	e := engine(t)
	s := e.Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
	feed(s, monday, 3*1440, time.Minute, wave)
	at := monday.Add(3 * 24 * time.Hour).UnixMilli()
	require.Zero(t, testing.AllocsPerRun(2000, func() {
		s.Observe(at, 100)
		at += 60e3
	}))
}

// BenchmarkLearn is the cost of observing two weeks of one-minute history, per sample.
func BenchmarkLearn(b *testing.B) {
	const n = 14 * 1440
	t, v := make([]int64, n), make([]float64, n)
	for i := range t {
		t[i], v[i] = monday.UnixMilli()+int64(i)*60e3, wave(i)
	}
	e := engine(b)
	for b.Loop() {
		s := e.Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
		s.ObserveAll(t, v, nil)
		e.Remove(s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/sample")
}

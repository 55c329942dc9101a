package promread_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/promread"
)

func byName(name string) []*labels.Matcher {
	return []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, name)}
}

// readAll reads and copies what Read gives.
func readAll(t *testing.T, c *promread.Client, ms []*labels.Matcher, from, to int64) []testSeries {
	t.Helper()
	var out []testSeries
	require.NoError(t, c.Read(t.Context(), ms, from, to, func(s promread.Series) error {
		ts := testSeries{lset: s.Labels}
		for i := range s.T {
			ts.samples = append(ts.samples, sample{s.T[i], s.V[i]})
		}
		out = append(out, ts)
		return nil
	}))
	return out
}

func TestReadGivesTheSamplesThatTheServerHas(t *testing.T) {
	lsetA, lsetB := labels.FromStrings("__name__", "up", "job", "a"), labels.FromStrings("__name__", "up", "job", "b")
	series := []testSeries{regular(lsetA, 1000, 1000, ramp(500)...), regular(lsetB, 1000, 1000, ramp(130)...)}
	for name, srv := range map[string]*server{
		"streamed, a chunk a frame":      {},
		"streamed, three chunks a frame": {chunksPerFrame: 3},
		"streamed, XOR2 chunks":          {enc: chunkenc.EncXOR2},
		"samples":                        {samplesOnly: true},
		"samples of Cortex":              {samplesOnly: true, unsaid: true},
	} {
		t.Run(name, func(t *testing.T) {
			srv.series = series
			c, reg := client(t, srv)
			got := readAll(t, c, byName("up"), 100_500, 400_000)
			require.Len(t, got, 2)
			require.True(t, labels.Equal(lsetA, got[0].lset))
			require.Equal(t, series[0].samples[100:400], got[0].samples, "cut to the range, both ends included")
			require.True(t, labels.Equal(lsetB, got[1].lset))
			require.Equal(t, series[1].samples[100:], got[1].samples)
			require.Equal(t, 330, metricValue(t, reg, "tidemark_prometheus_read_samples_total"))
		})
	}
}

func TestReadAsksInSlices(t *testing.T) {
	srv := &server{series: []testSeries{regular(labels.FromStrings("__name__", "up"), 0, 60_000, ramp(100)...)}}
	c, _ := client(t, srv, func(cfg *promread.Config) { cfg.ReadSlice = model.Duration(30 * time.Minute) })
	var all []sample
	for _, part := range readAll(t, c, byName("up"), 0, 99*60_000) {
		all = append(all, part.samples...)
	}
	require.Equal(t, srv.series[0].samples, all, "slices neither overlap nor leave gaps")
	require.Len(t, srv.queries, 4)
	require.Equal(t, int64(0), srv.queries[0].StartTimestampMs)
	require.Equal(t, srv.queries[0].EndTimestampMs+1, srv.queries[1].StartTimestampMs)
}

func TestReadKeepsSpecialValues(t *testing.T) {
	values := []float64{1, math.NaN(), math.Float64frombits(value.StaleNaN), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, 1e308}
	srv := &server{series: []testSeries{regular(labels.FromStrings("__name__", "odd"), 0, 15_000, values...)}}
	for _, samplesOnly := range []bool{false, true} {
		srv.samplesOnly = samplesOnly
		c, _ := client(t, srv)
		got := readAll(t, c, byName("odd"), 0, 1e9)
		require.Len(t, got, 1)
		for i, s := range got[0].samples {
			require.Equal(t, math.Float64bits(values[i]), math.Float64bits(s.v))
		}
	}
}

func TestReadSendsWhatServersExpect(t *testing.T) {
	srv := &server{}
	c, _ := client(t, srv, func(cfg *promread.Config) { cfg.Tenant = "team-a" })
	require.Empty(t, readAll(t, c, byName("up"), 0, 1))
	h := srv.headers[0]
	require.Equal(t, "team-a", h.Get("X-Scope-OrgID"))
	require.Equal(t, "snappy", h.Get("Content-Encoding"))
	require.Equal(t, "application/x-protobuf", h.Get("Content-Type"))
	require.Equal(t, "0.1.0", h.Get("X-Prometheus-Remote-Read-Version"))
}

func TestReadSplitsWhatIsTooLargeToHold(t *testing.T) {
	srv := &server{samplesOnly: true, series: []testSeries{regular(labels.FromStrings("__name__", "big"), 0, 1000, noise(80_000)...)}}
	c, _ := client(t, srv, func(cfg *promread.Config) { cfg.MaxBodyBytes = 1 << 20 })
	var all []sample
	for _, part := range readAll(t, c, byName("big"), 0, 80_000_000) {
		all = append(all, part.samples...)
	}
	require.Equal(t, srv.series[0].samples, all)
	require.Greater(t, len(srv.queries), 2)
}

func TestReadGoesOnWhereAnAnswerBrokeOff(t *testing.T) {
	good := &server{series: []testSeries{
		regular(labels.FromStrings("__name__", "up", "job", "a"), 0, 1000, ramp(10)...),
		regular(labels.FromStrings("__name__", "up", "job", "b"), 0, 1000, ramp(300)...),
		regular(labels.FromStrings("__name__", "up", "job", "c"), 0, 1000, ramp(10)...),
	}}
	for name, cutAt := range map[string]float64{"after the first series": 0.3, "inside the second": 0.6, "before the end": 0.99} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			c, reg := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls++; calls > 2 {
					good.ServeHTTP(w, r)
					return
				}
				rec := httptest.NewRecorder()
				good.ServeHTTP(rec, r)
				w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
				b := rec.Body.Bytes()
				_, _ = w.Write(b[:int(float64(len(b))*cutAt)])
			}))
			got := readAll(t, c, byName("up"), 0, 1e6)
			require.Len(t, got, 3, "every series once")
			for i, ts := range got {
				require.Equal(t, good.series[i].samples, ts.samples)
			}
			require.Equal(t, 2, metricValue(t, reg, "tidemark_prometheus_call_failures_total"))
		})
	}
}

func TestReadPutsOverlappingChunksInOrder(t *testing.T) {
	lset := labels.FromStrings("__name__", "up")
	early, late := regular(lset, 0, 1000, ramp(100)...), regular(lset, 50_500, 1000, ramp(100)...)
	c, _ := client(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
		for _, ts := range []testSeries{late, early} {
			_, _ = w.Write(frame(chunkedMessages(ts, 0, 1e9, 1, chunkenc.EncXOR)[0]))
		}
	}))
	got := readAll(t, c, byName("up"), 0, 1e9)
	require.Len(t, got, 1)
	require.Len(t, got[0].samples, 200)
	require.IsIncreasing(t, times(got[0].samples))
}

func TestReadPassesHistogramsAndBadLabelsOver(t *testing.T) {
	srv := &server{series: []testSeries{
		regular(labels.FromStrings("__name__", "up", "long", string(make([]byte, 70_000))), 0, 1000, 1),
		regular(labels.FromStrings("__name__", "up", "job", "b"), 0, 1000, 1, 2),
	}}
	c, reg := client(t, srv)
	got := readAll(t, c, byName("up"), 0, 1e9)
	require.Len(t, got, 1)
	require.Equal(t, "b", got[0].lset.Get("job"))
	require.Equal(t, 1, metricValue(t, reg, "tidemark_prometheus_refused_series_total"))
}

func TestReadReturnsTheErrorOfItsFunction(t *testing.T) {
	srv := &server{series: []testSeries{regular(labels.FromStrings("__name__", "up"), 0, 1000, 1)}}
	c, _ := client(t, srv)
	// An error that looks like a failed call of ours is not taken for one.
	mine := &promread.Error{Reason: promread.Overloaded, Op: "remote write", Msg: "full"}
	require.Same(t, mine, c.Read(t.Context(), byName("up"), 0, 1e6, func(promread.Series) error { return mine }))
	require.Len(t, srv.queries, 1)
}

func TestReadHasFewCallsInFlight(t *testing.T) {
	var inFlight, most atomic.Int64
	good := &server{series: []testSeries{regular(labels.FromStrings("__name__", "up"), 0, 1000, 1)}}
	gate, entered := make(chan struct{}), make(chan struct{}, 8)
	c, _ := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := inFlight.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		entered <- struct{}{}
		<-gate
		inFlight.Add(-1)
		good.ServeHTTP(w, r)
	}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := c.Read(t.Context(), byName("up"), 0, 1e6, func(promread.Series) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	<-entered
	<-entered // Two are in, and the gate is shut.
	close(gate)
	wg.Wait()
	require.Equal(t, int64(2), most.Load())
}

func TestReadEndsWithItsContext(t *testing.T) {
	started := make(chan struct{})
	c, _ := client(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // Without it the server does not notice that the client left.
		close(started)
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("shutting down")
	go func() { <-started; cancel(why) }()
	err := c.Read(ctx, byName("up"), 0, 1, func(promread.Series) error { return nil })
	require.ErrorIs(t, err, why)
}

func TestMetricsPassTheLinter(t *testing.T) {
	srv := &server{}
	c, reg := client(t, srv)
	readAll(t, c, byName("up"), 0, 1)
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.IsType(t, []promlint.Problem(nil), problems)
}

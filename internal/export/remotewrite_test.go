package export_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/export"
)

// endpoint takes remote write as the specification says and notes what it got.
type endpoint struct {
	t    *testing.T
	mu   sync.Mutex
	got  []string // "time labels value", sorted within a request
	at   []time.Time
	fail func(n int) (status int, body string)
	// old refuses 2.0 as a receiver of 1.0 does, blind takes it without looking at the type.
	old, blind bool
	versions   []string
	n          int
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	e.at = append(e.at, time.Now())
	version := r.Header.Get("X-Prometheus-Remote-Write-Version")
	e.versions = append(e.versions, version)
	kind := map[string]string{"0.1.0": "application/x-protobuf", "2.0.0": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}[version]
	for name, want := range map[string]string{"Content-Encoding": "snappy", "Content-Type": kind, "User-Agent": "Tidemark"} {
		if got := r.Header.Get(name); got != want {
			e.t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	body, _ := io.ReadAll(r.Body)
	raw, err := snappy.Decode(nil, body)
	if err != nil {
		e.t.Errorf("not a snappy block: %v", err)
	}
	var req prompb.WriteRequest
	switch {
	case version == "2.0.0" && e.old:
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	case version == "2.0.0" && !e.blind:
		if req, err = fromV2(raw); err != nil {
			e.t.Errorf("not a Request of 2.0: %v", err)
		}
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", fmt.Sprint(len(req.Timeseries)))
	default:
		if err := req.Unmarshal(raw); err != nil {
			e.t.Errorf("not a WriteRequest: %v", err)
		}
	}
	if e.fail != nil {
		if status, body := e.fail(e.n); status != 0 {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return
		}
	}
	var got []string
	for _, ts := range req.Timeseries {
		got = append(got, describe(e.t, ts))
	}
	sort.Strings(got)
	e.got = append(e.got, got...)
	w.WriteHeader(http.StatusNoContent)
}

// fromV2 reads a message of 2.0 with Prometheus' own types.
func fromV2(raw []byte) (out prompb.WriteRequest, err error) {
	var req writev2.Request
	if err := req.Unmarshal(raw); err != nil {
		return out, err
	}
	b := labels.NewScratchBuilder(0)
	for _, ts := range req.Timeseries {
		ls, err := ts.ToLabels(&b, req.Symbols)
		if err != nil {
			return out, err
		}
		one := prompb.TimeSeries{Labels: prompb.FromLabels(ls, nil)}
		for _, s := range ts.Samples {
			one.Samples = append(one.Samples, prompb.Sample{Timestamp: s.Timestamp, Value: s.Value})
		}
		out.Timeseries = append(out.Timeseries, one)
	}
	return out, nil
}

func TestReceiversThatDoNotKnow20GetTheSameBy10(t *testing.T) {
	for name, tc := range map[string]struct {
		old, blind bool
		want       []string
	}{
		"it knows 2.0":                         {false, false, []string{"2.0.0", "2.0.0"}},
		"it refuses the content type":          {true, false, []string{"2.0.0", "0.1.0", "0.1.0"}},
		"it does not look at the content type": {false, true, []string{"2.0.0", "0.1.0", "0.1.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &endpoint{t: t, old: tc.old, blind: tc.blind}
			server := httptest.NewServer(e)
			defer server.Close()
			cfg := export.DefaultRemoteWriteConfig()
			cfg.URL = server.URL
			src := series("w", 1, "job", "api")
			source := fixed{src}
			w, err := export.NewRemoteWriter(cfg, export.New(export.DefaultConfig(), source), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			require.NoError(t, err)
			require.NoError(t, w.Push(t.Context()))
			require.Len(t, e.got, 10)
			require.Contains(t, strings.Join(e.got, "\n"), "tidemark_observed")
			source[0].Time += 1000
			require.NoError(t, w.Push(t.Context()))
			require.Len(t, e.got, 20)
			require.Equal(t, tc.want, e.versions)
		})
	}
}

func describe(t *testing.T, ts prompb.TimeSeries) string {
	if !sort.SliceIsSorted(ts.Labels, func(i, j int) bool { return ts.Labels[i].Name < ts.Labels[j].Name }) {
		t.Errorf("labels are not sorted: %v", ts.Labels)
	}
	var ls []string
	for _, l := range ts.Labels {
		if l.Value == "" {
			t.Errorf("label %s is empty", l.Name)
		}
		ls = append(ls, l.Name+"="+l.Value)
	}
	v := fmt.Sprint(ts.Samples[0].Value)
	if value.IsStaleNaN(ts.Samples[0].Value) {
		v = "stale"
	}
	return fmt.Sprintf("%d %s %s", ts.Samples[0].Timestamp, strings.Join(ls, ","), v)
}

func (e *endpoint) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	got := e.got
	e.got = nil
	return got
}

// samples are what a Sampler hands out, by metric name.
type samples struct {
	mu sync.Mutex
	by map[string]sampled
}

type sampled struct {
	t int64
	v float64
}

func (s *samples) set(name string, t int64, v float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by[name] = sampled{t, v}
}

func (s *samples) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, name)
}

func (s *samples) Samples(fn func(labels.Labels, int64, float64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, x := range s.by {
		fn(labels.FromStrings("__name__", name, "job", "api", "empty", ""), x.t, x.v)
	}
}

type writerRig struct {
	*export.RemoteWriter
	*endpoint
	samples *samples
	reg     *prometheus.Registry
}

// newWriter connects a writer and an endpoint in memory, so that both may run on a fake clock.
func newWriter(t *testing.T, change ...func(*export.RemoteWriteConfig)) *writerRig {
	t.Helper()
	r := &writerRig{endpoint: &endpoint{t: t}, samples: &samples{by: map[string]sampled{}}, reg: prometheus.NewRegistry()}
	l := &memListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv, done := &http.Server{Handler: r.endpoint}, make(chan struct{})
	go func() { _ = srv.Serve(l); close(done) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	cfg := export.DefaultRemoteWriteConfig()
	cfg.URL = "http://prometheus:9090/api/v1/write"
	for _, f := range change {
		f(&cfg)
	}
	var err error
	r.RemoteWriter, err = export.NewRemoteWriter(cfg, r.samples, slog.New(slog.DiscardHandler), r.reg,
		commoncfg.WithKeepAlivesDisabled(), commoncfg.WithDialContextFunc(func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			select {
			case l.conns <- there:
				return here, nil
			case <-l.closed: // The transport may still be dialling for a round that was given up.
				return nil, net.ErrClosed
			}
		}))
	require.NoError(t, err)
	return r
}

type memListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *memListener) Close() error   { close(l.closed); return nil }
func (l *memListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestRemoteWriteSendsWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter(t)
		w.samples.set("a", 1000, 1.5)
		w.samples.set("b", 1000, math.Inf(1))
		require.NoError(t, w.Push(t.Context()))
		require.Equal(t, []string{"1000 __name__=a,job=api 1.5", "1000 __name__=b,job=api +Inf"}, w.take())

		require.NoError(t, w.Push(t.Context()))
		require.Empty(t, w.take(), "nothing is sent twice")

		w.samples.set("a", 2000, 2)
		w.samples.set("b", 500, 2)
		require.NoError(t, w.Push(t.Context()))
		require.Equal(t, []string{"2000 __name__=a,job=api 2"}, w.take(), "time never goes back")
	})
}

func TestRemoteWriteMarksTheEndOfASeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter(t)
		w.samples.set("a", 1000, 1)
		require.NoError(t, w.Push(t.Context()))
		w.samples.drop("a")
		w.take()
		require.NoError(t, w.Push(t.Context()))
		require.Equal(t, []string{"1001 __name__=a,job=api stale"}, w.take())
		require.NoError(t, w.Push(t.Context()))
		require.Empty(t, w.take(), "once")

		w.samples.set("a", 1000, 1)
		require.NoError(t, w.Push(t.Context()))
		require.Empty(t, w.take(), "its old sample is older than the marker")
		w.samples.set("a", 2000, 1)
		require.NoError(t, w.Push(t.Context()))
		require.Equal(t, []string{"2000 __name__=a,job=api 1"}, w.take())
	})
}

func TestRemoteWriteBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter(t, func(c *export.RemoteWriteConfig) { c.MaxSamplesPerSend = 10 })
		for i := range 95 {
			w.samples.set(fmt.Sprintf("m%d", i), 1000, 1)
		}
		require.NoError(t, w.Push(t.Context()))
		require.Len(t, w.take(), 95)
		require.Equal(t, 10, w.n)
	})
}

func TestRemoteWriteTries5xxAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter(t)
		w.fail = func(n int) (int, string) {
			if n < 4 {
				return http.StatusServiceUnavailable, "overloaded"
			}
			return 0, ""
		}
		w.samples.set("a", 1000, 1)
		require.NoError(t, w.Push(t.Context()))
		require.Len(t, w.take(), 1)
		require.Equal(t, 2*time.Second, w.at[1].Sub(w.at[0]), "Retry-After is kept")
	})
}

func TestRemoteWriteGivesUpOnARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter(t)
		w.fail = func(int) (int, string) { return http.StatusInternalServerError, "boom" }
		w.samples.set("a", 1000, 1)
		start := time.Now()
		require.ErrorContains(t, w.Push(t.Context()), "remote write: prometheus:9090 answered 500 Internal Server Error: boom")
		require.Equal(t, 5*time.Minute, time.Since(start))
		w.fail = nil
		w.samples.set("a", 2000, 2)
		require.NoError(t, w.Push(t.Context()))
		require.Equal(t, []string{"2000 __name__=a,job=api 2"}, w.take(), "the present, not the past")
	})
}

func TestRemoteWriteNeverTries4xxAgain(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   string
	}{
		{400, "out of order sample", "remote write: prometheus:9090 answered 400 Bad Request: out of order sample"},
		{429, "", "remote write: prometheus:9090 answered 429 Too Many Requests"},
		{
			404, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver",
			"remote write: prometheus:9090 answered 404 Not Found: remote write receiver needs to be enabled with --web.enable-remote-write-receiver (start Prometheus with --web.enable-remote-write-receiver)",
		},
		{404, "404 page not found", "remote write: prometheus:9090 answered 404 Not Found: 404 page not found (is url the remote-write endpoint, such as http://prometheus:9090/api/v1/write?)"},
		{302, "", "remote write: prometheus:9090 answered 302 Found (is url the remote-write endpoint, such as http://prometheus:9090/api/v1/write?)"},
		{401, "", "remote write: prometheus:9090 answered 401 Unauthorized (check basic_auth, authorization or tls_config under remote_write.http_config)"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWriter(t)
				w.fail = func(int) (int, string) { return tc.status, tc.body }
				w.samples.set("a", 1000, 1)
				require.EqualError(t, w.Push(t.Context()), tc.want)
				require.Equal(t, 1, w.n)
			})
		})
	}
}

func TestRemoteWriteRunsUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter(t)
		w.samples.set("a", 1000, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		time.Sleep(20 * time.Second)
		w.samples.set("a", 2000, 1)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"1000 __name__=a,job=api 1", "2000 __name__=a,job=api 1"}, w.take())
		cancel()
		require.NoError(t, <-done)
		require.Equal(t, []string{"2001 __name__=a,job=api stale"}, w.take(), "no value is shown after the end")
		problems, err := testutil.GatherAndLint(w.reg)
		require.NoError(t, err)
		require.Empty(t, problems)
	})
}

func TestRemoteWriteToNobody(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	cfg := export.DefaultRemoteWriteConfig()
	cfg.URL = srv.URL
	s := &samples{by: map[string]sampled{"a": {1000, 1}}}
	w, err := export.NewRemoteWriter(cfg, s, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, w.Push(ctx), "cannot be reached")
}

func TestRemoteWriteConfigErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no url", `{}`, "export: remote_write.url is missing, such as http://prometheus:9090/api/v1/write"},
		{"no scheme", `{url: "prometheus:9090"}`, `export: remote_write.url "prometheus:9090" must be an http or https URL such as http://prometheus:9090/api/v1/write`},
		{"credentials in the url", `{url: "http://u:p@prom/api/v1/write"}`, "export: remote_write.url of prom must not hold credentials; use http_config.basic_auth"},
		{
			"no interval", `{url: "http://prom/api/v1/write", interval: 0s}`,
			"export: remote_write.timeout, interval and max_samples_per_send must be above zero; leave them out for the defaults",
		},
		{"a header of the protocol", `{url: "http://prom/api/v1/write", headers: {Content-Encoding: gzip}}`, "export: remote_write.headers must not set Content-Encoding"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c export.RemoteWriteConfig
			require.EqualError(t, yaml.Unmarshal([]byte(tc.text), &c), tc.want)
		})
	}
	var c export.RemoteWriteConfig
	require.NoError(t, yaml.Unmarshal([]byte(`{url: "http://prom/api/v1/write", headers: {X-Scope-OrgID: shop}}`), &c))
	require.Equal(t, model.Duration(15*time.Second), c.Interval)
}

package shop

import (
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	dto "github.com/prometheus/client_model/go"
)

// instruments are what every service instance measures of itself.
type instruments struct {
	reg      *prometheus.Registry
	requests *prometheus.CounterVec
	duration prometheus.Histogram
	inFlight prometheus.Gauge
}

func newInstruments(version string, started time.Time) *instruments {
	reg := prometheus.NewRegistry()
	f := promauto.With(reg)
	in := &instruments{
		reg:      reg,
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: metricRequests, Help: "Requests answered."}, []string{"code"}),
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Name: metricDuration, Help: "Time to answer a request.", Buckets: requestBuckets,
		}),
		inFlight: f.NewGauge(prometheus.GaugeOpts{Name: metricInFlight, Help: "Requests being answered."}),
	}
	in.requests.WithLabelValues("200")
	in.requests.WithLabelValues("500")
	f.NewGauge(prometheus.GaugeOpts{Name: metricStart, Help: "Start of the process, Unix time."}).Set(float64(started.Unix()))
	f.NewGaugeVec(prometheus.GaugeOpts{Name: metricBuild, Help: "The running version."}, []string{"version"}).
		WithLabelValues(version).Set(1)
	return in
}

func (in *instruments) observe(code int, took time.Duration) {
	in.requests.WithLabelValues(strconv.Itoa(code)).Inc()
	in.duration.Observe(took.Seconds())
}

// tracing is the agent that turns spans into service-graph metrics, as Tempo's generator does.
type tracing struct {
	reg            *prometheus.Registry
	total, failed  *prometheus.CounterVec
	server, client *prometheus.HistogramVec

	mu        sync.Mutex
	gap       time.Duration
	gapsKnown int
}

func newTracing() *tracing {
	reg := prometheus.NewRegistry()
	f := promauto.With(reg)
	names := []string{"client", "server"}
	t := &tracing{
		reg:    reg,
		total:  f.NewCounterVec(prometheus.CounterOpts{Name: metricEdgeTotal, Help: "Calls between two services."}, names),
		failed: f.NewCounterVec(prometheus.CounterOpts{Name: metricEdgeFailed, Help: "Calls that failed."}, names),
		server: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: metricEdgeServer, Help: "Duration as the server saw it.", Buckets: edgeBuckets,
		}, names),
		client: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: metricEdgeClient, Help: "Duration as the client saw it.", Buckets: edgeBuckets,
		}, names),
	}
	for _, e := range edges {
		for _, c := range []*prometheus.CounterVec{t.total, t.failed} {
			c.WithLabelValues(e.client, e.server)
		}
		t.server.WithLabelValues(e.client, e.server)
		t.client.WithLabelValues(e.client, e.server)
	}
	return t
}

// span records one call; server is 0 when the answer never came.
func (t *tracing) span(e edge, server, client time.Duration, failed bool) {
	t.total.WithLabelValues(e.client, e.server).Inc()
	t.client.WithLabelValues(e.client, e.server).Observe(client.Seconds())
	if failed {
		t.failed.WithLabelValues(e.client, e.server).Inc()
	}
	if server <= 0 {
		return
	}
	t.server.WithLabelValues(e.client, e.server).Observe(server.Seconds())
	t.mu.Lock()
	t.gap += client - server
	t.gapsKnown++
	t.mu.Unlock()
}

// overhead is the mean of client time minus server time over all calls so far, and their number.
func (t *tracing) overhead() (time.Duration, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gapsKnown == 0 {
		return 0, 0
	}
	return t.gap / time.Duration(t.gapsKnown), t.gapsKnown
}

// carried is a gatherer whose counters and histograms continue from earlier values, so that the
// live series join their simulated history without a reset.
type carried struct {
	prometheus.Gatherer
	base map[string]float64 // By SampleKey.
}

// Gather implements prometheus.Gatherer.
func (c carried) Gather() ([]*dto.MetricFamily, error) {
	families, err := c.Gatherer.Gather()
	for _, mf := range families {
		for _, m := range mf.GetMetric() {
			for key, set := range counts(mf.GetName(), m) {
				set(c.base[key])
			}
		}
	}
	return families, err
}

// subtract takes what a gatherer shows now from the values of base.
func subtract(base map[string]float64, g prometheus.Gatherer) error {
	families, err := g.Gather()
	for _, mf := range families {
		for _, m := range mf.GetMetric() {
			for key, set := range counts(mf.GetName(), m) {
				base[key] -= set(0)
			}
		}
	}
	return err
}

// counts lists everything that only grows in a metric, by SampleKey: each function adds to the
// value and returns it.
func counts(name string, m *dto.Metric) map[string]func(float64) float64 {
	own := labelsOf(m)
	switch {
	case m.GetCounter() != nil:
		return map[string]func(float64) float64{SampleKey(name, own): addFloat(m.Counter.Value)}
	case m.GetHistogram() != nil:
		h := m.Histogram
		out := map[string]func(float64) float64{
			SampleKey(name+"_count", own): addUint(h.SampleCount),
			SampleKey(name+"_sum", own):   addFloat(h.SampleSum),
		}
		for _, b := range h.Bucket {
			own["le"] = formatBound(b.GetUpperBound())
			out[SampleKey(name+"_bucket", own)] = addUint(b.CumulativeCount)
		}
		return out
	}
	return nil
}

func addFloat(v *float64) func(float64) float64 {
	return func(d float64) float64 { *v += d; return *v }
}

func addUint(v *uint64) func(float64) float64 {
	return func(d float64) float64 {
		*v = uint64(math.Max(0, float64(*v)+d))
		return float64(*v)
	}
}

func labelsOf(m *dto.Metric) map[string]string {
	out := map[string]string{}
	for _, l := range m.GetLabel() {
		out[l.GetName()] = l.GetValue()
	}
	return out
}

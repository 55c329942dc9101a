package receiver

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	inflight  prometheus.Gauge
	panics    *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	received  *prometheus.CounterVec
	own       prometheus.Counter
	repeated  prometheus.Counter
	truncated prometheus.Counter
	dedupKeys prometheus.Gauge
	lines     prometheus.Counter
	spans     prometheus.Counter
	changes   prometheus.Counter

	samples    prometheus.Counter
	histograms prometheus.Counter
	refused    *prometheus.CounterVec
}

// count notes what became of a remote-write message.
func (m *metrics) count(o outcome, b *writeBatch) {
	m.samples.Add(float64(o.written))
	m.histograms.Add(float64(b.histograms))
	for _, c := range []struct {
		reason string
		n      int
	}{{"out_of_order", o.outOfOrder}, {"too_new", o.tooNew}, {"labels", o.invalid}, {"max_series", o.full}} {
		if c.n > 0 {
			m.refused.WithLabelValues(c.reason).Add(float64(c.n))
		}
	}
}

// series tells how many series are known.
func (m *metrics) series(reg prometheus.Registerer, n func() int) {
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_receiver_written_series", Help: "Series that come by remote write, watched or not.",
	}, func() float64 { return float64(n()) })
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_receiver_requests_total", Help: "Messages by endpoint and status code.",
		}, []string{"endpoint", "code"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidemark_receiver_request_seconds", Help: "Time from the first byte of a message to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"endpoint"}),
		inflight: f.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_receiver_inflight_requests", Help: "Messages being worked on.",
		}),
		panics: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_receiver_panics_total", Help: "Messages that made a stage panic; they are kept in the log.",
		}, []string{"endpoint"}),
		rejected: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_receiver_rejected_total", Help: "Alerts, lines, spans and changes refused, by endpoint.",
		}, []string{"endpoint"}),
		received: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_alerts_received_total", Help: "Alerts taken from webhooks, repeats excluded.",
		}, []string{"status"}),
		own:       counter("tidemark_receiver_own_alerts_total", "Tidemark's own alerts that came back and were dropped: a route sends them here."),
		repeated:  counter("tidemark_receiver_repeated_alerts_total", "Alerts known from an earlier message."),
		truncated: counter("tidemark_receiver_truncated_alerts_total", "Alerts that Alertmanager left out because of max_alerts."),
		dedupKeys: f.NewGauge(prometheus.GaugeOpts{Name: "tidemark_receiver_dedup_keys", Help: "Keys held to recognise repeats."}),
		lines:     counter("tidemark_receiver_lines_total", "Log lines taken."),
		spans:     counter("tidemark_receiver_spans_total", "Spans taken."),
		changes:   counter("tidemark_receiver_changes_total", "Change events taken."),

		samples:    counter("tidemark_receiver_samples_total", "Samples taken by remote write, watched or not."),
		histograms: counter("tidemark_receiver_histograms_total", "Native histogram samples that came by remote write and were left out."),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_receiver_samples_refused_total", Help: "Samples of remote write that were refused, by reason.",
		}, []string{"reason"}),
	}
}

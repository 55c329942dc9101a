package promread

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics tell what reading costs Prometheus and us.
type metrics struct {
	calls      *prometheus.CounterVec   // by call
	failures   *prometheus.CounterVec   // by call and reason
	seconds    *prometheus.HistogramVec // by call
	bytes      *prometheus.CounterVec   // by call
	inFlight   prometheus.Gauge
	samples    prometheus.Counter
	histograms prometheus.Counter
	refused    *prometheus.CounterVec // by reason
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		calls: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_prometheus_calls_total",
			Help: "Calls made to Prometheus, repeated ones included.",
		}, []string{"call"}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_prometheus_call_failures_total",
			Help: "Calls to Prometheus that failed, by reason.",
		}, []string{"call", "reason"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tidemark_prometheus_call_duration_seconds",
			Help:    "Time from sending a call to Prometheus until its answer was read.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 8),
		}, []string{"call"}),
		bytes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_prometheus_received_bytes_total",
			Help: "Bytes of answers received from Prometheus.",
		}, []string{"call"}),
		inFlight: f.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_prometheus_reads_in_flight",
			Help: "Remote reads under way.",
		}),
		samples: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_prometheus_read_samples_total",
			Help: "Float samples decoded from remote read.",
		}),
		histograms: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_prometheus_skipped_samples_total",
			Help: "Native histogram samples that a watch of floats passed over.",
		}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_prometheus_refused_series_total",
			Help: "Series of remote read answers that were passed over, by reason.",
		}, []string{"reason"}),
	}
}

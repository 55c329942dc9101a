package state

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type logMetrics struct {
	appendSeconds prometheus.Histogram
	fsyncSeconds  prometheus.Histogram
	records       prometheus.Counter
	bytes         prometheus.Counter
	failures      prometheus.Counter
	quarantined   prometheus.Counter
	segments      prometheus.Gauge
	size          prometheus.Gauge
}

func newLogMetrics(reg prometheus.Registerer) *logMetrics {
	f := promauto.With(reg)
	wait := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	return &logMetrics{
		appendSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_state_log_append_seconds", Buckets: wait,
			Help: "Time until a record of the write-ahead log was durable.",
		}),
		fsyncSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_state_log_fsync_seconds", Buckets: wait,
			Help: "Time of one fsync of the write-ahead log.",
		}),
		records: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_state_log_records_total", Help: "Records made durable.",
		}),
		bytes: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_state_log_written_bytes_total", Help: "Bytes made durable, after compression.",
		}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_state_log_failures_total", Help: "Commits that the disk did not take.",
		}),
		quarantined: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_state_log_quarantined_total", Help: "Damaged or poisonous places set aside.",
		}),
		segments: f.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_state_log_segments", Help: "Segment files on disk.",
		}),
		size: f.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_state_log_size_bytes", Help: "Bytes of all segment files.",
		}),
	}
}

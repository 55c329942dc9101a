package notify

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	sent     *prometheus.CounterVec
	failed   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	alerts   *prometheus.GaugeVec
	revised  prometheus.Counter
	beats    *prometheus.CounterVec
	withheld *prometheus.CounterVec
	beatAt   *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	peer := []string{"alertmanager"}
	return &metrics{
		sent: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_notifications_total", Help: "Alerts that an Alertmanager took, heartbeats excluded.",
		}, peer),
		failed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_notifications_failed_total", Help: "Posts of alerts that an Alertmanager did not take.",
		}, peer),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidemark_notification_seconds", Help: "Time of one post to an Alertmanager.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10},
		}, peer),
		alerts: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tidemark_notification_alerts", Help: "Alerts kept alive at the Alertmanagers.",
		}, []string{"state"}),
		revised: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_notification_revisions_total", Help: "Incidents announced again because their first cause or their labels changed.",
		}),
		beats: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_heartbeat_sent_total", Help: "Heartbeats that an Alertmanager took.",
		}, peer),
		withheld: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_heartbeat_withheld_total", Help: "Heartbeats not sent because a stage was not healthy.",
		}, peer),
		beatAt: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tidemark_heartbeat_last_success_timestamp_seconds", Help: "When an Alertmanager last took a heartbeat.",
		}, peer),
	}
}

package runbook

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	calls         *prometheus.CounterVec
	attempts      *prometheus.CounterVec
	storeFailures prometheus.Counter
	unreadable    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, m *Manager) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_runbook_paused", Help: "1 while all actions are paused.",
	}, func() float64 {
		if m.Paused().Paused {
			return 1
		}
		return 0
	})
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_runbook_open_proposals", Help: "Proposals that have not ended.",
	}, func() float64 {
		n := 0
		for _, p := range m.List() {
			if !p.State.Ended() {
				n++
			}
		}
		return float64(n)
	})
	return &metrics{
		calls: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_runbook_calls_total", Help: "Runbooks called, by how it ended.",
		}, []string{"runbook", "mode", "verdict"}),
		attempts: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_runbook_attempts_total", Help: "Attempts to call a runbook, by outcome.",
		}, []string{"runbook", "outcome"}),
		storeFailures: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_runbook_record_failures_total", Help: "Steps that were not made because they could not be recorded.",
		}),
		unreadable: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_runbook_unreadable_records_total", Help: "Stored proposals that could not be read and were left alone.",
		}),
	}
}

// prepare makes the series of every configured runbook begin at 0.
func (m *metrics) prepare(cfg Config) {
	for _, r := range cfg {
		for _, v := range verdicts {
			m.calls.WithLabelValues(r.Name, string(r.Mode), string(v))
		}
		for _, o := range outcomes {
			m.attempts.WithLabelValues(r.Name, string(o))
		}
	}
}

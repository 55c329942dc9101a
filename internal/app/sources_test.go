package app

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestTheStatusSaysOfSourcesWhatMetricsSay(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_calls_total", Help: "Calls."}, []string{"call"})
	edges := prometheus.NewGauge(prometheus.GaugeOpts{Name: "edges", Help: "Edges."})
	reg.MustRegister(calls, edges)
	calls.WithLabelValues("read").Add(30)
	calls.WithLabelValues("rules").Add(12)
	edges.Set(1)
	own := gather(reg)
	require.Equal(t, "42 calls", own.of("calls_total", "call", "calls"))
	require.Equal(t, "1 edge", own.of("edges", "edge", "edges"))
	require.Empty(t, own.of("lines_total", "line", "lines"), "of what is not there nothing is said")
	require.Equal(t, "42 calls, 1 edge", commas("", "42 calls", "", "1 edge"))
	require.Equal(t, "http://user:xxxxx@am:9093", address("http://user:secret@am:9093"))
}

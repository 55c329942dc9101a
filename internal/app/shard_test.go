package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/admit"
	"github.com/tidemark/tidemark/internal/config"
)

func TestBoardTellsWhatLastsAndWhatEndedLately(t *testing.T) {
	now := time.Unix(10_000, 0).UTC()
	one := correlate.Anomaly{Watch: "load", Labels: model.LabelSet{"pod": "a"}, Active: true, At: now, Score: 2}
	two := correlate.Anomaly{Watch: "load", Labels: model.LabelSet{"pod": "b"}, Until: now.Add(-tellEnded - time.Second)}
	var b anomalyBoard
	b.put(one)
	b.put(two)
	require.Equal(t, []correlate.Anomaly{one}, b.list(now))
	one.Active, one.Until = false, now
	b.put(one)
	require.Equal(t, []correlate.Anomaly{one}, b.list(now.Add(tellEnded)), "the end is told")
	require.Empty(t, b.list(now.Add(2*tellEnded)))
}

func TestFirstShardReadsWhatAnotherFound(t *testing.T) {
	now := time.Unix(10_000, 0).UTC()
	want := correlate.Anomaly{Watch: "load", Labels: model.LabelSet{"pod": "a"}, Kind: "point", Active: true, At: now, Since: now.Add(-time.Minute), Score: 2, Value: 5}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": []correlate.Anomaly{want}})
	}))
	defer server.Close()
	got, err := readPeer(t.Context(), server.URL+"/")
	require.NoError(t, err)
	require.Equal(t, []correlate.Anomaly{want}, got)
	server.Close()
	_, err = readPeer(t.Context(), server.URL)
	require.Error(t, err)
}

func TestOnlyTheFirstShardKnowsAlertmanagerAndTheBudgetIsShared(t *testing.T) {
	for index, alertmanagers := range []int{1, 0} {
		cfg, err := config.ZeroConfig("http://localhost:9090", []string{"http://localhost:9093"})
		require.NoError(t, err)
		cfg.Baseline.Budget.TotalPerWeek = 8
		shardConfig(cfg, admit.Shard{Index: index, Count: 4})
		require.Len(t, cfg.Alertmanagers, alertmanagers)
		require.InDelta(t, 2, cfg.Baseline.Budget.TotalPerWeek, 0)
	}
}

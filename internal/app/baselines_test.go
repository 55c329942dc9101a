package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/rules"
)

// halfway is a Prometheus that answers the first week of history alone.
type halfway struct {
	daily
	until time.Time
}

func (h *halfway) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration, fn func(labels.Labels, []int64, []float64) error) error {
	if !h.until.IsZero() && from.After(h.until) {
		return errors.New("Prometheus is away")
	}
	return h.daily.Range(ctx, expr, from, to, step, fn)
}

func learner(t *testing.T, src ranger, engine *baseline.Engine) (*scorer, func()) {
	t.Helper()
	reg := prometheus.NewRegistry()
	w := rules.Watch{Name: "load", Expr: "load", Interval: model.Duration(time.Minute)}
	s := newScorer(promslog.NewNopLogger(), reg, src, engine, 14*24*time.Hour, func(context.Context) ([]rules.Watch, error) { return []rules.Watch{w}, nil },
		time.Now, newStages(time.Now, reg), func(time.Time, *entry) {})
	return s, func() {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(3 * time.Minute)
		cancel()
		require.NoError(t, <-done)
	}
}

func TestACrashWhileLearningCostsWhatWasLearnedSinceTheLastSaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fresh := func() *baseline.Engine {
			e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
			require.NoError(t, err)
			return e
		}
		src := &halfway{until: time.Now().Add(-8 * 24 * time.Hour)}
		engine := fresh()
		s, run := learner(t, src, engine)
		run()
		require.False(t, s.learned.Load())
		positions, err := json.Marshal(s.positions())
		require.NoError(t, err)
		var saved bytes.Buffer
		require.NoError(t, engine.Save(&saved))
		read := len(src.asked)
		require.Greater(t, read, 7*24*60-70, "a slice of history ends with an hour")

		// The process dies here; the next one goes on where the saved state stands.
		src.until = time.Time{}
		again := fresh()
		require.NoError(t, again.Load(&saved))
		next, run := learner(t, src, again)
		require.NoError(t, json.Unmarshal(positions, &next.cursors))
		run()
		require.True(t, next.learned.Load())
		require.Len(t, next.all(), 1)
		for i := 1; i < len(src.asked); i++ {
			require.Equal(t, int64(60_000), src.asked[i]-src.asked[i-1], "no step is skipped and none is read twice")
		}

		// A watch of the same name that means something else begins anew.
		var whole bytes.Buffer
		require.NoError(t, again.Save(&whole))
		other := fresh()
		require.NoError(t, other.Load(&whole))
		src.asked = nil
		third, run := learner(t, src, other)
		third.cursors = map[string]time.Time{"load\x00rate(load[5m])\x001m": time.Now()}
		run()
		require.Greater(t, len(src.asked), 14*24*60)
		require.Len(t, third.all(), 1)
	})
}

func TestDamagedPartsAreSetAside(t *testing.T) {
	dir := t.TempDir()
	from := bytes.NewReader([]byte("0123456789abcdef"))
	name := filepath.Join(dir, "aside")
	require.NoError(t, copyParts(name, from, []baseline.Part{{Offset: 2, Length: 3}, {Offset: 10, Length: 6}, {Offset: 16}}))
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "234abcdef", string(got))
	require.Error(t, copyParts(name, from, nil), "what was set aside before is not written over")
}

package e2e_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

func TestLiveAndBacktestAreTheSameRowForRow(t *testing.T) {
	t.Parallel()
	const (
		name = "pages"
		expr = `sum(rate(http_requests_total{service="lb"}[1m]))`
		step = 15 * time.Second
	)
	s := running(t, stack.Options{History: 3 * 24 * time.Hour, EditTidemark: func(c map[string]any) {
		c["discover"] = map[string]any{"rules": false, "presets": []string{}}
		// Longer than the data, so that both begin with the first sample.
		c["baseline"] = map[string]any{"history": "4d"}
		c["watches"] = []any{map[string]any{"name": name, "expr": expr, "interval": step.String()}}
	}})
	ready := time.Now()
	var live []stack.Point
	eventually(t, later, "live samples are scored", func(ctx context.Context) (bool, error) {
		var err error
		live, err = s.Tidemark.Points(ctx, name, "{}")
		return len(live) > 0 && live[len(live)-1].Time().After(ready.Add(3*step)), err
	})
	last := live[len(live)-1].Time()
	rows, err := s.Prometheus.QueryRange(t.Context(), expr, last.Add(-4*24*time.Hour), last, step)
	require.NoError(t, err)

	in, out := t.TempDir(), t.TempDir()
	var b bytes.Buffer
	b.WriteString("timestamp,value\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "%d,%s\n", r.At.Unix(), strconv.FormatFloat(r.Value, 'g', -1, 64))
	}
	require.NoError(t, os.WriteFile(filepath.Join(in, name+".csv"), b.Bytes(), 0o600))
	_, err = stack.RunTool(t.Context(), filepath.Join(bin, "tidetool"), "backtest", "--in", in, "--out", out)
	require.NoError(t, err)

	data, err := os.ReadFile(filepath.Join(out, name+".csv"))
	require.NoError(t, err)
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"timestamp", "value", "score", "expected", "lower", "upper", "raw"}, lines[0])
	tested := map[int64][]string{}
	for _, l := range lines[1:] {
		at, err := strconv.ParseInt(l[0], 10, 64)
		require.NoError(t, err)
		tested[at] = l
	}
	require.Greater(t, len(live), 100)
	for _, p := range live {
		l, ok := tested[p.Time().Unix()]
		require.True(t, ok, "%s has no row in the backtest", p.Time())
		require.Equal(t, l[1], strconv.FormatFloat(*p.Value, 'g', -1, 64), "value at %s", p.Time())
		require.Equal(t, l[3:7], []string{short(p.Expected), short(p.Lower), short(p.Upper), short(p.Score)}, "band and score at %s", p.Time())
	}
	require.NotNil(t, live[len(live)-1].Upper, "there is a band to compare")
}

// short writes a number as tidetool backtest does; nothing when there is none.
func short(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', 7, 64)
}

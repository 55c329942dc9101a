package admit

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestLimits(t *testing.T) {
	long := labels.FromStrings("a", strings.Repeat("x", 17<<10))
	many := labels.NewScratchBuilder(65)
	for i := range 65 {
		many.Add(fmt.Sprintf("l%02d", i), "x")
	}
	for name, tc := range map[string]struct {
		watched int
		ls      labels.Labels
		live    uint64
		limit   uint64
		want    string
	}{
		"within all of them":       {999_999, labels.FromStrings("a", "b"), 79, 100, ""},
		"one series too many":      {1_000_000, labels.FromStrings("a", "b"), 0, 100, "max_series"},
		"too many labels":          {0, many.Labels(), 0, 100, "max_labels"},
		"labels that are too long": {0, long, 0, 100, "max_label_bytes"},
		"no memory left":           {0, labels.FromStrings("a", "b"), 81, 100, "memory"},
		"no limit of memory":       {0, labels.FromStrings("a", "b"), 1 << 40, math.MaxInt64, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			now := time.Unix(1, 0)
			g := New(DefaultConfig(), Shard{}, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry(), func() time.Time { return now })
			g.memory = func() (uint64, uint64) { return tc.live, tc.limit }
			for range 3 {
				require.Equal(t, tc.want == "", g.Admit(tc.watched, tc.ls))
			}
			if tc.want != "" {
				require.InDelta(t, 3, testutil.ToFloat64(g.refused.WithLabelValues(tc.want)), 0)
				require.Equal(t, 1, strings.Count(log.String(), "New series are refused"), "one warning")
			}
		})
	}
}

func TestEverySeriesHasOneShardAndMovesSeldom(t *testing.T) {
	const n = 20_000
	moved, sizes := 0, make([]int, 4)
	for i := range n {
		ls := labels.FromStrings("instance", fmt.Sprint(i), "job", "api")
		owner := func(count int) int {
			found := -1
			for s := range count {
				if (Shard{s, count}).Owns("load", nil, ls) {
					require.Equal(t, -1, found, "two shards own it")
					found = s
				}
			}
			require.NotEqual(t, -1, found, "no shard owns it")
			return found
		}
		four := owner(4)
		sizes[four]++
		if five := owner(5); five != four {
			require.Equal(t, 4, five, "what moves goes to the new shard")
			moved++
		}
	}
	for _, size := range sizes {
		require.InDelta(t, n/4, size, n/40)
	}
	require.InDelta(t, n/5, moved, n/50)
}

func TestSiblingsStayTogether(t *testing.T) {
	for i := range 100 {
		a := labels.FromStrings("service", fmt.Sprint(i), "instance", "a")
		b := labels.FromStrings("service", fmt.Sprint(i), "instance", "b")
		s := Shard{0, 4}
		require.Equal(t, s.Owns("w", []string{"service"}, a), s.Owns("w", []string{"service"}, b))
	}
}

func TestFlagsOfShards(t *testing.T) {
	for name, tc := range map[string]struct {
		index string
		count int
		names []string
		want  Shard
		err   string
	}{
		"the only one":        {"0", 1, nil, Shard{0, 1}, ""},
		"by number":           {"3", 4, nil, Shard{3, 4}, ""},
		"by the pod's name":   {"auto", 4, []string{"tidemark-2", "host-1"}, Shard{2, 4}, ""},
		"by the host's name":  {"auto", 4, []string{"", "tidemark-1"}, Shard{1, 4}, ""},
		"no ordinal":          {"auto", 4, []string{"", "laptop"}, Shard{}, "--shard.index is auto, but neither POD_NAME nor the host's name ends in -NUMBER, as the pods of a StatefulSet do"},
		"beyond the last one": {"4", 4, nil, Shard{}, "--shard.index is 4: must be between 0 and 3, since --shard.count is 4"},
		"more pods than said": {"auto", 2, []string{"tidemark-2"}, Shard{}, "--shard.index is 2: must be between 0 and 1, since --shard.count is 2"},
		"no number":           {"first", 4, nil, Shard{}, `--shard.index is "first": must be a number from 0 to 3, or auto`},
		"no shards":           {"0", 0, nil, Shard{}, "--shard.count is 0: must be 1 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseShard(tc.index, tc.count, tc.names...)
			if tc.err != "" {
				require.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestWrongLimitsSayWhatWouldBeRight(t *testing.T) {
	for in, want := range map[string]string{
		"max_series: 0":     "limits: max_series, max_labels and max_label_bytes must be above zero; leave them out for the defaults",
		"memory_ratio: 1.5": "limits: memory_ratio is 1.5: must be between 0 (no limit) and 1",
	} {
		var c Config
		require.EqualError(t, yaml.Unmarshal([]byte(in), &c), want)
	}
}

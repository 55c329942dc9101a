package history_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/history"
)

// ramp is a source of two series: one counts steps, the other is absent at every third step.
type ramp struct{ n float64 }

func (*ramp) Series() []map[string]string {
	return []map[string]string{
		{"__name__": "steps_total", "instance": "z"},
		{"__name__": "gappy", "instance": "a"},
	}
}

func (r *ramp) Step(time.Time, time.Duration) []float64 {
	r.n++
	gappy := -r.n
	if int(r.n)%3 == 0 {
		gappy = math.NaN()
	}
	return []float64{r.n, gappy}
}

type point struct {
	t int64
	v float64
}

// readBlock returns every sample of a block by series.
func readBlock(t *testing.T, dir string) map[string][]point {
	t.Helper()
	ir, err := index.NewFileReader(filepath.Join(dir, "index"), index.DecodePostingsRaw)
	require.NoError(t, err)
	defer func() { require.NoError(t, ir.Close()) }()
	cr, err := chunks.NewDirReader(filepath.Join(dir, "chunks"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, cr.Close()) }()
	name, value := index.AllPostingsKey()
	postings, err := ir.Postings(t.Context(), name, value)
	require.NoError(t, err)
	out := map[string][]point{}
	for postings.Next() {
		var b labels.ScratchBuilder
		var metas []chunks.Meta
		require.NoError(t, ir.Series(postings.At(), &b, &metas))
		for _, m := range metas {
			c, _, err := cr.ChunkOrIterable(m)
			require.NoError(t, err)
			require.LessOrEqual(t, c.NumSamples(), 120)
			it := c.Iterator(nil)
			for it.Next() != chunkenc.ValNone {
				ts, v := it.At()
				key := b.Labels().String()
				out[key] = append(out[key], point{ts, v})
			}
			require.NoError(t, it.Err())
		}
	}
	require.NoError(t, postings.Err())
	return out
}

func TestBlocksHoldEverySampleOnce(t *testing.T) {
	dir := t.TempDir()
	from := time.Unix(1_790_000_000, 0)
	stats, err := history.Write(t.Context(), dir, &ramp{}, history.Options{
		From: from, To: from.Add(500 * time.Minute), Step: time.Minute, Block: 300 * time.Minute,
	})
	require.NoError(t, err)
	require.Equal(t, 2, stats.Blocks)
	require.Equal(t, 500+334, stats.Samples, "every third value is absent in one of two series")

	var steps, gappy []point
	var lastEnd int64
	dirs, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, dirs, 2)
	for _, d := range dirs { // In order of time: the names are ULIDs of the end of the block.
		got := readBlock(t, d)
		steps = append(steps, got[`{__name__="steps_total", instance="z"}`]...)
		gappy = append(gappy, got[`{__name__="gappy", instance="a"}`]...)

		var meta struct{ MinTime, MaxTime int64 }
		data, err := os.ReadFile(filepath.Join(d, "meta.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &meta))
		require.GreaterOrEqual(t, meta.MinTime, lastEnd, "blocks do not overlap")
		lastEnd = meta.MaxTime
		require.Equal(t, steps[len(steps)-1].t+1, meta.MaxTime, "a block ends at its last sample")
	}
	require.Len(t, steps, 500)
	for i, p := range steps {
		require.Equal(t, point{from.Add(time.Duration(i) * time.Minute).UnixMilli(), float64(i + 1)}, p)
	}
	require.Len(t, gappy, 334)
}

// Package history writes series as blocks of Prometheus' storage, with Prometheus' own index and
// chunk writers, so that a server started over them has a past.
package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"
)

// Source is what is written: a fixed set of series that moves through time together.
type Source interface {
	// Series are the label sets, __name__ included.
	Series() []map[string]string
	// Step returns the values at t, beside Series; dt is the step of this history. A value that is
	// NaN is not written. The slice may be reused.
	Step(t time.Time, dt time.Duration) []float64
}

// Stats says what was written.
type Stats struct {
	Series, Samples, Blocks int
	Bytes                   int64
	Took                    time.Duration
}

// samplesPerChunk is what Prometheus itself aims at.
const samplesPerChunk = 120

// Options is the span of the history.
type Options struct {
	From, To time.Time     // Samples lie in [From, To).
	Step     time.Duration // Distance of samples.
	Block    time.Duration // Length of a block; the last one may be shorter.
}

// Write runs src from opts.From to opts.To and writes blocks into dir, the data folder of a
// Prometheus that is not running.
func Write(ctx context.Context, dir string, src Source, opts Options) (Stats, error) {
	began := time.Now()
	series := make([]labels.Labels, len(src.Series()))
	for i, m := range src.Series() {
		series[i] = labels.FromMap(m)
	}
	order := make([]int, len(series))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return labels.Compare(series[a], series[b]) })

	stats := Stats{Series: len(series)}
	t := opts.From
	for t.Before(opts.To) {
		end := t.Add(opts.Block)
		if end.After(opts.To) {
			end = opts.To
		}
		b := newBlock(len(series), t)
		for ; t.Before(end); t = t.Add(opts.Step) {
			for i, v := range src.Step(t, opts.Step) {
				if v == v { //nolint:staticcheck // NaN is the only value that differs from itself.
					b.append(i, t.UnixMilli(), v)
				}
			}
			if err := ctx.Err(); err != nil {
				return stats, err
			}
		}
		n, err := b.write(ctx, dir, series, order)
		if err != nil {
			return stats, fmt.Errorf("write block from %s: %w", time.UnixMilli(b.min).UTC().Format(time.RFC3339), err)
		}
		stats.Samples += b.samples
		stats.Bytes += n
		stats.Blocks++
	}
	stats.Took = time.Since(began)
	return stats, nil
}

// block holds the chunks of one block while they grow.
type block struct {
	min, max int64 // Of the samples, milliseconds.
	samples  int
	chunks   [][]chunks.Meta
	appender []chunkenc.Appender
}

func newBlock(series int, from time.Time) *block {
	return &block{
		min: from.UnixMilli(), max: from.UnixMilli(),
		chunks: make([][]chunks.Meta, series), appender: make([]chunkenc.Appender, series),
	}
}

func (b *block) append(i int, t int64, v float64) {
	own := b.chunks[i]
	if len(own) == 0 || own[len(own)-1].Chunk.NumSamples() >= samplesPerChunk {
		c := chunkenc.NewXORChunk()
		app, err := c.Appender()
		if err != nil {
			panic(err) // An empty chunk always gives an appender.
		}
		own = append(own, chunks.Meta{Chunk: c, MinTime: t})
		b.chunks[i], b.appender[i] = own, app
	}
	b.appender[i].Append(0, t, v)
	own[len(own)-1].MaxTime = t
	b.max = t
	b.samples++
}

// meta is the meta.json of a block.
type meta struct {
	ULID    ulid.ULID `json:"ulid"`
	MinTime int64     `json:"minTime"`
	MaxTime int64     `json:"maxTime"`
	Stats   struct {
		NumSamples int `json:"numSamples"`
		NumSeries  int `json:"numSeries"`
		NumChunks  int `json:"numChunks"`
	} `json:"stats"`
	Compaction struct {
		Level   int         `json:"level"`
		Sources []ulid.ULID `json:"sources"`
	} `json:"compaction"`
	Version int `json:"version"`
}

// write stores the block below dir and returns its size in bytes.
func (b *block) write(ctx context.Context, dir string, series []labels.Labels, order []int) (int64, error) {
	m := meta{ULID: ulid.MustNew(uint64(b.max), ulid.DefaultEntropy()), Version: 1}
	// A block's range is half open. It must not reach beyond its last sample: the server takes no
	// sample older than the newest block.
	m.MinTime, m.MaxTime = b.min, b.max+1
	m.Stats.NumSamples, m.Stats.NumSeries = b.samples, len(series)
	m.Compaction.Level, m.Compaction.Sources = 1, []ulid.ULID{m.ULID}
	out := filepath.Join(dir, m.ULID.String())
	if err := os.MkdirAll(out, 0o777); err != nil {
		return 0, err
	}
	cw, err := chunks.NewWriter(filepath.Join(out, "chunks"))
	if err != nil {
		return 0, err
	}
	for _, i := range order {
		m.Stats.NumChunks += len(b.chunks[i])
		for _, c := range b.chunks[i] {
			c.Chunk.Compact()
		}
		if err := cw.WriteChunks(b.chunks[i]...); err != nil {
			return 0, errors.Join(err, cw.Close())
		}
	}
	if err := cw.Close(); err != nil {
		return 0, err
	}
	if err := b.writeIndex(ctx, filepath.Join(out, "index"), series, order); err != nil {
		return 0, err
	}
	data, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(out, "meta.json"), data, 0o666); err != nil {
		return 0, err
	}
	return size(out)
}

func (b *block) writeIndex(ctx context.Context, file string, series []labels.Labels, order []int) error {
	iw, err := index.NewWriter(ctx, file)
	if err != nil {
		return err
	}
	for _, s := range symbols(series) {
		if err := iw.AddSymbol(s); err != nil {
			return errors.Join(err, iw.Close())
		}
	}
	ref := storage.SeriesRef(0)
	for _, i := range order {
		if len(b.chunks[i]) == 0 {
			continue
		}
		if err := iw.AddSeries(ref, series[i], b.chunks[i]...); err != nil {
			return errors.Join(err, iw.Close())
		}
		ref++
	}
	return iw.Close()
}

// symbols are all strings of the label sets, sorted, each once, the empty one included.
func symbols(series []labels.Labels) []string {
	set := map[string]struct{}{"": {}}
	for _, ls := range series {
		ls.Range(func(l labels.Label) {
			set[l.Name] = struct{}{}
			set[l.Value] = struct{}{}
		})
	}
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func size(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

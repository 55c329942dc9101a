package promread

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// storageReader is the engine's view of remote read. One is made for each evaluation, and its
// queriers share its budget of samples.
type storageReader struct {
	client *Client
	loaded int
	grid   grid
	holes  []*tally // Of each selector; none where torn values are not asked for.
	dec    floatDecoder
	t      []int64
	v      []float64
}

// wholeOr is the value of a step, or torn when most series of a selector have a hole in their window.
func (s *storageReader) wholeOr(step int64, v float64) float64 {
	for _, h := range s.holes {
		if h.at(step) {
			return Torn()
		}
	}
	return v
}

// Querier implements storage.Queryable.
func (s *storageReader) Querier(mint, maxt int64) (storage.Querier, error) {
	return &querier{storage: s, mint: mint, maxt: maxt}, nil
}

type querier struct {
	storage    *storageReader
	mint, maxt int64
}

// Select reads all chunks of a selector into memory, as they are: an eighth or less of what the
// samples would take.
func (q *querier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	from, to := q.mint, q.maxt
	if hints != nil {
		from, to = hints.Start, hints.End
	}
	h := &chunkHandler{storage: q.storage, from: from, to: to}
	if q.storage.grid.marks && hints != nil {
		h.holes = newTally(q.storage.grid, from, to, reachOf(hints))
		q.storage.holes = append(q.storage.holes, h.holes)
	}
	if _, err := q.storage.client.readOnce(ctx, ms, from, to, h); err != nil {
		return storage.ErrSeriesSet(err)
	}
	if sorted {
		slices.SortFunc(h.all, func(a, b *chunkSeries) int { return labels.Compare(a.lset, b.lset) })
	}
	return &seriesSet{series: h.all, at: -1}
}

// LabelValues implements storage.LabelQuerier; the engine has no use for it.
func (*querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabels
}

// LabelNames implements storage.LabelQuerier; the engine has no use for it.
func (*querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabels
}

// Close implements storage.LabelQuerier.
func (*querier) Close() error { return nil }

var errNoLabels = faultf(Refused, "label names and values are asked for by the API, not by remote read")

// chunkHandler keeps the chunks of all series.
type chunkHandler struct {
	storage  *storageReader
	from, to int64
	cur      *chunkSeries
	size     int // Samples of the current series.
	all      []*chunkSeries
	holes    *tally // Nil where nobody asks.
}

func (h *chunkHandler) series(s seriesLabels) error {
	if s.err != nil {
		h.storage.client.metrics.refused.WithLabelValues("labels").Inc()
		h.cur = nil
		return nil
	}
	h.cur, h.size = &chunkSeries{lset: s.lset, from: h.from, to: h.to}, 0
	return nil
}

func (h *chunkHandler) chunk(c chunk) error {
	if h.cur == nil {
		return nil
	}
	c.data = slices.Clone(c.data)
	ck, err := openChunk(c)
	if err != nil {
		return err
	}
	return h.keep(ck, int(binary.BigEndian.Uint16(c.data)))
}

// floats packs samples into chunks, so that there is one kind of series.
func (h *chunkHandler) floats(t []int64, v []float64) error {
	if h.cur == nil {
		return nil
	}
	t, v = ordered(t, v)
	for len(t) > 0 {
		n := min(len(t), 120)
		ck := chunkenc.NewXORChunk()
		app, err := ck.Appender()
		if err != nil {
			return err
		}
		for i := range n {
			app.Append(0, t[i], v[i])
		}
		if err := h.keep(ck, n); err != nil {
			return err
		}
		t, v = t[n:], v[n:]
	}
	return nil
}

func (h *chunkHandler) keep(ck chunkenc.Chunk, samples int) error {
	h.cur.chunks = append(h.cur.chunks, ck)
	h.size += samples
	if limit := h.storage.client.cfg.MaxQuerySamples; h.storage.loaded+h.size > limit {
		return &fault{reason: TooLarge, msg: sprintf("the selectors of the expression match more than %d samples", limit), hint: tooManySamplesHint}
	}
	return nil
}

func (h *chunkHandler) discard() { h.cur = nil }

func (h *chunkHandler) end() error {
	if h.cur == nil {
		return nil
	}
	if err := h.judge(); err != nil {
		return err
	}
	h.storage.loaded += h.size
	h.storage.client.metrics.samples.Add(float64(h.size))
	h.all = append(h.all, h.cur)
	h.cur = nil
	return nil
}

// judge looks at the scrapes of the current series.
func (h *chunkHandler) judge() error {
	s := h.storage
	if h.holes == nil {
		return nil
	}
	s.t, s.v = s.t[:0], s.v[:0]
	for _, ck := range h.cur.chunks {
		var err error
		if s.t, s.v, _, err = s.dec.decode(chunk{encoding: uint64(ck.Encoding()), data: ck.Bytes()}, h.from, h.to, s.t, s.v); err != nil {
			return err
		}
	}
	s.t, s.v = ordered(s.t, s.v)
	s.t, s.v = withoutStale(s.t, s.v)
	h.holes.add(s.t)
	return nil
}

// seriesSet implements storage.SeriesSet over series in memory.
type seriesSet struct {
	series []*chunkSeries
	at     int
}

// Next implements storage.SeriesSet.
func (s *seriesSet) Next() bool { s.at++; return s.at < len(s.series) }

// At implements storage.SeriesSet.
func (s *seriesSet) At() storage.Series { return s.series[s.at] }

// Err implements storage.SeriesSet.
func (s *seriesSet) Err() error { return nil }

// Warnings implements storage.SeriesSet.
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// chunkSeries implements storage.Series over chunks in order of time.
type chunkSeries struct {
	lset     labels.Labels
	chunks   []chunkenc.Chunk
	from, to int64
}

// Labels implements storage.Series.
func (s *chunkSeries) Labels() labels.Labels { return s.lset }

// Iterator implements storage.Series.
func (s *chunkSeries) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return &chunkIterator{series: s, typ: chunkenc.ValNone, Iterator: chunkenc.NewNopIterator()}
}

// chunkIterator goes through the chunks of a series one after the other and leaves out what is
// outside its range, or not later than what was before (chunks of other servers may overlap).
type chunkIterator struct {
	chunkenc.Iterator // Of the current chunk.
	series            *chunkSeries
	next              int // The chunk after the current one.
	typ               chunkenc.ValueType
	started           bool
	last              int64
	done              bool
}

// Next implements chunkenc.Iterator.
func (it *chunkIterator) Next() chunkenc.ValueType {
	for !it.done {
		for it.typ = it.Iterator.Next(); it.typ != chunkenc.ValNone; it.typ = it.Iterator.Next() {
			t := it.AtT()
			if t < it.series.from || it.started && t <= it.last {
				continue
			}
			if t > it.series.to {
				it.done, it.typ = true, chunkenc.ValNone
				return it.typ
			}
			it.started, it.last = true, t
			return it.typ
		}
		if it.Err() != nil || it.next == len(it.series.chunks) {
			it.done = true
			break
		}
		it.Iterator = it.series.chunks[it.next].Iterator(it.Iterator)
		it.next++
	}
	it.typ = chunkenc.ValNone
	return it.typ
}

// unixMilli is a time of Prometheus. By its name vet tells Seek from that of package io.
type unixMilli = int64

// Seek implements chunkenc.Iterator.
func (it *chunkIterator) Seek(t unixMilli) chunkenc.ValueType {
	for it.typ == chunkenc.ValNone || it.last < t {
		if it.Next() == chunkenc.ValNone {
			return chunkenc.ValNone
		}
	}
	return it.typ
}

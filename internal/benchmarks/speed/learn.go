package main

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/benchmarks/fleet"
	"github.com/tidemark/tidemark/internal/promread"
)

// learn measures the whole learn path (frames, checksum, messages, chunks, fit) and the fit alone
// against the stock iterator on the same chunks: a series of 28 days at one minute for each shape.
func (b *bench) learn() error {
	var path, quick, fit, d, allocs float64
	list := shapes()
	for i := range list {
		p, f, s, a, err := b.learnShape(&list[i], 0)
		if err != nil {
			return err
		}
		short, _, _, _, err := b.learnShape(&list[i], 7*24*time.Hour)
		if err != nil {
			return err
		}
		b.note(fmt.Sprintf("learn path, %s", list[i].name), p/s, "D")
		quick += math.Log(short / s)
		path, fit, d, allocs = path+math.Log(p/s), fit+math.Log(f/s), d+math.Log(s), max(allocs, a)
	}
	n := float64(len(list))
	b.d = math.Exp(d / n)
	b.less("whole learn path per sample, mean of ten data shapes", math.Exp(path/n), "D", 1, 1.5, 0.8)
	b.less("fit alone", math.Exp(fit/n), "D", 1, 0.5, 0.12)
	b.note("whole learn path with baseline.observe: 7d", math.Exp(quick/n), "D")
	b.note("D, Prometheus' own chunk iterator, mean of ten data shapes", b.d, "ns a sample")
	b.less("allocations per learned sample", allocs, "", math.NaN(), 0, 0)
	return nil
}

func (b *bench) learnShape(s *shape, observe time.Duration) (path, fit, stock, allocs float64, err error) {
	t, v := s.samples(days*1440, 1)
	chunks, err := chunksOf(t, v)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	ls := fleet.Labels(0)
	body, err := answer(ls, chunks)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	cfg := baseline.DefaultConfig()
	cfg.Observe = model.Duration(observe)
	e, err := baseline.NewEngine(cfg, nil)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	learned := func(ls labels.Labels, t []int64, v []float64) {
		series := e.Add("learn", ls, time.Minute, baseline.SeriesOptions{})
		series.Learn(t, v, e.FiledBefore(time.UnixMilli(t[len(t)-1])), nil)
		e.Remove(series)
	}
	stream := promread.NewStream(0, math.MaxInt64, 1<<20, func(s promread.Series) error {
		learned(s.Labels, s.T, s.V)
		return nil
	})
	var it chunkenc.Iterator
	var fail error
	keep := func(e error) {
		if e != nil {
			fail = e
		}
	}
	took := least(b.rounds,
		func() { keep(stream.Read(bytes.NewReader(body))) },
		func() { learned(ls, t, v) },
		func() {
			var e error
			it, e = iterate(chunks, it)
			keep(e)
		})
	if fail != nil {
		return 0, 0, 0, 0, fail
	}
	// What a longer history allocates more than a short one, per sample.
	all, few := allocations(func() { learned(ls, t, v) }), allocations(func() { learned(ls, t[:1440], v[:1440]) })
	n := len(t)
	return perUnit(took[0], n), perUnit(took[1], n), perUnit(took[2], n), max(0, all-few) / float64(n-1440), nil
}

package main

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/benchmarks/fleet"
	"github.com/tidemark/tidemark/internal/promread"
)

// learn measures the whole learn path (frames, checksum, messages, chunks, fit) and the fit alone
// against the stock iterator on the same chunks: a series of 28 days at one minute for each shape, as shipped, and
// with all of the history observed.
func (b *bench) learn() error {
	var path, whole, fit, wholeFit, d, allocs float64
	list := shapes()
	for i := range list {
		p, f, s, a, err := b.learnShape(&list[i], baseline.DefaultConfig())
		if err != nil {
			return err
		}
		all := baseline.DefaultConfig()
		all.Observe = 0
		q, g, _, _, err := b.learnShape(&list[i], all)
		if err != nil {
			return err
		}
		b.note(fmt.Sprintf("learn path, %s", list[i].name), p/s, "D")
		b.note(fmt.Sprintf("the same with baseline.observe: 0, %s", list[i].name), q/s, "D")
		whole, wholeFit = whole+math.Log(q/s), wholeFit+math.Log(g/s)
		path, fit, d, allocs = path+math.Log(p/s), fit+math.Log(f/s), d+math.Log(s), max(allocs, a)
	}
	n := float64(len(list))
	b.d = math.Exp(d / n)
	b.less("whole learn path per sample, mean of ten data shapes", math.Exp(path/n), "D", 1, 1.5, 0.8)
	b.less("fit alone", math.Exp(fit/n), "D", 1, 0.5, 0.12)
	b.note("whole learn path with baseline.observe: 0 (all of the history)", math.Exp(whole/n), "D")
	b.note("fit alone with baseline.observe: 0", math.Exp(wholeFit/n), "D")
	b.note("D, Prometheus' own chunk iterator, mean of ten data shapes", b.d, "ns a sample")
	b.less("allocations per learned sample", allocs, "", math.NaN(), 0, 0)
	return nil
}

// learnShape measures a day in a slice, which takes less than two milliseconds, and adds up the least of each day.
func (b *bench) learnShape(s *shape, cfg baseline.Config) (path, fit, stock, allocs float64, err error) {
	t, v := s.samples(days*1440, 1)
	ls := fleet.Labels(0)
	var bodies [days][]byte
	var chunks [days][][]byte
	for d := range days {
		if chunks[d], err = chunksOf(t[d*1440:(d+1)*1440], v[d*1440:(d+1)*1440]); err != nil {
			return 0, 0, 0, 0, err
		}
		if bodies[d], err = answer(ls, chunks[d]); err != nil {
			return 0, 0, 0, 0, err
		}
	}
	e, err := baseline.NewEngine(cfg, nil)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	from := e.ObserveFrom(time.UnixMilli(t[len(t)-1]), false)
	add := func(watch string, ls labels.Labels) *baseline.Series {
		return e.Add(watch, ls, time.Minute, baseline.SeriesOptions{})
	}
	stream := promread.NewStream(0, math.MaxInt64, 1<<20, func(s promread.Series) error {
		add("path", s.Labels).Learn(s.T, s.V, from, nil)
		return nil
	})
	var it chunkenc.Iterator
	var fail error
	keep := func(e error) {
		if e != nil {
			fail = e
		}
	}
	var best [days][3]time.Duration
	for round := range max(4, b.rounds/12) {
		own := add("fit", ls)
		for d := range days {
			took := least(1,
				func() { keep(stream.Read(bytes.NewReader(bodies[d]))) },
				func() { own.Learn(t[d*1440:(d+1)*1440], v[d*1440:(d+1)*1440], from, nil) },
				func() {
					var e error
					it, e = iterate(chunks[d], it)
					keep(e)
				})
			for i, x := range took {
				if round == 0 || x < best[d][i] {
					best[d][i] = x
				}
			}
		}
		e.Remove(own)
		e.Remove(add("path", ls))
	}
	if fail != nil {
		return 0, 0, 0, 0, fail
	}
	var sum [3]time.Duration
	for _, day := range best {
		for i, x := range day {
			sum[i] += x
		}
	}
	// What a longer history allocates more than a short one, per sample.
	learned := func(t []int64, v []float64) {
		series := add("alloc", ls)
		series.Learn(t, v, from, nil)
		e.Remove(series)
	}
	all, few := allocations(func() { learned(t[:7*1440], v[:7*1440]) }), allocations(func() { learned(t[:1440], v[:1440]) })
	n := len(t)
	return perUnit(sum[0], n), perUnit(sum[1], n), perUnit(sum[2], n), max(0, all-few) / (6 * 1440), nil
}

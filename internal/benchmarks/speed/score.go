package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/benchmarks/fleet"
)

func allocations(fn func()) float64 { return testing.AllocsPerRun(10, fn) }

// herd is an engine with n series that have learned some samples, one a step.
type herd struct {
	engine *baseline.Engine
	series []*baseline.Series
	at     int64
	step   int64
	noise  []float64
}

func newHerd(n, samples int, step int64, name func(int) labels.Labels) (*herd, error) {
	e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	if err != nil {
		return nil, err
	}
	disk, err := os.CreateTemp("", "tidemark-speed-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(disk.Name()); err != nil {
		return nil, err
	}
	e.PageTo(disk, 10_000) // As the sidecar does.
	f := &herd{engine: e, at: begin, step: step, series: make([]*baseline.Series, n)}
	r := rand.New(rand.NewPCG(5, 6))
	for range 4096 {
		f.noise = append(f.noise, 5*r.NormFloat64())
	}
	t, v := make([]int64, samples), make([]float64, samples)
	for i := range n {
		for k := range samples {
			t[k] = begin + int64(k)*step
			v[k] = f.value(i, t[k])
		}
		f.series[i] = e.Add("fleet", name(i), time.Duration(step)*time.Millisecond, baseline.SeriesOptions{})
		f.series[i].ObserveAll(t, v, nil)
	}
	f.at += int64(samples) * step
	return f, nil
}

// value is what series i has at t: a day's rhythm and noise, without costs of its own that matter.
func (f *herd) value(i int, t int64) float64 {
	m := int(t / minute % 1440)
	return 100 + float64(i%50) + 40*rhythm[m] + f.noise[(i*31+int(t/f.step))&4095]
}

var rhythm = func() (x [1440]float64) {
	for i := range x {
		x[i] = math.Sin(2 * math.Pi * float64(i) / 1440)
	}
	return x
}()

// tick scores a sample of each of the series from..to.
func (f *herd) tick(from, to int) {
	for i := from; i < to; i++ {
		f.series[i].Observe(f.at, f.value(i, f.at))
	}
}

// score measures scoring and learning one live sample: a thousand series hot, and the growth to a
// million.
func (b *bench) score() error {
	f, err := newHerd(1000, 5*1440, minute, fleet.Labels)
	if err != nil {
		return err
	}
	list := shapes()
	t, v := list[1].samples(40*120, 1)
	chunks, err := chunksOf(t, v)
	if err != nil {
		return err
	}
	var it chunkenc.Iterator
	var fail error
	took := least(3*b.rounds,
		func() {
			f.at += f.step
			f.tick(0, 1000)
		},
		func() {
			if it, err = iterate(chunks, it); err != nil {
				fail = err
			}
		})
	if fail != nil {
		return fail
	}
	hot, d := perUnit(took[0], 1000), perUnit(took[1], len(t))
	b.note("score and update, 1 000 series hot", hot, "ns a sample")
	b.less("score and update, 1 000 series hot", hot/d, "D", 1, 1, 0.5)
	b.less("allocations per scored sample", allocations(func() { f.at += f.step; f.tick(0, 1000) })/1000, "", math.NaN(), 0, 0)
	return b.growth()
}

// growth scores a fleet of many series, a thousand in a slice, against a thousand of the same kind. Each has learned a day
// of samples five minutes apart, which are learned one by one: a sample costs more than where a beat has several.
func (b *bench) growth() error {
	n := b.million
	few, err := newHerd(1000, 288, 5*minute, fleet.Labels)
	if err != nil {
		return err
	}
	hot := perUnit(least(b.rounds, func() {
		few.at += few.step
		few.tick(0, 1000)
	})[0], 1000)
	b.note("score and update, 1 000 series hot at five minutes", hot, "ns a sample")
	before := heap()
	names := make([]labels.Labels, n)
	for i := range names {
		names[i] = fleet.Labels(i)
	}
	withNames := heap()
	f, err := newHerd(n, 288, 5*minute, func(i int) labels.Labels { return names[i] })
	if err != nil {
		return err
	}
	clear(names)
	size := float64(heap()-before) / float64(n)
	b.note("labels of a series, held as Prometheus' labels are", float64(withNames-before)/float64(n), "bytes")
	b.less(fmt.Sprintf("heap per series, 8 labels (%d series)", n), size, "bytes", 5120, 1024, 320)
	var all []float64
	for range 4 { // a slot has four steps: three quiet ones and one that closes it
		f.at += f.step
		sum, parts := 0.0, 0
		for from := 0; from+1000 <= n; from += 1000 {
			start := cpu()
			f.tick(from, from+1000)
			sum, parts = sum+perUnit(cpu()-start, 1000), parts+1
		}
		all = append(all, sum/float64(parts))
	}
	b.note(fmt.Sprintf("score and update, %d series, mean of a slot", n), (all[0]+all[1]+all[2]+all[3])/4, "ns a sample")
	b.less(fmt.Sprintf("growth of score cost from 1 000 to %d series", n), min(all[0], all[1], all[2], all[3])/hot, "x", 1, 4, 2.2)
	return nil
}

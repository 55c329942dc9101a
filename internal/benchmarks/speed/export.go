package main

import (
	"fmt"
	"io"
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/tidemark/tidemark/internal/benchmarks/fleet"
	"github.com/tidemark/tidemark/internal/export"
)

// calm is a source of n series of which none is anomalous.
type calm struct {
	one export.Series
	n   int
	all []string
}

// Each implements export.Source.
func (c *calm) Each(fn func(*export.Series)) {
	for i := range c.n {
		c.one.Block = c.all[i]
		c.one.Observed, c.one.Score = float64(i)+0.123, float64(i%100)/101
		fn(&c.one)
	}
}

// Len implements export.Source.
func (c *calm) Len() int { return c.n }

func newCalm(n int) *calm {
	c := &calm{n: n, one: export.Series{Watch: "w", Time: begin, Expected: 101.25, Lower: 88.5, Upper: 120.75, BudgetRatio: 0.4}}
	for i := range n {
		c.all = append(c.all, export.Block(export.SeriesLabels(fleet.Labels(i), "w")))
	}
	return c
}

type counter struct{ lines, bytes int }

func (c *counter) Write(p []byte) (int, error) {
	for _, x := range p {
		if x == '\n' {
			c.lines++
		}
	}
	c.bytes += len(p)
	return len(p), nil
}

// gauges counts the lines of a page that are samples.
func gauges(e *export.Exporter) (int, error) {
	var c counter
	if err := e.WriteText(&c); err != nil {
		return 0, fmt.Errorf("write page: %w", err)
	}
	return c.lines, nil
}

// export measures the metrics page against client_golang, and how many series it adds.
func (b *bench) export() error {
	const n = 200
	src := newCalm(n)
	cfg := export.DefaultConfig()
	cfg.Mode = export.ModeFull
	full := export.New(cfg, src)
	lines, err := gauges(full)
	if err != nil {
		return err
	}
	stock := prometheus.NewRegistry()
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_anomaly_score", Help: "Score."}, []string{"cluster", "namespace", "service", "pod", "instance", "job", "method", "watch"})
	stock.MustRegister(vec)
	for i := range n {
		ls := fleet.Labels(i)
		vec.WithLabelValues(ls.Get("cluster"), ls.Get("namespace"), ls.Get("service"), ls.Get("pod"), ls.Get("instance"), ls.Get("job"), ls.Get("__name__"), "w").Set(float64(i) + 0.123)
	}
	var fail error
	took := least(b.rounds,
		func() {
			if err := full.WriteText(io.Discard); err != nil {
				fail = err
			}
		},
		func() {
			families, err := stock.Gather()
			if err != nil {
				fail = err
				return
			}
			enc := expfmt.NewEncoder(io.Discard, expfmt.NewFormat(expfmt.TypeTextPlain))
			for _, f := range families {
				if err := enc.Encode(f); err != nil {
					fail = err
				}
			}
		})
	if fail != nil {
		return fail
	}
	ours, theirs := perUnit(took[0], lines), perUnit(took[1], n)
	b.note("text exposition", ours, "ns a gauge")
	b.note("text exposition of client_golang", theirs, "ns a gauge")
	b.less("text exposition against client_golang, per gauge", ours/theirs, "ratio", 1, 1.0/20, 1.0/100)
	small := newCalm(10)
	few := export.New(cfg, small)
	fewLines, err := gauges(few)
	if err != nil {
		return err
	}
	grow := allocations(func() { _ = full.WriteText(io.Discard) }) - allocations(func() { _ = few.WriteText(io.Discard) })
	b.less("allocations per exported gauge", max(0, grow)/float64(lines-fewLines), "", math.NaN(), 0, 0)

	cfg.Mode = export.ModeAuto
	const many = 10_000
	sparse, err := gauges(export.New(cfg, newCalm(many)))
	if err != nil {
		return err
	}
	b.less("series added per input by default, 10 000 calm series", float64(sparse)/many, "series", 8, 1, 0.05)
	return nil
}

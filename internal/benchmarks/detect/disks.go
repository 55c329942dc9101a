package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/baseline"
)

// fills are the warnings of both over some disks, n of which fill.
type fills struct {
	us, them tally
	n        float64
}

func (f *fills) add(g fills) {
	f.us.add(g.us)
	f.them.add(g.them)
	f.n += g.n
}

// tally counts warnings, as episodes with an hour between them. One in the twelve hours before a
// filling disk is full is right, any other is wrong; some of those are at the tip of a tooth that
// reaches the limit itself. early are the hours between the first that was right and the end.
type tally struct {
	wrong, reached, right float64
	early                 []float64
}

func (t *tally) add(u tally) {
	t.wrong, t.reached, t.right = t.wrong+u.wrong, t.reached+u.reached, t.right+u.right
	t.early = append(t.early, u.early...)
}

// before is the median of early.
func (t *tally) before() float64 {
	if len(t.early) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(t.early))[len(t.early)/2]
}

// warn runs sixty generated disks for each of some seeds.
func warn(ctx context.Context, sh shape, from, seeds uint64) (f fills, err error) {
	each := make([]fills, seeds)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for i := range each {
		g.Go(func() (err error) {
			each[i], err = sixty(ctx, sh, from+uint64(i))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return f, err
	}
	for _, x := range each {
		f.add(x)
	}
	return f, nil
}

func sixty(ctx context.Context, sh shape, seed uint64) (f fills, err error) {
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range 60 {
		if err := ctx.Err(); err != nil {
			return f, err
		}
		d := sh.make(r, i%3 == 0)
		e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
		if err != nil {
			return f, err
		}
		s := e.Add("disk", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
		us, them := warnings{tally: &f.us}, warnings{tally: &f.them}
		for k, v := range d.v {
			s.Observe(int64(k)*300e3+1700000000e3, v)
			if k < 2*diskDay || d.full >= 0 && k >= d.full {
				continue
			}
			l, ok := s.TimeToLimit(limit)
			us.add(k, ok && l.Seconds < 4*3600, &d)
			them.add(k, predictLinear(d.v[k-71:k+1], 48) > limit, &d)
		}
		if d.full >= 0 {
			f.n++
		}
	}
	return f, nil
}

// warnings are those of one disk.
type warnings struct {
	*tally
	last int
	seen bool
}

func (w *warnings) add(k int, on bool, d *disk) {
	if !on {
		return
	}
	switch {
	case d.full >= 0 && d.full-k <= 144:
		if !w.seen {
			w.seen = true
			w.right++
			w.early = append(w.early, float64(d.full-k)/12)
		}
	case w.last == 0 || k-w.last > 12:
		w.wrong++
		if slices.Max(d.v[k:min(len(d.v), k+145)]) >= limit {
			w.reached++
		}
	}
	w.last = k
}

// predictLinear is Prometheus' predict_linear: least squares over the window, ahead samples on.
func predictLinear(v []float64, ahead float64) float64 {
	n := float64(len(v))
	var sx, sy, sxx, sxy float64
	for i, y := range v {
		x := float64(i) - n + 1
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return (sy-slope*sx)/n + slope*ahead
}

var rotated = shape{"rotated by the clock", newDisk}

// limits compares warnings "full within four hours" with those of predict_linear(x[6h], 4*3600) > 90: on
// sixty disks, on twelve hundred others and on other shapes, all of seeds that no constant was chosen on, and on shapes that
// nothing was chosen on.
func (b *bench) limits(ctx context.Context) error {
	for _, x := range []struct {
		name        string
		shapes      []shape
		from, seeds uint64
	}{
		{"disk full in 4 h", []shape{rotated}, 1, 1},
		{"the same, %.0f other fills", []shape{rotated}, 101, 20},
		{"the same, five other shapes, %.0f fills", others, 101, 4},
		{"the same, seven shapes that nothing was chosen on, %.0f fills", heldOut, 101, 4},
	} {
		var f fills
		for _, sh := range x.shapes {
			one, err := warn(ctx, sh, x.from, x.seeds)
			if err != nil {
				return err
			}
			f.add(one)
		}
		name := x.name
		if strings.Contains(name, "%") {
			name = fmt.Sprintf(name, f.n)
		}
		b.add(fmt.Sprintf("%s: false warnings (predict_linear: %.0f)", name, f.them.wrong), f.us.wrong, "warnings", fmt.Sprintf("%.0f", f.them.wrong), fmt.Sprintf("<= %.0f (1/20)", f.them.wrong/20), "")
		b.add(fmt.Sprintf("%s: the limit was not reached in 12 h (predict_linear: %.0f)", name, f.them.wrong-f.them.reached), f.us.wrong-f.us.reached, "warnings", fmt.Sprintf("%.0f", f.them.wrong-f.them.reached), fmt.Sprintf("<= %.0f (1/20)", (f.them.wrong-f.them.reached)/20), "")
		b.add(fmt.Sprintf("%s: share of fills seen before (predict_linear: %.3f)", name, f.them.right/f.n), f.us.right/f.n, "", fmt.Sprintf("%.3f", f.them.right/f.n), fmt.Sprintf(">= %.3f (no lower)", f.them.right/f.n), "")
	}
	return nil
}

// shapes is the table of warnings by shape, on seeds that the method was made on and on others.
func shapes(ctx context.Context) (string, error) {
	var s strings.Builder
	s.WriteString("\n## Disks full within four hours\n\nGenerated disks, a third of which fill; five-minute samples, limit 90 %; beside `predict_linear(…[6h], 4*3600) > 90`. A warning is right in the twelve hours before a filling disk is full; else it is false, in brackets those after which the limit was not even touched within twelve hours. ")
	s.WriteString("*Hours* is the median time from the first right warning until the disk is full. On the shapes at the end nothing was chosen: they were written before the method got its present form and run after, twice: [detection.md](detection.md) says what came between.\n\n")
	s.WriteString("| disks | seeds | fills | seen | by predict_linear | hours | by predict_linear | false | by predict_linear |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n")
	row := func(name, seeds string, f fills) {
		fmt.Fprintf(&s, "| %s | %s | %.0f | %.3f | %.3f | %.1f | %.1f | %.0f (%.0f) | %.0f (%.0f) |\n", name, seeds, f.n, f.us.right/f.n, f.them.right/f.n, f.us.before(), f.them.before(),
			f.us.wrong, f.us.wrong-f.us.reached, f.them.wrong, f.them.wrong-f.them.reached)
	}
	for _, x := range []struct {
		name   string
		from   uint64
		shapes []shape
	}{{"made on", 1, slices.Concat([]shape{rotated}, tried, others)}, {"held out", 101, slices.Concat([]shape{rotated}, tried, others)}, {"shape held out", 101, heldOut}} {
		var all fills
		for _, sh := range x.shapes {
			f, err := warn(ctx, sh, x.from, 4)
			if err != nil {
				return "", err
			}
			row(sh.name, x.name, f)
			all.add(f)
		}
		row("**all of them**", x.name, all)
	}
	return s.String(), nil
}

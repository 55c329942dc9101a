package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/baseline"
)

// disk is a generated disk: usage in percent, one sample every five minutes, and for some of them a real
// fill at the end.
type disk struct {
	v    []float64
	full int // sample at which the limit is reached for good, -1 never
}

const (
	limit   = 90
	diskDay = 288
)

// fill adds noise to what a disk holds and, where it is to fill, a ramp that begins two to five days
// before the end and takes a fifth of a day to a whole one from the disk's usual top to the limit.
func fill(r *rand.Rand, held []float64, fills bool, top float64) disk {
	d := disk{full: -1}
	n := len(held)
	from, rate := n-diskDay*2-r.IntN(diskDay*3), (limit-top)/(diskDay*(0.2+0.8*r.Float64()))
	for i, x := range held {
		x += 0.2 * r.NormFloat64()
		if fills && i >= from {
			x += rate * float64(i-from)
		}
		if fills && x >= limit && d.full < 0 {
			d.full = i
		}
		d.v = append(d.v, min(x, 100))
	}
	return d
}

// newDisk is a disk that a clock empties every 3 to 48 hours.
func newDisk(r *rand.Rand, fills bool) disk {
	n := 14 * diskDay
	climb := 10 + 30*r.Float64()
	base := 70 + 18*r.Float64() - climb      // the teeth end at 70 to 88 percent
	period := int((3 + 45*r.Float64()) * 12) // 3 to 48 hours
	d := disk{full: -1}
	level := base
	fillFrom, rate := n-diskDay*2-r.IntN(diskDay*3), (limit-base-climb)/(diskDay*(0.2+0.8*r.Float64()))
	for i := range n {
		if i%period == 0 {
			level = base + 2*r.NormFloat64()
		}
		level += climb / float64(period)
		x := level + 0.2*r.NormFloat64()
		if fills && i >= fillFrom {
			x += rate * float64(i-fillFrom)
		}
		if fills && x >= limit && d.full < 0 {
			d.full = i
		}
		d.v = append(d.v, min(x, 100))
	}
	return d
}

// shape is a kind of disk.
type shape struct {
	name string
	make func(r *rand.Rand, fills bool) disk
}

// tried are the shapes that the method was made on, beside the first; heldOut those that it was not.
var (
	tried = []shape{
		{"emptied at a threshold, faster by day than by night", func(r *rand.Rand, fills bool) disk {
			top := 70 + 17*r.Float64()
			base, perDay := top-10-30*r.Float64(), (1+5*r.Float64())*30
			x, v := base, make([]float64, 14*diskDay)
			for i := range v {
				x += perDay / diskDay * (1 + 0.7*math.Sin(2*math.Pi*float64(i)/diskDay))
				if x > top {
					x = base + r.NormFloat64()
				}
				v[i] = x
			}
			return fill(r, v, fills, top)
		}},
		{"bursts of compaction on a level", func(r *rand.Rand, fills bool) disk {
			base, top := 40+20*r.Float64(), 70+17*r.Float64()
			v := make([]float64, 14*diskDay)
			left, long, high := 0, 1, 0.0
			for i := range v {
				if left == 0 && r.Float64() < 6.0/diskDay {
					long = 6 + r.IntN(36)
					left, high = long, (top-base)*(0.6+0.4*r.Float64())
				}
				v[i] = base
				if left > 0 {
					left--
					v[i] += high * float64(long-left) / float64(long)
				}
			}
			return fill(r, v, fills, top)
		}},
		{"a level that grows and flattens", func(r *rand.Rand, fills bool) disk {
			base, top := 20+30*r.Float64(), 70+18*r.Float64()
			from, tau := float64(diskDay*(3+r.IntN(4))), diskDay*(0.2+r.Float64())
			v := make([]float64, 14*diskDay)
			for i := range v {
				v[i] = base
				if x := float64(i) - from; x > 0 {
					v[i] += (top - base) * (1 - math.Exp(-x/tau))
				}
			}
			return fill(r, v, fills, top)
		}},
	}
	heldOut = []shape{
		{"emptied in part, at odd times", func(r *rand.Rand, fills bool) disk {
			base, top := 30+20*r.Float64(), 72+14*r.Float64()
			x, v := base, make([]float64, 14*diskDay)
			slope := (top - base) / (diskDay * (0.3 + r.Float64()))
			end := top
			for i := range v {
				if x += slope; x > end {
					x -= (x - base) * (0.5 + 0.5*r.Float64())
					end = top + 2*r.NormFloat64()
				}
				v[i] = x
			}
			return fill(r, v, fills, top+2)
		}},
		{"rotated every day, cleaned up every week", func(r *rand.Rand, fills bool) disk {
			base, top := 30+20*r.Float64(), 72+14*r.Float64()
			daily := (top - base) * (0.2 + 0.3*r.Float64())
			v := make([]float64, 42*diskDay)
			for i := range v {
				week, day := float64(i%(7*diskDay))/(7*diskDay), float64(i%diskDay)/diskDay
				v[i] = base + (top-base-daily)*week + daily*day
			}
			return fill(r, v, fills, top)
		}},
		{"a day's rhythm", func(r *rand.Rand, fills bool) disk {
			top := 72 + 14*r.Float64()
			swing := 5 + 20*r.Float64()
			v := make([]float64, 14*diskDay)
			walk := 0.0
			for i := range v {
				walk = 0.999*walk + 0.05*r.NormFloat64()
				v[i] = top - swing + swing*math.Sin(2*math.Pi*float64(i)/diskDay) + walk
			}
			return fill(r, v, fills, top)
		}},
		{"steps of deployments, cleaned up now and then", func(r *rand.Rand, fills bool) disk {
			base, top := 30+20*r.Float64(), 72+14*r.Float64()
			x, v := base, make([]float64, 14*diskDay)
			for i := range v {
				if r.Float64() < 3.0/diskDay {
					if x += 3 + 7*r.Float64(); x > top {
						x = base + 3*r.NormFloat64()
					}
				}
				v[i] = x
			}
			return fill(r, v, fills, top)
		}},
		{"rotated by the clock at a varying rate", func(r *rand.Rand, fills bool) disk {
			climb := 10 + 30*r.Float64()
			base := 68 + 14*r.Float64() - climb
			period := int((6 + 40*r.Float64()) * 12)
			x, rate, v := base, 1.0, make([]float64, 14*diskDay)
			for i := range v {
				if i%period == 0 {
					x, rate = base+r.NormFloat64(), math.Exp(0.15*r.NormFloat64())
				}
				x += rate * climb / float64(period)
				v[i] = x
			}
			return fill(r, v, fills, base+1.2*climb)
		}},
	}
)

// fills are the warnings of both over some disks, n of which fill.
type fills struct {
	us, them tally
	n        float64
}

// tally counts warnings, as episodes with an hour between them. One in the twelve hours before a
// filling disk is full is right, any other is wrong; some of those are at the tip of a tooth that
// reaches the limit itself.
type tally struct{ wrong, reached, right float64 }

func (t *tally) add(u tally) {
	t.wrong, t.reached, t.right = t.wrong+u.wrong, t.reached+u.reached, t.right+u.right
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
		f.us.add(x.us)
		f.them.add(x.them)
		f.n += x.n
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
// sixty disks, and on twelve hundred others that no constant was chosen on.
func (b *bench) limits(ctx context.Context) error {
	few, err := warn(ctx, rotated, 1, 1)
	if err != nil {
		return err
	}
	many, err := warn(ctx, rotated, 101, 20)
	if err != nil {
		return err
	}
	var others fills
	for _, sh := range heldOut {
		f, err := warn(ctx, sh, 101, 4)
		if err != nil {
			return err
		}
		others.us.add(f.us)
		others.them.add(f.them)
		others.n += f.n
	}
	for _, x := range []struct {
		name string
		fills
	}{{"disk full in 4 h", few}, {fmt.Sprintf("the same, %.0f other fills", many.n), many}, {fmt.Sprintf("the same, five other shapes, %.0f fills", others.n), others}} {
		b.add(fmt.Sprintf("%s: false warnings (predict_linear: %.0f)", x.name, x.them.wrong), x.us.wrong, "warnings", fmt.Sprintf("%.0f", x.them.wrong), fmt.Sprintf("<= %.0f (1/20)", x.them.wrong/20), "")
		b.add(fmt.Sprintf("%s: the limit was not reached in 12 h (predict_linear: %.0f)", x.name, x.them.wrong-x.them.reached), x.us.wrong-x.us.reached, "warnings", fmt.Sprintf("%.0f", x.them.wrong-x.them.reached), fmt.Sprintf("<= %.0f (1/20)", (x.them.wrong-x.them.reached)/20), "")
		b.add(fmt.Sprintf("%s: share of fills seen before (predict_linear: %.3f)", x.name, x.them.right/x.n), x.us.right/x.n, "", fmt.Sprintf("%.3f", x.them.right/x.n), "no lower", "")
	}
	return nil
}

// shapes is the table of warnings by shape, on seeds that the method was made on and on others.
func shapes(ctx context.Context) (string, error) {
	var s strings.Builder
	s.WriteString("\n## Disks full within four hours\n\nGenerated disks, a third of which fill; five-minute samples, limit 90 %; beside `predict_linear(…[6h], 4*3600) > 90`. A warning is right in the twelve hours before a filling disk is full; else it is false, in brackets those after which the limit was not even touched within twelve hours.\n\n")
	s.WriteString("| disks | seeds | fills | seen | by predict_linear | false | by predict_linear |\n|---|---|---:|---:|---:|---:|---:|\n")
	for _, x := range []struct {
		group  string
		shapes []shape
	}{{"made on", append([]shape{rotated}, tried...)}, {"held out", heldOut}} {
		for _, sh := range x.shapes {
			for _, seeds := range [][2]uint64{{1, 4}, {101, 4}} {
				if x.group == "held out" && seeds[0] == 1 {
					continue
				}
				f, err := warn(ctx, sh, seeds[0], seeds[1])
				if err != nil {
					return "", err
				}
				group := x.group
				if seeds[0] > 1 {
					group = "held out"
				}
				fmt.Fprintf(&s, "| %s | %s | %.0f | %.3f | %.3f | %.0f (%.0f) | %.0f (%.0f) |\n", sh.name, group, f.n, f.us.right/f.n, f.them.right/f.n,
					f.us.wrong, f.us.wrong-f.us.reached, f.them.wrong, f.them.wrong-f.them.reached)
			}
		}
	}
	return s.String(), nil
}

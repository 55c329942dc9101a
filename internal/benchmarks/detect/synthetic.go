package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
)

// disk is a generated disk: usage in percent, one sample every five minutes, with a saw-tooth of
// rotation, and for some of them a real fill at the end.
type disk struct {
	v    []float64
	full int // sample at which 90 is reached for good, -1 never
}

const limit = 90

func newDisk(r *rand.Rand, fills bool) disk {
	n := 14 * 288
	climb := 10 + 30*r.Float64()
	base := 70 + 18*r.Float64() - climb      // the teeth end at 70 to 88 percent
	period := int((3 + 45*r.Float64()) * 12) // 3 to 48 hours
	d := disk{full: -1}
	level := base
	fillFrom, rate := n-288*2-r.IntN(288*3), (limit-base-climb)/(288*(0.2+0.8*r.Float64()))
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

// limits compares warnings "full within four hours" with those of predict_linear(x[6h], 4*3600) > 90: on
// sixty disks, and on twelve hundred others that no constant was chosen on.
func (b *bench) limits(ctx context.Context) error {
	few, err := warn(ctx, 1, 1)
	if err != nil {
		return err
	}
	many, err := warn(ctx, 101, 20)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		name string
		fills
	}{{"disk full in 4 h", few}, {fmt.Sprintf("the same, %.0f other fills", many.n), many}} {
		b.add(fmt.Sprintf("%s: false warnings (predict_linear: %.0f)", x.name, x.them.wrong), x.us.wrong, "warnings", fmt.Sprintf("%.0f", x.them.wrong), fmt.Sprintf("<= %.0f (1/20)", x.them.wrong/20), "")
		b.add(fmt.Sprintf("%s: the limit was not reached in 12 h (predict_linear: %.0f)", x.name, x.them.wrong-x.them.reached), x.us.wrong-x.us.reached, "warnings", fmt.Sprintf("%.0f", x.them.wrong-x.them.reached), fmt.Sprintf("<= %.0f (1/20)", (x.them.wrong-x.them.reached)/20), "")
		b.add(fmt.Sprintf("%s: share of fills seen before (predict_linear: %.3f)", x.name, x.them.right/x.n), x.us.right/x.n, "", fmt.Sprintf("%.3f", x.them.right/x.n), "no lower", "")
	}
	return nil
}

// fills are the warnings of both over some disks, n of which fill.
type fills struct {
	us, them tally
	n        float64
}

// tally counts warnings, as episodes with an hour between them. One in the twelve hours before a
// filling disk is full is right, any other is wrong; some of those are at the tip of a tooth that
// reaches the limit itself.
type tally struct{ wrong, reached, right float64 }

// warn runs sixty generated disks for each of some seeds.
func warn(ctx context.Context, from, seeds uint64) (f fills, err error) {
	for seed := from; seed < from+seeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 2))
		for i := range 60 {
			if err := ctx.Err(); err != nil {
				return f, err
			}
			d := newDisk(r, i%3 == 0)
			e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
			if err != nil {
				return f, err
			}
			s := e.Add("disk", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			us, them := warnings{tally: &f.us}, warnings{tally: &f.them}
			for k, v := range d.v {
				s.Observe(int64(k)*300e3+1700000000e3, v)
				if k < 2*288 || d.full >= 0 && k >= d.full {
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

// holidays compares alarms on days off that fall on a weekday, no calendar given, with alarms on
// ordinary days, on generated office traffic.
func (b *bench) holidays(context.Context) error {
	var off, offDays, plain, plainDays float64
	for k := range 40 {
		r := rand.New(rand.NewPCG(uint64(k), 7))
		e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
		if err != nil {
			return err
		}
		s := e.Add("office", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
		free := map[int]bool{37: true, 50: true, 58: true}
		start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
		for i := range 63 * 288 {
			day := i / 288
			hour := float64(i%288) / 12
			amp := 100.0
			if free[day] || day%7 >= 5 {
				amp = 30
			}
			v := 40 + amp*math.Exp(-(hour-14)*(hour-14)/18) + 4*r.NormFloat64()
			sc := s.Observe(start.Add(time.Duration(i)*5*time.Minute).UnixMilli(), v)
			if day < 28 {
				continue
			}
			alarm := 0.0
			if sc.Alarm > 1 {
				alarm = 1
			}
			if free[day] {
				off += alarm
				offDays += 1.0 / 288
			} else {
				plain += alarm
				plainDays += 1.0 / 288
			}
		}
	}
	b.add(fmt.Sprintf("holidays, calendar off: alarms a day (ordinary days: %.3f)", plain/plainDays), off/offDays, "per day", "", "<= 2x ordinary", "")
	return nil
}

// cost is the processor time of one sample.
func (b *bench) cost(context.Context) error {
	e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	if err != nil {
		return err
	}
	s := e.Add("cost", labels.EmptyLabels(), time.Minute, baseline.SeriesOptions{})
	r := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 1440)
	for i := range values {
		values[i] = 100 + 50*math.Sin(2*math.Pi*float64(i)/1440) + r.NormFloat64()
	}
	t := int64(1700000000e3)
	step := func(n int) {
		for range n {
			s.Observe(t, values[t/60e3%1440])
			t += 60e3
		}
	}
	step(7 * 1440)
	best := math.Inf(1)
	for range 101 {
		before := cpu()
		step(1440)
		best = min(best, (cpu()-before).Seconds()/1440)
	}
	b.add("cost per point (processor time, least of 101 days)", best*1e6, "µs", "35", "<= 2", "<= 0.5")
	b.add("saved state per series", float64(stateSize(e)), "bytes", "", "<= 4096", "<= 1024")
	return nil
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// stateSize is the size of the saved state of the one series of an engine.
func stateSize(e *baseline.Engine) int {
	var n counter
	if err := e.Save(&n); err != nil {
		return 0
	}
	return int(n)
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// markdown is the page.
func (b *bench) markdown() string {
	var s strings.Builder
	fmt.Fprintf(&s, "# Detection, measured\n\nWritten by `%s`; shipped defaults, threshold 1.0, means over the sets %s.\n\n", command, strings.Join(labelled, ", "))
	s.WriteString("| figure | measured | best anchor | asked | stretch |\n|---|---:|---:|---|---|\n")
	for _, f := range b.figures {
		fmt.Fprintf(&s, "| %s | %.3g %s | %s | %s | %s |\n", f.Name, f.Value, f.Unit, f.partner, f.must, f.moonshot)
	}
	for _, t := range b.tables {
		s.WriteString("\n" + t)
	}
	return s.String()
}

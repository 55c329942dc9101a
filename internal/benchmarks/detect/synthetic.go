package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
)

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

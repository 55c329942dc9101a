package peers

import (
	"math"
	"time"
)

// The two rule sets of grafana/promql-anomaly-detection (Apache-2.0), as formulas. Both drop
// values that are not positive, never let the band be narrower than half the middle, widen it by
// what was seen a day and a week before, and alarm after five minutes outside. On data coarser
// than 20 minutes the one-hour windows hold three samples.
type grafana struct {
	step        time.Duration
	hold        int // samples outside that make an alarm
	outside     int
	hour        *moving // the tested level and the middle (adaptive)
	long        *moving // 26 h of filtered deviations, or 24 h of values (robust)
	means, devs *window // of the hour, for the day and the week before
	day, week   int
	robust      bool
}

func newGrafana(step time.Duration, robust bool) *grafana {
	hour := max(time.Hour, 3*step)
	g := &grafana{
		step: step, hold: max(1, int(5*time.Minute/step)), hour: newMoving(hour, step), robust: robust,
		means: newWindow(8*24*time.Hour, step), devs: newWindow(8*24*time.Hour, step),
	}
	back := 30 * time.Minute
	g.long = newMoving(26*time.Hour, step)
	if robust {
		back = 15 * time.Minute
		g.long = newMoving(24*time.Hour, step)
	}
	g.day = int((24*time.Hour - back) / step)
	g.week = int((7*24*time.Hour - back) / step)
	return g
}

func newGrafanaAdaptive(step time.Duration) Scorer { return newGrafana(step, false) }

func newGrafanaRobust(step time.Duration) Scorer { return newGrafana(step, true) }

func (g *grafana) Score(_ int64, v float64) float64 {
	if !(v > 0) {
		g.outside = 0
		return 0
	}
	tested, mid, width := v, 0.0, 0.0
	g.hour.push(v)
	if g.robust {
		level, _ := g.hour.medians()
		tested = level
		g.long.push(v)
		var dev float64
		mid, dev = g.long.medians()
		width = 2 * dev
		g.means.push(level)
		g.devs.push(dev)
	} else {
		mid = g.hour.mean()
		dev := g.hour.dev()
		if dev > 0.5*mid {
			g.long.push(dev)
		}
		if g.long.w.n > 0 {
			width = 2 * g.long.mean()
		}
		g.means.push(mid)
		g.devs.push(dev)
	}
	width = max(width, 0.5*mid)
	lower, upper := mid-width, mid+width
	for _, back := range [...]int{g.day, g.week} {
		m, ok := g.means.ago(back)
		d, _ := g.devs.ago(back)
		if ok {
			lower, upper = min(lower, m-2*d), max(upper, m+2*d)
		}
	}
	lower = max(0, lower)
	if !g.hour.w.full(1) || tested >= lower && tested <= upper {
		g.outside = 0
		return 0
	}
	if g.outside++; g.outside < g.hold {
		return 0
	}
	if tested > upper {
		return 1 + over(tested-upper, max(upper-mid, 1e-12))
	}
	return 1 + over(lower-tested, max(mid-lower, math.SmallestNonzeroFloat64))
}

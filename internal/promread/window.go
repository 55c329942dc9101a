package promread

import (
	"time"

	"github.com/prometheus/prometheus/model/value"
)

// A windowFunc evaluates one series at every step: t and v are its samples in order of time, and
// the value at a step is computed from those in (step-offset-window, step-offset]. Results are
// appended to outT and outV; a step without a value is left out. t and v may be changed.
type windowFunc func(g grid, t []int64, v []float64, outT []int64, outV []float64) ([]int64, []float64)

// grid is where an expression is evaluated, in Unix milliseconds, and over which window.
type grid struct {
	start, end, step int64
	window, offset   int64
	marks            bool // Values whose window reaches over a hole become torn.
}

// windowFuncs are the PromQL functions that are computed straight from samples. Each gives bit
// for bit what promql/functions.go of Prometheus 3 gives for floats; a test compares them.
var windowFuncs = map[string]windowFunc{
	"rate": func(g grid, t []int64, v []float64, ot []int64, ov []float64) ([]int64, []float64) {
		return extrapolated(g, t, v, ot, ov, true)
	},
	"increase": func(g grid, t []int64, v []float64, ot []int64, ov []float64) ([]int64, []float64) {
		return extrapolated(g, t, v, ot, ov, false)
	},
	"irate": instantRate,
}

// lastValue is an instant selector: the newest sample of the window, unless it is a stale marker.
func lastValue(g grid, t []int64, v []float64, outT []int64, outV []float64) ([]int64, []float64) {
	first, next := 0, 0 // Of the window, and after the step.
	for step := g.start; step <= g.end; step += g.step {
		at := step - g.offset
		for next < len(t) && t[next] <= at {
			next++
		}
		if next == 0 || t[next-1] <= at-g.window || value.IsStaleNaN(v[next-1]) {
			continue
		}
		x := v[next-1]
		if g.marks && 10*(at-t[next-1]) > g.window { // A hole lacks a tenth of the window at least.
			for t[first] <= at-g.window {
				first++
			}
			x = g.wholeOr(x, t[first:next], at, newest)
		}
		outT, outV = append(outT, step), append(outV, x)
	}
	return outT, outV
}

// instantRate is irate(): the slope between the last two samples of the window, where a counter
// that went down started from zero.
func instantRate(g grid, t []int64, v []float64, outT []int64, outV []float64) ([]int64, []float64) {
	t, v = withoutStale(t, v)
	first, next := 0, 0
	for step := g.start; step <= g.end; step += g.step {
		at := step - g.offset
		for next < len(t) && t[next] <= at {
			next++
		}
		if next < 2 || t[next-2] <= at-g.window {
			continue
		}
		rise := v[next-1]
		if !(v[next-1] < v[next-2]) { // Not >=, which differs for NaN.
			rise = v[next-1] - v[next-2]
		}
		x := rise / (float64(t[next-1]-t[next-2]) / 1000)
		if g.marks && 10*max(at-t[next-1], t[next-1]-t[next-2]) > g.window {
			for t[first] <= at-g.window {
				first++
			}
			x = g.wholeOr(x, t[first:next], at, lastTwo)
		}
		outT, outV = append(outT, step), append(outV, x)
	}
	return outT, outV
}

// extrapolated is rate() and increase(): the rise of a counter over the window, resets added, and
// stretched to the edges of the window where samples come close enough to them. Formula:
// extrapolatedRate in promql/functions.go of Prometheus.
func extrapolated(g grid, t []int64, v []float64, outT []int64, outV []float64, perSecond bool) ([]int64, []float64) {
	t, v = withoutStale(t, v)
	seconds := (time.Duration(g.window) * time.Millisecond).Seconds()
	first, next := 0, 0
	var resets []int // Indices within the window whose value is under the one before.
	for step := g.start; step <= g.end; step += g.step {
		at := step - g.offset
		for ; next < len(t) && t[next] <= at; next++ {
			if next > 0 && v[next] < v[next-1] {
				resets = append(resets, next)
			}
		}
		for first < next && t[first] <= at-g.window {
			first++
		}
		for len(resets) > 0 && resets[0] <= first {
			resets = resets[1:]
		}
		last := next - 1
		if last-first < 1 {
			continue
		}
		rise := v[last] - v[first]
		for _, i := range resets {
			rise += v[i-1]
		}
		stretch := stretchFactor(t[first], t[last], last-first, at-g.window, at, v[first], rise)
		if perSecond {
			stretch /= seconds
		}
		outT, outV = append(outT, step), append(outV, g.wholeOr(rise*stretch, t[first:next], at, all))
	}
	return outT, outV
}

// stretchFactor is how much longer the window (from, to) counts than the time between its first
// and last sample: up to the edge when a sample is near it, else half a sample interval, and never
// past the point where the counter would have been zero.
func stretchFactor(firstT, lastT int64, intervals int, from, to int64, firstV, rise float64) float64 {
	sampled := float64(lastT-firstT) / 1000
	average := sampled / float64(intervals)
	near := average * 1.1

	toStart := float64(firstT-from) / 1000
	if toStart >= near {
		toStart = average / 2
	}
	if rise > 0 && firstV >= 0 {
		toStart = min(toStart, sampled*(firstV/rise))
	}
	toEnd := float64(to-lastT) / 1000
	if toEnd >= near {
		toEnd = average / 2
	}
	return (sampled + toStart + toEnd) / sampled
}

// withoutStale removes stale markers in place: range vectors never contain them.
func withoutStale(t []int64, v []float64) ([]int64, []float64) {
	kept := 0
	for i := range v {
		if value.IsStaleNaN(v[i]) {
			continue
		}
		t[kept], v[kept] = t[i], v[i]
		kept++
	}
	return t[:kept], v[:kept]
}

package cause

import (
	"math"
	"slices"
	"time"
)

// window is the first and last millisecond of the fault.
func (v *view) window(opts Options) (start, end int64) {
	last, first := int64(math.MinInt64), int64(math.MaxInt64)
	for _, s := range v.series {
		if n := len(s.T); n > 0 {
			last, first = max(last, s.T[n-1]), min(first, s.T[0])
		}
	}
	for i := range v.c.Alerts {
		t := v.c.Alerts[i].Time.UnixMilli()
		if len(v.series) == 0 {
			last, first = max(last, t), min(first, t)
		}
	}
	if last == math.MinInt64 {
		last = v.c.AlertTime.UnixMilli()
	}
	end = last
	if !v.c.FaultTime.IsZero() && !opts.IgnoreFaultTime {
		return v.floor(v.c.FaultTime.Add(opts.StartOffset).UnixMilli()), end
	}
	alert := v.c.AlertTime
	if alert.IsZero() {
		alert = time.UnixMilli(last)
	}
	start = alert.Add(-2 * v.step).UnixMilli()
	return v.floor(start), end
}

// floor moves a start to the sample of the step in which it falls.
func (v *view) floor(start int64) int64 {
	best := start
	found := false
	for _, s := range v.series {
		i, _ := slices.BinarySearch(s.T, start+1)
		if i > 0 && start-s.T[i-1] < v.step.Milliseconds() && (!found || s.T[i-1] > best) {
			best, found = s.T[i-1], true
		}
	}
	return best
}

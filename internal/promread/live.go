package promread

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// maxLiveWindow is the longest range that is held of a live series; what looks back further is read.
const maxLiveWindow = time.Hour

// Live evaluates an expression on samples that are at hand, one step after the other: plain selectors, and rate,
// irate and increase of one. It is the function that Scrapes.Range uses, so the values are the same. It is not safe for
// concurrent use.
type Live struct {
	// Matchers select the series.
	Matchers []*labels.Matcher
	// Window is how many milliseconds before a step samples count: those in (step-Window, step].
	Window int64
	// LastOnly says that of these only the newest one counts.
	LastOnly bool

	plan plan
	outT []int64
	outV []float64
}

// Live says how to evaluate an expression on live samples; false when it needs more than the samples of one
// selector, or looks back for more than an hour.
func (c *Client) Live(expr string) (*Live, bool) {
	p, err := newPlan(expr, c.Lookback())
	if err != nil || p.fn == nil || p.offset != 0 || p.window > maxLiveWindow.Milliseconds() {
		return nil, false
	}
	return &Live{Matchers: p.matchers, Window: p.window, LastOnly: !p.dropName, plan: p}, true
}

// Labels are those of the result for a series with these labels.
func (l *Live) Labels(ls labels.Labels) labels.Labels {
	if l.plan.dropName {
		return ls.DropReserved(isName)
	}
	return ls
}

// At is the value at a step, or false when there is none. t and v are the samples of one series in order
// of time; they may be changed.
func (l *Live) At(step int64, t []int64, v []float64) (float64, bool) {
	g := grid{start: step, end: step, step: 1, window: l.plan.window, marks: true}
	l.outT, l.outV = l.plan.fn(g, t, v, l.outT[:0], l.outV[:0])
	if len(l.outV) == 0 {
		return 0, false
	}
	return l.outV[0], true
}

package promread

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Range evaluates a PromQL expression at every multiple of step within [from, to] and hands the
// result to fn, series by series: the times (Unix milliseconds) and values of the steps where the
// series has a value. The range is worked off in slices of time, oldest first, so fn may see a
// series several times, each time with later steps; within a slice the order of series is not
// specified. t and v hold until fn returns; ls may be kept.
//
// Steps are tied to the clock, not to from: history read in any pieces, and live samples read one
// step at a time, are the same values. To resume, ask from the step after the last one seen.
//
// The values are those of Prometheus 3 (left-open windows, lookback, stale markers, counter
// resets). Native histograms count in expressions that the engine evaluates; a result that is itself
// a histogram is left out. fn must not call Range or Read of the same client. An error of fn ends it
// and is returned.
func (c *Client) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration, fn func(ls labels.Labels, t []int64, v []float64) error) error {
	return c.evaluate(ctx, expr, from, to, step, false, fn)
}

func (c *Client) evaluate(ctx context.Context, expr string, from, to time.Time, step time.Duration, marks bool, fn func(ls labels.Labels, t []int64, v []float64) error) error {
	p, err := newPlan(expr, c.Lookback())
	if err != nil {
		return fmt.Errorf("evaluate %q: %w", expr, err)
	}
	if step < time.Millisecond {
		return fmt.Errorf("evaluate %q: the step is %s: must be a millisecond at least", expr, step)
	}
	ms := step.Milliseconds()
	g := grid{start: ceilTo(from.UnixMilli(), ms), end: floorTo(to.UnixMilli(), ms), step: ms, window: p.window, offset: p.offset, marks: marks}
	var own error // What fn returned; it must not be taken for a failure of reading.
	emit := func(ls labels.Labels, t []int64, v []float64) error {
		if own = fn(ls, t, v); own != nil {
			return callerError{own}
		}
		return nil
	}
	eval := c.stream
	width := time.Duration(c.cfg.ReadSlice).Milliseconds()
	if p.fn == nil {
		eval = c.engine.eval
		width = min(width, max(engineSlice, 4*p.span))
	}
	err = inSlices(ctx, g, width, time.Duration(c.cfg.Timeout)/4, func(g grid) error { return eval(ctx, p, g, emit) })
	switch {
	case own != nil:
		return own
	case err != nil:
		return fmt.Errorf("evaluate %q: %w", expr, err)
	}
	return nil
}

// engineSlice is how much time the engine evaluates at once, in milliseconds: a day, longer for
// expressions that look back far.
const engineSlice = 24 * 3600 * 1000

// inSlices works a grid off in slices of at most width milliseconds. A slice that is too large for
// memory is halved, and those after it stay as short. A slice that took more than the time slow
// halves those after it, so that no read comes near its timeout.
func inSlices(ctx context.Context, g grid, width int64, slow time.Duration, eval func(grid) error) error {
	steps := max(1, width/g.step)
	for start := g.start; start <= g.end; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		part := g
		part.start, part.end = start, min(g.end, start+(steps-1)*g.step)
		half := max(1, (part.end-part.start)/g.step/2)
		begin := time.Now()
		err := eval(part)
		switch {
		case ReasonOf(err) == TooLarge && part.end > part.start:
			steps = half
			continue
		case err != nil:
			return err
		case time.Since(begin) > slow:
			steps = half
		}
		start = part.end + g.step
	}
	return nil
}

// stream evaluates a selector or a function of one selector while its samples stream by.
func (c *Client) stream(ctx context.Context, p plan, g grid, fn func(labels.Labels, []int64, []float64) error) error {
	var outT []int64
	var outV []float64
	from, to := g.start-g.offset-g.window+1, g.end-g.offset
	_, err := c.readOnce(ctx, p.matchers, from, to, &floatHandler{m: c.metrics, from: from, to: to, fn: func(s Series) error {
		outT, outV = p.fn(g, s.T, s.V, outT[:0], outV[:0])
		if len(outT) == 0 {
			return nil
		}
		ls := s.Labels
		if p.dropName {
			ls = ls.DropReserved(isName)
		}
		return fn(ls, outT, outV)
	}})
	return err
}

func isName(label string) bool { return label == model.MetricNameLabel }

func floorTo(t, step int64) int64 {
	r := t % step
	if r < 0 {
		r += step
	}
	return t - r
}

func ceilTo(t, step int64) int64 { return floorTo(t+step-1, step) }

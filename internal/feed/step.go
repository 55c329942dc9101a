package feed

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Delay is how long after a step its samples are waited for: a sender of Prometheus batches for 5 s
// (batch_send_deadline), and a scrape takes its time.
const Delay = 10 * time.Second

// patience is how long a step waits for series whose sample is due but did not come.
const patience = 30 * time.Second

// slack is how far behind the newest sample a step may be and still find all its samples.
const slack = patience + time.Minute

// State says how a step is to be evaluated.
type State int

// The states of a step.
const (
	Complete State = iota // All samples that are due have come.
	Waiting               // Some are late; ask again in a moment.
	Missing               // The feed does not have them: the step must be read.
)

// State says whether the samples of a step (unix milliseconds) are all here at now.
//
// A series is late when its next sample should have come by the step, judged by the time between its last two, and
// it did not say that it ended. Senders work in several queues, so that one series is late while others are not.
func (t *Tap) State(step int64, now time.Time) State {
	f := t.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(t.series) == 0 || step-t.query.Window < t.since || t.newest-step > slack.Milliseconds() {
		return Missing
	}
	if now.UnixMilli() < step+Delay.Milliseconds() {
		return Waiting
	}
	for _, at := range t.series {
		if f.held[at].late(step, t.query) {
			if now.UnixMilli() < step+patience.Milliseconds() {
				return Waiting
			}
			return Missing
		}
	}
	return Complete
}

// Late says whether a sample that counts for a step is still to come of any series.
func (t *Tap) Late(step int64) bool {
	t.feed.mu.Lock()
	defer t.feed.mu.Unlock()
	return slices.ContainsFunc(t.series, func(at int32) bool { return t.feed.held[at].late(step, t.query) })
}

// late says whether a sample that counts for the step is still to come.
func (h *held) late(step int64, q Query) bool {
	n := len(h.t)
	if n == 0 {
		return false
	}
	last, gap := h.t[n-1], h.gap
	if gap == 0 {
		gap = q.Interval.Milliseconds()
	}
	return last < step && last+gap <= step && last > step-q.Window && !h.over()
}

// batch is the series of one round of Step; its memory is used again.
type batch struct {
	at     []int32
	labels []labels.Labels
	data   []any
	value  []float64
	ok     []bool
	t      []int64
	v      []float64
}

// round is how many series are evaluated while samples wait.
const round = 512

// Step evaluates a step and calls fn for each series that has a value, with what fn returned for it before (nil at
// first). Samples may come in meanwhile.
func (t *Tap) Step(step int64, fn func(ls labels.Labels, data any, v float64) any) {
	b := &t.batch
	for begin := 0; t.gather(begin, step); begin += round {
		for i, at := range b.at {
			if !b.ok[i] {
				continue
			}
			if d := fn(b.labels[i], b.data[i], b.value[i]); d != b.data[i] {
				t.feed.mu.Lock()
				if h := &t.feed.held[at]; h.tap == t {
					h.data = d
				}
				t.feed.mu.Unlock()
			}
		}
	}
}

// gather evaluates up to round series from the given place on.
func (t *Tap) gather(begin int, step int64) bool {
	f, b := t.feed, &t.batch
	f.mu.Lock()
	defer f.mu.Unlock()
	b.at, b.labels, b.data, b.value, b.ok = b.at[:0], b.labels[:0], b.data[:0], b.value[:0], b.ok[:0]
	if begin >= len(t.series) {
		return false
	}
	for _, at := range t.series[begin:min(begin+round, len(t.series))] {
		h := &f.held[at]
		b.t, b.v = append(b.t[:0], h.t...), append(b.v[:0], h.v...)
		v, ok := t.query.At(step, b.t, b.v)
		b.at, b.labels, b.data = append(b.at, at), append(b.labels, h.labels), append(b.data, h.data)
		b.value, b.ok = append(b.value, v), append(b.ok, ok)
	}
	return true
}

// Live says whether any series comes.
func (t *Tap) Live() bool {
	t.feed.mu.Lock()
	defer t.feed.mu.Unlock()
	return len(t.series) > 0
}

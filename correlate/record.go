package correlate

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// record is everything known of one alert identity: its labels without those that tell replicas
// apart. Its content depends on the set of messages received, not on their order.
type record struct {
	ID          model.Fingerprint `json:"id"`
	Labels      model.LabelSet    `json:"labels"`
	Annotations model.LabelSet    `json:"annotations,omitempty"`
	Generator   string            `json:"generator,omitempty"`
	Copies      []alertCopy       `json:"copies"` // by fingerprint
	Spans       []span            `json:"spans"`  // in order of time, joined over the flap window
	Anomaly     *Anomaly          `json:"anomaly,omitempty"`

	place placement // where the alert belongs in the current graph
	bias  biased
}

// alertCopy is the latest word of one replica about the alert.
type alertCopy struct {
	Fingerprint model.Fingerprint `json:"fingerprint"`
	Start       time.Time         `json:"start"`
	End         time.Time         `json:"end,omitzero"`  // zero: firing
	Told        time.Time         `json:"told,omitzero"` // when the end was heard of
}

// biased is what a History says of the firing that it was last asked of.
type biased struct {
	start time.Time
	read  int
	bias  float64
	habit string // in words; empty: it is none
}

func (c alertCopy) firing() bool { return c.End.IsZero() }

// span is a stretch of time in which the alert fired, perhaps on and off.
type span struct {
	Start  time.Time   `json:"start"`
	End    time.Time   `json:"end"`
	Starts []time.Time `json:"starts"` // of the newest firings in it
}

// staleFiring is how long after an end was heard of a firing with the same start still counts as a
// late message of the past. After it, the alert is firing again: Alertmanager keeps startsAt when an alert that
// had timed out comes back.
const staleFiring = 15 * time.Minute

// identity splits labels into those that make the alert and its fingerprint.
func identity(ls model.LabelSet, replica []string) (model.LabelSet, model.Fingerprint) {
	out := make(model.LabelSet, len(ls))
	for k, v := range ls {
		if !slices.Contains(replica, string(k)) && v != "" {
			out[k] = v
		}
	}
	return out, out.Fingerprint()
}

// observe takes one message in; true when anything but a repetition was learned.
func (r *record) observe(now time.Time, a *model.Alert, fp model.Fingerprint, flap time.Duration) bool {
	start, end := a.StartsAt.UTC(), a.EndsAt.UTC()
	resolved := !end.IsZero() && end.Year() > 1 && !end.After(now)
	if !resolved || end.Before(start) {
		if resolved {
			end = start
		} else {
			end = time.Time{}
		}
	}
	i, found := slices.BinarySearchFunc(r.Copies, fp, func(c alertCopy, f model.Fingerprint) int { return cmp.Compare(c.Fingerprint, f) })
	if !found {
		r.Copies = slices.Insert(r.Copies, i, alertCopy{Fingerprint: fp, Start: start, End: end, Told: now})
		r.describe(a)
		r.addSpan(start, end, flap)
		return true
	}
	c := &r.Copies[i]
	switch {
	case start.After(c.Start):
		c.Start, c.End, c.Told = start, end, now
		r.describe(a)
	case start.Equal(c.Start):
		if !c.update(now, end) {
			return false
		}
	}
	return r.addSpan(start, end, flap) || !start.Before(c.Start)
}

// update handles a second message about one firing: its end is final, and the latest end counts.
func (c *alertCopy) update(now, end time.Time) bool {
	switch {
	case end.IsZero() && c.firing():
		return false
	case end.IsZero(): // A firing after its end: late, or back again.
		if now.Sub(c.Told) < staleFiring {
			return false
		}
		c.End = time.Time{}
		return true
	case c.firing() || end.After(c.End):
		c.End, c.Told = end, now
		return true
	}
	return false
}

// describe keeps the annotations of the latest firing.
func (r *record) describe(a *model.Alert) {
	for _, c := range r.Copies {
		if c.Start.After(a.StartsAt) {
			return
		}
	}
	r.Annotations, r.Generator = a.Annotations, a.GeneratorURL
}

// maxStarts bounds what is kept of a flapping alert: the newest firings.
const maxStarts = 16

// addSpan joins [start, end] with the spans less than flap away; true when the spans changed.
// Single linkage: the result is the same in every order.
func (r *record) addSpan(start, end time.Time, flap time.Duration) bool {
	if end.IsZero() {
		end = start
	}
	s := span{Start: start, End: end, Starts: []time.Time{start}}
	out := make([]span, 0, len(r.Spans)+1)
	for _, old := range r.Spans {
		if old.End.Add(flap).Before(s.Start) || s.End.Add(flap).Before(old.Start) {
			out = append(out, old)
			continue
		}
		s.Start, s.End = minTime(s.Start, old.Start), maxTime(s.End, old.End)
		s.Starts = append(s.Starts, old.Starts...)
	}
	slices.SortFunc(s.Starts, time.Time.Compare)
	s.Starts = slices.CompactFunc(s.Starts, time.Time.Equal)
	if extra := len(s.Starts) - maxStarts; extra > 0 {
		s.Starts = slices.Delete(s.Starts, 0, extra)
	}
	out = append(out, s)
	slices.SortFunc(out, func(a, b span) int { return a.Start.Compare(b.Start) })
	changed := !slices.EqualFunc(out, r.Spans, func(a, b span) bool { return a.Start.Equal(b.Start) && a.End.Equal(b.End) })
	r.Spans = out
	return changed
}

// firing says whether any replica still holds the alert.
func (r *record) firing() bool { return slices.ContainsFunc(r.Copies, alertCopy.firing) }

// ended is when the last replica let go; zero while firing.
func (r *record) ended() time.Time {
	if r.firing() {
		return time.Time{}
	}
	return r.Spans[len(r.Spans)-1].End
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

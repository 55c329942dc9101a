package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/tidemark/tidemark/internal/promread"
)

// Firing is one stretch of time in which an alert fired without a pause.
type Firing struct {
	Labels      model.LabelSet
	Annotations model.LabelSet
	Start       time.Time
	End         time.Time // zero: still firing at the end of the range
}

// Names of alerts that Tidemark makes of others; it never listens to them.
var ownAlerts = []string{"TidemarkIncident", "TidemarkAlive"}

// run is a series of ALERTS as far as it was read.
type run struct {
	labels  model.LabelSet
	gap     int64 // ms
	open    bool
	last    int64 // ms
	firings []Firing
}

// see takes the samples of a slice in. A stale marker says when the alert was found to be over; a gap says
// so at its end.
func (r *run) see(ts []int64, vs []float64) {
	for i, t := range ts {
		if r.open && t-r.last > r.gap {
			r.close(r.last + r.gap)
		}
		switch {
		case value.IsStaleNaN(vs[i]):
			if r.open {
				r.close(t)
			}
			continue
		case !r.open:
			r.firings, r.open = append(r.firings, Firing{Labels: r.labels, Start: time.UnixMilli(t).UTC()}), true
		}
		r.last = t
	}
}

func (r *run) close(at int64) {
	r.firings[len(r.firings)-1].End = time.UnixMilli(at).UTC()
	r.open = false
}

// readFirings reads which alerts fired when, the history before the range included, in order of time and
// labels.
func readFirings(ctx context.Context, src *promread.Client, o *Options, known *rulebook) ([]Firing, error) {
	matchers := append([]*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "ALERTS"),
		labels.MustNewMatcher(labels.MatchEqual, "alertstate", "firing"),
	}, o.Match...)
	runs := map[string]*run{}
	from, to := o.From.Add(-o.history()).UnixMilli(), o.To.UnixMilli()
	err := src.Read(ctx, matchers, from, to, func(s promread.Series) error {
		key := s.Labels.String()
		r := runs[key]
		if r == nil {
			ls := alertLabels(s.Labels)
			r = &run{labels: ls, gap: known.gap(string(ls[model.AlertNameLabel])).Milliseconds()}
			runs[key] = r
		}
		r.see(s.T, s.V)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read ALERTS: %w", err)
	}
	var out []Firing
	for _, r := range runs {
		if slices.Contains(ownAlerts, string(r.labels[model.AlertNameLabel])) {
			continue
		}
		if r.open && to-r.last > r.gap {
			r.close(r.last + r.gap)
		}
		for i := range r.firings {
			r.firings[i].Annotations = known.annotations(r.labels)
		}
		out = append(out, r.firings...)
	}
	slices.SortFunc(out, func(a, b Firing) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Labels.String(), b.Labels.String()))
	})
	return out, nil
}

// alertLabels are the labels of the alert that a series of ALERTS tells of.
func alertLabels(ls labels.Labels) model.LabelSet {
	out := make(model.LabelSet, ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel && l.Name != "alertstate" {
			out[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
	})
	return out
}

// event is a message about an alert at the time at which it came.
type event struct {
	at    time.Time
	alert *model.Alert
}

// eventsOf lists the messages in order of time: each firing begins, and most end. What fires already is
// told at the begin of the range.
func eventsOf(firings []Firing, from time.Time) []event {
	out := make([]event, 0, 2*len(firings))
	for _, f := range firings {
		at := f.Start
		if at.Before(from) {
			at = from
		}
		out = append(out, event{at, &model.Alert{Labels: f.Labels, Annotations: f.Annotations, StartsAt: f.Start}})
		if !f.End.IsZero() {
			out = append(out, event{f.End, &model.Alert{Labels: f.Labels, Annotations: f.Annotations, StartsAt: f.Start, EndsAt: f.End}})
		}
	}
	slices.SortStableFunc(out, func(a, b event) int { return a.at.Compare(b.at) })
	return out
}

// Package replay runs the past through the code of the live process: the alerts and metrics that a
// Prometheus remembers through scoring and correlation, and a series' history through its baseline.
//
// It reads what Prometheus keeps of its own alerts (ALERTS), so that what Tidemark would have made of
// them is known before it is switched on. The same input gives the same report, byte for byte.
package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/app"
	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/promread"
)

// Options are the settings of a replay.
type Options struct {
	// From and To are the range, both included. From is when the live process would have been started: what
	// is before is its history.
	From, To time.Time
	// Config is that of the live process. How far before From is learned stands in it; 0 is nothing.
	Config *config.Config
	// AlertsOnly leaves out what the watched series and changes say: faster, and less than the live process knows.
	AlertsOnly bool
	// Match are further matchers on ALERTS: those of the route that would lead to Tidemark.
	Match []*labels.Matcher
	// TeamLabel is the label by which the report counts.
	TeamLabel string
	Logger    *slog.Logger
	// Progress is told the share of the work that is done, 0 to 1. Nil: nobody asks.
	Progress func(share float64)
}

func (o *Options) validate() error {
	switch {
	case o.From.IsZero() || o.To.IsZero():
		return errors.New("replay: from and to are needed")
	case !o.From.Before(o.To):
		return fmt.Errorf("replay: from %s is not before to %s", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))
	case o.TeamLabel == "":
		return errors.New("replay: the label that names the team is empty")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(float64) {}
	}
	return o.Config.Correlate.Validate()
}

// history is how far before the range the habits of alerts are learned.
func (o *Options) history() time.Duration { return time.Duration(o.Config.Baseline.History) }

// Run replays the range. What Prometheus does not tell (rules, a topology source, a watch) is warned of
// and left out, as the live process does; only ALERTS must be readable.
func Run(ctx context.Context, src *promread.Client, o Options) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	groups, err := src.Rules(ctx)
	if err != nil {
		o.Logger.Warn("The rules can't be read: usual waiting times are taken", "err", err)
	}
	firings, err := readFirings(ctx, src, &o, newRulebook(groups))
	if err != nil {
		return nil, err
	}
	d := &driver{o: &o, opened: map[string]int{}}
	d.past, err = app.NewPast(o.Config, src, app.PastOptions{
		From: o.From, To: o.To, AlertsOnly: o.AlertsOnly, Logger: o.Logger, Event: d.event,
		Archive: func(i correlate.Incident) { d.archived = append(d.archived, i) },
	})
	if err != nil {
		return nil, err
	}
	if err := d.past.Learn(ctx, func(share float64) { o.Progress(learning * share) }); err != nil {
		return nil, err
	}
	firings = lasting(firings, o.From)
	if err := d.run(ctx, firings); err != nil {
		return nil, err
	}
	return d.report(firings), nil
}

// learning is the share of the progress that learning the history is taken for.
const learning = 0.5

// driver gives the past its alerts and keeps what came of them.
type driver struct {
	o        *Options
	past     *app.Past
	archived []correlate.Incident
	opened   map[string]int // how often an incident was told, by ID
	revised  int
}

func (d *driver) event(ev correlate.Event) {
	switch ev.Type {
	case correlate.EventOpened:
		d.opened[ev.Incident.ID]++
	case correlate.EventRevised:
		d.revised++
	}
}

// lasting are the firings that had not ended when the range began.
func lasting(firings []Firing, from time.Time) []Firing {
	var out []Firing
	for _, f := range firings {
		if f.End.IsZero() || f.End.After(from) {
			out = append(out, f)
		}
	}
	return out
}

// run feeds the firings in at the times at which they began and ended; the past does what is due in between.
func (d *driver) run(ctx context.Context, firings []Firing) error {
	events := eventsOf(firings, d.o.From)
	for i := 0; i < len(events); {
		at := events[i].at
		if err := d.past.Until(ctx, at); err != nil {
			return err
		}
		var batch []*model.Alert
		for ; i < len(events) && events[i].at.Equal(at); i++ {
			batch = append(batch, events[i].alert)
		}
		d.past.Alerts(ctx, batch)
		d.o.Progress(learning + (1-learning)*share(d.o.From, d.o.To, at))
	}
	// What began at the very end is told after the usual wait.
	wait := max(d.o.Config.Correlate.Wait, d.o.Config.Correlate.ClearWait)
	if err := d.past.Until(ctx, d.o.To.Add(time.Duration(wait)+time.Second)); err != nil {
		return err
	}
	d.o.Progress(1)
	return nil
}

func share(from, to, at time.Time) float64 {
	return min(1, at.Sub(from).Seconds()/to.Sub(from).Seconds())
}

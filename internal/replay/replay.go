// Package replay runs the past through the code of the live process: the alerts that a Prometheus
// remembers through the correlation, and a series' history through its baseline.
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
	"github.com/prometheus/prometheus/model/rulefmt"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/promread"
)

// Source is the Prometheus that remembers; *promread.Client is one.
type Source interface {
	Read(ctx context.Context, matchers []*labels.Matcher, from, to int64, fn func(promread.Series) error) error
	Rules(ctx context.Context) ([]rulefmt.RuleGroup, error)
	Query(ctx context.Context, expr string, at time.Time) (model.Vector, error)
}

// Options are the settings of a replay.
type Options struct {
	// From and To are the range, both included.
	From, To  time.Time
	Correlate correlate.Config
	Topology  topology.Config
	// History is how far before From the habits of alerts are learned: which are seasonal, which fire
	// together. 0: not at all. Zone is where "02:00" is; nil: UTC.
	History time.Duration
	Zone    *time.Location
	// Match are further matchers on ALERTS: those of the route that would lead to Tidemark.
	Match []*labels.Matcher
	// TeamLabel is the label by which the report counts.
	TeamLabel string
	Logger    *slog.Logger
	// Progress is told the share of the range that is done, 0 to 1. Nil: nobody asks.
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
	return o.Correlate.Validate()
}

// Run replays the range. What Prometheus does not tell (rules, a topology source) is warned of and
// left out, as the live process does; only ALERTS must be readable.
func Run(ctx context.Context, src Source, o Options) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	groups, err := src.Rules(ctx)
	if err != nil {
		o.Logger.Warn("The rules can't be read: usual waiting times are taken", "err", err)
	}
	known := newRulebook(groups, err == nil)
	firings, err := readFirings(ctx, src, &o, known)
	if err != nil {
		return nil, err
	}
	d := newDriver(src, &o, known)
	firings = d.learn(firings)
	if err := d.run(ctx, firings); err != nil {
		return nil, err
	}
	return d.report(firings), nil
}

// driver runs one engine on the clock of the past.
type driver struct {
	src     Source
	o       *Options
	engine  *correlate.Engine
	habits  *correlate.History
	graph   *topology.Graph
	sources []topology.Source
	spacing time.Duration // between two looks at the topology

	now, stepped, looked time.Time
	archived             []correlate.Incident
	opened               map[string]int // how often an incident was told, by ID
	revised              int
}

// maxLooks bounds how often the topology is asked for, each a query per metric of a source.
const maxLooks = 24

func newDriver(src Source, o *Options, known *rulebook) *driver {
	d := &driver{src: src, o: o, sources: o.Topology.Sources(), opened: map[string]int{}, now: o.From, stepped: o.From.Add(-idleStep)}
	d.spacing = max(time.Duration(o.Topology.Refresh), o.To.Sub(o.From)/maxLooks)
	opts := o.Topology.Options()
	// An edge stands at least from one look to the next.
	opts.TTL, opts.Retention = max(opts.TTL, 2*d.spacing), max(opts.Retention, o.To.Sub(o.From)+2*d.spacing)
	d.graph = topology.NewGraph(opts)
	d.habits = correlate.NewHistory(o.Zone, o.Correlate.ReplicaLabels)
	d.engine = correlate.NewEngine(o.Correlate, correlate.Deps{
		Logger: o.Logger, Topology: d.graph, Rules: known.hold, History: d.habits,
		Archive: func(i correlate.Incident) { d.archived = append(d.archived, i) },
	})
	return d
}

// learn gives the history what ended before the range, and returns the rest.
func (d *driver) learn(firings []Firing) []Firing {
	if d.o.History > 0 {
		d.habits.Observe(d.o.From.Add(-d.o.History), d.o.From)
	}
	ended := map[model.Fingerprint]time.Time{}
	var rest []Firing
	for _, f := range firings {
		id := f.Labels.Fingerprint()
		if f.Start.Before(d.o.From) && f.Start.Sub(ended[id]) > minGap { // Flapping is one firing.
			d.habits.Add(f.Labels, f.Start)
		}
		ended[id] = f.End
		if f.End.IsZero() || f.End.After(d.o.From) {
			rest = append(rest, f)
		}
	}
	return rest
}

// run feeds the firings in at the times at which they began and ended, and lets the engine work in
// between whenever it asks to.
func (d *driver) run(ctx context.Context, firings []Firing) error {
	events := eventsOf(firings, d.o.From)
	for i := 0; i < len(events); {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := events[i].at
		d.until(at)
		var batch []*model.Alert
		for ; i < len(events) && events[i].at.Equal(at); i++ {
			batch = append(batch, events[i].alert)
		}
		d.look(ctx)
		d.engine.Alerts(d.now, batch)
		for _, a := range batch {
			d.habits.Add(a.Labels, a.StartsAt)
		}
		d.o.Progress(share(d.o.From, d.o.To, at))
	}
	// What began at the very end is told after the usual wait.
	d.until(d.o.To.Add(time.Duration(d.o.Correlate.Wait) + time.Second))
	d.o.Progress(1)
	return nil
}

func share(from, to, at time.Time) float64 {
	return min(1, at.Sub(from).Seconds()/to.Sub(from).Seconds())
}

const (
	// idleStep is how often the live process steps when nothing asks for it.
	idleStep = 10 * time.Second
	// minStep is the shortest time between two of its steps.
	minStep = 10 * time.Millisecond
)

// until moves the clock to at, with every step that is due before.
func (d *driver) until(at time.Time) {
	for {
		next := d.engine.NextStep(d.now)
		if next.IsZero() || !next.Before(at) {
			break
		}
		if soonest := d.stepped.Add(minStep); next.Before(soonest) {
			if next = soonest; !next.Before(at) {
				break
			}
		}
		d.step(next)
	}
	if at.Sub(d.stepped) > idleStep {
		d.step(at.Add(-time.Second)) // The last of the idle ones: it forgets what is long over.
	}
	if at.After(d.now) {
		d.now = at
	}
}

func (d *driver) step(at time.Time) {
	if at.After(d.now) {
		d.now = at
	}
	d.stepped = d.now
	for _, ev := range d.engine.Step(d.now) {
		switch ev.Type {
		case correlate.EventOpened:
			d.opened[ev.Incident.ID]++
		case correlate.EventRevised:
			d.revised++
		}
	}
}

// look asks for the topology of now, unless it was asked for lately: a graph is only needed when there are
// alerts.
func (d *driver) look(ctx context.Context) {
	if !d.looked.IsZero() && d.now.Sub(d.looked) < d.spacing {
		return
	}
	d.looked = d.now
	if err := topology.Refresh(ctx, d.graph, instant{d.src}, d.sources, d.now); err != nil {
		d.o.Logger.Warn("A part of the topology can't be read", "time", d.now, "err", err)
	}
}

// instant runs the topology's queries.
type instant struct{ src Source }

// Instant implements topology.Querier.
func (i instant) Instant(ctx context.Context, expr string, at time.Time) ([]topology.Sample, error) {
	vector, err := i.src.Query(ctx, expr, at)
	if err != nil {
		return nil, err
	}
	return topology.SamplesOf(vector), nil
}

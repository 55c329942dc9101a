package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/promread"
)

// Past is the way of the live process from Prometheus to incidents, on a clock of the past: the same scorer,
// changes, topology, evidence and correlation, without what tells people and acts. It has no goroutines; the
// caller moves its clock. What is pushed to the live process (log lines, spans, changes) is not in Prometheus,
// and so not in a Past.
type Past struct {
	s       *session
	opts    PastOptions
	clock   time.Time
	reads   *ahead
	matrix  *aheadQueries
	spacing time.Duration

	stepped, rediscover, changed, looked time.Time
}

// PastOptions are the settings of a Past.
type PastOptions struct {
	// From is where its clock begins, To the last time that is read.
	From, To time.Time
	// AlertsOnly leaves out what watched series and changes say.
	AlertsOnly bool
	// Event is told what becomes of incidents, Archive what the correlation forgets.
	Event   func(correlate.Event)
	Archive func(correlate.Incident)
	Logger  *slog.Logger
}

// maxLooks bounds how often a Past asks for the topology, each a query per metric of a source.
const maxLooks = 240

// NewPast builds the parts; nothing is read yet.
func NewPast(cfg *config.Config, prom *promread.Client, opts PastOptions) (*Past, error) {
	p := &Past{opts: opts, clock: opts.From, stepped: opts.From.Add(-idleStep)}
	a := &App{logger: opts.Logger, now: func() time.Time { return p.clock }}
	s := &session{app: a, cfg: cfg, logger: opts.Logger, registry: prometheus.NewRegistry(), prom: prom, archive: opts.Archive}
	a.stages = newStages(a.now, s.registry)
	var err error
	if s.engine, err = baseline.NewEngine(cfg.Baseline, opts.Logger); err != nil {
		return nil, err
	}
	// An edge stands at least from one look to the next.
	p.spacing = max(time.Duration(cfg.Topology.Refresh), opts.To.Sub(opts.From)/maxLooks)
	edges := cfg.Topology.Options()
	edges.TTL, edges.Retention = max(edges.TTL, 2*p.spacing), max(edges.Retention, opts.To.Sub(opts.From)+2*p.spacing)
	s.graph, s.sources = topology.NewGraph(edges), cfg.Topology.Sources()
	p.reads = &ahead{read: promread.Scrapes{Client: prom}, end: opts.To, blocks: map[string]*block{}}
	p.matrix = &aheadQueries{client: prom, end: opts.To, step: changeInterval, blocks: map[string]*queried{}}
	s.scorer = newScorer(opts.Logger, s.registry, p.reads, s.engine, time.Duration(cfg.Baseline.History), s.discover, a.now, a.stages,
		func(now time.Time, e *entry) { s.incidents.anomaly(now, e) })
	s.scorer.alone = true
	if s.incidents, err = newIncidents(s); err != nil {
		return nil, err
	}
	s.changes = &changeWatch{
		logger: opts.Logger, query: p.matrix, now: a.now, tell: s.incidents.change, window: 2 * changeInterval, seen: map[string]time.Time{},
	}
	p.s = s
	return p, nil
}

// Learn reads what a live process that starts at the beginning of the range learns: the rules, the habits of
// alerts, the history of every watch. What can't be read is warned of and left out, but not the end of ctx.
func (p *Past) Learn(ctx context.Context, progress func(share float64)) error {
	warn := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			p.s.logger.Warn("Left out of the replay, as it can't be read", "what", what, "err", err)
		}
	}
	warn("rules and watches", p.s.scorer.update(ctx))
	if p.s.cfg.Baseline.History > 0 {
		warn("history of alerts", p.s.readAlertHistory(ctx))
	}
	p.rediscover = p.clock.Add(discoverInterval)
	watches := p.s.scorer.watchList()
	if p.opts.AlertsOnly {
		watches = nil
	}
	for i, w := range watches {
		err := p.s.scorer.catchUp(ctx, w, false)
		p.s.scorer.note(w, err)
		warn("watch "+w.Name, err)
		progress(float64(i+1) / float64(len(watches)))
	}
	p.changed = p.clock.Truncate(changeInterval).Add(changeInterval)
	return ctx.Err()
}

// Alerts gives alerts to the correlation, as the webhook does.
func (p *Past) Alerts(ctx context.Context, as []*model.Alert) {
	if p.looked.IsZero() || p.clock.Sub(p.looked) >= p.spacing {
		p.looked = p.clock
		if err := topology.Refresh(ctx, p.s.graph, instantly(ctx, p.s.prom, p.s.sources, p.clock), p.s.sources, p.clock); err != nil {
			p.s.logger.Warn("A part of the topology can't be read", "time", p.clock, "err", err)
		}
	}
	p.s.incidents.alerts(as)
}

// Incidents are the incidents that the correlation holds now.
func (p *Past) Incidents() []correlate.Incident { return p.s.incidents.engine.Incidents() }

const (
	// idleStep is how often the live process steps when nothing asks for it.
	idleStep = 10 * time.Second
	// pastStep is the shortest time between two steps of a Past.
	pastStep = 10 * time.Millisecond
)

// Until moves the clock to a time, with everything that is due before it.
func (p *Past) Until(ctx context.Context, at time.Time) error {
	for ctx.Err() == nil {
		next := p.next()
		if next.IsZero() || !next.Before(at) {
			break
		}
		p.work(ctx, next)
	}
	if at.Sub(p.stepped) > idleStep {
		p.step(ctx, at.Add(-time.Second)) // The last of the idle ones: it forgets what is long over.
	}
	if at.After(p.clock) {
		p.clock = at
	}
	return ctx.Err()
}

// next is when the next thing is due; zero: nothing is.
func (p *Past) next() time.Time {
	var first time.Time
	soonest := func(t time.Time) {
		if t.Before(p.clock) {
			t = p.clock
		}
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	if t := p.s.incidents.engine.NextStep(p.clock); !t.IsZero() {
		soonest(maxTime(t, p.stepped.Add(pastStep)))
	}
	if !p.reading(p.clock) {
		return first
	}
	soonest(p.rediscover)
	soonest(p.changed.Add(ingestDelay))
	for _, w := range p.s.scorer.watchList() {
		soonest(w.next.Add(ingestDelay))
	}
	if t := p.s.incidents.evidence.nextLook(); !t.IsZero() {
		soonest(t)
	}
	return first
}

// reading says whether metrics take part at a time: after the range, what was found in it is only told.
func (p *Past) reading(at time.Time) bool { return !p.opts.AlertsOnly && !at.After(p.opts.To) }

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// work moves the clock and does all that is due, in the order of the flow.
func (p *Past) work(ctx context.Context, at time.Time) {
	p.clock = at
	s := p.s
	if p.reading(at) {
		if !at.Before(p.rediscover) {
			p.rediscover = at.Add(discoverInterval)
			if err := s.scorer.update(ctx); err != nil && ctx.Err() == nil {
				s.logger.Warn("Looking for new things to watch failed, the old ones stay", "time", at, "err", err)
			}
		}
		s.scorer.tick(ctx)
		if !at.Before(p.changed.Add(ingestDelay)) {
			p.changed = p.changed.Add(changeInterval)
			if err := s.changes.look(ctx); err != nil && ctx.Err() == nil {
				s.logger.Warn("A part of the changes can't be read", "time", at, "err", err)
			}
		}
		s.incidents.evidence.renew()
		s.incidents.evidence.drain(ctx)
	}
	if t := s.incidents.engine.NextStep(at); !t.IsZero() && !t.After(at) && !at.Before(p.stepped.Add(pastStep)) {
		p.step(ctx, at)
	}
}

// step lets the correlation work, and answers what it asks of the metrics.
func (p *Past) step(ctx context.Context, at time.Time) {
	if at.After(p.clock) {
		p.clock = at
	}
	p.stepped = p.clock
	for _, ev := range p.s.incidents.engine.Step(p.clock) {
		p.opts.Event(ev)
	}
	if !p.opts.AlertsOnly {
		p.s.incidents.evidence.drain(ctx)
	}
}

// ahead reads an hour of each expression at once and gives it out step by step: a replay would else make as many
// reads as the live process.
type ahead struct {
	read   ranger
	end    time.Time
	blocks map[string]*block
}

// block is what an expression gave from one time to another.
type block struct {
	from, to time.Time
	series   []*ran
	by       map[string]*ran
}

type ran struct {
	labels labels.Labels
	t      []int64
	v      []float64
}

const aheadSpan = time.Hour

// Range implements ranger.
func (a *ahead) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration, fn func(ls labels.Labels, t []int64, v []float64) error) error {
	if to.Sub(from) >= aheadSpan/4 || to.After(a.end) {
		return a.read.Range(ctx, expr, from, to, step, fn)
	}
	key := fmt.Sprint(step, " ", expr)
	b := a.blocks[key]
	if b == nil || from.Before(b.from) || to.After(b.to) {
		b = &block{from: from, to: from.Add(aheadSpan), by: map[string]*ran{}}
		if b.to.After(a.end) {
			b.to = a.end
		}
		err := a.read.Range(ctx, expr, b.from, b.to, step, func(ls labels.Labels, t []int64, v []float64) error {
			r := b.by[ls.String()]
			if r == nil {
				r = &ran{labels: ls}
				b.by[ls.String()], b.series = r, append(b.series, r)
			}
			r.t, r.v = append(r.t, t...), append(r.v, v...)
			return nil
		})
		if err != nil {
			return err
		}
		a.blocks[key] = b
	}
	for _, r := range b.series {
		i, _ := slices.BinarySearch(r.t, from.UnixMilli())
		j, _ := slices.BinarySearch(r.t, to.UnixMilli()+1)
		if i == j {
			continue
		}
		if err := fn(r.labels, r.t[i:j], r.v[i:j]); err != nil {
			return err
		}
	}
	return nil
}

// aheadQueries makes of the instant queries of an hour one query of a range.
type aheadQueries struct {
	client *promread.Client
	end    time.Time
	step   time.Duration
	blocks map[string]*queried
}

type queried struct {
	from, to time.Time
	matrix   model.Matrix
	failed   bool // Asked one by one.
}

// Query implements querier for moments on the grid of step.
func (a *aheadQueries) Query(ctx context.Context, expr string, at time.Time) (model.Vector, error) {
	b := a.blocks[expr]
	if b == nil || at.Before(b.from) || at.After(b.to) {
		b = &queried{from: at, to: at.Add(aheadSpan)}
		if b.to.After(a.end) {
			b.to = maxTime(a.end.Truncate(a.step), at)
		}
		var err error
		b.matrix, err = a.client.QueryRange(ctx, expr, b.from, b.to, a.step)
		switch {
		case promread.ReasonOf(err) == promread.TooLarge:
			b.failed = true
		case err != nil:
			return nil, err
		}
		a.blocks[expr] = b
	}
	if b.failed {
		return a.client.Query(ctx, expr, at)
	}
	want := model.TimeFromUnixNano(at.UnixNano())
	var out model.Vector
	for _, s := range b.matrix {
		i, ok := slices.BinarySearchFunc(s.Values, want, func(p model.SamplePair, t model.Time) int { return int(p.Timestamp - t) })
		if ok {
			out = append(out, &model.Sample{Metric: s.Metric, Value: s.Values[i].Value, Timestamp: want})
		}
	}
	return out, nil
}

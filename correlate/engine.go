// Package correlate turns alerts, anomalies and changes into incidents: each is what one cause
// explains, with that cause ranked first, its confidence, and what is affected.
//
// Grouping is the search for the smallest set of (cause, start) hypotheses that explains the alerts;
// see docs/correlation.md.
package correlate

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
)

// Topology is the graph of a given time. *topology.Graph is one.
type Topology interface {
	At(t time.Time) *topology.View
}

// Question is what an incident asks the metrics.
type Question struct {
	Incident   string
	Start      time.Time // the supposed start of the cause
	FirstAlert time.Time
	// Entities are the possible causes, best first, by name.
	Entities []Entity
	// Onset is when what the first alert tells of began: its start less the `for:` of its rule.
	Onset time.Time
	// Symptom is the labels of the first alert.
	Symptom model.LabelSet
	// Changes are those at the entities in the time in which a change is suspect, in order of time, each with its
	// entity.
	Changes []Change
}

// Evidence ranks causes from metrics, logs and spans. Ranking must not block: it answers what is known so
// far, and ok is false while nothing is. The engine asks whenever it renders an incident; Heard tells it that
// the answer is another one now.
type Evidence interface {
	Ranking(q Question) (r cause.Ranking, ok bool)
}

// Deps are what the engine needs from elsewhere; all are optional.
type Deps struct {
	Logger *slog.Logger
	// Topology; nil: alerts are grouped by their labels alone.
	Topology Topology
	// Rules returns the `for:` of the rule that made an alert with these labels.
	Rules func(ls model.LabelSet) (time.Duration, bool)
	// Evidence from metrics; nil: the alerts' own explanation stands.
	Evidence Evidence
	// External returns the labels that Prometheus adds to alerts and does not know in its own queries; nil: none.
	External func() model.LabelSet
	// History of past alerts; nil: nothing is known to be seasonal.
	History *History
	// Archive is called with every incident that leaves the engine, its retention over. Nil: none.
	Archive func(Incident)
}

// Engine groups what it is told into incidents. It is safe for concurrent use, has no goroutines and
// reads no clock: the caller drives it with Step. The same messages lead to the same incidents in
// whatever order they came.
type Engine struct {
	cfg  Config
	deps Deps
	log  *slog.Logger
	x    explainer

	mu        sync.Mutex
	records   map[model.Fingerprint]*record
	names     classes
	changes   []Change // in order of time
	dirty     bool
	restored  bool // since the last step
	lastStep  time.Time
	breadth   int // entities of the largest graph of the last explanation
	cache     map[uint64]*stretch
	tracked   map[string]*tracked
	owners    map[itemKey]string // item → incident
	heard     map[string]bool    // incidents whose evidence is another one
	forgotten uint64
}

// NewEngine returns an engine; cfg must be valid.
func NewEngine(cfg Config, deps Deps) *Engine {
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Topology == nil {
		deps.Topology = topology.NewGraph(topology.Options{})
	}
	e := &Engine{
		cfg: cfg, deps: deps, log: deps.Logger,
		records: map[model.Fingerprint]*record{},
		names:   classes{},
		cache:   map[uint64]*stretch{},
		tracked: map[string]*tracked{},
		owners:  map[itemKey]string{},
		heard:   map[string]bool{},
	}
	e.x = explainer{dens: newDensities(), history: deps.History, changes: e.changesBetween}
	return e
}

// Alerts takes in alerts as a webhook or the API gave them: firing, or resolved when EndsAt is in
// the past. Repetitions, copies of replicas and late messages are recognised.
func (e *Engine) Alerts(now time.Time, as []*model.Alert) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range as {
		if a == nil || len(a.Labels) == 0 || a.StartsAt.IsZero() {
			continue
		}
		ls, id := identity(a.Labels, e.cfg.ReplicaLabels)
		if len(ls) == 0 {
			continue
		}
		r := e.records[id]
		if r == nil {
			r = &record{ID: id, Labels: ls, place: e.cfg.placeOf(ls, a.Annotations, e.names)}
			e.records[id] = r
		}
		if r.observe(now, a, a.Labels.Fingerprint(), time.Duration(e.cfg.FlapWindow)) {
			e.dirty = true
		}
	}
	e.bound()
}

// anomalyLabel keeps anomalies apart from alerts with the same labels.
const anomalyLabel = "__anomaly__"

// Anomaly takes in an anomaly that began, changed or ended.
func (e *Engine) Anomaly(now time.Time, a Anomaly) {
	ls := a.Labels.Clone()
	if ls == nil {
		ls = model.LabelSet{}
	}
	ls[anomalyLabel] = model.LabelValue(a.Watch + "/" + a.Kind)
	if ls[model.AlertNameLabel] == "" {
		ls[model.AlertNameLabel] = model.LabelValue(a.Watch)
	}
	end := time.Time{}
	if !a.Active {
		end = a.Until
		if end.IsZero() || end.After(now) {
			end = now
		}
	}
	alert := &model.Alert{Labels: ls, Annotations: model.LabelSet{"summary": model.LabelValue(cmp.Or(a.Brief, a.Text))}, StartsAt: a.Since, EndsAt: end}
	e.Alerts(now, []*model.Alert{alert})
	e.mu.Lock()
	defer e.mu.Unlock()
	_, id := identity(ls, e.cfg.ReplicaLabels)
	if r := e.records[id]; r != nil {
		r.Anomaly = &a
	}
}

// Change takes in a change event.
func (e *Engine) Change(_ time.Time, c Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, _ := slices.BinarySearchFunc(e.changes, c, compareChanges)
	if i < len(e.changes) && compareChanges(e.changes[i], c) == 0 {
		return
	}
	e.changes = slices.Insert(e.changes, i, c)
	if len(e.changes) > maxChanges {
		e.changes = slices.Delete(e.changes, 0, len(e.changes)-maxChanges)
	}
	e.dirty = true
	clear(e.cache)
}

const maxChanges = 10_000

func (e *Engine) changesBetween(from, to time.Time) []Change {
	i, _ := slices.BinarySearchFunc(e.changes, from, func(c Change, t time.Time) int { return c.Time.Compare(t) })
	j, _ := slices.BinarySearchFunc(e.changes, to, func(c Change, t time.Time) int { return c.Time.Compare(t) })
	return e.changes[i:j]
}

// Touch tells the engine that something it asks others for has changed: the graph, rules or evidence.
func (e *Engine) Touch() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dirty = true
	for _, t := range e.tracked {
		t.stale = true
	}
}

// Heard tells the engine that Evidence has another ranking for an incident.
func (e *Engine) Heard(incident string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.tracked[incident]; t != nil {
		t.stale, e.heard[incident] = true, true
	}
}

// listen takes up what was heard: a first cause that the metrics changed is worth telling.
func (e *Engine) listen() {
	for id := range e.heard {
		if t := e.tracked[id]; t != nil && t.group != nil {
			t.stale = true
			t.verdict = verdictOf(e.renderOf(t))
			t.gist = t.gistHash()
		}
	}
	clear(e.heard)
}

// Step explains everything anew where something changed and returns what became of the incidents,
// in order of their start and ID.
func (e *Engine) Step(now time.Time) []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dirty {
		e.regroup(now)
		e.dirty = false
	}
	e.listen()
	e.lastStep = now
	events := e.advance(now)
	e.forget(now)
	return events
}

// stepPause keeps a storm from being explained anew for every message of it.
const stepPause = 200 * time.Millisecond

// NextStep is when Step is worth calling again; zero: when something comes in.
func (e *Engine) NextStep(now time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := time.Time{}
	soonest := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if e.dirty {
		// The pause grows with what there is to explain, so that explaining never takes all the time:
		// four seconds per 10 000 alerts, one per 50 000 entities of the graph.
		soonest(maxTime(now, e.lastStep.Add(stepPause+time.Duration(len(e.records))*400*time.Microsecond+time.Duration(e.breadth)*20*time.Microsecond)))
	}
	if len(e.heard) > 0 {
		soonest(now)
	}
	for _, t := range e.tracked {
		if w := t.wake(&e.cfg); !w.IsZero() {
			soonest(maxTime(now, w))
		}
	}
	return next
}

// items lists every firing stretch, sorted by onset and identity.
func (e *Engine) items() []*item {
	var out []*item
	for _, r := range e.records {
		for i, s := range r.Spans {
			it := &item{rec: r, at: s, start: s.Start, end: s.End, hold: e.holdOf(r)}
			if r.firing() && i == len(r.Spans)-1 {
				it.end = time.Time{}
			}
			it.onset = seconds(it.start) - it.hold.Seconds()
			if e.deps.History != nil {
				it.bias = e.deps.History.once(r, it.start).bias
			}
			out = append(out, it)
		}
	}
	slices.SortFunc(out, compareItems)
	return out
}

// holdOf is the `for:` of the alert's rule; anomalies have none.
func (e *Engine) holdOf(r *record) time.Duration {
	if r.Anomaly != nil || r.Labels[anomalyLabel] != "" {
		return 0
	}
	if e.deps.Rules != nil {
		if d, ok := e.deps.Rules(r.Labels); ok {
			return d
		}
	}
	return usualFor(r.place.name)
}

// bound forgets the longest ended alerts when there are too many, then the oldest.
func (e *Engine) bound() {
	over := len(e.records) - e.cfg.MaxAlerts
	if over <= 0 {
		return
	}
	all := make([]*record, 0, len(e.records))
	for _, r := range e.records {
		all = append(all, r)
	}
	slices.SortFunc(all, compareForBound)
	over += e.cfg.MaxAlerts / 20 // In one go, not one by one.
	for _, r := range all[:min(over, len(all))] {
		delete(e.records, r.ID)
		e.forgotten++
	}
	e.dirty = true
	e.log.Warn("Too many alerts, the oldest were forgotten", "forgotten", over, "kept", len(e.records))
}

// Forgotten is how many alerts were dropped because of max_alerts.
func (e *Engine) Forgotten() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.forgotten
}

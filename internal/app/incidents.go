package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/state"
)

// Names of the alerts that Tidemark posts; the contract with the shipped Alertmanager routes.
const (
	incidentAlert = "TidemarkIncident"
	pathLabel     = "path"
	pathDirect    = "direct"
	pathCorrelate = "correlate"
)

// incidents drives the correlation: what comes in goes to the engine, what the engine says goes to
// Alertmanager, to the runbooks and to the store.
type incidents struct {
	s        *session
	logger   *slog.Logger
	now      func() time.Time
	engine   *correlate.Engine
	evidence *evidence
	wake     chan struct{}
	metrics  incidentMetrics

	history *correlate.History
	board   anomalyBoard         // What the first shard reads of this one.
	peers   map[string]time.Time // Of the anomalies of other shards, their last sample.

	mu      sync.Mutex
	firing  map[model.Fingerprint]*model.Alert // By the fingerprint that Alertmanager knows.
	removed map[string]correlate.Incident      // Ended ones of earlier runs, from the store.
}

func newIncidents(s *session) (*incidents, error) {
	i := &incidents{
		s: s, logger: s.logger.With("component", "correlate"), now: s.app.now, wake: make(chan struct{}, 1),
		firing: map[model.Fingerprint]*model.Alert{}, removed: map[string]correlate.Incident{},
	}
	zone, err := time.LoadLocation(s.cfg.Baseline.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("load time zone: %w", err)
	}
	i.history = correlate.NewHistory(zone, s.cfg.Correlate.ReplicaLabels)
	i.evidence = newEvidence(evidenceDeps{now: s.app.now, graph: s.graph, scorer: s.scorer, lines: s.lines, spans: s.spans, labels: &s.cfg.Correlate, external: s.externalLabels}, func(incident string) {
		i.engine.Heard(incident)
		i.nudge()
	})
	i.engine = correlate.NewEngine(s.cfg.Correlate, correlate.Deps{
		Logger: i.logger, Topology: s.graph, Rules: s.holdOf, Evidence: i.evidence, History: i.history, Archive: s.archive,
		External: func() model.LabelSet {
			out := model.LabelSet{}
			s.externalLabels().Range(func(l labels.Label) { out[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
			return out
		},
	})
	f := promauto.With(s.registry)
	i.metrics = incidentMetrics{
		dropped: f.NewCounter(prometheus.CounterOpts{Name: "tidemark_alerts_direct_total", Help: "Direct copies of alerts that were left to the pager."}),
		opened:  f.NewCounter(prometheus.CounterOpts{Name: "tidemark_incidents_total", Help: "Incidents opened."}),
		firstPage: f.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_incident_first_post_seconds", Help: "Time from the first alert of an incident to its first post.",
			Buckets: []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600},
		}),
	}
	s.registry.MustRegister(&incidentCollector{i})
	return i, nil
}

// nudge asks for a step soon. It never waits.
func (i *incidents) nudge() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// alerts takes in what the webhook brought.
func (i *incidents) alerts(as []*model.Alert) {
	now := i.now()
	kept := make([]*model.Alert, 0, len(as))
	i.mu.Lock()
	for _, a := range as {
		if a.Labels[pathLabel] == pathDirect {
			i.metrics.dropped.Inc()
			continue
		}
		own := unrouted(a)
		kept = append(kept, own)
		if fp := a.Labels.Fingerprint(); a.ResolvedAt(now) {
			delete(i.firing, fp)
		} else {
			i.firing[fp] = own
		}
	}
	i.mu.Unlock()
	i.engine.Alerts(now, kept)
	for _, a := range kept {
		i.history.Add(a.Labels, a.StartsAt)
	}
	i.nudge()
}

// unrouted is the alert without the label that only says which way it went: the alert is the one
// that the rule made.
func unrouted(a *model.Alert) *model.Alert {
	if a.Labels[pathLabel] != pathCorrelate {
		return a
	}
	own := *a
	own.Labels = a.Labels.Clone()
	delete(own.Labels, pathLabel)
	return &own
}

// known are the fingerprints that are believed to fire.
func (i *incidents) known() []model.Fingerprint {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := make([]model.Fingerprint, 0, len(i.firing))
	for fp := range i.firing {
		out = append(out, fp)
	}
	return out
}

// reconciled takes in what the Alertmanagers say fires now, and ends what they no longer have: a
// silenced alert's end is told to no webhook.
func (i *incidents) reconciled(_ context.Context, active []*model.Alert, gone []model.Fingerprint) {
	now := i.now()
	known := map[model.Fingerprint]bool{}
	for _, fp := range i.known() {
		known[fp] = true
	}
	var news []*model.Alert
	for _, a := range active {
		own := a.Labels[model.AlertNameLabel] == incidentAlert || a.Labels[model.AlertNameLabel] == "TidemarkAlive"
		routed := a.Labels[pathLabel] == pathCorrelate
		// Only alerts that are routed here count: another route's alerts are somebody else's.
		if own || !routed || known[a.Labels.Fingerprint()] {
			continue
		}
		news = append(news, a)
	}
	if len(news) > 0 {
		i.logger.Info("Alertmanager has alerts that no webhook brought", "alerts", len(news))
		i.alerts(news)
	}
	if len(gone) == 0 {
		return
	}
	var ends []*model.Alert
	i.mu.Lock()
	for _, fp := range gone {
		if a := i.firing[fp]; a != nil {
			end := *a
			end.EndsAt = now
			ends = append(ends, &end)
			delete(i.firing, fp)
		}
	}
	i.mu.Unlock()
	i.logger.Info("Alerts ended without a word to the webhook", "alerts", len(ends))
	i.engine.Alerts(now, ends)
	i.nudge()
}

// change takes in a change event.
func (i *incidents) change(now time.Time, c correlate.Change) {
	i.engine.Change(now, c)
	i.logger.Debug("Change", "kind", c.Kind, "text", c.Text)
	i.nudge()
}

// lapseSteps is how many usual samples in a row end an anomaly.
const lapseSteps = 3

// anomaly takes in what a series' baseline says.
func (i *incidents) anomaly(now time.Time, e *entry) {
	sc := e.series.Last()
	quiet := sc.Raw <= 1
	known := e.rest().anomaly
	if known == nil && quiet {
		return
	}
	a := correlate.Anomaly{
		Watch: e.watch.Name, Labels: e.labelSet(), Kind: string(sc.Kind), Score: finite(sc.Raw),
		Since: time.UnixMilli(sc.Since).UTC(), At: time.UnixMilli(sc.Time).UTC(), Active: sc.Active, Query: e.query(i.s.externalLabels()), Unit: e.watch.unit,
		Value: finite(sc.Value), Expected: finite(sc.Expected), Lower: finite(sc.Lower), Upper: finite(sc.Upper),
	}
	a.Brief, a.Text = e.explained()
	// For the correlation an anomaly is over a few steps after its last abnormal sample: one that has passed is no
	// companion of what begins now.
	if !sc.Active || sc.Since == 0 || quiet && sc.Time-known.At.UnixMilli() > lapseSteps*e.watch.interval.Milliseconds() {
		if known == nil {
			return
		}
		// It ended: what was seen while it lasted is what is told of it.
		a = *known
		e.tell(nil)
		a.Until, a.Active = a.At.Add(e.watch.interval), false
	} else {
		if known != nil {
			// One anomaly keeps the kind and the time it began with: it is the same one for the correlation.
			a.Kind, a.Since = known.Kind, known.Since
			if quiet {
				a = *known // Nothing stands out in this sample: what did is what is told.
			}
		}
		kept := a
		e.tell(&kept)
	}
	if !i.s.app.opts.Shard.First() {
		i.board.put(a)
		return
	}
	i.engine.Anomaly(now, a)
	i.nudge()
}

// Run steps the engine when something came in, when it asks for it, and at least every ten seconds.
func (i *incidents) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	remind := time.NewTicker(remindInterval)
	defer remind.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-i.wake:
		case <-remind.C:
			i.remind()
		case <-timer.C:
		}
		now := i.now()
		if next := i.engine.NextStep(now); next.IsZero() || !next.After(now) {
			i.step(ctx, now)
		} else {
			i.s.app.stages.done("correlate", nil) // Nothing is due: that is no delay.
		}
		wait := 10 * time.Second
		if next := i.engine.NextStep(i.now()); !next.IsZero() {
			wait = min(wait, max(next.Sub(i.now()), minStep))
		}
		timer.Reset(wait)
	}
}

// remindInterval is how often the runbooks hear of an incident that lasts: without a word they take
// its data for old and refuse to act.
const remindInterval = 30 * time.Second

// handleTimeout is how long storing what became of an incident may take.
const handleTimeout = 10 * time.Second

// minStep is the shortest time between two steps, whatever the engine asks for.
const minStep = 100 * time.Millisecond

// step takes one step and carries out what came of it.
func (i *incidents) step(ctx context.Context, now time.Time) {
	for _, ev := range i.engine.Step(now) {
		i.handle(ctx, now, ev)
	}
	i.s.app.stages.done("correlate", nil)
}

func (i *incidents) handle(ctx context.Context, now time.Time, ev correlate.Event) {
	// A reload must not cut in half what the engine decided.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handleTimeout)
	defer cancel()
	inc := ev.Incident
	switch ev.Type {
	case correlate.EventOpened:
		i.metrics.opened.Inc()
		i.metrics.firstPage.Observe(max(now.Sub(inc.FirstAlert).Seconds(), 0))
		i.logger.Info("Incident", "incident", inc.ID, "title", inc.Title, "alerts", len(inc.Alerts), "cause", causeText(&inc))
	case correlate.EventRevised:
		i.logger.Info("Incident has another cause", "incident", inc.ID, "revision", inc.Revision, "cause", causeText(&inc))
	case correlate.EventResolved:
		i.logger.Info("Incident ended", "incident", inc.ID, "alerts", len(inc.Alerts))
	}
	// Kept before it is told: after a crash an incident that people know is the same one.
	if err := i.keep(ctx, &inc); err != nil {
		i.logger.Error("Keeping an incident failed; it stays in memory", "incident", inc.ID, "err", err)
	}
	if ev.Type == correlate.EventResolved {
		i.s.notifier.Resolve(inc.ID)
	} else {
		i.s.app.runbooks.Propose(i.forRunbook(&inc))
		i.s.notifier.Set(inc.ID, i.post(&inc))
	}
	if ev.Type == correlate.EventResolved {
		i.s.app.runbooks.Propose(i.forRunbook(&inc))
	}
	if err := i.s.app.memory.Remember(inc); err != nil {
		i.logger.Error("Remembering an incident failed", "incident", inc.ID, "err", err)
	}
	if ev.Type != correlate.EventUpdated {
		if err := i.keepPosts(ctx); err != nil {
			i.logger.Error("Keeping what was posted failed", "incident", inc.ID, "err", err)
		}
	}
}

func (i *incidents) keep(ctx context.Context, inc *correlate.Incident) error {
	data, err := json.Marshal(inc)
	if err != nil {
		return err
	}
	return i.s.app.store.Put(ctx, state.Incidents, inc.ID, data)
}

// maxEvidence is how many sentences of evidence a page carries.
const maxEvidence = 5

// forRunbook is what a runbook may know of the incident.
func (i *incidents) forRunbook(inc *correlate.Incident) runbook.Incident {
	out := runbook.Incident{
		ID: inc.ID, Severity: inc.Severity, Summary: inc.Summary, Labels: inc.Shared,
		StartsAt: inc.Start, DataTime: i.dataTime(), Resolved: inc.State == correlate.StateResolved,
	}
	if len(inc.Causes) > 0 && !inc.NoClearCause {
		c := inc.Causes[0]
		out.Cause, out.CauseKind, out.Confidence, out.Resource = c.Entity.Name, cmp.Or(c.Resource, c.Entity.Kind), c.Confidence, c.Resource
	}
	names := map[string]bool{}
	for _, m := range inc.Alerts {
		names[string(m.Labels[model.AlertNameLabel])] = true
	}
	for n := range names {
		out.Alertnames = append(out.Alertnames, n)
	}
	slices.Sort(out.Alertnames)
	for _, c := range inc.Affected {
		out.Affected = append(out.Affected, c.Names...)
	}
	for _, a := range inc.Anomalies {
		if a.Active {
			out.Anomalies++
		}
	}
	return out
}

// all are the incidents in memory and the ended ones that the store keeps, firing first, newest
// first.
func (i *incidents) all() []correlate.Incident {
	all := i.engine.Incidents()
	have := map[string]bool{}
	out := all[:0]
	for _, inc := range all {
		have[inc.ID] = true
		// A lone anomaly is no incident: it stands on the page of its series. An alert always counts.
		if !inc.Opened.IsZero() || len(inc.Alerts) > 0 {
			out = append(out, inc)
		}
	}
	i.mu.Lock()
	for id, inc := range i.removed {
		if !have[id] {
			out = append(out, inc)
		}
	}
	i.mu.Unlock()
	slices.SortStableFunc(out, func(a, b correlate.Incident) int {
		return cmp.Or(strings.Compare(a.State, b.State), b.Start.Compare(a.Start), strings.Compare(a.ID, b.ID))
	})
	return out
}

func (i *incidents) one(id string) (correlate.Incident, bool) {
	if inc, ok := i.engine.Incident(id); ok {
		return inc, true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	inc, ok := i.removed[id]
	return inc, ok
}

var (
	incidentInfo = prometheus.NewDesc("tidemark_incident_info", "1 for each incident that is kept in memory.", []string{"incident", "severity", "cause", "state"}, nil)
	incidentNum  = prometheus.NewDesc("tidemark_incidents", "Incidents by state.", []string{"state"}, nil)
)

// dataTime is how new the data is that incidents stand on: the newest sample, or now where nothing
// is watched and the alerts are all there is.
func (i *incidents) dataTime() time.Time {
	if t := i.s.scorer.newest(); !t.IsZero() {
		return t
	}
	return i.now()
}

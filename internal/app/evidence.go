package app

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/web"
)

// evidence ranks causes from the watched series for the correlation. A question is answered from
// what is known; a ranking that is missing or old is made in the background, and the engine is told.
type evidence struct {
	s    *session
	told func()
	ask  chan correlate.Question

	mu       sync.Mutex
	rankings map[string]ranking
	queued   map[string]bool
}

type ranking struct {
	cause.Ranking
	at time.Time
}

const (
	// rankingAge is how old a ranking may be before it is made again: a fault shows more of itself
	// in each step.
	rankingAge = 15 * time.Second
	// keepRankings bounds how many are kept.
	keepRankings = 1000
)

func newEvidence(s *session, told func()) *evidence {
	return &evidence{s: s, told: told, ask: make(chan correlate.Question, 256), rankings: map[string]ranking{}, queued: map[string]bool{}}
}

// Ranking implements correlate.Evidence.
func (ev *evidence) Ranking(q correlate.Question) (cause.Ranking, bool) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	r, ok := ev.rankings[q.Incident]
	if (!ok || ev.s.app.now().Sub(r.at) > rankingAge) && !ev.queued[q.Incident] {
		select {
		case ev.ask <- q:
			ev.queued[q.Incident] = true
		default: // The queue is full; the engine asks again at its next step.
		}
	}
	return r.Ranking, ok
}

// Run answers questions until ctx ends.
func (ev *evidence) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-ev.ask:
			r := cause.Rank(ev.build(q), cause.Options{})
			for i := range r.Candidates {
				r.Candidates[i].Evidence = sound(r.Candidates[i].Evidence)
			}
			ev.mu.Lock()
			before, had := ev.rankings[q.Incident]
			ev.rankings[q.Incident] = ranking{r, ev.s.app.now()}
			delete(ev.queued, q.Incident)
			if len(ev.rankings) > keepRankings {
				ev.dropOldest()
			}
			ev.mu.Unlock()
			if !had || first(before.Ranking) != first(r) {
				ev.s.incidents.engine.Touch()
				ev.told()
			}
		}
	}
}

// sound makes numbers of evidence that JSON has none for: a share of nothing is not a number.
func sound(in []cause.Evidence) []cause.Evidence {
	for i := range in {
		e := &in[i]
		e.Value, e.Weight = finite(e.Value), finite(e.Weight)
		for _, p := range []**float64{&e.Expected, &e.Lower, &e.Upper} {
			if *p != nil && finite(**p) != **p {
				*p = nil
			}
		}
	}
	return in
}

func first(r cause.Ranking) string {
	if len(r.Candidates) == 0 {
		return ""
	}
	return r.Candidates[0].Entity
}

func (ev *evidence) dropOldest() {
	oldest, at := "", time.Time{}
	for id, r := range ev.rankings {
		if at.IsZero() || r.at.Before(at) {
			oldest, at = id, r.at
		}
	}
	delete(ev.rankings, oldest)
}

// build gathers what a ranking may read: the recent samples of every watched series that belongs to
// an entity of the graph around the incident, the graph itself and the changes.
func (ev *evidence) build(q correlate.Question) cause.Case {
	view := ev.s.graph.At(q.FirstAlert)
	c := cause.Case{ID: q.Incident, AlertTime: q.FirstAlert}
	for _, e := range q.Entities {
		c.Candidates = append(c.Candidates, e.Name)
	}
	for _, e := range ev.s.graph.Edges(q.FirstAlert) {
		c.Graph = append(c.Graph, cause.Edge{From: e.From.Name, To: e.To.Name, Kind: string(e.Kind)})
	}
	for _, en := range ev.s.scorer.all() {
		if s, ok := en.asSeries(view, &ev.s.cfg.Correlate); ok {
			c.Series = append(c.Series, s)
		}
	}
	if e, ok := entityOf(labelsOf(q.Symptom), view, &ev.s.cfg.Correlate); ok {
		c.Symptom = cause.Symptom{Entity: e}
	}
	return c
}

func labelsOf(ls model.LabelSet) func(string) string {
	return func(name string) string { return string(ls[model.LabelName(name)]) }
}

// entityOf names the entity of labels: the first label that names a workload, else a unit of one,
// preferring names that the graph knows.
func entityOf(get func(string) string, view *topology.View, cfg *correlate.Config) (string, bool) {
	fallback := ""
	for _, name := range cfg.EntityLabels {
		v := get(name)
		if v == "" || name == "job" && topology.IsExporterJob(v) {
			continue
		}
		if _, known := view.Find(v, get("cluster"), get("namespace"), topology.WorkloadKinds...); known {
			return v, true
		}
		if fallback == "" {
			fallback = v
		}
	}
	for _, name := range cfg.UnitLabels {
		v := get(name)
		if v == "" {
			continue
		}
		if n, known := view.ByAddress(v); known {
			return view.Entities[n].Name, true
		}
		if fallback == "" {
			fallback = v
		}
	}
	return fallback, fallback != ""
}

// asSeries is the entry as the ranking reads it.
func (e *entry) asSeries(view *topology.View, cfg *correlate.Config) (cause.Series, bool) {
	s := cause.Series{Metric: e.watch.metric, Query: e.query()}
	if client, server := e.series.Labels().Get("client"), e.series.Labels().Get("server"); client != "" && server != "" {
		s.Entity, s.Peer = client, server
	} else {
		name, ok := entityOf(e.series.Labels().Get, view, cfg)
		if !ok {
			return s, false
		}
		s.Entity = name
	}
	for _, p := range e.recentPoints() {
		s.T, s.V = append(s.T, p.Time), append(s.V, p.Value)
	}
	return s, len(s.T) > 1
}

// query is PromQL for this series alone: the watch's expression with the series' labels as matchers
// of every selector in it.
func (e *entry) query() string {
	return narrow(e.watch.Expr, e.series.Labels())
}

// narrow adds labels as equality matchers to every selector of expr that has no matcher for them.
func narrow(expr string, ls labels.Labels) string {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return expr
	}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		vs, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		ls.Range(func(l labels.Label) {
			if l.Name == model.MetricNameLabel || slices.ContainsFunc(vs.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == l.Name && m.Type == labels.MatchEqual }) {
				return
			}
			vs.LabelMatchers = append(vs.LabelMatchers, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
		})
		return nil
	})
	return parsed.String()
}

// metricOf says what an expression measures: the name of the watch and the metrics that stand in it.
func metricOf(name, expr string) string {
	words := []string{name}
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return name
	}
	seen := map[string]bool{}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if vs, ok := n.(*parser.VectorSelector); ok && vs.Name != "" {
			seen[vs.Name] = true
		}
		return nil
	})
	words = append(words, slices.Sorted(maps.Keys(seen))...)
	return strings.Join(words, " ")
}

// ring keeps the last samples of a series with their scores.
type ring struct {
	buf  []web.Point
	next int
}

// ringSize is how many samples of a series are kept for charts and rankings.
const ringSize = 240

func (r *ring) add(p web.Point) {
	if len(r.buf) < ringSize {
		r.buf = append(r.buf, p)
		return
	}
	r.buf[r.next] = p
	r.next = (r.next + 1) % ringSize
}

// points are the kept samples, oldest first.
func (r *ring) points() []web.Point {
	return slices.Concat(r.buf[r.next:], r.buf[:r.next])
}

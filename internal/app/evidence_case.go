package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/web"
)

// build gathers what a ranking may read: the samples up to a moment of every watched series that belongs to
// an entity, the graph, the changes, and what was counted of pushed lines and spans.
func (ev *evidence) build(ctx context.Context, q correlate.Question, look time.Time) cause.Case {
	view := ev.deps.graph.At(q.FirstAlert)
	external := labels.EmptyLabels()
	if ev.deps.external != nil {
		external = ev.deps.external()
	}
	ev.recall(ctx, q, view, external)
	var fresh map[*entry][]web.Point
	var onset time.Time
	if isAhead(look.Sub(q.FirstAlert)) {
		// So young a fault shows in few samples: a start that is looked for would often lie minutes too early, and
		// what is normal would outweigh what is not.
		onset = q.Onset
		fresh = ev.fresh.upTo(ctx, ev.deps, q.FirstAlert, look, external)
	}
	c := cause.Case{ID: q.Incident, AlertTime: q.FirstAlert, FaultTime: onset, Attributes: map[string]map[string]string{}}
	for _, e := range q.Entities {
		c.Candidates = append(c.Candidates, e.Name)
	}
	for _, e := range ev.deps.graph.Edges(q.FirstAlert) {
		c.Graph = append(c.Graph, cause.Edge{From: e.From.Name, To: e.To.Name, Kind: string(e.Kind)})
	}
	for n, e := range view.Entities {
		if zone := view.Attrs[n][topology.AttrZone]; zone != "" {
			c.Attributes[e.Name] = map[string]string{topology.AttrZone: topology.ZoneName(zone)}
		}
	}
	for _, ch := range q.Changes {
		c.Changes = append(c.Changes, cause.Change{Time: ch.Time, Entity: ch.Entity.Name, Kind: ch.Kind, Text: ch.Text, Query: ch.Query})
	}
	for _, en := range ev.deps.scorer.all() {
		if s, ok := en.asSeries(view, ev.deps.labels, external, q.FirstAlert, look, fresh[en]); ok {
			c.Series = append(c.Series, s)
		}
	}
	if e, ok := entityOf(labelsOf(q.Symptom), view, ev.deps.labels); ok {
		c.Symptom = cause.Symptom{Entity: e}
	}
	return c
}

// recall has the samples of the series read that belong to the entities of a question, where a large fleet does not keep
// them: the anomalous ones first, as many as one look may ask for.
func (ev *evidence) recall(ctx context.Context, q correlate.Question, view *topology.View, external labels.Labels) {
	s := ev.deps.scorer
	all := s.all()
	if s.recall == nil || !slices.ContainsFunc(all, (*entry).isLarge) {
		return
	}
	names := map[string]bool{}
	for _, e := range q.Entities {
		names[e.Name] = true
	}
	if e, ok := entityOf(labelsOf(q.Symptom), view, ev.deps.labels); ok {
		names[e] = true
	}
	bears := s.engine.Bearing(func(text string) bool {
		if names[text] {
			return true
		}
		n, ok := view.ByAddress(text)
		return ok && names[view.Entities[n].Name]
	})
	var active, calm []*entry
	for _, e := range all {
		if !bears(e.series) {
			continue
		}
		get := e.series.Labels().Get
		name, ok := entityOf(get, view, ev.deps.labels)
		switch named := ok && names[name] || names[get("client")] && names[get("server")]; {
		case named && e.series.Last().Active:
			active = append(active, e)
		case named:
			calm = append(calm, e)
		}
	}
	want := append(active, calm...)
	if err := s.recall.samples(ctx, want[:min(len(want), recalledAtOnce)], external); err != nil && ctx.Err() == nil {
		s.logger.Debug("Reading the samples of an incident's series failed", "incident", q.Incident, "err", err)
	}
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

// asSeries is the entry as a ranking of a moment reads it; fresh is what was read ahead of scoring.
func (e *entry) asSeries(view *topology.View, cfg *correlate.Config, external labels.Labels, firstAlert, look time.Time, fresh []web.Point) (cause.Series, bool) {
	recent := e.recentPoints()
	if len(recent) == 0 && len(fresh) == 0 {
		return cause.Series{}, false
	}
	s := cause.Series{Metric: e.watch.metric, Name: e.watch.Name, Query: e.query(external), Say: e.say}
	if client, server := e.series.Labels().Get("client"), e.series.Labels().Get("server"); client != "" && server != "" {
		s.Entity, s.Peer = client, server
		s.Query = "sum(" + s.Query + ")" // So that the two sides of a call can be subtracted, whatever their labels.
	} else {
		name, ok := entityOf(e.series.Labels().Get, view, cfg)
		if !ok {
			return s, false
		}
		s.Entity = name
	}
	add := func(points []web.Point, from, to time.Time) {
		for _, p := range points {
			if n := len(s.T); p.Time >= from.UnixMilli() && p.Time <= to.UnixMilli() && (n == 0 || p.Time > s.T[n-1]) {
				s.T, s.V = append(s.T, p.Time), append(s.V, p.Value)
			}
		}
	}
	until := look
	if len(fresh) > 0 {
		until = firstAlert.Add(-aheadBack)
	}
	add(recent, time.Time{}, until)
	add(fresh, until, look)
	old := max(0, len(s.T)-rankedSamples)
	s.T, s.V = s.T[old:], s.V[old:]
	return s, len(s.T) > 1
}

// query is PromQL for this series alone: the watch's expression with the series' labels as matchers
// of every selector in it, but for those that Prometheus added to what it sent.
func (e *entry) query(external labels.Labels) string {
	var own []*labels.Matcher
	without(e.series.Labels(), external).Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			own = append(own, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
		}
	})
	return narrow(e.watch.Expr, own...)
}

// without leaves out labels that have the very value of an external one.
func without(ls, external labels.Labels) labels.Labels {
	if external.IsEmpty() {
		return ls
	}
	b := labels.NewBuilder(ls)
	external.Range(func(l labels.Label) {
		if ls.Get(l.Name) == l.Value {
			b.Del(l.Name)
		}
	})
	return b.Labels()
}

// narrow adds matchers to every selector of expr that fixes no value of their label.
func narrow(expr string, add ...*labels.Matcher) string {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return expr
	}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		vs, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, by := range add {
			if !slices.ContainsFunc(vs.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == by.Name && m.Type == labels.MatchEqual }) {
				vs.LabelMatchers = append(vs.LabelMatchers, by)
			}
		}
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

// runnable makes the query of each claim give the claim's value wherever and whenever it is run: the mean over the
// samples that were looked at. A query that does not is left out.
func runnable(in []cause.Evidence, c *cause.Case) []cause.Evidence {
	for i := range in {
		e := &in[i]
		switch {
		case e.Kind == "change", e.Kind == "log_pattern", e.Kind == "span_gap": // Their queries say at which time they are meant.
		case e.Query == "" || e.From.IsZero() || e.Step <= 0:
			e.Query = ""
		default:
			gaps := slices.ContainsFunc(c.Series, func(s cause.Series) bool {
				return strings.Contains(e.Query, s.Query) && slices.ContainsFunc(s.V, func(v float64) bool { return finite(v) != v })
			})
			e.Query = meanOver(e.Query, e.From, e.To, e.Step, gaps)
		}
	}
	return in
}

// meanOver is PromQL for the mean of an expression over its steps from the first to the last time. The range ends
// half a step before the first, so that it holds the same steps whether ranges are left-open (Prometheus 3) or closed.
func meanOver(expr string, from, to time.Time, step time.Duration, gaps bool) string {
	if gaps { // What is not a number was left out of the mean.
		expr = fmt.Sprintf("(%s) < Inf > -Inf", expr)
	}
	width := to.Sub(from) + max(step/2, time.Millisecond)
	return fmt.Sprintf("avg_over_time((%s)[%s:%s] @ %.3f)", expr, model.Duration(width), model.Duration(step), float64(to.UnixMilli())/1000)
}

// complete is the time before which every step of every watch is scored; watches that are behind notBefore, as
// their expression can't be read, do not count.
func (s *scorer) complete(notBefore time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first time.Time
	for _, w := range s.watches {
		if w.next.After(notBefore) && (first.IsZero() || w.next.Before(first)) {
			first = w.next
		}
	}
	if len(s.watches) == 0 {
		return s.now().Add(time.Hour) // Nothing is waited for.
	}
	return first
}

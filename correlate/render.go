package correlate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate/cause"
)

// renderOf returns the incident as people see it, made anew when something changed.
func (e *Engine) renderOf(t *tracked) *Incident {
	if t.render != nil && !t.stale || t.group == nil {
		if t.render == nil {
			t.render = &Incident{ID: t.id, State: StateResolved, End: t.ended, MergedInto: t.into}
		}
		return t.render
	}
	v := &view{e: e, t: t, s: t.in, g: t.group}
	i := v.incident()
	t.render, t.stale = i, false
	return i
}

// view renders one group.
type view struct {
	e *Engine
	t *tracked
	s *stretch
	g *group

	parts     []bool         // vertices at a root, while they are looked for
	rootItems []*item        // members at the first cause
	ranking   *cause.Ranking // by metrics, when there is one
	hops      map[int]int
	parent    map[int]int
}

func (v *view) incident() *Incident {
	t := v.t
	slices.SortFunc(v.g.items, compareStarts)
	i := &Incident{
		ID: t.id, State: t.state, Opened: t.opened, End: t.ended, Revision: t.revision,
		Merged: slices.Clone(t.merged), SplitFrom: t.splitFrom, MergedInto: t.into, Posts: slices.Clone(t.posts),
		FirstAlert: v.firstAlert().start,
		Start:      fromSeconds(slices.MinFunc(v.g.items, compareItems).onset),
	}
	if !v.g.alone && v.g.start < seconds(i.Start) {
		i.Start = fromSeconds(v.g.start)
	}
	i.Severity = v.severity()
	v.members(i)
	v.causes(i)
	v.walk()
	i.Affected = v.affected()
	i.Path = v.path()
	i.RuledOut = v.ruledOut(i)
	i.Timeline = v.timeline(i)
	i.RunbookURL, i.Action = v.action(i)
	v.words(i)
	return i
}

// firstAlert is the member that fired first: an alert where there is one, as anomalies may be long before it.
func (v *view) firstAlert() *item {
	for _, it := range v.g.items {
		if it.rec.Anomaly == nil {
			return it
		}
	}
	return v.g.items[0]
}

func (v *view) severity() string {
	order := v.e.cfg.SeverityOrder
	best, bestAt := "", len(order)+1
	for _, firing := range []bool{true, false} {
		for _, it := range v.g.items {
			if firing && !it.end.IsZero() {
				continue
			}
			s := string(it.rec.Labels[model.LabelName(v.e.cfg.SeverityLabel)])
			at := slices.Index(order, strings.ToLower(s))
			if at < 0 {
				at = len(order)
			}
			if s != "" && (at < bestAt || at == bestAt && s < best) {
				best, bestAt = s, at
			}
		}
		if best != "" {
			break
		}
	}
	return best
}

func (v *view) members(i *Incident) {
	shared := model.LabelSet{}
	i.Alerts = make([]Member, 0, len(v.g.items))
	for n, it := range v.g.items {
		for _, l := range v.e.cfg.SharedLabels {
			k := model.LabelName(l)
			if val := it.rec.Labels[k]; n == 0 && val != "" {
				shared[k] = val
			} else if shared[k] != val {
				delete(shared, k)
			}
		}
		if a := it.rec.Anomaly; a != nil {
			i.Anomalies = append(i.Anomalies, *a)
			continue
		}
		i.Alerts = append(i.Alerts, v.member(it))
	}
	if len(shared) > 0 {
		i.Shared = shared
	}
	for _, c := range v.g.causes {
		if p := c.parts.change; p != nil && !slices.ContainsFunc(i.Changes, func(x Change) bool { return compareChanges(x, *p) == 0 }) {
			i.Changes = append(i.Changes, *p)
		}
	}
	slices.SortFunc(i.Changes, compareChanges)
}

func (v *view) member(it *item) Member {
	m := Member{
		Labels: it.rec.Labels, Annotations: it.rec.Annotations, GeneratorURL: it.rec.Generator,
		StartsAt: it.start, Onset: fromSeconds(it.onset), EndsAt: it.end, Status: StateFiring, Class: it.class.String(),
		Entity: entityOf(v.s.world.v[it.vertex].ent), Firings: len(it.at.Starts),
	}
	if !it.end.IsZero() {
		m.Status = StateResolved
	}
	m.Fingerprint = hexOf(it.rec.Copies[0].Fingerprint)
	if n := len(it.rec.Copies); n > 1 {
		for _, c := range it.rec.Copies {
			m.Fingerprints = append(m.Fingerprints, hexOf(c.Fingerprint))
		}
		m.Firings = (m.Firings + n - 1) / n
	}
	if v.e.deps.History != nil {
		m.Seasonal = v.e.deps.History.once(it.rec, it.start).habit
	}
	return m
}

// hexOf is the fingerprint as Alertmanager writes it, without the cost of formatting: a storm has thousands.
func hexOf(fp model.Fingerprint) string {
	var out [16]byte
	for i := range out {
		out[i] = "0123456789abcdef"[fp>>(60-4*i)&15]
	}
	return string(out[:])
}

// at lists the members at a root: itself, its instances, its volumes, the nodes of a zone.
func (v *view) at(rootIndex int) []*item {
	r := &v.s.prob.roots[rootIndex]
	if r.vertex < 0 {
		return nil
	}
	x := &v.s.world.v[r.vertex]
	if v.parts == nil {
		v.parts = make([]bool, len(v.s.world.v))
	}
	mark := func(is bool) {
		v.parts[r.vertex] = is
		for _, parts := range [][]int{x.pods, x.volumes, x.members} {
			for _, n := range parts {
				v.parts[n] = is
			}
		}
	}
	mark(true)
	var out []*item
	for _, it := range v.g.items {
		if v.parts[it.vertex] {
			out = append(out, it)
		}
	}
	mark(false)
	return out
}

// within says that n is the root or a part of it.
func (w *world) within(n, root int) bool {
	x := &w.v[root]
	return n == root || slices.Contains(x.pods, n) || slices.Contains(x.volumes, n) || slices.Contains(x.members, n)
}

// countedNames is "A (3), B and 2 more".
func countedNames(count map[string]int, limit int) string {
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	var parts []string
	for i, n := range names {
		if i == limit {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-limit))
			break
		}
		if count[n] > 1 {
			n = fmt.Sprintf("%s (%d)", n, count[n])
		}
		parts = append(parts, n)
	}
	return and(parts)
}

const maxTimeline = 60

func (v *view) timeline(i *Incident) []Entry {
	var out []Entry
	for _, c := range i.Changes {
		out = append(out, Entry{c.Time, "change", c.Text})
	}
	for _, a := range i.Anomalies {
		out = append(out, Entry{a.Since, "anomaly", cmp.Or(a.Brief, a.Text, a.Watch)})
	}
	if len(i.Causes) > 0 {
		out = append(out, Entry{i.Causes[0].Start, "cause", "supposed start: " + i.Causes[0].Entity.Name})
	}
	type shown struct {
		alert  model.LabelValue
		entity string
	}
	seen := map[shown]bool{}
	for n := range i.Alerts {
		m := &i.Alerts[n]
		k := shown{m.Labels[model.AlertNameLabel], m.Entity.Name}
		if seen[k] {
			continue
		}
		seen[k] = true
		if len(seen) > maxTimeline+1 { // As many are before it: it is counted only.
			out = append(out, Entry{Time: m.StartsAt})
			continue
		}
		text := string(m.Labels[model.AlertNameLabel]) + " on " + m.Entity.Name
		if m.Onset.Before(m.StartsAt.Add(-time.Minute)) {
			text += fmt.Sprintf(" (held since %s)", m.Onset.Format(time.TimeOnly))
		}
		out = append(out, Entry{m.StartsAt, "alert", text})
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	if len(out) > maxTimeline {
		more := len(out) - maxTimeline
		out = append(out[:maxTimeline:maxTimeline], Entry{out[maxTimeline].Time, "alert", fmt.Sprintf("and %d more", more)})
	}
	if !i.End.IsZero() {
		out = append(out, Entry{i.End, "resolved", "all alerts have ended"})
	}
	return out
}

// action is the runbook of an alert at the cause, else of the worst member, and a hint.
func (v *view) action(i *Incident) (url, hint string) {
	for _, set := range [][]*item{v.rootItems, v.g.items} {
		for _, it := range set {
			if u := string(it.rec.Annotations["runbook_url"]); u != "" && url == "" {
				url = u
			}
			if a := string(it.rec.Annotations["action"]); a != "" && hint == "" {
				hint = a
			}
		}
		if url != "" {
			break
		}
	}
	if hint == "" && len(i.Causes) > 0 && !i.NoClearCause {
		kind, _, _ := strings.Cut(i.Causes[0].Resource, " ") // "network to payment" is of the network.
		if h, ok := hints[kind]; ok {
			if way := between(&i.Causes[0]); way != "" {
				h, kind = "Check delay, packet loss and errors on %s.", way
			} else {
				kind = i.Causes[0].Entity.Name
			}
			hint = fmt.Sprintf(h, kind)
		}
	}
	return url, hint
}

package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
)

const maxOwnEvidence = 6

// evidence of the alerts for and against a cause, each with the query that shows it.
func (v *view) evidence(c ranked, own []*item) []cause.Evidence {
	r := &v.s.prob.roots[c.root]
	var out []cause.Evidence
	slices.SortFunc(own, compareItems)
	told := map[[2]float64]bool{}
	for _, it := range own {
		if len(out) == maxOwnEvidence {
			break
		}
		if a := it.rec.Anomaly; a != nil { // Two watches of one expression say the same.
			key := [2]float64{a.Value, a.Expected}
			if told[key] {
				continue
			}
			told[key] = true
		}
		out = append(out, v.sign(it, r.ent.Name))
	}
	if p := c.parts.change; p != nil {
		out = append(out, cause.Evidence{
			Kind: "change", For: true, Entity: r.ent.Name, Time: p.Time, Weight: changeBonus,
			Text: fmt.Sprintf("%s of %s %s", p.Kind, r.ent.Name, after(seconds(p.Time)-c.start)+": "+p.Text), Query: cmp.Or(p.Query, changePath(p, r.ent.Name)), Value: 1,
		})
	}
	out = append(out, cause.Evidence{
		Kind: "coverage", For: c.parts.explained*2 >= len(v.g.items), Entity: r.ent.Name, Time: fromSeconds(c.start),
		Text:  fmt.Sprintf("%d of %s are where and when trouble at %s would show", min(c.parts.explained, len(v.g.items)), v.signs(), r.ent.Name),
		Query: coveragePath(v.t.id, r, c.start), Value: float64(c.parts.explained), Weight: c.parts.gain,
	})
	switch {
	case r.vertex < 0: // What only labels speak for has nothing that could be silent.
	case len(own) == 0:
		out = append(out, v.silent(r.ent, -lateOwn*c.parts.late))
	case c.parts.late > 0.2:
		out = append(out, v.late(c, own[0]))
	}
	return out
}

// sign is a member as evidence of trouble at an entity: an alert by its onset, an anomaly by its value.
func (v *view) sign(it *item, entity string) cause.Evidence {
	began := fmt.Sprintf("%s at %s began %s", it.rec.place.name, v.s.world.v[it.vertex].ent.Name, after(it.onset-v.firstAlert().onset))
	if a := it.rec.Anomaly; a != nil {
		return cause.Evidence{
			Kind: "anomaly", For: true, Entity: entity, Text: cmp.Or(a.Brief, a.Text, began), Time: sampleTime(a), Query: a.Query, Value: a.Value,
			Weight: 1, Expected: &a.Expected, Lower: &a.Lower, Upper: &a.Upper,
		}
	}
	return cause.Evidence{
		Kind: "alert", For: true, Entity: entity, Text: began, Time: it.start, Value: it.onset, Weight: 1,
		Query: promSelector("ALERTS_FOR_STATE", v.queried(it.rec.Labels)),
	}
}

// silent says that no alert tells of an entity.
func (v *view) silent(ent topology.Entity, weight float64) cause.Evidence {
	from, to := v.span()
	names := v.namesOf(ent)
	text, told := fmt.Sprintf("%s has no alert of its own", ent.Name), 0
	for _, it := range v.s.items {
		named := slices.ContainsFunc(names, func(l model.LabelName) bool { return string(it.rec.Labels[l]) == ent.Name })
		if named && it.rec.Anomaly == nil && !it.start.After(to) && (it.end.IsZero() || !it.end.Before(from)) {
			told++
		}
	}
	if told > 0 {
		text += "; " + plural(told, "alert that bears its name is", "alerts that bear its name are") + " about something else"
	}
	firing := make([]string, len(names))
	for i, l := range names {
		sel := promSelector("ALERTS", model.LabelSet{"alertstate": "firing", l: model.LabelValue(ent.Name)})
		firing[i] = over(sel, from, to)
	}
	return cause.Evidence{
		Kind: "silent", Entity: ent.Name, Time: to, Value: float64(told), Weight: weight, Text: text,
		Query: "count(" + strings.Join(firing, " or ") + ")",
	}
}

// late says that the first alert of the root itself came after others.
func (v *view) late(c ranked, own *item) cause.Evidence {
	first := v.firstAlert()
	_, to := v.span()
	onset := func(it *item) string {
		if it.rec.Anomaly != nil {
			return strconv.FormatFloat(it.onset, 'f', 3, 64) // No alert: a claim of its own says what it rests on.
		}
		return "min(" + over(promSelector("ALERTS_FOR_STATE", v.queried(it.rec.Labels)), it.start.Add(-it.hold), to) + ")"
	}
	what := "its own alerts"
	if own.rec.Anomaly != nil {
		what = "its own anomalies"
	}
	return cause.Evidence{
		Kind: "onset", Entity: v.s.prob.roots[c.root].ent.Name, Time: to, Value: own.onset - first.onset, Weight: -lateOwn * c.parts.late,
		Text:  what + " began " + after(own.onset-first.onset),
		Query: onset(own) + " - " + onset(first),
	}
}

// span is from when the incident's members began until the last of them did.
func (v *view) span() (from, to time.Time) {
	from, to = v.g.items[0].start, v.g.items[0].start
	for _, it := range v.g.items {
		from, to = minTime(from, it.start), maxTime(to, it.start)
	}
	return from, to
}

// over is PromQL for a series at any time of a stretch, whenever it is run. Alerts and their samples may be
// milliseconds apart, as clients write times in whole ones.
func over(selector string, from, to time.Time) string {
	to = to.Truncate(time.Second).Add(time.Second)
	width := max(to.Sub(from.Truncate(time.Second)), time.Second) + time.Second
	return fmt.Sprintf("max_over_time(%s[%s] @ %d)", selector, model.Duration(width), to.Unix())
}

// namesOf are the labels by which alerts may name an entity: of those that the incident's alerts have.
func (v *view) namesOf(e topology.Entity) []model.LabelName {
	var known []string
	switch e.Kind {
	case topology.KindPod:
		known = []string{"pod"}
	case topology.KindNode:
		known = []string{"node", "nodename", "kubernetes_node", "host", "hostname", "instance"}
	case topology.KindInstance:
		known = []string{"instance"}
	case topology.KindVolume:
		known = []string{"persistentvolumeclaim", "volume"}
	case topology.KindZone:
		known = []string{"zone", "availability_zone", "topology_kubernetes_io_zone", "az"}
	default:
		known = v.e.cfg.EntityLabels
	}
	var out []model.LabelName
	for _, l := range known {
		name := model.LabelName(l)
		if slices.ContainsFunc(v.g.items, func(it *item) bool { return it.rec.Labels[name] != "" }) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		out = []model.LabelName{model.LabelName(known[0])}
	}
	return out
}

// after says a time relative to the onset of the first alert.
func after(s float64) string {
	switch {
	case math.Abs(s) < 5:
		return "first"
	case s < -120:
		return fmt.Sprintf("%.0f min before the first", -s/60)
	case s < 0:
		return fmt.Sprintf("%.0f s before the first", -s)
	case s < 120:
		return fmt.Sprintf("%.0f s after the first", s)
	}
	return fmt.Sprintf("%.0f min after the first", s/60)
}

// sampleTime is when the anomaly's value was taken, so that its query gives it again.
func sampleTime(a *Anomaly) time.Time {
	if a.At.IsZero() {
		return a.Since
	}
	return a.At
}

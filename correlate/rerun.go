package correlate

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tidemark/tidemark/correlate/topology"
)

// Claims that no metric holds are run again by Tidemark itself: their query is a path of its API, and what they claim is
// the number "value" of the answer, or how many entries it has.

// OwnPath begins the queries that Tidemark's own API answers.
const OwnPath = "/api/v1/"

// coveragePath is the query of how many members a root explains.
func coveragePath(incident string, r *root, start float64) string {
	q := url.Values{"cause": {r.String()}, "start": {strconv.FormatFloat(start, 'f', 3, 64)}}
	return OwnPath + "incidents/" + url.PathEscape(incident) + "/coverage?" + q.Encode()
}

// String names a root: its entity, and how it is one where there is more than one way.
func (r *root) String() string {
	switch {
	case r.load:
		return r.ent.String() + " (load)"
	case r.everyone:
		return r.ent.String() + " (all)"
	}
	return r.ent.String()
}

// Coverage is which members of an incident a cause explains.
type Coverage struct {
	Value     int      `json:"value"` // how many it explains
	Explained []string `json:"explained"`
	Others    []string `json:"others,omitempty"` // what it does not
}

// Coverage explains the alerts and anomalies of an incident again by one cause, named as in its evidence, that starts
// at a time: on the graph of that time, with nothing kept from the first explanation. False: there is no such incident
// any more, or nothing that could be such a cause.
func (e *Engine) Coverage(incident, cause string, start time.Time) (Coverage, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tracked[incident]
	if t == nil || t.group == nil {
		return Coverage{}, false
	}
	items := make([]*item, len(t.in.items))
	for i, it := range t.in.items {
		fresh := *it
		items[i] = &fresh
	}
	x := explainer{dens: e.x.dens, history: e.x.history, apart: true}
	s := x.pose(items, e.deps.Topology.At(items[len(items)-1].start))
	i := slices.IndexFunc(s.prob.roots, func(r root) bool { return r.String() == cause })
	if i < 0 {
		return Coverage{}, false
	}
	explained := map[*record]map[time.Time]bool{}
	for _, x := range s.prob.roots[i].cells {
		if s.prob.gain(x, seconds(start)) > 0 {
			for _, n := range s.prob.cells[x.cell].items {
				if explained[items[n].rec] == nil {
					explained[items[n].rec] = map[time.Time]bool{}
				}
				explained[items[n].rec][items[n].start] = true
			}
		}
	}
	out := Coverage{Explained: []string{}}
	for _, it := range t.group.items {
		name := it.rec.place.name + " at " + t.in.world.v[it.vertex].ent.Name
		if explained[it.rec][it.start] {
			out.Value++
			out.Explained = append(out.Explained, name)
		} else {
			out.Others = append(out.Others, name)
		}
	}
	return out, true
}

// changePath is the query of a change of an entity that was told and that no metric shows.
func changePath(c *Change, entity string) string {
	at := c.Time.UTC().Format(time.RFC3339Nano)
	q := url.Values{"from": {at}, "to": {at}, "kind": {c.Kind}, "text": {c.Text}, "entity": {entity}}
	return OwnPath + "changes?" + q.Encode()
}

// ChangeFilter chooses changes; what is empty chooses all.
type ChangeFilter struct {
	From, To           time.Time // both included
	Kind, Text, Entity string
}

// Changes are the changes that are known, in order of time.
func (e *Engine) Changes(f ChangeFilter) []Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []Change{}
	for _, c := range e.changes {
		switch {
		case !f.From.IsZero() && c.Time.Before(f.From), !f.To.IsZero() && c.Time.After(f.To):
		case f.Kind != "" && c.Kind != f.Kind, f.Text != "" && c.Text != f.Text:
		case f.Entity != "" && !c.matches(topology.Entity{Name: f.Entity}):
		default:
			out = append(out, c)
		}
	}
	return out
}

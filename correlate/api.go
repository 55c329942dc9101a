package correlate

import (
	"cmp"
	"slices"

	"github.com/prometheus/common/model"
)

// Incidents returns all incidents that are kept: firing first, then the newest first.
func (e *Engine) Incidents() []Incident {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Incident, 0, len(e.tracked))
	for _, t := range e.tracked {
		out = append(out, *e.renderOf(t))
	}
	slices.SortFunc(out, func(a, b Incident) int {
		return cmp.Or(cmp.Compare(a.State, b.State), b.FirstAlert.Compare(a.FirstAlert), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Incident returns one incident by its ID.
func (e *Engine) Incident(id string) (Incident, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tracked[id]
	if t == nil {
		return Incident{}, false
	}
	return *e.renderOf(t), true
}

// IncidentOf is the incident that the latest firing of an alert belongs to; empty: none.
func (e *Engine) IncidentOf(ls model.LabelSet) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, id := identity(ls, e.cfg.ReplicaLabels)
	r := e.records[id]
	if r == nil || len(r.Spans) == 0 {
		return ""
	}
	starts := r.Spans[len(r.Spans)-1].Starts
	return e.owners[itemKey{id, starts[len(starts)-1].UnixNano()}]
}

// queried are the labels by which Prometheus finds an alert: without those that only the engine knows, and those that
// Prometheus adds when it sends.
func (v *view) queried(ls model.LabelSet) model.LabelSet {
	out := ls.Clone()
	delete(out, anomalyLabel)
	if v.e.deps.External != nil {
		for name, value := range v.e.deps.External() {
			if out[name] == value {
				delete(out, name)
			}
		}
	}
	return out
}

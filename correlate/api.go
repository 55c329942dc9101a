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

// withoutSynthetic drops labels that only the engine knows.
func withoutSynthetic(ls model.LabelSet) model.LabelSet {
	if _, ok := ls[anomalyLabel]; !ok {
		return ls
	}
	out := ls.Clone()
	delete(out, anomalyLabel)
	return out
}

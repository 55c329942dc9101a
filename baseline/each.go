package baseline

import (
	"cmp"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// All returns every series, sorted by watch and labels: what a load brought back, for instance.
func (e *Engine) All() []*Series {
	e.mu.RLock()
	all := slices.Collect(e.series.each)
	e.mu.RUnlock()
	text := make(map[*Series]labels.Labels, len(all)) // The labels are made once, not at each comparison.
	for _, s := range all {
		text[s] = s.Labels()
	}
	slices.SortFunc(all, func(a, b *Series) int {
		return cmp.Or(cmp.Compare(a.Watch(), b.Watch()), labels.Compare(text[a], text[b]))
	})
	return all
}

// Each calls fn for every series there is, in no order.
func (e *Engine) Each(fn func(*Series)) {
	e.mu.RLock()
	all := slices.Collect(e.series.each)
	e.mu.RUnlock()
	for _, s := range all {
		fn(s)
	}
}

// Find returns the series of a watch with these labels, if there is one.
func (e *Engine) Find(watch string, ls labels.Labels) (*Series, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s := e.find(watch, ls)
	return s, s != nil
}

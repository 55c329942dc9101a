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

// Each calls fn for every series there is, in an order that depends on their watches and labels alone. It takes
// little memory.
func (e *Engine) Each(fn func(*Series)) {
	for _, s := range e.hashed() {
		fn(s)
	}
}

// hashed are all series, sorted by watch and by a hash of their labels.
func (e *Engine) hashed() []*Series {
	type at struct {
		s    *Series
		hash uint64
	}
	e.mu.RLock()
	all := make([]at, 0, e.series.n)
	for s := range e.series.each {
		all = append(all, at{s, labels.StableHash(s.labelSet())})
	}
	e.mu.RUnlock()
	slices.SortFunc(all, func(a, b at) int {
		return cmp.Or(cmp.Compare(a.s.Watch(), b.s.Watch()), cmp.Compare(a.hash, b.hash))
	})
	out := make([]*Series, len(all))
	for i, x := range all {
		out[i] = x.s
	}
	return out
}

// Find returns the series of a watch with these labels, if there is one.
func (e *Engine) Find(watch string, ls labels.Labels) (*Series, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s := e.find(watch, ls)
	return s, s != nil
}

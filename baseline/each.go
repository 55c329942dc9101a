package baseline

import (
	"cmp"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// All returns every series, sorted by watch and labels: what a load brought back, for instance.
func (e *Engine) All() []*Series {
	e.mu.RLock()
	all := make([]*Series, 0, len(e.series))
	for _, s := range e.series {
		all = append(all, s)
	}
	e.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Series) int {
		return cmp.Or(cmp.Compare(a.watch, b.watch), labels.Compare(a.labels, b.labels))
	})
	return all
}

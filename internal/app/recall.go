package app

import (
	"cmp"
	"context"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/internal/web"
)

const (
	// recalled is how many series of a large fleet have their samples kept because somebody looked at them: 6 MB of them.
	recalled = 500
	// recalledAtOnce is how many of these one look may ask for.
	recalledAtOnce = recalled * 3 / 5
	// recallTimeout bounds one asking: a page that waits for a slow Prometheus is worse than one without a chart.
	recallTimeout = 4 * time.Second
)

// recall gives series of a large fleet, whose samples are not kept, what those of a small one have: their recent
// samples, read from Prometheus when a page or a ranking looks at them, and kept up from then on, until as
// many others have been looked at since. It is safe for concurrent use.
type recall struct {
	read ranger
	busy chan struct{} // One asks at a time.

	mu   sync.Mutex
	kept []*entry // That which was looked at longest ago first.
}

func newRecall(read ranger) *recall { return &recall{read: read, busy: make(chan struct{}, 1)} }

// samples sees to it that the samples of these series are kept, if Prometheus gives them in time. External are labels that
// queries leave out. A nil recall keeps none.
func (r *recall) samples(ctx context.Context, want []*entry, external labels.Labels) error {
	if r == nil || !slices.ContainsFunc(want, (*entry).isLarge) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recallTimeout)
	defer cancel()
	select {
	case r.busy <- struct{}{}:
		defer func() { <-r.busy }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	missing := map[*watch][]*entry{}
	for _, e := range want {
		if e.begin() {
			missing[e.watch] = append(missing[e.watch], e)
		}
	}
	var failed error
	for _, w := range slices.SortedFunc(maps.Keys(missing), func(a, b *watch) int { return cmp.Compare(a.Name, b.Name) }) {
		if err := r.fill(ctx, w, missing[w], external); err != nil {
			failed = err
			for _, e := range missing[w] {
				e.drop() // The next look asks again.
			}
		}
	}
	r.note(want)
	return failed
}

// fill reads the samples of series of one watch up to the last step that was scored.
func (r *recall) fill(ctx context.Context, w *watch, of []*entry, external labels.Labels) error {
	known := make(map[string]*entry, len(of))
	last := int64(0)
	for _, e := range of {
		known[e.series.Labels().String()] = e
		last = max(last, e.series.Last().Time)
	}
	if last == 0 {
		return nil
	}
	to := time.UnixMilli(last)
	return r.read.Range(ctx, alone(w, of, external), to.Add(-(ringSize-1)*w.interval), to, w.interval, func(ls labels.Labels, t []int64, v []float64) error {
		if e := known[ls.String()]; e != nil {
			e.fillBack(t, v)
		}
		return nil
	})
}

// note remembers who was looked at, and lets those go that were looked at longest ago.
func (r *recall) note(looked []*entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := make(map[*entry]bool, len(looked))
	for _, e := range looked {
		again[e] = e.isRecalled()
	}
	r.kept = slices.DeleteFunc(r.kept, func(e *entry) bool { _, is := again[e]; return is })
	for _, e := range looked {
		if again[e] {
			r.kept, again[e] = append(r.kept, e), false // Once, if it was named twice.
		}
	}
	for len(r.kept) > recalled {
		r.kept[0].drop()
		r.kept = slices.Delete(r.kept, 0, 1)
	}
}

// begin makes a place for the samples of a series that has none, and says whether they are to be read.
func (e *entry) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.more != nil && e.more.ring != nil {
		return false
	}
	e.has().ring = &ring{recalled: true}
	return true
}

// isLarge says whether the series is one of a large fleet: its samples are not kept, or only because it was looked at.
func (e *entry) isLarge() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.more == nil || e.more.ring == nil || e.more.ring.recalled
}

// isRecalled says whether the samples of the series are kept because it was looked at.
func (e *entry) isRecalled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.more != nil && e.more.ring != nil && e.more.ring.recalled
}

// drop lets the samples of a series go that was looked at.
func (e *entry) drop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.more != nil && e.more.ring != nil && e.more.ring.recalled {
		e.more.ring = nil
	}
}

// fillBack files samples that are older than those that are kept already. What was expected of them is not known any more.
func (e *entry) fillBack(t []int64, v []float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.more == nil || e.more.ring == nil {
		return
	}
	nan := math.NaN()
	older := e.more.ring.points()
	var newer []web.Point
	if n := len(older); n > 0 && len(t) > 0 { // Samples came while Prometheus was asked.
		i := slices.IndexFunc(older, func(p web.Point) bool { return p.Time >= t[0] })
		if i >= 0 {
			older, newer = older[:i], older[i:]
		}
	}
	whole := &ring{recalled: true}
	for _, p := range older {
		whole.add(p)
	}
	for i := range t {
		if len(newer) > 0 && t[i] >= newer[0].Time {
			break
		}
		whole.add(web.Point{Time: t[i], Value: v[i], Expected: nan, Lower: nan, Upper: nan, Score: nan})
	}
	for _, p := range newer {
		whole.add(p)
	}
	e.more.ring = whole
}

// aloneUntil is up to how many series a query names one by one in a pattern.
const aloneUntil = 1000

// alone is PromQL for some of the series of a watch: its expression with a pattern of their values of one label, that which
// tells most of them apart. For one it is the query of the series.
func alone(w *watch, of []*entry, external labels.Labels) string {
	if len(of) == 1 {
		return of[0].query(external)
	}
	if len(of) > aloneUntil {
		return w.Expr
	}
	values := map[string]map[string]bool{}
	count := map[string]int{}
	for _, e := range of {
		without(e.series.Labels(), external).Range(func(l labels.Label) {
			if values[l.Name] == nil {
				values[l.Name] = map[string]bool{}
			}
			values[l.Name][l.Value] = true
			count[l.Name]++
		})
	}
	name := ""
	for _, n := range slices.Sorted(maps.Keys(values)) {
		if n != model.MetricNameLabel && count[n] == len(of) && (name == "" || len(values[n]) > len(values[name])) {
			name = n
		}
	}
	if name == "" {
		return w.Expr
	}
	patterns := slices.Sorted(maps.Keys(values[name]))
	for i := range patterns {
		patterns[i] = regexp.QuoteMeta(patterns[i])
	}
	m, err := labels.NewMatcher(labels.MatchRegexp, name, strings.Join(patterns, "|"))
	if err != nil {
		return w.Expr
	}
	return narrow(w.Expr, m)
}

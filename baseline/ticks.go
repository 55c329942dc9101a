package baseline

import (
	"cmp"
	"slices"
	"time"
)

// Together is how much of the end of the history teaches how siblings stand to each other. What is usual among them
// is remembered with a half-life of three days, so that more would hardly count.
const Together = 7 * 24 * time.Hour

// Ticks feeds the samples of many series in order of time, with the end of each tick: what compares series learns
// from history as it does live. It is not safe for concurrent use.
type Ticks struct {
	engine *Engine
	watch  string
	rows   []tickRow
}

type tickRow struct {
	t      int64
	v      float64
	series *Series
}

// Ticks is an empty collection of a watch's samples.
func (e *Engine) Ticks(watch string) *Ticks { return &Ticks{engine: e, watch: watch} }

// Add files samples of one series, in order of time (unix milliseconds).
func (k *Ticks) Add(s *Series, t []int64, v []float64) {
	for i := range t {
		k.rows = append(k.rows, tickRow{t[i], v[i], s})
	}
}

// Len is the number of samples filed.
func (k *Ticks) Len() int { return len(k.rows) }

// Feed observes what was filed, tick by tick, and files nothing any more. Each sample's score is told, then
// what the tick as a whole shows; found comes before the samples of the next tick. Within a tick series come in the
// order in which they were added first. The tick at open is left without its end: the caller calls EndTick.
func (k *Ticks) Feed(open int64, each func(*Series, Score), found func(Finding)) {
	slices.SortStableFunc(k.rows, func(a, b tickRow) int { return cmp.Compare(a.t, b.t) })
	for i := 0; i < len(k.rows); {
		t := k.rows[i].t
		for ; i < len(k.rows) && k.rows[i].t == t; i++ {
			r := &k.rows[i]
			each(r.series, r.series.Observe(t, r.v))
		}
		if t == open {
			continue
		}
		for _, f := range k.engine.compare(k.watch, t) {
			found(f)
		}
	}
	clear(k.rows)
	k.rows = k.rows[:0]
}

package app

import (
	"time"

	"github.com/tidemark/tidemark/baseline"
)

// tickSamples bounds the samples that are held until all series of their tick are there.
const tickSamples = 1 << 20

// slice is how far one call evaluates a watch from a time on, and where to collect its samples when they are to be
// fed tick by tick.
func (s *scorer) slice(w *watch, from, end time.Time) (to time.Time, together *ticks) {
	to = from.Add(learnSlice).Truncate(time.Hour).Add(-w.interval) // A slot of the day ends there: no series has half of one.
	if to.Before(from) {
		to = from.Add(learnSlice)
	}
	if len(w.GroupBy) > 0 {
		alone := end.Add(-baseline.Together)
		if from.Before(alone) {
			to = minTime(to, alone.Truncate(w.interval))
		} else {
			s.mu.Lock()
			steps := tickSamples / max(1, len(w.list))
			s.mu.Unlock()
			to = from.Add(time.Duration(min(max(1, steps), int(time.Hour*24/w.interval))) * w.interval)
			together = &ticks{s.engine.Ticks(w.Name), map[*baseline.Series]*entry{}}
		}
	}
	return minTime(to, end), together
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// ticks are the samples of a slice of a watch whose series are compared.
type ticks struct {
	*baseline.Ticks
	of map[*baseline.Series]*entry
}

func (k *ticks) add(e *entry, t []int64, v []float64) {
	k.of[e.series] = e
	k.Add(e.series, t, v)
}

// feed observes them tick by tick; the tick at open is left without its end.
func (k *ticks) feed(open int64) {
	k.Feed(open, func(bs *baseline.Series, sc baseline.Score) { k.of[bs].keep(sc, true) },
		func(f baseline.Finding) { k.of[f.Series].found(f) })
}

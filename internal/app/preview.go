package app

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/internal/web"
)

const (
	// aheadStep is the distance of the samples that are read ahead of scoring.
	aheadStep = 5 * time.Second
	// aheadBack is how long before the first alert it is begun, so that all of a young fault has the same spacing
	// and a mean over it can be asked for again.
	aheadBack = 10 * time.Minute
	// aheadTimeout bounds one reading: a first page that waits for a slow Prometheus is worse than one
	// without its metrics.
	aheadTimeout = 4 * time.Second
	// aheadReads is how many watches are read at once.
	aheadReads = 2
)

// preview is what was read after the last scored step of the watches, for incidents that are about to be told:
// they ask what their entities show at this moment, up to a scoring interval before the scores do. Nothing
// of it is scored. One reading serves all incidents of a storm. It is not safe for concurrent use.
type preview struct {
	from, to time.Time
	points   map[*entry][]web.Point
}

// upTo returns samples of every watch from aheadBack before the first alert up to look at least.
func (p *preview) upTo(ctx context.Context, deps evidenceDeps, firstAlert, look time.Time, external labels.Labels) map[*entry][]web.Point {
	if from := firstAlert.Add(-aheadBack); p.points == nil || from.Before(p.from) || look.After(p.to) {
		p.from, p.to = from, deps.now().Add(-ingestDelay)
		if p.to.Before(look) {
			p.to = look
		}
		p.points = deps.scorer.readAhead(ctx, p.from, p.to, external)
	}
	return p.points
}

// readAhead evaluates every watch between two times, of a large one the series alone whose samples are kept. A
// watch that cannot be read in time is left out.
func (s *scorer) readAhead(ctx context.Context, from, to time.Time, external labels.Labels) map[*entry][]web.Point {
	ctx, cancel := context.WithTimeout(ctx, aheadTimeout)
	defer cancel()
	var mu sync.Mutex
	out := map[*entry][]web.Point{}
	var g errgroup.Group
	g.SetLimit(aheadReads)
	for _, w := range s.watchList() {
		expr, known := s.ringed(w, external)
		if len(known) == 0 {
			continue
		}
		g.Go(func() error {
			err := s.read.Range(ctx, expr, from, to, aheadStep, func(ls labels.Labels, t []int64, v []float64) error {
				e := known[ls.String()]
				if e == nil {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				for i := range t {
					out[e] = append(out[e], web.Point{Time: t[i], Value: v[i]})
				}
				return nil
			})
			if err != nil && ctx.Err() == nil {
				s.logger.Debug("Reading ahead failed", "watch", w.Name, "err", err)
			}
			return nil
		})
	}
	_ = g.Wait() // Failures are in the log; what was read counts.
	return out
}

// ringed are the series of a watch whose samples are kept, by their labels' text, and PromQL for them.
func (s *scorer) ringed(w *watch, external labels.Labels) (expr string, known map[string]*entry) {
	s.mu.Lock()
	list := w.list[:len(w.list):len(w.list)]
	s.mu.Unlock()
	known = map[string]*entry{}
	var of []*entry
	for _, e := range list {
		if e.rest().ring != nil {
			known[e.series.Labels().String()] = e
			of = append(of, e)
		}
	}
	if len(of) < len(list)/2 {
		return alone(w, of, external), known
	}
	return w.Expr, known
}

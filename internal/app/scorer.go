package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/rules"
)

const (
	// ingestDelay is how long a scrape may take to reach Prometheus' storage before a step is read.
	ingestDelay = 3 * time.Second
	// recently is how long after its last anomaly a series still counts as interesting.
	recently = 6 * time.Hour
	// forgetAfter is how long a series may be gone before its baseline is dropped.
	forgetAfter = 14 * 24 * time.Hour
)

// ranger evaluates an expression over a range, series by series; promread.Client satisfies it.
type ranger interface {
	Range(ctx context.Context, expr string, from, to time.Time, step time.Duration, fn func(ls labels.Labels, t []int64, v []float64) error) error
}

// discoverFunc says what to watch now.
type discoverFunc func(ctx context.Context) ([]rules.Watch, error)

// scorer keeps the baselines: it learns the history of every watch, then scores each new step.
type scorer struct {
	logger  *slog.Logger
	read    ranger
	engine  *baseline.Engine
	history time.Duration
	now     func() time.Time
	stages  *stages
	anomaly func(now time.Time, e *entry)
	metrics scorerMetrics
	// discover says what to watch; it is asked again from time to time.
	discover discoverFunc

	learned atomic.Bool

	mu      sync.Mutex
	cursors map[string]time.Time // First step not scored yet, by watch, of a session before.
	watches []*watch
	entries []*entry // In the order of their arrival; what export walks.
}

type scorerMetrics struct {
	series    prometheus.GaugeFunc
	samples   prometheus.Counter
	failures  *prometheus.CounterVec
	anomalies *prometheus.CounterVec
	progress  prometheus.GaugeFunc
	damaged   prometheus.Counter
}

func newScorer(logger *slog.Logger, reg prometheus.Registerer, read ranger, engine *baseline.Engine, history time.Duration, discover discoverFunc, now func() time.Time, st *stages, anomaly func(time.Time, *entry)) *scorer {
	s := &scorer{logger: logger.With("component", "score"), read: read, engine: engine, history: history, discover: discover, now: now, stages: st, anomaly: anomaly, cursors: map[string]time.Time{}}
	f := promauto.With(reg)
	s.metrics = scorerMetrics{
		series: f.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemark_series", Help: "Series that are watched."}, func() float64 { return float64(s.Len()) }),
		samples: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_samples_scored_total", Help: "Samples learned and scored, history included.",
		}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_watch_failures_total", Help: "Evaluations of a watch that failed.",
		}, []string{"watch"}),
		anomalies: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_anomalies_total", Help: "Anomalies that began, by kind.",
		}, []string{"kind"}),
		damaged: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_baseline_damaged_records_total", Help: "Saved baselines that were damaged: set aside and learned again.",
		}),
		progress: f.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidemark_learning_ratio", Help: "Share of the history that is learned, over all watches.",
		}, s.progress),
	}
	for _, kind := range []baseline.Kind{baseline.Point, baseline.Contextual, baseline.Collective, baseline.Shift, baseline.Flatline, baseline.Absence, baseline.Peer} {
		s.metrics.anomalies.WithLabelValues(string(kind)) // From 0 on: the increase of a counter that begins at 1 is 0.
	}
	return s
}

// Run finds what to watch, learns its history, one watch after the other so that Prometheus is never
// pressed, then scores each step as it comes.
func (s *scorer) Run(ctx context.Context) error {
	begin := s.now()
	if !s.refresh(ctx) {
		return nil
	}
	for _, w := range s.watchList() {
		if s.learn(ctx, w) != nil {
			return nil // Only the end of ctx ends learning.
		}
	}
	s.learned.Store(true)
	s.logger.Info("Learned the history of every watch", "watches", len(s.watches), "series", s.Len(), "took", s.now().Sub(begin).Round(time.Millisecond))
	s.stages.expect("score", 3*s.slowest()+time.Minute)
	lookAgain := s.now().Add(discoverInterval)
	for {
		wait := s.nextDue().Sub(s.now())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(wait, 50*time.Millisecond)):
		}
		s.tick(ctx)
		if s.now().After(lookAgain) {
			lookAgain = s.now().Add(discoverInterval)
			if err := s.update(ctx); err != nil && ctx.Err() == nil {
				s.logger.Warn("Looking for new things to watch failed, the old ones stay", "err", err)
			}
		}
	}
}

// discoverInterval is how often it is looked anew what to watch.
const discoverInterval = 10 * time.Minute

// learn reads the history of one watch until it succeeds or ctx ends; failures are waited out.
func (s *scorer) learn(ctx context.Context, w *watch) error {
	pause := 2 * time.Second
	for {
		err := s.catchUp(ctx, w)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.note(w, err)
		if err == nil {
			s.mu.Lock()
			w.learned, w.done = true, 1
			s.mu.Unlock()
			return nil
		}
		s.logger.Warn("Reading history failed, trying again", "watch", w.Name, "pause", pause, "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Minute)
	}
}

// learnSlice is how much history one call evaluates, so that memory stays bounded and progress shows.
const learnSlice = 7 * 24 * time.Hour

// catchUp evaluates the watch from its next step to now, slice by slice, and scores what comes.
func (s *scorer) catchUp(ctx context.Context, w *watch) error {
	end := s.now().Add(-ingestDelay).Truncate(w.interval)
	s.mu.Lock()
	if w.next.IsZero() {
		w.next = end.Add(-s.history).Truncate(w.interval)
	}
	begin := w.next
	s.mu.Unlock()
	for from := begin; !from.After(end); {
		to := from.Add(learnSlice)
		if to.After(end) {
			to = end
		}
		if err := s.evaluate(ctx, w, from, to); err != nil {
			return err
		}
		from = to.Add(w.interval)
		s.mu.Lock()
		w.next = from
		if total := end.Sub(begin); total > 0 {
			w.done = min(1, float64(to.Sub(begin))/float64(total))
		}
		s.mu.Unlock()
	}
	return nil
}

// evaluate scores the steps from..to of one watch. A step that has been scored is not scored again:
// the series itself drops samples that are not newer than its last one.
func (s *scorer) evaluate(ctx context.Context, w *watch, from, to time.Time) error {
	err := s.read.Range(ctx, w.Expr, from, to, w.interval, func(ls labels.Labels, t []int64, v []float64) error {
		e := s.entry(w, ls)
		e.observe(t, v)
		s.metrics.samples.Add(float64(len(t)))
		return nil
	})
	if err != nil {
		return fmt.Errorf("evaluate watch %s: %w", w.Name, err)
	}
	return nil
}

// telling are the labels by which people know a series, the most telling first.
var telling = []string{"instance", "pod", "service", "deployment", "node", "job", "client", "server", "device", "mountpoint", "backend", "path", "handler"}

// tick scores every watch that is due.
func (s *scorer) tick(ctx context.Context) {
	var failed error
	for _, w := range s.watchList() {
		if ctx.Err() != nil {
			return
		}
		if s.now().Before(w.next.Add(ingestDelay)) {
			continue
		}
		if err := s.score(ctx, w); err != nil {
			failed = err
		}
	}
	s.stages.done("score", failed)
}

// score evaluates the steps of a watch that are due, marks the series that gave no sample, and tells
// what is anomalous.
func (s *scorer) score(ctx context.Context, w *watch) error {
	before := map[*entry]bool{}
	for _, e := range w.series {
		before[e] = e.series.Last().Active
	}
	err := s.catchUp(ctx, w)
	s.note(w, err)
	if err != nil {
		return err
	}
	last := w.next.Add(-w.interval).UnixMilli()
	s.mu.Lock()
	entries := make([]*entry, 0, len(w.series))
	for _, e := range w.series {
		entries = append(entries, e)
	}
	s.mu.Unlock()
	slices.SortFunc(entries, func(a, b *entry) int { return strings.Compare(a.block, b.block) })
	for _, e := range entries {
		e.absent(last)
	}
	for _, f := range s.engine.EndTick(w.Name, last) {
		if e := w.series[f.Series.Labels().String()]; e != nil {
			e.keep(f.Score, e.lastSample == f.Score.Time)
		}
	}
	for _, e := range entries {
		sc := e.series.Last()
		if sc.Active {
			e.mu.Lock()
			e.lastActive = last
			e.mu.Unlock()
			if !before[e] {
				s.metrics.anomalies.WithLabelValues(string(sc.Kind)).Inc()
			}
		}
		if sc.Active || before[e] {
			s.anomaly(s.now(), e)
		}
	}
	s.forget(w, last)
	return nil
}

func (s *scorer) note(w *watch, err error) {
	s.mu.Lock()
	w.err = err
	s.mu.Unlock()
	if err != nil {
		s.metrics.failures.WithLabelValues(w.Name).Inc()
	}
}

func (s *scorer) slowest() time.Duration {
	longest := time.Minute
	for _, w := range s.watchList() {
		longest = max(longest, w.interval)
	}
	return longest
}

func (s *scorer) nextDue() time.Time {
	due := s.now().Add(time.Minute)
	for _, w := range s.watchList() {
		if at := w.next.Add(ingestDelay); at.Before(due) {
			due = at
		}
	}
	return due
}

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
	"github.com/tidemark/tidemark/internal/admit"
	"github.com/tidemark/tidemark/internal/promread"
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

	gate    *admit.Gate
	live    *live
	raw     rawReader // Nil in tests: every step is read whole.
	recall  *recall   // Nil in tests: nobody asks for samples that are not kept.
	learned atomic.Bool
	taken   atomic.Int64 // Samples learned and scored.
	lit     int64        // The newest step at which any series had a sample, in ms; used by the scoring loop alone.
	began   time.Time
	alone   bool          // No learners run: a watch is learned when it is first scored.
	wake    chan struct{} // Says to learners that there may be a watch to learn.

	mu      sync.Mutex
	cursors map[string]time.Time // First step not scored yet, by watch, of a session before.
	watches []*watch
	entries []*entry // In the order of their arrival; what export walks.
	// announced says that it was told that every watch is learned.
	announced bool
}

type scorerMetrics struct {
	series    prometheus.GaugeFunc
	samples   prometheus.Counter
	failures  *prometheus.CounterVec
	anomalies *prometheus.CounterVec
	paging    prometheus.CounterFunc
	progress  prometheus.GaugeFunc
	damaged   prometheus.Counter
}

func newScorer(logger *slog.Logger, reg prometheus.Registerer, read ranger, engine *baseline.Engine, history time.Duration, discover discoverFunc, now func() time.Time, st *stages, anomaly func(time.Time, *entry)) *scorer {
	s := &scorer{logger: logger.With("component", "score"), read: read, engine: engine, history: history, discover: discover, now: now, stages: st, anomaly: anomaly, cursors: map[string]time.Time{}, wake: make(chan struct{}, learners), live: newLive(reg), gate: admit.New(admit.DefaultConfig(), admit.Shard{}, logger, nil, now)}
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
		paging: f.NewCounterFunc(prometheus.CounterOpts{
			Name: "tidemark_baseline_page_failures_total", Help: "Failed reads and writes of the file in which a large fleet's baselines partly lie.",
		}, func() float64 { return float64(s.engine.PageFailures()) }),
		progress: f.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidemark_learning_ratio", Help: "Share of the history that is learned, over all watches.",
		}, s.progress),
	}
	for _, kind := range []baseline.Kind{baseline.Point, baseline.Contextual, baseline.Collective, baseline.Shift, baseline.Flatline, baseline.Absence, baseline.Peer} {
		s.metrics.anomalies.WithLabelValues(string(kind)) // From 0 on: the increase of a counter that begins at 1 is 0.
	}
	return s
}

// Run finds what to watch, then learns the history of the watches, two at a time and first those that alerts
// use, and scores each new step of those that are learned.
func (s *scorer) Run(ctx context.Context) error {
	if !s.refresh(ctx) {
		return nil
	}
	s.began = s.now()
	s.noteLearned() // There may be nothing to watch.
	var loops sync.WaitGroup
	defer loops.Wait()
	for range learners {
		loops.Go(func() { s.learnAll(ctx) })
	}
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

// learnSlice is how much history one call evaluates, so that memory stays bounded and progress shows.
const learnSlice = 7 * 24 * time.Hour

// catchUp evaluates the watch from its next step to now, slice by slice, and scores what comes.
//
// Series that are compared with each other are fed tick by tick in the last part of the history, and live. Live the
// last tick is left open: its end comes when those that are absent are known.
func (s *scorer) catchUp(ctx context.Context, w *watch, live bool) error {
	end := s.now().Add(-w.delay()).Truncate(w.interval)
	s.mu.Lock()
	if w.next.IsZero() {
		w.next = end.Add(-s.history).Truncate(w.interval)
	}
	begin := w.next
	s.mu.Unlock()
	observeFrom := s.engine.ObserveFrom(end, len(w.GroupBy) > 0)
	for from := begin; !from.After(end); {
		to, ticks := s.slice(w, from, end)
		if err := s.evaluate(ctx, w, from, to, observeFrom, ticks); err != nil {
			return err
		}
		if ticks != nil {
			open := int64(0)
			if live {
				open = end.UnixMilli()
			}
			ticks.feed(open)
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

// briefSeries is up to how many series of a watch a step is read as plain samples, which Prometheus holds as a whole: in
// about 1 kB a series, as it does for a query of its own.
const briefSeries = 50_000

// evaluate scores the steps from..to of one watch; history before observeFrom is skimmed. A step that has been scored is not scored again:
// the series itself drops samples that are not newer than its last one.
func (s *scorer) evaluate(ctx context.Context, w *watch, from, to time.Time, observeFrom int64, ticks *ticks) error {
	s.mu.Lock()
	if w.learned && len(w.list) <= briefSeries {
		ctx = promread.Brief(ctx)
	}
	s.mu.Unlock()
	err := s.read.Range(ctx, w.Expr, from, to, w.interval, func(ls labels.Labels, t []int64, v []float64) error {
		e := s.entry(w, ls)
		if e == nil {
			return nil
		}
		if ticks == nil {
			e.observe(t, v, observeFrom)
		} else if n := e.unseen(t); n < len(t) {
			ticks.add(e, t[n:], v[n:])
		}
		s.metrics.samples.Add(float64(len(t)))
		s.taken.Add(int64(len(t)))
		return nil
	})
	if err != nil {
		return fmt.Errorf("evaluate watch %s: %w", w.Name, err)
	}
	return nil
}

// blindFrom is how many series there must be before the silence of all of them is taken for that of the monitoring.
const blindFrom = 10

// blind says whether no series of any watch has had a sample for two steps of a watch whose series are given, as while
// Prometheus is down: then none of them is absent.
func (s *scorer) blind(w *watch, of []*entry, step int64) bool {
	for _, e := range of {
		if e.lastSample == step {
			s.lit = max(s.lit, step)
			return false
		}
	}
	if s.lit == 0 { // The process has just begun.
		if newest := s.newest(); !newest.IsZero() {
			s.lit = newest.UnixMilli()
		}
	}
	return s.lit != 0 && s.lit <= step-2*w.interval.Milliseconds() && s.Len() >= blindFrom
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
		if s.now().Before(s.dueAt(w)) {
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
	done, err := s.advance(ctx, w)
	s.note(w, err)
	if err != nil || !done {
		return err
	}
	last := w.next.Add(-w.interval).UnixMilli()
	entries := s.inOrder(w)
	successors := replaced(entries, last)
	if s.blind(w, entries, last) {
		s.engine.Blind(last)
	}
	for _, e := range entries {
		e.absent(last, successors[e])
	}
	for _, f := range s.engine.EndTick(w.Name, last) {
		s.mu.Lock()
		e := s.entryOf(w, f.Series)
		s.mu.Unlock()
		if e != nil {
			e.found(f)
		}
	}
	for _, e := range entries {
		if !e.active && !e.before {
			continue
		}
		if e.active {
			e.mu.Lock()
			e.lastActive = last
			e.mu.Unlock()
			if !e.before {
				s.metrics.anomalies.WithLabelValues(string(e.series.Last().Kind)).Inc()
			}
		}
		s.anomaly(s.now(), e)
		e.before = e.active
	}
	s.forget(w, last)
	return nil
}

// inOrder are the series of a watch in the order of their labels. The slice is not changed later.
func (s *scorer) inOrder(w *watch) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.sorted {
		list := slices.Clone(w.list) // Others walk the old one.
		blocks := make(map[*entry]string, len(list))
		for _, e := range list {
			blocks[e] = e.block()
		}
		slices.SortFunc(list, func(a, b *entry) int { return strings.Compare(blocks[a], blocks[b]) })
		w.list, w.sorted = list, true
	}
	return w.list[:len(w.list):len(w.list)]
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

// dueAt is when a watch is to be scored; a watch that is not learned yet belongs to a learner.
func (s *scorer) dueAt(w *watch) time.Time {
	delay := w.delay()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.learned && !s.alone {
		return s.now().Add(time.Minute)
	}
	if at := w.next.Add(delay); at.After(w.wait) {
		return at
	}
	return w.wait
}

func (s *scorer) nextDue() time.Time {
	due := s.now().Add(time.Minute)
	if !s.learned.Load() {
		due = s.now().Add(time.Second) // A watch may be learned at any moment.
	}
	for _, w := range s.watchList() {
		if at := s.dueAt(w); at.Before(due) {
			due = at
		}
	}
	return due
}

package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/export"
	"github.com/tidemark/tidemark/internal/web"
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

// watch is one expression and the series that it gives.
type watch struct {
	rules.Watch
	metric   string // What it measures, in words, for the ranking of causes.
	interval time.Duration
	next     time.Time // The first step not scored yet.
	learned  bool
	done     float64 // Share of the history that is learned.
	err      error
	series   map[string]*entry // By the labels' text.
}

// entry is one watched series.
type entry struct {
	series *baseline.Series
	watch  *watch
	key    string // The labels' text.
	block  string
	labels labels.Labels

	mu             sync.Mutex
	seen           int64 // Time of the last sample or absence, in ms.
	lastSample     int64
	lastActive     int64
	kind, detector string // Of the anomaly that lasts, or of the last one.
	ring           *ring  // Recent samples; nil where there are too many series to keep them.

	anomaly *correlate.Anomaly // What the correlation knows of it; used by the scoring loop alone.
}

type scorerMetrics struct {
	series    prometheus.GaugeFunc
	samples   prometheus.Counter
	failures  *prometheus.CounterVec
	anomalies *prometheus.CounterVec
	progress  prometheus.GaugeFunc
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
		progress: f.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidemark_learning_ratio", Help: "Share of the history that is learned, over all watches.",
		}, s.progress),
	}
	return s
}

// progress is the mean over the watches of what is learned of their history.
func (s *scorer) progress() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watches) == 0 {
		return 1
	}
	sum := 0.0
	for _, w := range s.watches {
		sum += w.done
	}
	return sum / float64(len(s.watches))
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

// refresh asks what to watch until there is an answer; false when ctx ended first.
func (s *scorer) refresh(ctx context.Context) bool {
	pause := 2 * time.Second
	for {
		err := s.update(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() == nil {
			s.logger.Warn("Finding what to watch failed, trying again", "pause", pause, "err", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Minute)
	}
}

// update takes over what is to be watched now. A watch that stays as it was keeps its series.
func (s *scorer) update(ctx context.Context) error {
	found, err := s.discover(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := map[string]*watch{}
	for _, w := range s.watches {
		old[cursorKey(w.Watch)] = w
	}
	s.watches = s.watches[:0:0]
	for _, fw := range found {
		key := cursorKey(fw)
		w, known := old[key]
		if !known {
			w = &watch{metric: metricOf(fw.Name, fw.Expr), interval: time.Duration(fw.Interval), next: s.cursors[key], series: map[string]*entry{}}
		}
		w.Watch = fw
		s.watches = append(s.watches, w)
		delete(old, key)
	}
	for _, w := range old {
		for _, e := range w.series {
			s.engine.Remove(e.series)
		}
		s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool { return e.watch == w })
	}
	s.revive()
	return nil
}

// cursorKey tells watches apart whose scores may not be mixed.
func cursorKey(w rules.Watch) string {
	return fmt.Sprintf("%s\x00%s\x00%s", w.Name, w.Expr, w.Interval)
}

// revive makes entries of the series that the engine holds from a load or a session before; the lock
// is held.
func (s *scorer) revive() {
	byName := map[string]*watch{}
	for _, w := range s.watches {
		byName[w.Name] = w
	}
	for _, bs := range s.engine.All() {
		w := byName[bs.Watch()]
		if w == nil {
			s.engine.Remove(bs)
			continue
		}
		last := bs.Last().Time
		if _, ok := w.series[bs.Labels().String()]; ok || last == 0 {
			continue
		}
		e := s.enter(w, bs.Labels())
		e.seen, e.lastSample = last, last
		// Where the state ends, reading goes on: what came meanwhile is caught up.
		if at := time.UnixMilli(last).Add(w.interval).Truncate(w.interval); at.After(w.next) && !w.learned {
			w.next = at
		}
	}
}

// adopt takes over where a session before had come.
func (s *scorer) adopt(old *scorer) {
	old.mu.Lock()
	defer old.mu.Unlock()
	for _, w := range old.watches {
		s.cursors[cursorKey(w.Watch)] = w.next
	}
	s.learned.Store(old.learned.Load())
}

func (s *scorer) watchList() []*watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.watches)
}

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
		for i := range t {
			e.observe(t[i], v[i])
		}
		s.metrics.samples.Add(float64(len(t)))
		return nil
	})
	if err != nil {
		return fmt.Errorf("evaluate watch %s: %w", w.Name, err)
	}
	return nil
}

func (s *scorer) entry(w *watch, ls labels.Labels) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := w.series[ls.String()]; ok {
		return e
	}
	return s.enter(w, ls)
}

// enter begins to watch a series; the lock is held.
func (s *scorer) enter(w *watch, ls labels.Labels) *entry {
	out := export.SeriesLabels(ls, w.Name)
	e := &entry{
		series: s.engine.Add(w.Name, ls, w.interval, seriesOptions(w.Watch)), watch: w,
		key: labelSetOf(ls).String(), block: export.Block(out), labels: out,
	}
	if len(s.entries) < export.AutoLimit {
		e.ring = &ring{}
	}
	w.series[ls.String()] = e
	s.entries = append(s.entries, e)
	return e
}

func labelSetOf(ls labels.Labels) model.LabelSet {
	set := make(model.LabelSet, ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			set[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
	})
	return set
}

// telling are the labels by which people know a series, the most telling first.
var telling = []string{"instance", "pod", "service", "deployment", "node", "job", "client", "server", "device", "mountpoint", "backend", "path", "handler"}

// title names the series in a sentence: the watch and what it is about.
func (e *entry) title() string {
	var about []string
	for _, name := range telling {
		if v := e.series.Labels().Get(name); v != "" && !slices.Contains(about, v) {
			about = append(about, v)
		}
		if len(about) == 2 {
			break
		}
	}
	if len(about) == 0 {
		return e.watch.Name
	}
	return e.watch.Name + " of " + strings.Join(about, " ")
}

// labelSet are the series' own labels, without the metric's name.
func (e *entry) labelSet() model.LabelSet { return labelSetOf(e.series.Labels()) }

// observe scores one sample.
func (e *entry) observe(t int64, v float64) {
	if t <= e.seen {
		return
	}
	e.keep(e.series.Observe(t, v), true)
}

// absent scores the lack of the sample that was due at t.
func (e *entry) absent(t int64) {
	if t <= e.seen {
		return
	}
	sc := e.series.Absent(t)
	sc.Time, sc.Value = t, math.NaN()
	e.keep(sc, false)
}

// keep notes a score for charts, export and rankings.
func (e *entry) keep(sc baseline.Score, sample bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = sc.Time
	if sample {
		e.lastSample = sc.Time
	}
	if sc.Active {
		e.lastActive = sc.Time
		if sc.Kind != "" {
			e.kind, e.detector = string(sc.Kind), sc.Detector
		}
	}
	if e.ring != nil {
		e.ring.add(web.Point{Time: sc.Time, Value: sc.Value, Expected: sc.Expected, Lower: sc.Lower, Upper: sc.Upper, Score: sc.Raw})
	}
}

// recentPoints are the samples that are kept, oldest first.
func (e *entry) recentPoints() []web.Point {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ring == nil {
		return nil
	}
	return e.ring.points()
}

// profile is the expected value over the day, evenly spaced, and the season's name.
func (e *entry) profile() ([]float64, string) {
	points := e.series.Profile()
	out := make([]float64, len(points))
	for i, p := range points {
		out[i] = p.Expected
	}
	return out, e.series.Season().String()
}

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
	s.engine.EndTick(last)
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

// forget drops the series that have been gone for long.
func (s *scorer) forget(w *watch, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range w.series {
		if now-e.lastSample < forgetAfter.Milliseconds() {
			continue
		}
		s.engine.Remove(e.series)
		delete(w.series, key)
		s.entries = slices.DeleteFunc(s.entries, func(x *entry) bool { return x == e })
	}
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

// Len implements export.Source.
func (s *scorer) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// all are the watched series in the order of their arrival.
func (s *scorer) all() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries)
}

// find is the series of a watch with these labels.
func (s *scorer) find(watch, key string) (*entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if e.watch.Name == watch && e.key == key {
			return e, true
		}
	}
	return nil, false
}

// newest is the time of the newest sample of all watched series.
func (s *scorer) newest() time.Time {
	var last int64
	for _, e := range s.all() {
		e.mu.Lock()
		last = max(last, e.lastSample)
		e.mu.Unlock()
	}
	if last == 0 {
		return time.Time{}
	}
	return time.UnixMilli(last).UTC()
}

// status is how every watch does.
func (s *scorer) status() []web.WatchStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]web.WatchStatus, 0, len(s.watches))
	for _, w := range s.watches {
		st := web.WatchStatus{Name: w.Name, Expr: w.Expr, Origin: w.Origin, Series: len(w.series), Learned: w.done}
		if w.err != nil {
			st.Error = w.err.Error()
		}
		out = append(out, st)
	}
	return out
}

// horizons are the forecasts that are exported.
var horizons = []struct {
	name  string
	ahead time.Duration
}{{"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}}

// Each implements export.Source.
func (s *scorer) Each(fn func(*export.Series)) {
	var out export.Series
	for _, e := range s.all() {
		e.fill(&out)
		fn(&out)
	}
}

// fill writes what is exported of the series into out.
func (e *entry) fill(out *export.Series) {
	sc := e.series.Last()
	e.mu.Lock()
	seen, lastSample, lastActive := e.seen, e.lastSample, e.lastActive
	kind, detector := e.kind, e.detector
	e.mu.Unlock()
	nan := math.NaN()
	*out = export.Series{
		Block: e.block, Labels: e.labels, Watch: e.watch.Name, Time: sc.Time,
		Observed: sc.Value, Expected: sc.Expected, Lower: sc.Lower, Upper: sc.Upper,
		Score: sc.Raw, Alarm: sc.Alarm, BudgetRatio: e.series.BudgetRatio(),
		Active: out.Active[:0], Forecasts: out.Forecasts[:0], Limits: out.Limits[:0],
	}
	if seen > lastSample { // Stale: a series that is gone has no value and no band.
		out.Observed, out.Expected, out.Lower, out.Upper = nan, nan, nan, nan
	}
	if sc.Active {
		out.Active = append(out.Active, export.Active{Kind: cmp.Or(string(sc.Kind), kind, string(baseline.Collective)), Detector: cmp.Or(sc.Detector, detector)})
	}
	out.Interesting = sc.Active || seen-lastActive < recently.Milliseconds() && lastActive > 0
	for _, h := range horizons {
		f := e.series.Forecast(h.ahead)
		out.Forecasts = append(out.Forecasts, export.Forecast{Horizon: h.name, Expected: f.Expected, Lower: f.Lower, Upper: f.Upper})
	}
	if e.watch.Limit != nil {
		if l, ok := e.series.TimeToLimit(*e.watch.Limit); ok {
			out.Limits = append(out.Limits, export.Limit{Name: "declared", Seconds: l.Seconds, Lower: l.Lower, Upper: l.Upper})
		}
	}
}

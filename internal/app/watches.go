package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/export"
	"github.com/tidemark/tidemark/internal/feed"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/internal/web"
	"github.com/tidemark/tidemark/rules"
)

// watch is one expression and the series that it gives.
type watch struct {
	rules.Watch
	metric   string // What it measures, in words, for the ranking of causes.
	unit     string // Of its values, see rules.Unit.
	interval time.Duration
	window   time.Duration // How far each value looks back.
	next     time.Time     // The first step not scored yet.
	learned  bool
	done     float64 // Share of the history that is learned.
	err      error
	learner  bool     // It is being learned, or was.
	gone     bool     // It is no longer watched.
	list     []*entry // Its series.
	sorted   bool     // The list is in the order of their labels.
	swept    int64    // When it was last looked for series to forget, in ms.

	tail *tail // Nil: it is read whole each time. Used by the scoring loop alone.

	// Of the feed of remote write; used by the scoring loop alone.
	tap      *feed.Tap // Nil: the expression can't be computed from it.
	fed      bool
	verified time.Time // When the feed was last compared with what is read.
	wait     time.Time // Late samples are waited for until then.
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
		old[s.cursorKey(w.Watch)] = w
	}
	s.watches = s.watches[:0:0]
	for _, fw := range found {
		key := s.cursorKey(fw)
		w, known := old[key]
		if !known {
			w = &watch{metric: metricOf(fw.Name, fw.Expr), unit: rules.Unit(fw.Expr), interval: time.Duration(fw.Interval), window: promread.Window(fw.Expr), next: s.cursors[key], tap: s.live.tap(fw), tail: newTail(s.raw, fw, s.live.wanted(fw))}
		}
		w.Watch = fw
		s.watches = append(s.watches, w)
		delete(old, key)
	}
	for _, w := range old {
		if w.tap != nil {
			w.tap.Close()
		}
		w.gone = true
		for _, e := range w.list {
			s.engine.Remove(e.series)
		}
		s.drop(func(e *entry) bool { return e.watch == w })
	}
	s.revive()
	slices.SortStableFunc(s.watches, byUse)
	for range learners {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// cursorKey tells watches apart whose scores may not be mixed. Another shard is another share of the series: those
// that are new to it are to be learned from their history.
func (s *scorer) cursorKey(w rules.Watch) string {
	key := fmt.Sprintf("%s\x00%s\x00%s", w.Name, w.Expr, w.Interval)
	if shard := s.gate.Shard(); shard.Count > 1 {
		key += fmt.Sprintf("\x00%d/%d", shard.Index, shard.Count)
	}
	return key
}

// revive makes entries of the series that the engine holds from a load or a session before; the lock
// is held.
func (s *scorer) revive() {
	byName := map[string]*watch{}
	for _, w := range s.watches {
		byName[w.Name] = w
	}
	s.engine.Each(func(bs *baseline.Series) {
		w := byName[bs.Watch()]
		if w != nil && len(s.cursors) > 0 && w.next.IsZero() {
			w = nil // The watch means something else than when its baselines were saved.
		}
		if w == nil || !s.gate.Owns(w.Name, w.GroupBy, bs.Labels()) {
			s.engine.Remove(bs)
			return
		}
		last := bs.Last().Time
		if s.entryOf(w, bs) != nil || last == 0 {
			return
		}
		e := s.enter(w, bs.Labels())
		e.seen, e.lastSample = last, last
	})
}

// adopt takes over where a session before had come.
func (s *scorer) adopt(old *scorer) {
	old.mu.Lock()
	defer old.mu.Unlock()
	for _, w := range old.watches {
		s.cursors[s.cursorKey(w.Watch)] = w.next
	}
	s.learned.Store(old.learned.Load())
}

// positions are the first steps not scored yet, by watch.
func (s *scorer) positions() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]time.Time, len(s.watches))
	for _, w := range s.watches {
		if !w.next.IsZero() {
			out[s.cursorKey(w.Watch)] = w.next
		}
	}
	return out
}

func (s *scorer) watchList() []*watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.watches)
}

// entryOf is what is kept of a watch's series, nil when there is none; the lock is held. A series bears the number of its entry. One that comes from a session before may bear another's.
func (s *scorer) entryOf(w *watch, bs *baseline.Series) *entry {
	if i := int(bs.Number()) - 1; i >= 0 && i < len(s.entries) && s.entries[i].series == bs && s.entries[i].watch == w {
		return s.entries[i]
	}
	return nil
}

// drop forgets entries; the lock is held.
func (s *scorer) drop(gone func(*entry) bool) {
	s.entries = slices.DeleteFunc(slices.Clone(s.entries), gone) // Others walk the old ones.
	for i, e := range s.entries {
		e.series.SetNumber(uint32(i + 1))
	}
}

// entry is the series of a watch; a new one is begun, and nil when it may not be.
func (s *scorer) entry(w *watch, ls labels.Labels) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bs, ok := s.engine.Find(w.Name, ls); ok {
		if e := s.entryOf(w, bs); e != nil {
			return e
		}
	}
	if w.gone || !s.gate.Owns(w.Name, w.GroupBy, ls) || !s.gate.Admit(len(s.entries), ls) {
		return nil
	}
	return s.enter(w, ls)
}

// known is the series of a watch, nil when there is none.
func (s *scorer) known(w *watch, ls labels.Labels) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	bs, ok := s.engine.Find(w.Name, ls)
	if !ok {
		return nil
	}
	return s.entryOf(w, bs)
}

// enter begins to watch a series; the lock is held.
func (s *scorer) enter(w *watch, ls labels.Labels) *entry {
	e := &entry{series: s.engine.Add(w.Name, ls, w.interval, seriesOptions(w)), watch: w}
	e.active = e.series.Last().Active
	e.before = e.active
	if len(s.entries) < export.AutoLimit {
		e.more = &more{ring: &ring{}, kept: textsOf(ls, w.Name)}
	}
	if w.learned && e.series.First() == 0 {
		e.series.Resemble(s.alike(w, ls))
	}
	w.list, w.sorted = append(w.list, e), false
	s.entries = append(s.entries, e)
	e.series.SetNumber(uint32(len(s.entries)))
	return e
}

// asked bounds how many series of a watch a new one is compared with.
const asked = 256

// alike are the series of a watch that a new one may resemble, those first that it may have replaced; the lock
// is held.
func (s *scorer) alike(w *watch, ls labels.Labels) (out []*baseline.Series) {
	class, ok := classOf(ls)
	var rest []*baseline.Series
	for _, e := range w.list[:min(asked, len(w.list))] {
		if c, has := classOf(e.series.Labels()); ok && has && c == class {
			out = append(out, e.series)
		} else {
			rest = append(rest, e.series)
		}
	}
	return append(out, rest...)
}

// forget drops the series that have been gone for long; it looks once an hour.
func (s *scorer) forget(w *watch, now int64) {
	if now-w.swept < time.Hour.Milliseconds() {
		return
	}
	w.swept = now
	s.mu.Lock()
	defer s.mu.Unlock()
	dropped := false
	for _, e := range w.list {
		if now-e.lastSample < forgetAfter.Milliseconds() {
			continue
		}
		s.engine.Remove(e.series)
		e.forgotten, dropped = true, true
	}
	if dropped {
		forgotten := func(e *entry) bool { return e.forgotten }
		w.list = slices.DeleteFunc(slices.Clone(w.list), forgotten) // Others walk the old one.
		s.drop(forgotten)
	}
}

// Len implements export.Source.
func (s *scorer) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// all are the watched series in the order of their arrival. The slice is not changed later.
func (s *scorer) all() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[:len(s.entries):len(s.entries)]
}

// find is the series of a watch with these labels, written as its key is: without the metric's name.
func (s *scorer) find(watch, key string) (*entry, bool) {
	is := func(e *entry) bool { return e.texts().key == key }
	if ls, err := parser.NewParser(parser.Options{}).ParseMetric(key); err == nil { // Names in UTF-8 stand without quotes in a key.
		same := s.engine.Without(model.MetricNameLabel, ls)
		is = func(e *entry) bool { return same(e.series) }
	}
	list := s.of(watch)
	i := slices.IndexFunc(list, is)
	if i < 0 {
		return nil, false
	}
	return list[i], true
}

// of are the series of the watches of a name.
func (s *scorer) of(watch string) (out []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		if w.Name == watch {
			out = append(out[:len(out):len(out)], w.list...)
		}
	}
	return out
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
		st := web.WatchStatus{Name: w.Name, Expr: w.Expr, Origin: w.Origin, Series: len(w.list), Learned: w.done}
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

// Name implements export.Namer.
func (*scorer) Name(out *export.Series) { out.Owner.(*entry).name(out) }

// Fill implements export.Filler.
func (*scorer) Fill(out *export.Series) { out.Owner.(*entry).fillRest(out) }

// Package feed holds the latest samples that remote write brings of the watched series, until the step of a
// watch that needs them is evaluated.
package feed

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// Evaluator gives the value of a watch at a step from the samples of one series.
type Evaluator interface {
	// Labels are those of the result.
	Labels(ls labels.Labels) labels.Labels
	// At is the value at a step in unix milliseconds; false when there is none. It may change t and v.
	At(step int64, t []int64, v []float64) (float64, bool)
}

// Query is what a watch wants of the feed.
type Query struct {
	Evaluator
	Matchers []*labels.Matcher
	Window   int64         // milliseconds before a step that count
	LastOnly bool          // only the newest sample of the window counts, so that fewer are held
	Interval time.Duration // between steps
	// Wants says whether a series with these labels, the result's, is to be held at all; nil wants all.
	Wants func(ls labels.Labels) bool
}

// Feed holds the samples. It is safe for concurrent use.
type Feed struct {
	now func() time.Time

	mu         sync.Mutex
	generation func() uint64 // gives numbers that never come again
	current    uint64
	byName     map[string][]*Tap // taps whose selector fixes the metric's name
	nameless   []*Tap
	first      []int32 // by the number of a series: its first place in held, -1 none
	held       []held
	free       []int32
	samples    int64
}

// held is one series that one tap holds.
type held struct {
	tap    *Tap
	next   int32  // the same series for another tap, -1 none
	known  uint64 // the generation in which id is its number, 0 when it has none
	hash   uint64 // of the incoming labels
	labels labels.Labels
	data   any
	t      []int64
	v      []float64
	gap    int64 // between the last two samples, 0 unknown
}

// none ends a chain of places.
const none = int32(-1)

// New makes an empty feed. Generation must never give the same number twice in the life of the process: the sender
// of samples asks by it whether the numbers of series still hold.
func New(now func() time.Time, generation func() uint64) *Feed {
	return &Feed{now: now, generation: generation, current: generation(), byName: map[string][]*Tap{}}
}

// Tap is the part of the feed that one watch uses. Its methods are for one goroutine, the one that scores.
type Tap struct {
	feed  *Feed
	query Query
	name  string // of the metric, empty when the selector does not fix it

	// Guarded by the feed's lock.
	series []int32
	byHash map[uint64][]int32 // by the hash of the incoming labels
	since  int64              // from when on nothing was missed
	newest int64              // time of the newest sample of any series

	batch batch
}

// Open begins to hold the series of a query. All series are asked about again.
func (f *Feed) Open(q Query) *Tap {
	t := &Tap{feed: f, query: q, byHash: map[uint64][]int32{}, since: math.MaxInt64}
	for _, m := range q.Matchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			t.name = m.Value
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.name == "" {
		f.nameless = append(f.nameless, t)
	} else {
		f.byName[t.name] = append(f.byName[t.name], t)
	}
	f.renew()
	return t
}

// Close ends the tap.
func (t *Tap) Close() {
	f := t.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	without := func(ts []*Tap) []*Tap { return slices.DeleteFunc(ts, func(x *Tap) bool { return x == t }) }
	if t.name == "" {
		f.nameless = without(f.nameless)
	} else if f.byName[t.name] = without(f.byName[t.name]); len(f.byName[t.name]) == 0 {
		delete(f.byName, t.name)
	}
	for _, at := range t.series {
		f.held[at] = held{}
		f.free = append(f.free, at)
	}
	t.series, t.byHash = nil, nil
	f.renew()
}

// renew voids the numbers of all series: who sends must say again which is which. What is held stays.
func (f *Feed) renew() {
	f.current = f.generation()
	f.first = f.first[:0]
}

// Begin implements receiver.SampleSink. The feed waits until End.
func (f *Feed) Begin() (generation uint64) {
	f.mu.Lock()
	return f.current
}

// End implements receiver.SampleSink.
func (f *Feed) End() { f.mu.Unlock() }

// Add implements receiver.SampleSink: it finds the taps that the series is for.
func (f *Feed) Add(id uint32, ls labels.Labels) bool {
	for int(id) >= len(f.first) {
		f.first = append(f.first, none)
	}
	f.first[id] = none
	for _, t := range f.byName[ls.Get(model.MetricNameLabel)] {
		f.offer(t, id, ls)
	}
	for _, t := range f.nameless {
		f.offer(t, id, ls)
	}
	return f.first[id] != none
}

// offer lets a tap hold a series if it is one of its own; the lock is held.
func (f *Feed) offer(t *Tap, id uint32, ls labels.Labels) {
	for _, m := range t.query.Matchers {
		if !m.Matches(ls.Get(m.Name)) {
			return
		}
	}
	if t.since == math.MaxInt64 {
		t.since = f.now().UnixMilli()
	}
	result := t.query.Labels(ls)
	if t.query.Wants != nil && !t.query.Wants(result) {
		return
	}
	hash := ls.Hash()
	for _, at := range t.byHash[hash] {
		// The name that a function drops is the same for all series of a tap that drops it.
		if h := &f.held[at]; labels.Equal(h.labels, result) && h.known != f.current {
			h.known, h.next = f.current, f.first[id]
			f.first[id] = at
			return
		}
	}
	at := int32(len(f.held))
	if n := len(f.free); n > 0 {
		at, f.free = f.free[n-1], f.free[:n-1]
	} else {
		f.held = append(f.held, held{})
	}
	f.held[at] = held{tap: t, next: f.first[id], known: f.current, hash: hash, labels: result}
	f.first[id] = at
	t.series = append(t.series, at)
	t.byHash[hash] = append(t.byHash[hash], at)
}

// Append implements receiver.SampleSink.
func (f *Feed) Append(id uint32, t []int64, v []float64) (refused int) {
	for at := f.first[id]; at != none; at = f.held[at].next {
		refused = max(refused, f.held[at].append(t, v))
	}
	f.samples += int64(len(t))
	return refused
}

// append files samples in order of time and says how many were not newer than the last one. A sample that comes
// again as it was is passed over, as Prometheus does.
func (h *held) append(t []int64, v []float64) (refused int) {
	for i := range t {
		if n := len(h.t); n > 0 && t[i] <= h.t[n-1] {
			if t[i] < h.t[n-1] || math.Float64bits(v[i]) != math.Float64bits(h.v[n-1]) {
				refused++
			}
			continue
		} else if n > 0 {
			h.gap = t[i] - h.t[n-1]
			if n == cap(h.t) {
				h.trim(t[i])
			}
		}
		h.t, h.v = append(h.t, t[i]), append(h.v, v[i])
		h.tap.newest = max(h.tap.newest, t[i])
	}
	return refused
}

// trim drops what no step can need any more, so that the memory of a series stays as it is.
func (h *held) trim(newest int64) {
	n := 0
	if q := &h.tap.query; q.LastOnly {
		n, _ = slices.BinarySearch(h.t, newest-slack.Milliseconds())
		n = max(0, n-1) // the newest sample before stays
	} else {
		n, _ = slices.BinarySearch(h.t, newest-q.Window-slack.Milliseconds())
	}
	if n == 0 {
		return
	}
	h.t = append(h.t[:0], h.t[n:]...)
	h.v = append(h.v[:0], h.v[n:]...)
}

// Forget implements receiver.SampleSink. What is held stays until Sweep: the series may come back.
func (f *Feed) Forget(id uint32) {
	if int(id) >= len(f.first) {
		return
	}
	for at := f.first[id]; at != none; {
		h := &f.held[at]
		at, h.next, h.known = h.next, none, 0
	}
	f.first[id] = none
}

// keep is how long a series without samples is held.
const keep = 2 * time.Hour

// Sweep drops the series that have sent nothing for two hours.
func (t *Tap) Sweep() {
	f := t.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.now().Add(-keep).UnixMilli()
	t.series = slices.DeleteFunc(t.series, func(at int32) bool {
		h := &f.held[at]
		if h.known == f.current || len(h.t) > 0 && h.t[len(h.t)-1] > old {
			return false
		}
		places := t.byHash[h.hash]
		if places = slices.DeleteFunc(places, func(x int32) bool { return x == at }); len(places) == 0 {
			delete(t.byHash, h.hash)
		} else {
			t.byHash[h.hash] = places
		}
		f.held[at] = held{}
		f.free = append(f.free, at)
		return true
	})
}

// Len is how many series are held, and how many samples came for them.
func (f *Feed) Len() (series int, samples int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.held) - len(f.free), f.samples
}

// over says whether a series has ended by its own word.
func (h *held) over() bool { return len(h.v) > 0 && value.IsStaleNaN(h.v[len(h.v)-1]) }

package app

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/internal/feed"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/rules"
)

const (
	// tailOverlap is how far before the last step a tail is read again: a scrape may take some time, and has the time of its
	// begin.
	tailOverlap = 15 * time.Second
	// tailSeries is up to how many series of a fleet there are tails: the samples of a window are held of each, about 1 kB.
	tailSeries = 20_000
	// tailRest is how long a watch whose series come irregularly is read without one.
	tailRest = time.Hour
)

// rawReader reads samples as they are stored; promread.Client satisfies it.
type rawReader interface {
	Read(ctx context.Context, matchers []*labels.Matcher, from, to int64, fn func(promread.Series) error) error
	Live(expr string) (*promread.Live, bool)
}

// tail holds the samples in the window of one watch, so that a step needs only those that came since the last one: a
// quarter of them with the usual windows of five minutes, and half of what a read costs Prometheus. The values
// are those of a read of the whole window, which is what is done when samples are late, and each hour.
type tail struct {
	read  rawReader
	live  *promread.Live
	query feed.Query

	feed  *feed.Feed
	tap   *feed.Tap
	ids   map[uint64]uint32 // By the labels' hash, or the next number that is free.
	names []labels.Labels   // By id.
	last  int64             // The step that was read last.
	whole time.Time         // When the whole window was read.
	late  int64             // The last step at which a sample was late.
	since int64             // From when on some have been late without a window's pause.
	rest  time.Time         // Until then the watch is read without a tail.
}

// newTail is nil when an expression needs more than the samples of one selector. Wants says which series of the result are
// held; nil: all.
func newTail(read rawReader, w rules.Watch, wants func(labels.Labels) bool) *tail {
	if read == nil {
		return nil
	}
	live, ok := read.Live(w.Expr)
	if !ok {
		return nil
	}
	return &tail{read: read, live: live, query: feed.Query{Evaluator: live, Matchers: live.Matchers, Window: live.Window, Interval: time.Duration(w.Interval), Wants: wants}}
}

// reset forgets what is held.
func (t *tail) reset() {
	generation := uint64(0)
	t.feed = feed.New(time.Now, func() uint64 { generation++; return generation })
	t.tap = t.feed.Open(t.query)
	t.ids, t.names = map[uint64]uint32{}, nil
}

// load adds the samples within [from, to].
func (t *tail) load(ctx context.Context, from, to int64) error {
	t.feed.Begin()
	defer t.feed.End()
	return t.read.Read(ctx, t.live.Matchers, from, to, func(s promread.Series) error {
		t.feed.Append(t.number(s.Labels), s.T, s.V)
		return nil
	})
}

// number is the one by which the feed knows a series.
func (t *tail) number(ls labels.Labels) uint32 {
	for hash := ls.Hash(); ; hash++ {
		id, ok := t.ids[hash]
		if !ok {
			id = uint32(len(t.names))
			t.ids[hash], t.names = id, append(t.names, ls)
			t.feed.Add(id, ls)
			return id
		}
		if labels.Equal(t.names[id], ls) {
			return id
		}
	}
}

// advance reads what the step needs that follows the last one by an interval. When a sample is late for longer than the
// overlap, it or what is around it may come at any time: whole windows are read until it has left them.
func (t *tail) advance(ctx context.Context, now time.Time, step int64) error {
	interval, overlap := t.query.Interval.Milliseconds(), tailOverlap.Milliseconds()
	if t.tap != nil && t.last == step-interval && step-t.late > t.live.Window && now.Sub(t.whole) < verifyInterval {
		if err := t.load(ctx, step-interval-overlap+1, step); err != nil {
			t.tap = nil
			return err
		}
		if t.last = step; !t.tap.Late(step - overlap) {
			return nil
		}
	}
	t.reset()
	if err := t.load(ctx, step-t.live.Window+1, step); err != nil {
		t.tap = nil
		return err
	}
	t.last, t.whole = step, now
	if t.tap.Late(step - overlap) {
		if step-t.late > t.live.Window {
			t.since = step
		}
		t.late = step
	}
	if t.late == step && step-t.since > 2*t.live.Window { // They come as they like.
		t.rest = now.Add(tailRest)
	}
	return nil
}

// follow scores the next step of a watch from its tail; false: it has none, and is to be read.
func (s *scorer) follow(ctx context.Context, w *watch) (bool, error) {
	t := w.tail
	if t == nil {
		return false, nil
	}
	s.mu.Lock()
	fits := w.learned && len(s.entries) <= tailSeries && w.interval > tailOverlap
	s.mu.Unlock()
	if end := s.now().Add(-w.delay()).Truncate(w.interval); !fits || !w.next.Equal(end) || s.now().Before(t.rest) {
		t.tap = nil
		return false, nil
	}
	if err := t.advance(promread.Brief(ctx), s.now(), w.next.UnixMilli()); err != nil || t.tap == nil {
		return false, err
	}
	s.stream(w, t.tap)
	return true, nil
}

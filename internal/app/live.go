package app

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/internal/feed"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/rules"
)

// verifyInterval is how often a step of a watch that is fed is read all the same, and compared.
const verifyInterval = time.Hour

// waitStep is how long it takes to look again whether late samples have come.
const waitStep = time.Second

// live is the side of the scorer that remote write feeds. A watch is fed once a step that was read and the
// same step from the feed agree in every series and value; when the feed is late or has a gap, the watch is
// read again until they agree anew. So scores are the same either way.
type live struct {
	feed  *feed.Feed // nil: every watch is read
	plan  func(expr string) (*promread.Live, bool)
	wants func(watch rules.Watch, ls labels.Labels) bool

	steps   *prometheus.CounterVec
	differs prometheus.Counter
}

// newLive feeds nothing until enable.
func newLive(reg prometheus.Registerer) *live {
	p := promauto.With(reg)
	l := &live{
		steps: p.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_steps_total", Help: "Steps of watches scored live, by where the samples came from: remote read, or the feed of remote write.",
		}, []string{"from"}),
		differs: p.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_feed_incomplete_total", Help: "Steps that were read because the feed of remote write lacked samples of the watch, or differed.",
		}),
	}
	p.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemark_feed_series", Help: "Series whose samples remote write feeds to watches."}, func() float64 {
		if l.feed == nil {
			return 0
		}
		n, _ := l.feed.Len()
		return float64(n)
	})
	p.NewCounterFunc(prometheus.CounterOpts{Name: "tidemark_feed_samples_total", Help: "Samples of watched series that came by remote write."}, func() float64 {
		if l.feed == nil {
			return 0
		}
		_, n := l.feed.Len()
		return float64(n)
	})
	return l
}

// enable takes a feed into use, before anything runs.
func (l *live) enable(f *feed.Feed, plan func(string) (*promread.Live, bool), wants func(rules.Watch, labels.Labels) bool) {
	l.feed, l.plan, l.wants = f, plan, wants
}

// tap opens the feed for a watch, if its expression can be computed from it.
func (l *live) tap(w rules.Watch) *feed.Tap {
	if l.feed == nil {
		return nil
	}
	plan, ok := l.plan(w.Expr)
	if !ok {
		return nil
	}
	return l.feed.Open(feed.Query{
		Evaluator: plan, Matchers: plan.Matchers, Window: plan.Window, LastOnly: plan.LastOnly, Interval: time.Duration(w.Interval), Wants: l.wanted(w),
	})
}

// wanted says which series of a watch are to be held; nil: all.
func (l *live) wanted(w rules.Watch) func(labels.Labels) bool {
	if l.wants == nil {
		return nil
	}
	return func(ls labels.Labels) bool { return l.wants(w, ls) }
}

// delay is how long after a step the watch is scored.
func (w *watch) delay() time.Duration {
	if w.tap != nil && w.tap.Live() {
		return feed.Delay
	}
	return ingestDelay
}

// advance brings a watch to now, from the feed if it can. False means that late samples are waited for.
func (s *scorer) advance(ctx context.Context, w *watch) (bool, error) {
	if w.fed && s.now().Sub(w.verified) < verifyInterval {
		switch w.tap.State(w.next.UnixMilli(), s.now()) {
		case feed.Complete:
			s.stream(w, w.tap)
			s.live.steps.WithLabelValues("feed").Inc()
			return true, nil
		case feed.Waiting:
			w.wait = s.now().Add(waitStep)
			return false, nil
		case feed.Missing:
			s.live.differs.Inc()
		}
	}
	before := w.next
	followed, err := s.follow(ctx, w)
	if !followed && err == nil {
		err = s.catchUp(ctx, w, true)
	}
	s.live.steps.WithLabelValues("read").Add(float64(w.next.Sub(before) / w.interval))
	w.fed = err == nil && w.tap != nil && s.agree(w)
	if w.fed {
		w.verified = s.now()
	}
	return true, err
}

// stream scores the next step from samples that are at hand.
func (s *scorer) stream(w *watch, from *feed.Tap) {
	step, n := w.next.UnixMilli(), 0
	from.Step(step, func(ls labels.Labels, data any, v float64) any {
		e, ok := data.(*entry)
		if !ok || e.forgotten {
			if e = s.entry(w, ls); e == nil {
				return nil
			}
		}
		e.observeOne(step, v)
		n++
		return e
	})
	s.metrics.samples.Add(float64(n))
	s.mu.Lock()
	w.next = w.next.Add(w.interval)
	s.mu.Unlock()
}

// agree says whether the feed gives the step that was read last, the same in every value.
func (s *scorer) agree(w *watch) bool {
	w.tap.Sweep()
	step := w.next.Add(-w.interval).UnixMilli()
	if w.tap.State(step, s.now()) != feed.Complete {
		return false
	}
	want := 0
	for _, e := range s.inOrder(w) {
		if e.lastSample == step {
			want++
		}
	}
	met, same := 0, true
	w.tap.Step(step, func(ls labels.Labels, data any, v float64) any {
		e, ok := data.(*entry)
		if !ok || e.forgotten {
			e = s.known(w, ls)
		}
		if e == nil || e.lastSample != step || math.Float64bits(e.series.Last().Value) != math.Float64bits(v) {
			same = false
			return data
		}
		met++
		return e
	})
	if same && met == want {
		return true
	}
	s.live.differs.Inc()
	return false
}

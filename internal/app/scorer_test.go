package app

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/export"
	"github.com/tidemark/tidemark/internal/feed"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/rules"
)

// daily is a Prometheus with one series of a daily rhythm; it can fail, drop the series or shift it.
type daily struct {
	name  string // Of the metric; none when empty.
	mu    sync.Mutex
	fail  error
	gone  bool
	shift float64
	asked []int64 // Every step that was read, in order.
}

func (d *daily) set(fn func(*daily)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn(d)
}

func (d *daily) Range(_ context.Context, _ string, from, to time.Time, step time.Duration, fn func(labels.Labels, []int64, []float64) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	var ts []int64
	var vs []float64
	for t := from.Truncate(step); !t.After(to); t = t.Add(step) {
		if t.Before(from) {
			continue
		}
		d.asked = append(d.asked, t.UnixMilli())
		if d.gone {
			continue
		}
		ts, vs = append(ts, t.UnixMilli()), append(vs, d.value(t))
	}
	if d.name != "" {
		return fn(labels.FromStrings("__name__", d.name, "job", "api"), ts, vs)
	}
	return fn(labels.FromStrings("job", "api"), ts, vs)
}

// at is the value at a time.
func (d *daily) at(t time.Time) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.value(t)
}

func (d *daily) value(t time.Time) float64 {
	day := 2 * math.Pi * float64(t.Unix()%86400) / 86400
	noise := float64(t.Unix()/60*2654435761%1000)/1000 - 0.5
	return 100 + 30*math.Sin(day) + 4*noise + d.shift
}

func start(t *testing.T, src *daily, told func(*entry)) (*scorer, func()) {
	t.Helper()
	s := newTestScorer(t, src, told)
	return s, run(t, s)
}

// startFed is start with a feed.
func startFed(t *testing.T, src *daily, f *feed.Feed, plan func(string) (*promread.Live, bool)) (*scorer, func()) {
	t.Helper()
	s := newTestScorer(t, src, func(*entry) {})
	s.live.enable(f, plan, nil)
	return s, run(t, s)
}

func newTestScorer(t *testing.T, src *daily, told func(*entry)) *scorer {
	t.Helper()
	engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	w := rules.Watch{Name: "load", Expr: "load", Interval: model.Duration(time.Minute)}
	return newScorer(promslog.NewNopLogger(), reg, src, engine, 14*24*time.Hour, func(context.Context) ([]rules.Watch, error) { return []rules.Watch{w}, nil },
		time.Now, newStages(time.Now, reg), func(_ time.Time, e *entry) { told(e) })
}

// run runs a scorer until the function that it returns is called.
func run(t *testing.T, s *scorer) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

func TestScorerReadsEveryStepOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &daily{}
		s, stop := start(t, src, func(*entry) {})
		time.Sleep(10 * time.Minute)
		require.True(t, s.learned.Load())
		src.set(func(d *daily) { d.fail = errors.New("Prometheus is away") })
		time.Sleep(30 * time.Minute)
		require.Contains(t, s.status()[0].Error, "Prometheus is away")
		src.set(func(d *daily) { d.fail = nil })
		time.Sleep(5 * time.Minute)
		stop()
		for i := 1; i < len(src.asked); i++ {
			require.Equal(t, int64(60_000), src.asked[i]-src.asked[i-1], "no step is skipped and none is read twice")
		}
		require.Len(t, src.asked, 14*24*60+1+45)
	})
}

func TestScorerTellsAnAnomalyFromItsStartToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &daily{}
		var told []bool
		s, stop := start(t, src, func(e *entry) { told = append(told, e.series.Last().Active) })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Empty(t, told, "a normal hour is no news")
		src.set(func(d *daily) { d.shift = 200 })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Contains(t, told, true)
		require.Contains(t, page(t, s), `tidemark_anomaly_active{job="api",watch="load",kind=`)
		src.set(func(d *daily) { d.shift = 0 })
		time.Sleep(6 * time.Hour)
		stop()
		require.False(t, told[len(told)-1], "the end is told too")
	})
}

func TestSeriesThatIsGoneHasNoValueAndNoBand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &daily{}
		s, stop := start(t, src, func(*entry) {})
		time.Sleep(3 * time.Minute)
		require.Contains(t, page(t, s), "tidemark_observed")
		src.set(func(d *daily) { d.gone = true })
		time.Sleep(3 * time.Minute)
		stop()
		out := page(t, s)
		require.NotContains(t, out, "tidemark_observed{")
		require.NotContains(t, out, "tidemark_upper{")
	})
}

func page(t *testing.T, s *scorer) string {
	t.Helper()
	var sb builder
	require.NoError(t, export.New(export.DefaultConfig(), s).WriteText(&sb))
	return string(sb)
}

type builder []byte

func (b *builder) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

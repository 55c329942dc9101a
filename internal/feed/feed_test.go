package feed_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/feed"
)

var begin = time.Unix(1_800_000_000, 0)

// newest is an Evaluator of a plain selector.
type newest struct{ window int64 }

func (newest) Labels(ls labels.Labels) labels.Labels { return ls }

func (n newest) At(step int64, t []int64, v []float64) (float64, bool) {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i] <= step {
			return v[i], t[i] > step-n.window && !value.IsStaleNaN(v[i])
		}
	}
	return 0, false
}

// bench is a feed with one tap on up{job="a"}, a step a minute and a window of five.
type bench struct {
	*feed.Feed
	tap        *feed.Tap
	now        time.Time
	generation uint64
	opened     uint64
	known      map[uint32]bool
}

func newBench() *bench {
	b := &bench{now: begin}
	b.Feed = feed.New(func() time.Time { return b.now }, func() uint64 { b.generation++; return b.generation })
	b.tap = b.open("up", "a")
	return b
}

func (b *bench) open(name, job string) *feed.Tap {
	return b.Open(feed.Query{
		Evaluator: newest{300_000}, Window: 300_000, LastOnly: true, Interval: time.Minute,
		Matchers: []*labels.Matcher{
			labels.MustNewMatcher(labels.MatchEqual, "__name__", name), labels.MustNewMatcher(labels.MatchRegexp, "job", job),
		},
	})
}

// send brings one sample of up{job, instance} as a sender would.
func (b *bench) send(id uint32, job, instance string, after time.Duration, v float64) (refused int) {
	g := b.Begin()
	defer b.End()
	if g != b.opened {
		b.opened, b.known = g, map[uint32]bool{}
	}
	if !b.known[id] {
		b.known[id] = true
		b.Add(id, labels.FromStrings("__name__", "up", "instance", instance, "job", job))
	}
	return b.Append(id, []int64{begin.Add(after).UnixMilli()}, []float64{v})
}

func (b *bench) at(after time.Duration) feed.State {
	b.now = begin.Add(after)
	return b.tap.State(begin.Add(10*time.Minute).UnixMilli(), b.now)
}

func (b *bench) values(step time.Duration) map[string]float64 {
	out := map[string]float64{}
	b.tap.Step(begin.Add(step).UnixMilli(), func(ls labels.Labels, _ any, v float64) any {
		out[ls.Get("instance")] = v
		return nil
	})
	return out
}

func TestStates(t *testing.T) {
	const step = 10 * time.Minute
	for name, tc := range map[string]struct {
		send  func(b *bench)
		after time.Duration
		want  feed.State
	}{
		"no series: the sender leaves them out": {func(*bench) {}, step + time.Minute, feed.Missing},
		"too early": {func(b *bench) {
			b.send(0, "a", "x", step-15*time.Second, 1)
			b.send(0, "a", "x", step, 1)
		}, step + 5*time.Second, feed.Waiting},
		"all there": {func(b *bench) {
			b.send(0, "a", "x", step-20*time.Second, 1)
			b.send(0, "a", "x", step-5*time.Second, 1)
		}, step + 11*time.Second, feed.Complete},
		"one is late": {func(b *bench) {
			b.send(0, "a", "x", step, 1)
			b.send(1, "a", "y", step-40*time.Second, 1)
			b.send(1, "a", "y", step-20*time.Second, 1)
		}, step + 11*time.Second, feed.Waiting},
		"one is too late": {func(b *bench) {
			b.send(0, "a", "x", step, 1)
			b.send(1, "a", "y", step-40*time.Second, 1)
			b.send(1, "a", "y", step-20*time.Second, 1)
		}, step + 31*time.Second, feed.Missing},
		"one has said that it ended": {func(b *bench) {
			b.send(0, "a", "x", step, 1)
			b.send(1, "a", "y", step-40*time.Second, 1)
			b.send(1, "a", "y", step-20*time.Second, math.Float64frombits(value.StaleNaN))
		}, step + 11*time.Second, feed.Complete},
		"one is gone for longer than the window": {func(b *bench) {
			b.send(0, "a", "x", step, 1)
			b.send(1, "a", "y", step-6*time.Minute, 1)
		}, step + 11*time.Second, feed.Complete},
		"the feed began within the window": {func(b *bench) {
			b.tap.Close()
			b.now = begin.Add(step - 4*time.Minute)
			b.tap = b.open("up", "a")
			b.send(0, "a", "x", step, 1)
		}, step + 11*time.Second, feed.Missing},
		"the step is long past": {func(b *bench) {
			b.send(0, "a", "x", step, 1)
			b.send(0, "a", "x", step+2*time.Minute, 1)
		}, step + 2*time.Minute, feed.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.send(9, "a", "first", 0, 1)
			if name == "no series: the sender leaves them out" {
				b = newBench()
			}
			tc.send(b)
			require.Equal(t, tc.want, b.at(tc.after))
		})
	}
}

func TestStepGivesTheSamplesUpToIt(t *testing.T) {
	b := newBench()
	b.send(0, "a", "x", 50*time.Second, 1)
	b.send(0, "a", "x", 70*time.Second, 2)
	b.send(1, "a", "y", time.Minute, 3)
	b.send(2, "b", "z", time.Minute, 4)
	require.Equal(t, map[string]float64{"x": 1, "y": 3}, b.values(time.Minute))
	require.Equal(t, map[string]float64{"x": 2, "y": 3}, b.values(2*time.Minute))
	require.Empty(t, b.values(8*time.Minute))
}

func TestLateAndDoubleSamplesAreRefused(t *testing.T) {
	b := newBench()
	require.Zero(t, b.send(0, "a", "x", time.Minute, 1))
	require.Zero(t, b.send(0, "a", "x", time.Minute, 1), "the same once more")
	require.Equal(t, 1, b.send(0, "a", "x", time.Minute, 2), "another value")
	require.Equal(t, 1, b.send(0, "a", "x", 50*time.Second, 1), "an older one")
	require.Equal(t, map[string]float64{"x": 1}, b.values(time.Minute))
}

func TestWhatIsHeldStaysWhenOthersAreWanted(t *testing.T) {
	b := newBench()
	b.send(0, "a", "x", time.Minute, 1)
	more := b.open("up", "a|b")
	b.send(0, "a", "x", 2*time.Minute, 2)
	require.Equal(t, map[string]float64{"x": 1}, b.values(time.Minute), "the first tap has the sample before")
	n, _ := b.Len()
	require.Equal(t, 2, n)
	more.Close()
	b.send(3, "a", "x", 3*time.Minute, 3)
	require.Equal(t, map[string]float64{"x": 3}, b.values(3*time.Minute), "under another number too")
}

func TestSeriesThatSendNothingAreDroppedAndMemoryStays(t *testing.T) {
	b := newBench()
	b.send(1, "a", "gone", 0, 1)
	for i := range 10_000 {
		b.send(0, "a", "x", time.Duration(i)*15*time.Second, 1)
	}
	b.now = begin.Add(10_000 * 15 * time.Second)
	b.Begin()
	b.Forget(1)
	b.End()
	b.tap.Sweep()
	n, _ := b.Len()
	require.Equal(t, 1, n)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		b.now = b.now.Add(15 * time.Second)
		b.Begin()
		b.Append(0, []int64{b.now.UnixMilli()}, []float64{1})
		b.End()
	}))
}

// BenchmarkStep is the evaluation of one step of 100 000 series.
func BenchmarkStep(b *testing.B) {
	f := newBench()
	const n = 100_000
	f.Begin()
	for i := range uint32(n) {
		f.Add(i, labels.FromStrings("__name__", "up", "job", "a", "instance", string(rune('a'+i%26))+time.Duration(i).String()))
		f.Append(i, []int64{begin.UnixMilli()}, []float64{1})
	}
	f.End()
	b.ReportAllocs()
	for b.Loop() {
		f.tap.Step(begin.Add(time.Minute).UnixMilli(), func(_ labels.Labels, data any, _ float64) any { return data })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/series")
}

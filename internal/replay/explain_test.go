package replay_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/internal/replay"
	"github.com/tidemark/tidemark/internal/replay/replaytest"
	"github.com/tidemark/tidemark/rules"
)

// waves is a Prometheus with two days of two series, one of which leaps at the end.
func waves() *replaytest.Server {
	s := &replaytest.Server{}
	for n, instance := range []string{"a", "b"} {
		x := replaytest.Series{Labels: labels.FromStrings("__name__", "load", "instance", instance)}
		for i := range 2 * 24 * 60 {
			v := 100 + 20*math.Sin(2*math.Pi*float64(i)/1440) + float64((i*7919+n)%11)
			if instance == "b" && i >= 2*24*60-5 {
				v += 200
			}
			x.T, x.V = append(x.T, minute(i).UnixMilli()), append(x.V, v)
		}
		s.Series = append(s.Series, x)
	}
	return s
}

func explainWaves(t *testing.T, at time.Time, matchers ...*labels.Matcher) []replay.Explained {
	t.Helper()
	cfg := baseline.DefaultConfig()
	cfg.History = model.Duration(48 * time.Hour)
	w := rules.Watch{Name: "load", Expr: "load", Interval: model.Duration(time.Minute), Direction: rules.Both}
	got, err := replay.Explain(t.Context(), promread.Scrapes{Client: open(t, waves())}, cfg, w, matchers, at, func(float64) {})
	require.NoError(t, err)
	return got
}

func TestExplainSaysWhyASampleScores(t *testing.T) {
	end := minute(2*24*60 - 1)
	both := explainWaves(t, end)
	require.Len(t, both, 2)
	calm, leapt := both[0], both[1]
	require.Equal(t, "a", calm.Labels.Get("instance"))
	require.Less(t, calm.Score.Raw, 1.0)
	require.Contains(t, calm.Why.Text, "Within what is usual")
	require.Greater(t, leapt.Score.Raw, 1.0)
	require.Equal(t, end.UnixMilli(), leapt.Score.Time)
	require.NotContains(t, leapt.Why.Text, "Within what is usual")
	best := 0.0
	for _, e := range leapt.Evidence {
		best = max(best, e.Score)
	}
	require.Greater(t, best, 1.0, "some detector alone says so")

	require.Equal(t, both, explainWaves(t, end), "the same history, the same words")
}

func TestExplainLooksNoFurtherThanItsTime(t *testing.T) {
	before := explainWaves(t, minute(2*24*60-6).Add(30*time.Second), labels.MustNewMatcher(labels.MatchEqual, "instance", "b"))
	require.Len(t, before, 1)
	require.Equal(t, minute(2*24*60-6).UnixMilli(), before[0].Score.Time)
	require.Less(t, before[0].Score.Raw, 1.0)
}

func TestExplainScoresASampleThatIsMissing(t *testing.T) {
	got := explainWaves(t, minute(2*24*60+90), labels.MustNewMatcher(labels.MatchEqual, "instance", "a"))
	require.Len(t, got, 1)
	require.Equal(t, baseline.Absence, got[0].Score.Kind)
}

// A restart of Prometheus: counters that go on, two minutes without scrapes. What rate makes of the minutes
// after it is no anomaly.
func TestAHoleInTheScrapesIsNoAnomaly(t *testing.T) {
	const hole = 24*60 - 40
	s := &replaytest.Server{}
	x := replaytest.Series{Labels: labels.FromStrings("__name__", "idle_seconds_total", "instance", "a")}
	total := 0.0
	for i := range 4 * 24 * 60 {
		if total += 15 * (0.95 - 0.001*float64(i*7919%11)); i/4 == hole || i/4 == hole+1 {
			continue
		}
		x.T, x.V = append(x.T, minute(0).UnixMilli()+int64(i)*15_000), append(x.V, total)
	}
	s.Series = append(s.Series, x)
	w := rules.Watch{Name: "busy", Expr: "1 - avg by (instance) (rate(idle_seconds_total[5m]))", Interval: model.Duration(time.Minute), Direction: rules.Both}
	worst := func(read func(*promread.Client) replay.Ranger) (worst float64, states map[string]int) {
		states = map[string]int{}
		for m := hole - 1; m < hole+9; m++ {
			got, err := replay.Explain(t.Context(), read(open(t, s)), baseline.DefaultConfig(), w, nil, minute(m), func(float64) {})
			require.NoError(t, err)
			require.Len(t, got, 1)
			worst = max(worst, got[0].Score.Raw)
			states[got[0].Why.State]++
			if got[0].Score.State == baseline.AfterGap {
				require.Contains(t, got[0].Why.Text, "After a gap in its samples")
			}
		}
		return worst, states
	}
	blind, _ := worst(func(c *promread.Client) replay.Ranger { return c })
	require.Greater(t, blind, 1.0, "without a look at the scrapes it is one")
	seeing, states := worst(func(c *promread.Client) replay.Ranger { return promread.Scrapes{Client: c} })
	require.Less(t, seeing, 1.0)
	require.Equal(t, 6, states["after a gap"], "as long as the window reaches over the hole")
}

func TestFindWatch(t *testing.T) {
	own := rules.Watches{{Name: "load", Expr: "load"}}
	s := waves()
	s.Rules = `{"name":"g","interval":15,"rules":[{"type":"alerting","name":"LoadHigh","query":"load > 500","duration":60}]}`
	c := open(t, s)
	cfg := rules.DefaultDiscoverConfig()
	w, err := replay.FindWatch(t.Context(), c, own, cfg, "load", begin)
	require.NoError(t, err)
	require.Equal(t, cfg.Interval, w.Interval, "that of discover, as it names none")

	found, err := rules.Discover(nil, nil, cfg, nil)
	require.NoError(t, err)
	require.Empty(t, found.Watches)
	_, err = replay.FindWatch(t.Context(), c, own, cfg, "nothing", begin)
	require.EqualError(t, err, "there is no watch nothing in the configuration, nor is one discovered")
}

func TestExplainComparesSiblings(t *testing.T) {
	s := &replaytest.Server{}
	for n := range 6 {
		x := replaytest.Series{Labels: labels.FromStrings("__name__", "load", "job", "api", "instance", string(rune('a'+n)))}
		for i := range 3 * 24 * 60 {
			v := 100 + 60*math.Sin(float64(i)/97) + 40*math.Sin(float64(i)/31) + float64(5*n) + float64((i*7919+n*13)%11)/11
			if n == 2 && i >= 3*24*60-30 {
				v = 100
			}
			x.T, x.V = append(x.T, minute(i).UnixMilli()), append(x.V, v)
		}
		s.Series = append(s.Series, x)
	}
	w := rules.Watch{Name: "load", Expr: "load", Interval: model.Duration(time.Minute), GroupBy: []string{"job"}}
	for back := range 25 {
		got, err := replay.Explain(t.Context(), promread.Scrapes{Client: open(t, s)}, baseline.DefaultConfig(), w, nil, minute(3*24*60-1-back), func(float64) {})
		require.NoError(t, err)
		require.Len(t, got, 6)
		if x := got[2]; x.Score.Detector == "peer_outlier" {
			require.Regexp(t, `^100 (at|since) .* UTC.*, but its 5 siblings of \{job="api"\} lead to expect`, x.Why.Text)
			require.Equal(t, `{job="api"}`, x.Why.Group)
			require.Equal(t, "peer_outlier", x.Evidence[len(x.Evidence)-1].Detector)
			return
		}
	}
	t.Fatal("nobody was unlike its siblings")
}

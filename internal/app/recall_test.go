package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/rules"
)

// askedOf is a Prometheus that remembers what it is asked; it can fail.
type askedOf struct {
	ranger
	exprs []string
	fail  error
}

func (a *askedOf) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration, fn func(labels.Labels, []int64, []float64) error) error {
	a.exprs = append(a.exprs, expr)
	if a.fail != nil {
		return a.fail
	}
	return a.ranger.Range(ctx, expr, from, to, step, fn)
}

// asLarge takes from all series what those of a large fleet do not have.
func asLarge(s *scorer, read ranger) *askedOf {
	for _, e := range s.all() {
		e.more = nil
	}
	a := &askedOf{ranger: read}
	s.recall = newRecall(a)
	return a
}

func TestSeriesOfALargeFleetAreEvidenceAsThoseOfASmallOneAre(t *testing.T) {
	src := &fleet{from: alerted.Add(-70 * time.Second)}
	now := alerted.Add(40 * time.Second)
	rankingOf := func(ev *evidence) string {
		ev.Ranking(question())
		ev.drain(t.Context())
		r, ok := ev.Ranking(question())
		require.True(t, ok)
		data, err := json.Marshal(r)
		require.NoError(t, err)
		return string(data)
	}
	small := rankingOf(watched(t, src, &now))
	ev := watched(t, src, &now)
	asked := asLarge(ev.deps.scorer, src)
	require.Equal(t, small, rankingOf(ev))
	require.Equal(t, []string{`cpu_usage{service=~"api|db"}`}, asked.exprs)

	now = now.Add(30 * time.Second)
	require.NoError(t, ev.deps.scorer.catchUp(t.Context(), ev.deps.scorer.watches[0], false))
	rankingOf(ev)
	require.Len(t, asked.exprs, 1, "what was read once is kept up")

	blind := watched(t, src, &now)
	asLarge(blind.deps.scorer, src).fail = errors.New("busy")
	require.Contains(t, rankingOf(blind), `"db"`, "what is read ahead of scoring, or the alerts alone, still rank")
}

func TestThePageOfASeriesOfALargeFleetHasItsSamples(t *testing.T) {
	src := &fleet{from: alerted.Add(-70 * time.Second)}
	now := alerted.Add(40 * time.Second)
	ev := watched(t, src, &now)
	s := ev.deps.scorer
	want := s.all()[1].recentPoints()
	asked := asLarge(s, src)
	p := &pages{&session{scorer: s, engine: s.engine, logger: promslog.NewNopLogger(), app: &App{}}}

	asked.fail = errors.New("busy")
	d, ok := p.SeriesDetail("cpu_usage", `{service="db"}`)
	require.True(t, ok)
	require.Empty(t, d.Points, "the page stands without its chart")
	asked.fail = nil
	d, _ = p.SeriesDetail("cpu_usage", `{service="db"}`)
	require.Len(t, d.Points, len(want))
	for i := range want {
		require.Equal(t, [2]any{want[i].Time, want[i].Value}, [2]any{d.Points[i].Time, d.Points[i].Value})
	}
	require.Equal(t, []string{`cpu_usage{service="db"}`, `cpu_usage{service="db"}`}, asked.exprs)

	now = now.Add(15 * time.Second)
	require.NoError(t, s.catchUp(t.Context(), s.watches[0], false))
	d, _ = p.SeriesDetail("cpu_usage", `{service="db"}`)
	last := d.Points[len(d.Points)-1]
	require.Equal(t, s.watches[0].next.Add(-15*time.Second).UnixMilli(), last.Time)
	require.False(t, math.IsNaN(last.Upper), "from the first look on there is a band")
	require.Len(t, asked.exprs, 2)
}

// many is a scorer of one watch over n series whose samples are not kept.
func many(t *testing.T, n int) (*scorer, *askedOf) {
	t.Helper()
	engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	src := &given{value: func(i int, _ time.Time) (float64, bool) { return float64(i), true }}
	for i := range n {
		src.series = append(src.series, labels.FromStrings("pod", fmt.Sprintf("p%04d", i)))
	}
	ws := []rules.Watch{{Name: "load", Expr: "load", Interval: model.Duration(time.Minute)}}
	now := func() time.Time { return alerted }
	s := newScorer(promslog.NewNopLogger(), reg, src, engine, 5*time.Minute, func(context.Context) ([]rules.Watch, error) { return ws, nil }, now, newStages(now, reg), func(time.Time, *entry) {})
	require.NoError(t, s.update(t.Context()))
	require.NoError(t, s.catchUp(t.Context(), s.watches[0], false))
	return s, asLarge(s, src)
}

func TestOnlyTheSeriesThatWereLookedAtLastKeepTheirSamples(t *testing.T) {
	s, asked := many(t, recalled+100)
	all := s.all()
	look := func(of ...*entry) { require.NoError(t, s.recall.samples(t.Context(), of, labels.EmptyLabels())) }
	look(all[:300]...)
	look(all[300:500]...)
	look(all[0])
	require.Len(t, asked.exprs, 2)
	look(all[500:600]...)
	kept := 0
	for i, e := range all {
		has := len(e.recentPoints()) > 0
		if has {
			kept++
		}
		require.Equal(t, i == 0 || i > 100, has, i)
	}
	require.Equal(t, recalled, kept)
}

func TestSamplesThatComeWhilePrometheusIsAskedAreKept(t *testing.T) {
	s, _ := many(t, 1)
	e := s.all()[0]
	require.True(t, e.begin())
	require.False(t, e.begin(), "one asks")
	last := e.series.Last().Time
	e.observeOne(last+60_000, 7)
	e.fillBack([]int64{last - 60_000, last, last + 60_000}, []float64{1, 2, 3})
	var got [][2]float64
	for _, p := range e.recentPoints() {
		got = append(got, [2]float64{float64(p.Time - last), p.Value})
	}
	require.Equal(t, [][2]float64{{-60_000, 1}, {0, 2}, {60_000, 7}}, got)
}

func TestAQueryForSomeSeriesOfAWatch(t *testing.T) {
	ls := labels.FromStrings
	for _, tc := range []struct {
		name, expr string
		of         []labels.Labels
		external   labels.Labels
		want       string
	}{
		{"one", `rate(x_total[5m])`, []labels.Labels{ls("pod", "a", "job", "j")}, labels.EmptyLabels(), `rate(x_total{job="j",pod="a"}[5m])`},
		{"several are told apart by what differs most", `x`, []labels.Labels{ls("job", "j", "pod", "a"), ls("job", "j", "pod", "b.1")}, labels.EmptyLabels(), `x{pod=~"a|b\\.1"}`},
		{"a label that not all have tells none", `x`, []labels.Labels{ls("job", "j", "pod", "a"), ls("job", "k")}, labels.EmptyLabels(), `x{job=~"j|k"}`},
		{"every selector is narrowed, but for one that is fixed", `x / on (pod) y{pod="a"}`, []labels.Labels{ls("pod", "a"), ls("pod", "b")}, labels.EmptyLabels(), `x{pod=~"a|b"} / on (pod) y{pod="a"}`},
		{"external labels are not known there", `x`, []labels.Labels{ls("cluster", "c"), ls("cluster", "c", "pod", "b")}, ls("cluster", "c"), `x`},
		{"no labels", `sum(x)`, []labels.Labels{labels.EmptyLabels(), ls("pod", "b")}, labels.EmptyLabels(), `sum(x)`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := many(t, 0)
			w := s.watches[0]
			w.Expr = tc.expr
			var of []*entry
			for _, ls := range tc.of {
				of = append(of, s.entry(w, ls))
			}
			require.Equal(t, tc.want, alone(w, of, tc.external))
		})
	}
}

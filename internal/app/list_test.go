package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	large "github.com/tidemark/tidemark/internal/benchmarks/fleet"
	"github.com/tidemark/tidemark/internal/web"
	"github.com/tidemark/tidemark/rules"
)

// listed are the pages over series that exist and have no samples, of two watches.
func listed(t testing.TB, names ...labels.Labels) *pages {
	t.Helper()
	engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	ws := []rules.Watch{{Name: "load", Expr: "load", Interval: model.Duration(time.Minute)}, {Name: "disk", Expr: "disk", Interval: model.Duration(time.Minute)}}
	s := newScorer(promslog.NewNopLogger(), reg, nil, engine, 0, func(context.Context) ([]rules.Watch, error) { return ws, nil },
		time.Now, newStages(time.Now, reg), func(time.Time, *entry) {})
	require.NoError(t, s.update(t.Context()))
	for i, ls := range names {
		require.NotNil(t, s.entry(s.watches[i%2], ls))
	}
	return &pages{&session{scorer: s, engine: engine}}
}

func TestASeriesIsFoundByTheLabelsThatAreShownOfIt(t *testing.T) {
	names := []labels.Labels{
		labels.EmptyLabels(),
		labels.FromStrings("__name__", "up", "instance", "a:1"),
		labels.FromStrings("instance", "a:1", "job", "node"),
		labels.FromStrings("instance", "a:1", "job", "node", "odd", "a\"b\\c\nd{},=é☃"),
		labels.FromStrings("__name__", "up", "service.name", "a label of OpenTelemetry"),
	}
	for i := range names {
		p := listed(t, names...)
		w := p.s.scorer.watches[i%2]
		key := textsOf(names[i], w.Name).key
		e, ok := p.s.scorer.find(w.Name, key)
		require.True(t, ok, key)
		require.True(t, labels.Equal(names[i], e.series.Labels()), key)
		_, ok = p.s.scorer.find(w.Name, `{instance="b:1"}`)
		require.False(t, ok)
		_, ok = p.s.scorer.find(w.Name, `{no labels`)
		require.False(t, ok)
		_, ok = p.s.scorer.find("none", key)
		require.False(t, ok)
	}
}

func TestTheListOfSeriesIsSearchedAndTurned(t *testing.T) {
	p := listed(t,
		labels.FromStrings("__name__", "up", "instance", "A:1", "job", "node"), labels.FromStrings("instance", "a:1", "job", "node"),
		labels.FromStrings("instance", "b:1", "job", "node"), labels.FromStrings("instance", "b:1", "job", "shop"),
		labels.FromStrings("instance", "c:1", "job", "shop"),
	)
	for query, c := range map[string]struct {
		filter web.SeriesFilter
		rows   []string
		total  int
	}{
		"all":                                 {web.SeriesFilter{Limit: 10}, []string{"load a:1", "disk a:1", "load b:1", "disk b:1", "load c:1"}, 5},
		"a page":                              {web.SeriesFilter{Limit: 2, Offset: 1}, []string{"disk a:1", "load b:1"}, 5},
		"behind the last":                     {web.SeriesFilter{Limit: 2, Offset: 9}, nil, 5},
		"one watch":                           {web.SeriesFilter{Limit: 10, Watch: "disk"}, []string{"disk a:1", "disk b:1"}, 2},
		"a word of a value, in any case":      {web.SeriesFilter{Limit: 10, Query: "SHO"}, []string{"disk b:1", "load c:1"}, 2},
		"a word of the watch and one of both": {web.SeriesFilter{Limit: 10, Query: "disk node"}, []string{"disk a:1"}, 1},
		"a word of a name":                    {web.SeriesFilter{Limit: 1, Query: "instan"}, []string{"load a:1"}, 5},
		"the metric's name is not shown":      {web.SeriesFilter{Limit: 1, Query: "up"}, nil, 0},
		"what lies across name and value":     {web.SeriesFilter{Limit: 10, Query: `job="shop"}`}, []string{"disk b:1", "load c:1"}, 2},
		"none is anomalous":                   {web.SeriesFilter{Limit: 10, OnlyAnomalous: true}, nil, 0},
	} {
		t.Run(query, func(t *testing.T) {
			rows, total := p.Series(c.filter)
			var got []string
			for _, r := range rows {
				ls := map[string]string{}
				e, ok := p.s.scorer.find(r.Watch, r.Labels)
				require.True(t, ok, r.Labels)
				e.series.Labels().Range(func(l labels.Label) { ls[l.Name] = l.Value })
				got = append(got, r.Watch+" "+map[string]string{"A:1": "a:1"}[ls["instance"]]+map[bool]string{true: ls["instance"]}[ls["instance"] != "A:1"])
			}
			require.Equal(t, c.rows, got)
			require.Equal(t, c.total, total)
		})
	}
}

// BenchmarkSeriesList is one page of the list, a search, and one series of a fleet.
func BenchmarkSeriesList(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		names := make([]labels.Labels, n)
		for i := range names {
			names[i] = large.Labels(i)
		}
		p := listed(b, names...)
		key := textsOf(names[n-2], "load").key
		for what, fn := range map[string]func(){
			"page":   func() { p.Series(web.SeriesFilter{Limit: 200, Offset: n / 2}) },
			"search": func() { p.Series(web.SeriesFilter{Limit: 200, Query: "team-07 checkout"}) },
			"one":    func() { p.s.scorer.find("load", key) },
		} {
			b.Run(fmt.Sprintf("%s of %d", what, n), func(b *testing.B) {
				for b.Loop() {
					fn()
				}
			})
		}
	}
}

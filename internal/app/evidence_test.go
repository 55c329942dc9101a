package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/pushed"
	"github.com/tidemark/tidemark/rules"
)

// fleet is two services of which db's processor is used up from a moment on.
type fleet struct{ from time.Time }

func (f *fleet) Range(_ context.Context, _ string, from, to time.Time, step time.Duration, fn func(labels.Labels, []int64, []float64) error) error {
	for _, service := range []string{"api", "db"} {
		var ts []int64
		var vs []float64
		for t := from.Truncate(step); !t.After(to); t = t.Add(step) {
			v := 1 + float64(t.Unix()/15*2654435761%1000)/5000
			if service == "db" && !t.Before(f.from) {
				v = 9
			}
			ts, vs = append(ts, t.UnixMilli()), append(vs, v)
		}
		if err := fn(labels.FromStrings("service", service), ts, vs); err != nil {
			return err
		}
	}
	return nil
}

// watched is evidence over a fleet, scored up to now.
func watched(t *testing.T, src *fleet, now *time.Time) *evidence {
	t.Helper()
	clock := func() time.Time { return *now }
	engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	w := rules.Watch{Name: "cpu_usage", Expr: "cpu_usage", Interval: model.Duration(15 * time.Second)}
	s := newScorer(promslog.NewNopLogger(), reg, src, engine, time.Hour, func(context.Context) ([]rules.Watch, error) { return []rules.Watch{w}, nil },
		clock, newStages(clock, reg), func(time.Time, *entry) {})
	require.NoError(t, s.update(t.Context()))
	require.NoError(t, s.catchUp(t.Context(), s.watches[0], false))
	cfg := correlate.DefaultConfig()
	return newEvidence(evidenceDeps{now: clock, graph: topology.NewGraph(topology.Options{}), scorer: s, labels: &cfg}, func(string) {})
}

var alerted = time.Date(2026, 11, 20, 12, 0, 7, 0, time.UTC)

func question() correlate.Question {
	return correlate.Question{
		Incident: "i", FirstAlert: alerted, Start: alerted.Add(-time.Minute), Symptom: model.LabelSet{"service": "api"},
		Entities: []correlate.Entity{{Kind: "service", Name: "api"}, {Kind: "service", Name: "db"}},
	}
}

func TestARankingDoesNotDependOnWhenItIsAskedFor(t *testing.T) {
	src := &fleet{from: alerted.Add(-70 * time.Second)}
	var before string
	for _, late := range []time.Duration{0, 2 * time.Second, 9 * time.Second} {
		now := alerted.Add(33*time.Second + 100*time.Millisecond + late)
		ev := watched(t, src, &now)
		_, ok := ev.Ranking(question())
		require.False(t, ok, "nothing is known yet, and nothing waits")
		ev.drain(t.Context())
		r, ok := ev.Ranking(question())
		require.True(t, ok)
		require.Equal(t, "db", r.Candidates[0].Entity)
		data, err := json.Marshal(r)
		require.NoError(t, err)
		if before != "" {
			require.Equal(t, before, string(data))
		}
		before = string(data)
	}
}

func TestARankingIsRenewedAsTimeGoesBy(t *testing.T) {
	src := &fleet{from: alerted.Add(60 * time.Second)} // The alert came before the fault shows.
	now := alerted.Add(4 * time.Second)
	ev := watched(t, src, &now)
	heard := 0
	ev.heard = func(string) { heard++ }
	ev.Ranking(question())
	ev.drain(t.Context())
	r, _ := ev.Ranking(question())
	require.True(t, r.NoClearCause)
	for now.Before(alerted.Add(4 * time.Minute)) {
		now = now.Add(time.Second)
		require.NoError(t, ev.deps.scorer.catchUp(t.Context(), ev.deps.scorer.watches[0], false))
		ev.renew()
		ev.drain(t.Context())
	}
	r, _ = ev.Ranking(question())
	require.Equal(t, "db", r.Candidates[0].Entity)
	require.False(t, r.NoClearCause)
	require.Greater(t, heard, 2)

	// Hours later another alert joins: the samples of that time are gone, what was seen stands.
	now = alerted.Add(9 * time.Hour)
	require.NoError(t, ev.deps.scorer.catchUp(t.Context(), ev.deps.scorer.watches[0], false))
	q := question()
	q.Entities = q.Entities[:1]
	ev.Ranking(q)
	ev.drain(t.Context())
	again, ok := ev.Ranking(q)
	require.True(t, ok)
	require.Equal(t, r, again)
}

func TestEveryClaimOfMetricsHasAQueryForItsValue(t *testing.T) {
	src := &fleet{from: alerted.Add(-70 * time.Second)}
	now := alerted.Add(40 * time.Second)
	ev := watched(t, src, &now)
	ev.Ranking(question())
	ev.drain(t.Context())
	r, _ := ev.Ranking(question())
	claims := 0
	for _, c := range r.Candidates {
		for _, e := range c.Evidence {
			claims++
			require.Regexp(t, `^avg_over_time\(\(cpu_usage\{service="(db|api)"\}\)\[[0-9a-z]+:5s\] @ \d+\.000\)$`, e.Query)
			_, err := parser.NewParser(parser.Options{}).ParseExpr(e.Query)
			require.NoError(t, err)
		}
	}
	require.Positive(t, claims)
}

func TestQueriesOfClaims(t *testing.T) {
	from, to := time.Unix(1_800_000_000, 0), time.Unix(1_800_000_060, 0)
	step := 15 * time.Second
	series := []cause.Series{{Query: "a", V: []float64{1, math.NaN()}}, {Query: "b", V: []float64{1}}}
	for _, tc := range []struct {
		name, want string
		claim      cause.Evidence
	}{
		{"a mean of five samples", "avg_over_time((b)[1m7s500ms:15s] @ 1800000060.000)", cause.Evidence{Query: "b", From: from, To: to, Step: step}},
		{"one sample", "avg_over_time((b)[7s500ms:15s] @ 1800000060.000)", cause.Evidence{Query: "b", From: to, To: to, Step: step}},
		{"what is no number was left out", "avg_over_time(((a) < Inf > -Inf)[1m7s500ms:15s] @ 1800000060.000)", cause.Evidence{Query: "a", From: from, To: to, Step: step}},
		{"a change says itself when", "count(x)", cause.Evidence{Kind: "change", Query: "count(x)"}},
		{"time lost between spans says itself when", "(a @ 1) / (b @ 1)", cause.Evidence{Kind: "span_gap", Query: "(a @ 1) / (b @ 1)"}},
		{"a series without a second sample has none", "", cause.Evidence{Query: "b", From: to, To: to}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, runnable([]cause.Evidence{tc.claim}, &cause.Case{Series: series})[0].Query)
		})
	}
}

func TestQueriesLeaveOutWhatPrometheusOnlyAddsWhenItSends(t *testing.T) {
	e := &entry{watch: &watch{Watch: rules.Watch{Expr: `rate(x_total{job="a"}[5m]) / y`}}}
	e.series = seriesWith(t, labels.FromStrings("cluster", "eu", "replica", "a", "service", "db"))
	require.Equal(t, `rate(x_total{cluster="eu",job="a",replica="a",service="db"}[5m]) / y{cluster="eu",replica="a",service="db"}`, e.query(labels.EmptyLabels()))
	require.Equal(t, `rate(x_total{job="a",service="db"}[5m]) / y{service="db"}`, e.query(labels.FromStrings("cluster", "eu", "replica", "a")))
	require.Equal(t, `rate(x_total{cluster="eu",job="a",service="db"}[5m]) / y{cluster="eu",service="db"}`, e.query(labels.FromStrings("cluster", "us", "replica", "a")), "a label that has another value is the series' own")
}

// seriesWith is a baseline of a series.
func seriesWith(t *testing.T, ls labels.Labels) *baseline.Series {
	t.Helper()
	engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	return engine.Add("w", ls, time.Minute, baseline.SeriesOptions{})
}

func TestWhatWasCountedOfAnIncidentStandsWhenItIsForgotten(t *testing.T) {
	o := pushed.Options{Every: time.Second, Now: func() time.Time { return alerted.Add(10 * time.Minute) }}
	cfg := correlate.DefaultConfig()
	reg := prometheus.NewRegistry()
	ev := newEvidence(evidenceDeps{graph: topology.NewGraph(topology.Options{}), labels: &cfg, lines: pushed.NewLines(reg, o), spans: pushed.NewSpans(reg, o)}, nil)
	old := &opinion{counted: counted{6, []cause.LogCount{{Entity: "db", Count: 1}}, []cause.LogCount{{Entity: "db", Count: 90}}, []cause.SpanCount{{Entity: "db"}}, nil}}
	c := cause.Case{AlertTime: alerted}
	require.Equal(t, old.counted, ev.count(&c, alerted.Add(10*time.Minute), old))
	require.Equal(t, old.counted.logs, c.Logs)
	require.Equal(t, old.counted.spans, c.Spans)
	require.Equal(t, counted{}, ev.count(&cause.Case{AlertTime: alerted}, alerted.Add(10*time.Minute), nil))
}

// answers gives the same vector to one expression, and notes when it was asked.
type answers struct {
	expr    string
	vector  model.Vector
	at      []time.Time
	refused bool // It does not take the query for all kinds.
}

func (a *answers) Query(_ context.Context, expr string, at time.Time) (model.Vector, error) {
	a.at = append(a.at, at)
	switch {
	case strings.Contains(expr, partLabel) && a.refused:
		return nil, errors.New("too much at once")
	case strings.Contains(expr, partLabel):
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(expr); err != nil || !strings.Contains(expr, a.expr) {
			return nil, fmt.Errorf("%s: %w", expr, err)
		}
		marked := a.vector[0].Metric.Clone()
		marked[partLabel] = "1"
		return model.Vector{{Metric: marked, Value: a.vector[0].Value}}, nil
	case expr == a.expr && a.refused:
		return a.vector, nil
	}
	return nil, nil
}

func TestChangesAreLookedForOnTheClocksGridAndToldOnce(t *testing.T) {
	for name, refused := range map[string]bool{"in one query": false, "one by one when that fails": true} {
		t.Run(name, func(t *testing.T) { changesAreToldOnce(t, refused) })
	}
}

func changesAreToldOnce(t *testing.T, refused bool) {
	t.Helper()
	now := alerted
	src := &answers{
		refused: refused,
		expr:    fmt.Sprintf(changeSources[1].expr, "60"),
		vector:  model.Vector{{Metric: model.Metric{"job": "api", "instance": "a$1:80", "version": "v2"}}},
	}
	var told []correlate.Change
	w := &changeWatch{
		logger: promslog.NewNopLogger(), query: src, now: func() time.Time { return now }, window: time.Minute, seen: map[string]time.Time{},
		tell: func(_ time.Time, c correlate.Change) { told = append(told, c) },
	}
	for range 3 {
		require.NoError(t, w.look(t.Context()))
		now = now.Add(29 * time.Second)
	}
	require.Len(t, told, 1)
	require.Len(t, src.at, map[bool]int{false: 3, true: 3 * (1 + len(changeSources))}[refused])
	looked := alerted.Truncate(30 * time.Second)
	require.Equal(t, looked, told[0].Time)
	for _, at := range src.at {
		require.Zero(t, at.UnixNano()%int64(30*time.Second))
	}
	_, err := parser.NewParser(parser.Options{}).ParseExpr(told[0].Query)
	require.NoError(t, err)
	require.Contains(t, told[0].Query, `and on (instance, job, version) label_replace(label_replace(label_replace(vector(1), "instance", "a$$1:80", "", ""), "job", "api", "", ""), "version", "v2", "", ""))[1s:1s] @`)
}

func TestTheFirstMomentsAreReadAheadOfScoring(t *testing.T) {
	src := &fleet{from: alerted.Add(-3 * time.Second)} // Begins within the step that is not scored yet.
	now := alerted.Add(ingestDelay + time.Second)
	ev := watched(t, src, &now)
	ev.Ranking(question())
	ev.drain(t.Context())
	r, ok := ev.Ranking(question())
	require.True(t, ok)
	require.False(t, r.End.Before(alerted.Add(-aheadStep)), "the newest sample is of %s", r.End)
	require.Equal(t, "db", r.Candidates[0].Entity)
	scored := ev.deps.scorer.entries[0].series.Last().Time
	require.Less(t, scored, r.End.UnixMilli(), "what is read ahead is not scored")
}

package app

import (
	"context"
	"encoding/json"
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
	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/rules"
)

// given is a Prometheus of series whose samples are a function of time; NaN: a sample that is none.
type given struct {
	series []labels.Labels
	value  func(series int, t time.Time) (v float64, ok bool)
}

func (g *given) Range(_ context.Context, _ string, from, to time.Time, step time.Duration, fn func(labels.Labels, []int64, []float64) error) error {
	for i, ls := range g.series {
		var ts []int64
		var vs []float64
		for t := from.Truncate(step); !t.After(to); t = t.Add(step) {
			if v, ok := g.value(i, t); ok {
				ts, vs = append(ts, t.UnixMilli()), append(vs, v)
			}
		}
		if len(ts) == 0 {
			continue
		}
		if err := fn(ls, ts, vs); err != nil {
			return err
		}
	}
	return nil
}

// The list of bad input, in a running process: each leads to an incident with no clear cause or to what the alerts alone
// say, never to a panic, and everything can be written as JSON.
func TestBadInputOfARunningProcessIsNoConfidentAnswer(t *testing.T) {
	ring := make([][2]string, 10_000)
	for i := range ring {
		ring[i] = [2]string{fmt.Sprintf("s%05d", i), fmt.Sprintf("s%05d", (i+1)%len(ring))}
	}
	always := func(v float64) func(int, time.Time) (float64, bool) {
		return func(int, time.Time) (float64, bool) { return v, true }
	}
	service := func(names ...string) (out []labels.Labels) {
		for _, n := range names {
			out = append(out, labels.FromStrings("service", n))
		}
		return out
	}
	for _, tc := range []struct {
		name   string
		series []labels.Labels
		value  func(int, time.Time) (float64, bool)
		calls  [][2]string
		alerts []model.LabelSet
	}{
		{name: "nothing is watched", alerts: []model.LabelSet{{"alertname": "A", "service": "api"}}},
		{name: "one sample", series: service("api"), value: func(_ int, t time.Time) (float64, bool) { return 9, t.Equal(alerted.Truncate(15 * time.Second)) }},
		{name: "all not a number", series: service("api", "db"), value: always(math.NaN())},
		{name: "infinite", series: service("api", "db"), value: always(math.Inf(1))},
		{name: "constants", series: service("api", "db"), value: always(1)},
		{name: "a cyclic graph", series: service("api", "db"), value: always(1), calls: [][2]string{{"api", "db"}, {"db", "api"}, {"api", "api"}}},
		{name: "entities without metrics", series: service("mail"), value: always(1), calls: [][2]string{{"api", "db"}}},
		{name: "10 000 entities in a ring", series: service("s00001"), value: always(1), calls: ring, alerts: []model.LabelSet{{"alertname": "A", "service": "s00000"}, {"alertname": "A", "service": "s05000"}}},
		{
			name: "names with spaces and of all scripts", series: []labels.Labels{labels.FromStrings("service", "ein Dienst", "ラベル", "値")}, value: always(1),
			calls: [][2]string{{"ein Dienst", "サービス"}}, alerts: []model.LabelSet{{"alertname": "Zu viel ✓", "service": "ein Dienst", "ラベル": "値"}, {"alertname": "B", "service": "サービス"}},
		},
		{name: "alerts without a place", series: service("api"), value: always(1), alerts: []model.LabelSet{{"alertname": "A"}, {"x": "y"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := alerted.Add(40 * time.Second)
			clock := func() time.Time { return now }
			baselines, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
			require.NoError(t, err)
			reg := prometheus.NewRegistry()
			w := rules.Watch{Name: "cpu_usage", Expr: "cpu_usage", Interval: model.Duration(15 * time.Second)}
			s := newScorer(promslog.NewNopLogger(), reg, &given{tc.series, tc.value}, baselines, time.Hour, func(context.Context) ([]rules.Watch, error) { return []rules.Watch{w}, nil },
				clock, newStages(clock, reg), func(time.Time, *entry) {})
			require.NoError(t, s.update(t.Context()))
			require.NoError(t, s.catchUp(t.Context(), s.watches[0], false))
			graph := topology.NewGraph(topology.Options{})
			for _, c := range tc.calls {
				graph.Add(alerted, topology.Edge{From: topology.Entity{Kind: topology.KindService, Name: c[0]}, To: topology.Entity{Kind: topology.KindService, Name: c[1]}, Kind: topology.Call, Source: "test"})
			}
			cfg := correlate.DefaultConfig()
			var engine *correlate.Engine
			ev := newEvidence(evidenceDeps{now: clock, graph: graph, scorer: s, labels: &cfg}, func(id string) { engine.Heard(id) })
			engine = correlate.NewEngine(cfg, correlate.Deps{Topology: graph, Evidence: ev})
			if tc.alerts == nil {
				tc.alerts = []model.LabelSet{{"alertname": "A", "service": "api"}, {"alertname": "A", "service": "db"}}
			}
			var alerts []*model.Alert
			for _, ls := range tc.alerts {
				alerts = append(alerts, &model.Alert{Labels: ls, StartsAt: alerted})
			}
			engine.Alerts(now, alerts)
			for range 3 {
				engine.Step(now)
				ev.drain(t.Context())
				now = now.Add(20 * time.Second)
			}
			members := 0
			for _, i := range engine.Incidents() {
				members += len(i.Alerts)
				_, err := json.Marshal(i)
				require.NoError(t, err)
				for _, c := range i.Causes {
					require.True(t, c.Confidence >= 0 && c.Confidence <= 1)
					for _, e := range c.Evidence {
						require.Contains(t, []string{"alert", "coverage", "silent", "onset"}, e.Kind, "nothing is seen in such samples: %s", e.Text)
						require.NotEmpty(t, e.Query)
					}
				}
			}
			require.Equal(t, len(tc.alerts), members, "no alert is lost")
		})
	}
}

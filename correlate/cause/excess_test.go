package cause_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/cause"
)

// A quarter of a service's replicas is slow: its caller is slow on the average, and has no excess of its own.
func TestReplicasOfACalleeAccountForTheExcessOfItsCaller(t *testing.T) {
	const replicas, slow = 12, 3
	start := time.Unix(1_700_000_000, 0)
	random := rand.New(rand.NewPCG(3, 4))
	series := func(entity, metric string, normal, fault float64) cause.Series {
		s := cause.Series{Entity: entity, Metric: metric, Query: metric}
		for i := -40; i < 8; i++ {
			level := normal
			if i >= 0 {
				level = fault
			}
			s.T = append(s.T, start.Add(time.Duration(i)*5*time.Second).UnixMilli())
			s.V = append(s.V, level*(1+.02*random.NormFloat64()))
		}
		return s
	}
	for name, at := range map[string]func(int) string{
		"replicas are entities":            func(i int) string { return fmt.Sprintf("web-%02d", i) },
		"replicas are series of an entity": func(int) string { return "web" },
	} {
		t.Run(name, func(t *testing.T) {
			c := cause.Case{
				AlertTime: start.Add(40 * time.Second), FaultTime: start, Symptom: cause.Symptom{Entity: "lb"},
				Graph: []cause.Edge{{From: "lb", To: "web", Kind: cause.EdgeCall}},
				Series: []cause.Series{
					series("lb", "http_request_duration_seconds:mean", .20, .35), series("lb", "http_requests_total", 60, 60),
				},
			}
			for i := range replicas {
				fault := .18
				if i >= replicas-slow {
					fault = .78
				}
				e := at(i)
				c.Series = append(c.Series, series(e, "http_request_duration_seconds:mean", .18, fault), series(e, "http_requests_total", 5, 5))
				if e != "web" {
					c.Graph = append(c.Graph, cause.Edge{From: e, To: "web", Kind: cause.EdgeInstance})
				}
			}
			r := cause.Rank(c, cause.Options{})
			for _, cand := range r.Candidates {
				for _, ev := range cand.Evidence {
					if cand.Entity == "lb" && ev.Kind == "excess" {
						require.False(t, ev.For, ev.Text)
					}
				}
			}
			require.NotEqual(t, "lb", r.Candidates[0].Entity)
		})
	}
}

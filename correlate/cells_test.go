package correlate_test

import (
	"fmt"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/stormtest"
	"github.com/tidemark/tidemark/correlate/topology"
)

func TestInstancesThatStandForEachOtherChangeNothing(t *testing.T) {
	type storm struct {
		name   string
		graph  *topology.Graph
		alerts []*model.Alert
	}
	var storms []storm
	g, alerts := flood(20, 30)
	storms = append(storms, storm{"one database under a hundred instances", g, alerts})
	var few []*model.Alert // Two of thirty: each may be a cause of its own.
	for _, a := range alerts[90:92] {
		few = append(few, &model.Alert{Labels: a.Labels.Clone(), StartsAt: t0})
		few[len(few)-1].Labels["alertname"] = "KubePodCrashLooping"
	}
	storms = append(storms, storm{"few instances of many", g, append(few, alert("HighErrorRate", "svc-003", 0))})
	for _, kind := range append([]string{"mixed"}, stormtest.Types...) {
		for seed := range uint64(3) {
			o := stormtest.Options{Types: []string{kind}, Incidents: 1}
			if kind == "mixed" {
				o = stormtest.Options{}
			}
			s := stormtest.Generate(7000+seed, o)
			var alerts []*model.Alert
			for _, x := range s.Events {
				a := &model.Alert{Labels: x.Labels, Annotations: x.Annotations, StartsAt: x.StartsAt}
				if x.Status == correlate.StateResolved {
					a.EndsAt = x.EndsAt
				}
				alerts = append(alerts, a)
			}
			storms = append(storms, storm{fmt.Sprintf("%s, seed %d", kind, seed), s.Graph(), alerts})
		}
	}
	for _, s := range storms {
		t.Run(s.name, func(t *testing.T) {
			together := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: s.graph})
			apart := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: s.graph})
			apart.SetApart()
			now := s.alerts[len(s.alerts)-1].StartsAt
			// In parts, so that what is kept from one explanation to the next counts, too.
			for part := range 3 {
				for _, e := range []*correlate.Engine{together, apart} {
					e.Alerts(now, s.alerts[part*len(s.alerts)/3:(part+1)*len(s.alerts)/3])
					e.Step(now)
				}
			}
			require.Equal(t, outcome(apart), outcome(together))
		})
	}
}

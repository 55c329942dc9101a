package correlate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
)

// flood is services × instances alerts within a minute, all because of one database.
func flood(services, instances int) (*topology.Graph, []*model.Alert) {
	g := topology.NewGraph(topology.Options{})
	svc := func(name string) topology.Entity { return topology.Entity{Kind: topology.KindService, Name: name} }
	var alerts []*model.Alert
	total := services * instances
	for s := range services {
		name, up := fmt.Sprintf("svc-%03d", s), "db"
		if s >= 20 {
			up = fmt.Sprintf("svc-%03d", s%20)
		}
		g.Add(t0, topology.Edge{From: svc(name), To: svc(up), Kind: topology.Call, Source: "test"})
		for k := range instances {
			pod := fmt.Sprintf("%s-7d9c-%04d", name, k)
			g.Add(t0, topology.Edge{From: svc(name), To: topology.Entity{Kind: topology.KindPod, Name: pod}, Kind: topology.Owns, Source: "test"})
			alerts = append(alerts, &model.Alert{
				Labels:   model.LabelSet{"alertname": "HighErrorRate", "service": model.LabelValue(name), "pod": model.LabelValue(pod), "severity": "critical"},
				StartsAt: t0.Add(time.Duration(len(alerts)) * time.Minute / time.Duration(total)),
			})
		}
	}
	return g, alerts
}

func BenchmarkStormOf1000Alerts(b *testing.B) {
	g, alerts := flood(40, 25)
	for b.Loop() {
		e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g})
		e.Alerts(t0.Add(time.Minute), alerts)
		e.Step(t0.Add(time.Minute))
		e.Step(t0.Add(2 * time.Minute))
	}
	b.ReportMetric(float64(len(alerts)), "alerts/op")
}

func BenchmarkFloodOf50000Alerts(b *testing.B) {
	g, alerts := flood(500, 100)
	for b.Loop() {
		e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g})
		e.Alerts(t0.Add(time.Minute), alerts)
		e.Step(t0.Add(time.Minute))
		e.Step(t0.Add(2 * time.Minute))
	}
}

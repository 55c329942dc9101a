package correlate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
)

// manyRoots is a mesh in which hundreds of services break by themselves within four minutes, each with its callers.
func manyRoots(services int) (*topology.Graph, []*model.Alert) {
	g := topology.NewGraph(topology.Options{})
	name := func(n int) string { return fmt.Sprintf("svc-%04d", n%services) }
	svc := func(n int) topology.Entity { return topology.Entity{Kind: topology.KindService, Name: name(n)} }
	var alerts []*model.Alert
	for n := range services {
		for k := 1; k <= 6; k++ {
			g.Add(t0, topology.Edge{From: svc(n), To: svc(n*3 + k*7), Kind: topology.Call, Source: "test"})
		}
		at := time.Duration(n%16) * 15 * time.Second
		alerts = append(alerts, alert("HighErrorRate", name(n), at), alert("HighLatencyP99", name(n), at+5*time.Second))
		if n%5 == 0 {
			alerts = append(alerts, alert("DatabaseDown", name(n), at))
		}
	}
	return g, alerts
}

func TestHundredsOfCausesAtOnceHideNoAlert(t *testing.T) {
	g, alerts := manyRoots(500)
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g, Rules: noHold})
	e.Alerts(t0.Add(5*time.Minute), alerts)
	e.Step(t0.Add(5 * time.Minute))
	members := 0
	for _, i := range live(e) {
		members += len(i.Alerts)
	}
	require.Equal(t, len(alerts), members)
}

package correlate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
)

// shopGraph is 12 web servers, 3 APIs, a cart, a payment service, a primary database with its replica
// and a load balancer, as service-graph metrics and Prometheus' targets show them.
func shopGraph(targets bool) *topology.Graph {
	g := topology.NewGraph(topology.Options{})
	var calls, up []topology.Sample
	for _, c := range [][2]string{
		{"lb", "web"},
		{"web", "api-catalog"},
		{"web", "api-users"},
		{"web", "api-orders"},
		{"api-orders", "cart"},
		{"api-orders", "payment"},
		{"api-orders", "db-primary"},
		{"api-catalog", "db-primary"},
		{"api-catalog", "db-replica"},
		{"api-users", "db-primary"},
		{"cart", "db-primary"},
		{"payment", "db-primary"},
	} {
		calls = append(calls, topology.Sample{Labels: labels.FromStrings("client", c[0], "server", c[1]), Value: 1})
	}
	g.Apply(t0, topology.ServiceGraph{}.Find([][]topology.Sample{calls}))
	if !targets {
		return g
	}
	var nodes []topology.Sample
	for _, n := range []string{"node-1", "node-2", "node-3", "node-4", "db-primary", "db-replica"} {
		nodes = append(nodes, topology.Sample{Labels: labels.FromStrings("instance", n, "nodename", n), Value: 1})
	}
	for i := range 12 {
		up = append(up, topology.Sample{Labels: labels.FromStrings("job", "shop", "instance", fmt.Sprintf("web-%02d", i+1), "service", "web", "tier", "web", "node", fmt.Sprintf("node-%d", i/3+1)), Value: 1})
	}
	for _, s := range []string{"api-catalog", "api-users", "api-orders"} {
		up = append(up, topology.Sample{Labels: labels.FromStrings("job", "shop", "instance", s, "service", s, "tier", "api", "node", "node-2"), Value: 1})
	}
	g.Apply(t0, topology.Targets{}.Find([][]topology.Sample{nodes, up}))
	return g
}

// shopStorm is the alerts of a disk that is too slow, as static rules of the shop make them.
func shopStorm() []*model.Alert {
	var alerts []*model.Alert
	add := func(at int, alert, severity string, kv ...string) {
		ls := model.LabelSet{"alertname": model.LabelValue(alert), "severity": model.LabelValue(severity), "cluster": "shop"}
		for i := 0; i < len(kv); i += 2 {
			ls[model.LabelName(kv[i])] = model.LabelValue(kv[i+1])
		}
		alerts = append(alerts, &model.Alert{
			Labels: ls, StartsAt: t0.Add(time.Duration(at) * time.Second),
			Annotations: model.LabelSet{"summary": model.LabelValue(alert + " on " + kv[1]), "runbook_url": "https://runbooks/" + model.LabelValue(alert)},
		})
	}
	disk := []string{"instance", "db-primary", "service", "db-primary", "tier", "database", "node", "db-primary", "job", "node-exporter", "device", "sda"}
	add(60, "DiskSaturated", "critical", disk...)
	add(65, "DiskQueueLong", "warning", disk...)
	add(70, "DatabaseSlowQueries", "warning", "instance", "db-primary", "service", "db-primary", "tier", "database", "node", "db-primary", "job", "shop")
	for a, s := range []string{"api-catalog", "api-users", "api-orders"} {
		for i, alert := range []string{"HighLatencyP95", "SlowRequests", "RequestsPileUp", "HighErrorRate"} {
			add(75+5*i+3*a, alert, "warning", "instance", s, "service", s, "tier", "api", "node", "node-2", "job", "shop")
		}
	}
	for w := range 12 {
		for i, alert := range []string{"HighLatencyP95", "SlowRequests", "RequestsPileUp", "HighErrorRate"} {
			name := fmt.Sprintf("web-%02d", w+1)
			add(85+15*i+w, alert, "warning", "instance", name, "service", "web", "tier", "web", "node", fmt.Sprintf("node-%d", w/3+1), "job", "shop")
		}
		add(140+w, "BackendErrors", "warning", "instance", "lb", "service", "lb", "tier", "lb", "backend", fmt.Sprintf("web-%02d", w+1))
	}
	add(150, "HighErrorRate", "critical", "instance", "lb", "service", "lb", "tier", "lb", "node", "node-1", "job", "shop")
	return alerts
}

func TestTheStormOfTheShopIsOneIncident(t *testing.T) {
	for _, targets := range []bool{true, false} {
		for _, rules := range []bool{true, false} {
			t.Run(fmt.Sprintf("targets known: %v, rules known: %v", targets, rules), func(t *testing.T) {
				deps := correlate.Deps{Topology: shopGraph(targets)}
				if rules {
					deps.Rules = func(model.LabelSet) (time.Duration, bool) { return 10 * time.Second, true }
				}
				e := correlate.NewEngine(correlate.DefaultConfig(), deps)
				now, alerts := t0.Add(5*time.Minute), shopStorm()
				e.Alerts(now, alerts)
				e.Step(now)
				events := e.Step(now.Add(3 * time.Second))
				for _, ev := range events {
					t.Logf("%d alerts: %s. %s", len(ev.Incident.Alerts), ev.Incident.Title, ev.Incident.Summary)
				}
				require.Len(t, events, 1, "incidents")
				i := events[0].Incident
				require.Len(t, i.Alerts, len(alerts))
				require.Equal(t, "database degradation affecting API and web tier", i.Title)
				require.Equal(t, "db-primary", i.Causes[0].Entity.Name)
				require.Equal(t, "disk", i.Causes[0].Resource)
				require.Greater(t, i.Causes[0].Confidence, 0.8)
				require.False(t, i.NoClearCause)
				require.Equal(t, []string{"12 web servers", "3 APIs", "1 database", "1 load balancer"}, texts(i.Affected))
				require.Equal(t, "critical", i.Severity)
				require.Equal(t, model.LabelSet{"cluster": "shop"}, i.Shared)
				require.Equal(t, "https://runbooks/DiskSaturated", i.RunbookURL)
				require.Contains(t, i.Action, "disk I/O")
				require.Equal(t, "db-primary", i.Path[0].Entity.Name)
				require.Equal(t, "lb", i.Path[len(i.Path)-1].Entity.Name)
				require.Contains(t, i.Causes[0].Evidence[0].Query, `ALERTS_FOR_STATE{alertname="D`)
			})
		}
	}
}

func texts(counts []correlate.Count) []string {
	var out []string
	for _, c := range counts {
		out = append(out, c.String())
	}
	return out
}

func TestASilentHubWithOneAlertExplainsManyTiers(t *testing.T) {
	g, alerts := flood(40, 25)
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g, Rules: noHold})
	e.Alerts(t0.Add(time.Minute), alerts)
	e.Alerts(t0.Add(time.Minute), []*model.Alert{alert("DatabaseDiskSaturated", "db", 0)})
	e.Step(t0.Add(time.Minute))
	got := live(e)
	require.Len(t, got, 1, "incidents")
	require.Equal(t, "db", got[0].Causes[0].Entity.Name)
}

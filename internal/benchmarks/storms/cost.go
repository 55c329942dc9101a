package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
)

// Batches of a storm as Alertmanager delivers it.
const batches = 20

// cost measures a storm of 1 000 alerts re-explained at every batch, and 50 000 alerts in a minute.
func cost(ctx context.Context) ([]result, error) {
	g, alerts := bigStorm(40, 25)
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g})
	now := alerts[len(alerts)-1].StartsAt
	var worst, sum time.Duration
	for b := range batches {
		d := timed(func() {
			e.Alerts(now, alerts[b*len(alerts)/batches:(b+1)*len(alerts)/batches])
			e.Step(now)
		})
		worst, sum = max(worst, d), sum+d
		now = now.Add(15 * time.Second)
	}
	out := []result{
		{Name: "storm of 1 000 alerts: slowest re-explanation", Value: float64(worst.Microseconds()) / 1000, Unit: "ms", Must: ptr(1000), Moonshot: ptr(100), Command: command, LessIsBetter: true},
		{Name: "storm of 1 000 alerts: time per alert", Value: float64(sum.Microseconds()) / float64(len(alerts)), Unit: "us", Command: command, LessIsBetter: true},
	}
	flood, err := floodCost(ctx)
	return append(out, flood...), err
}

// floodCost sends 50 000 alerts in a minute of the engine's clock and steps when it asks for it.
func floodCost(ctx context.Context) ([]result, error) {
	g, alerts := bigStorm(500, 100)
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g})
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := alerts[0].StartsAt
	now := start
	var busy, first time.Duration
	per := len(alerts) / 240
	for i := 0; i < len(alerts); i += per {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		busy += timed(func() { e.Alerts(now, alerts[i:min(i+per, len(alerts))]) })
		for next := e.NextStep(now); !next.IsZero() && !next.After(now); next = e.NextStep(now) {
			var opened int
			busy += timed(func() { opened = len(e.Step(now)) })
			if opened > 0 && first == 0 {
				first = now.Sub(start) + busy
			}
		}
		now = now.Add(250 * time.Millisecond)
	}
	last := timed(func() { e.Step(now.Add(5 * time.Second)) })
	runtime.GC()
	runtime.ReadMemStats(&after)
	members := 0
	incidents := e.Incidents()
	kept := 0
	for _, i := range incidents {
		if i.MergedInto == "" {
			members += len(i.Alerts)
			kept++
		}
	}
	if members != len(alerts) {
		return nil, fmt.Errorf("flood: %d of %d alerts are in an incident", members, len(alerts))
	}
	return []result{
		{Name: "50 000 alerts in a minute: first incident after", Value: first.Seconds(), Unit: "s", Must: ptr(15), Command: command, LessIsBetter: true},
		{Name: "50 000 alerts in a minute: all explained after the last", Value: last.Seconds(), Unit: "s", Must: ptr(30), Command: command, LessIsBetter: true},
		{Name: "50 000 alerts in a minute: processor time", Value: (busy + last).Seconds(), Unit: "s", Command: command, LessIsBetter: true},
		{Name: "50 000 alerts in a minute: heap", Value: float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20), Unit: "MiB", Must: ptr(768), Command: command, LessIsBetter: true},
		{Name: "50 000 alerts in a minute: incidents", Value: float64(kept), Unit: "count", Command: command, LessIsBetter: true},
	}, nil
}

// bigStorm is one database that fails under services × instances.
func bigStorm(services, instances int) (*topology.Graph, []*model.Alert) {
	g := topology.NewGraph(topology.Options{})
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	svc := func(name string) topology.Entity { return topology.Entity{Kind: topology.KindService, Name: name} }
	var alerts []*model.Alert
	add := func(at time.Duration, ls model.LabelSet) {
		alerts = append(alerts, &model.Alert{Labels: ls, Annotations: model.LabelSet{"summary": "An alert of the storm with a summary of usual length"}, StartsAt: start.Add(at)})
	}
	add(0, model.LabelSet{"alertname": "DatabaseDiskIOSaturated", "service": "db", "severity": "critical"})
	total := services * instances
	for s := range services {
		name := fmt.Sprintf("svc-%03d", s)
		up := "db"
		if s >= 20 {
			up = fmt.Sprintf("svc-%03d", s%20)
		}
		g.Add(start, topology.Edge{From: svc(name), To: svc(up), Kind: topology.Call, Source: "bench"})
		for k := range instances {
			pod := fmt.Sprintf("%s-7d9c-%04d", name, k)
			g.Add(start,
				topology.Edge{From: svc(name), To: topology.Entity{Kind: topology.KindPod, Name: pod}, Kind: topology.Owns, Source: "bench"},
				topology.Edge{From: topology.Entity{Kind: topology.KindPod, Name: pod}, To: topology.Entity{Kind: topology.KindNode, Name: fmt.Sprintf("node-%03d", (s*7+k)%100)}, Kind: topology.Host, Source: "bench"})
			if len(alerts) < total {
				add(time.Duration(len(alerts))*60*time.Second/time.Duration(total), model.LabelSet{
					"alertname": "HighErrorRate", "service": model.LabelValue(name), "pod": model.LabelValue(pod), "severity": "critical", "namespace": "shop", "cluster": "prod",
				})
			}
		}
	}
	return g, alerts
}

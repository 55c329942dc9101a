package topology

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector exports the call edges that stand now as tidemark_topology_edge{client,server,source}.
type Collector struct {
	graph *Graph
	now   func() time.Time
	edge  *prometheus.Desc
	count *prometheus.Desc
}

// maxExported bounds the edges that are exported: a page of metrics is no place for more.
const maxExported = 10_000

// NewCollector returns a collector over a graph.
func NewCollector(g *Graph, now func() time.Time) *Collector {
	return &Collector{
		graph: g, now: now,
		edge:  prometheus.NewDesc("tidemark_topology_edge", "Confidence, 0 to 1, that client calls server, as a source of topology saw it.", []string{"client", "server", "source"}, nil),
		count: prometheus.NewDesc("tidemark_topology_edges", "Edges of the topology that stand now.", []string{"kind", "source"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.edge
	ch <- c.count
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	type key struct{ client, server, source string }
	best := map[key]float64{}
	counts := map[[2]string]int{}
	for _, e := range c.graph.Edges(c.now()) {
		counts[[2]string{string(e.Kind), e.Source}]++
		if k := (key{qualified(e.From), qualified(e.To), e.Source}); e.Kind == Call && len(best) < maxExported {
			best[k] = max(best[k], e.Confidence)
		}
	}
	for k, v := range best {
		ch <- prometheus.MustNewConstMetric(c.edge, prometheus.GaugeValue, v, k.client, k.server, k.source)
	}
	for k, n := range counts {
		ch <- prometheus.MustNewConstMetric(c.count, prometheus.GaugeValue, float64(n), k[0], k[1])
	}
}

// qualified is namespace/name, or the name alone.
func qualified(e Entity) string {
	if e.Namespace != "" {
		return e.Namespace + "/" + e.Name
	}
	return e.Name
}

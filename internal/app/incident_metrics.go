package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark/tidemark/correlate"
)

type incidentMetrics struct {
	dropped   prometheus.Counter
	opened    prometheus.Counter
	firstPage prometheus.Histogram
}

// incidentCollector exports the incidents.
type incidentCollector struct{ i *incidents }

// Describe implements prometheus.Collector.
func (c *incidentCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- incidentInfo
	ch <- incidentNum
}

// Collect implements prometheus.Collector.
func (c *incidentCollector) Collect(ch chan<- prometheus.Metric) {
	count := map[string]int{correlate.StateFiring: 0, correlate.StateResolved: 0}
	for _, inc := range c.i.engine.Incidents() {
		count[inc.State]++
		ch <- prometheus.MustNewConstMetric(incidentInfo, prometheus.GaugeValue, 1, inc.ID, inc.Severity, causeText(&inc), inc.State)
	}
	for s, n := range count {
		ch <- prometheus.MustNewConstMetric(incidentNum, prometheus.GaugeValue, float64(n), s)
	}
}

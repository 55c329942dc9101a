package app

import (
	"slices"
	"sync"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/correlate/logs"
)

// streamLabels are the labels of a pushed stream that the counts keep; others vary too much.
var streamLabels = []string{"namespace", "service", "service_name", "app", "job", "level"}

// maxCounted bounds the series of tidemark_log_lines_total; what is above is counted as refused.
const maxCounted = 5000

// lines counts pushed log lines by template.
type lines struct {
	mu      sync.Mutex
	miner   *logs.Miner
	counts  map[lineKey]float64
	refused float64
}

// lineKey is a template in a stream, the stream's labels by position in streamLabels.
type lineKey struct {
	template string
	stream   [6]string
}

func newLines(reg prometheus.Registerer) *lines {
	l := &lines{miner: logs.New(logs.Options{}), counts: map[lineKey]float64{}}
	reg.MustRegister(l)
	return l
}

// add counts the lines of a stream.
func (l *lines) add(ls labels.Labels, entries []push.Entry) {
	var key lineKey
	for i, name := range streamLabels {
		key.stream[i] = ls.Get(name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		_, template, _ := l.miner.Add(e.Line)
		key.template = clipTemplate(template)
		if _, known := l.counts[key]; !known && len(l.counts) >= maxCounted {
			l.refused++
			continue
		}
		l.counts[key]++
	}
}

var (
	lineCount   = prometheus.NewDesc("tidemark_log_lines_total", "Pushed log lines by template.", append([]string{"template"}, streamLabels...), nil)
	lineRefused = prometheus.NewDesc("tidemark_log_lines_uncounted_total", "Pushed log lines of templates above the bound of counted ones.", nil, nil)
	lineKinds   = prometheus.NewDesc("tidemark_log_templates", "Log templates known.", nil, nil)
)

// Describe implements prometheus.Collector.
func (l *lines) Describe(ch chan<- *prometheus.Desc) {
	ch <- lineCount
	ch <- lineRefused
	ch <- lineKinds
}

// Collect implements prometheus.Collector.
func (l *lines) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, n := range l.counts {
		ch <- prometheus.MustNewConstMetric(lineCount, prometheus.CounterValue, n, slices.Concat([]string{key.template}, key.stream[:])...)
	}
	ch <- prometheus.MustNewConstMetric(lineRefused, prometheus.CounterValue, l.refused)
	ch <- prometheus.MustNewConstMetric(lineKinds, prometheus.GaugeValue, float64(l.miner.Len()))
}

// clipTemplate keeps a label value readable; templates that differ only behind it count as one.
func clipTemplate(s string) string {
	const most = 300
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

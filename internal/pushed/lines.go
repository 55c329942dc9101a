// Package pushed counts what is pushed, log lines by template and the calls in spans, by the minute: as metrics, and as what
// the ranking of causes compares an incident's minutes with.
package pushed

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/logs"
)

// streamLabels are the labels of a pushed stream that the counts keep; others vary too much.
var streamLabels = []string{"namespace", "service", "service_name", "app", "job", "level"}

// lineLabels are the labels of tidemark_log_lines_total.
var lineLabels = append([]string{"template"}, streamLabels...)

// maxCounted bounds the series of tidemark_log_lines_total; what is above is counted as refused.
const maxCounted = 5000

// Options say how what is pushed is counted.
type Options struct {
	// Every is how long the stretches are that are counted in, whole seconds.
	Every time.Duration
	Now   func() time.Time
}

func (o Options) calendar() calendar { return calendar(max(1, int64(o.Every/time.Second))) }

// Namer names the entity of labels as the graph does; false: they are of none.
type Namer func(get func(label string) string) (entity string, ok bool)

// Lines counts pushed log lines by template, minute by minute. It is safe for concurrent use.
type Lines struct {
	now   func() time.Time
	cal   calendar
	since time.Time

	mu      sync.Mutex
	miner   *logs.Miner
	texts   map[int]string // Of a template when it was first seen: the labels of a series stand.
	counts  map[lineKey]*tally
	refused float64
}

// lineKey is a template in a stream, the stream's labels by position in streamLabels.
type lineKey struct {
	template string
	stream   [6]string
}

// maxTexts bounds what is remembered of templates: twice of what the miner keeps.
const maxTexts = 20_000

// NewLines returns an empty count that is exported to reg.
func NewLines(reg prometheus.Registerer, o Options) *Lines {
	l := &Lines{now: o.Now, cal: o.calendar(), since: o.Now(), miner: logs.New(logs.Options{}), texts: map[int]string{}, counts: map[lineKey]*tally{}}
	reg.MustRegister(l)
	return l
}

// Adopt takes over what another one counted.
func (l *Lines) Adopt(old *Lines) {
	old.mu.Lock()
	defer old.mu.Unlock()
	if l.cal != old.cal {
		return // Counts of other stretches say nothing.
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since, l.miner, l.texts, l.counts, l.refused = old.since, old.miner, old.texts, old.counts, old.refused
	old.miner, old.texts, old.counts = logs.New(logs.Options{}), map[int]string{}, map[lineKey]*tally{}
}

// Add counts the lines of a stream in the minute of now.
func (l *Lines) Add(ls labels.Labels, entries []push.Entry) {
	var key lineKey
	for i, name := range streamLabels {
		key.stream[i] = ls.Get(name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	minute := l.cal.of(l.now())
	for _, e := range entries {
		id, template, _ := l.miner.Add(e.Line)
		text, known := l.texts[id]
		if !known {
			if len(l.texts) >= maxTexts {
				clear(l.texts)
			}
			text = clipTemplate(template)
			l.texts[id] = text
		}
		key.template = text
		c := l.counts[key]
		if c == nil {
			if len(l.counts) >= maxCounted && !l.forget(minute) {
				l.refused++
				continue
			}
			c = &tally{}
			l.counts[key] = c
		}
		c.add(minute, 1)
	}
}

// forget drops what was not seen for as long as counts are kept; false: there is nothing such. The lock is held.
func (l *Lines) forget(minute int64) bool {
	before := len(l.counts)
	for k, c := range l.counts {
		if minute-c.minute > keepMinutes {
			delete(l.counts, k)
		}
	}
	return len(l.counts) < before
}

// logsBy is the Case.LogsBy of what is pushed: with five thousand patterns, chance alone makes four.
const logsBy = 6

// patternOf is what a ranking counts by.
type patternOf struct{ entity, text string }

// Fill gives a case what was counted in the incident's minutes and in windows before.
// It is false when it has nothing to compare: too little was counted before, or it is forgotten by now.
func (l *Lines) Fill(c *cause.Case, look time.Time, name Namer) bool {
	now, before, ok := l.cal.windowsOf(c.AlertTime, look, l.since, l.now())
	if !ok {
		return false
	}
	c.LogsBy = logsBy
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := map[patternOf][]*tally{}
	queries := map[patternOf][]string{}
	for k, r := range l.counts {
		entity, ok := name(k.label)
		if !ok || r.in(before[len(before)-1].from, now.to) == 0 {
			continue
		}
		p := patternOf{entity, k.template}
		rows[p] = append(rows[p], r)
		queries[p] = append(queries[p], l.cal.countedIn(selectorOf("tidemark_log_lines_total", lineLabels, append([]string{k.template}, k.stream[:]...)), now))
	}
	for p, rs := range rows {
		slices.Sort(queries[p])
		count := func(m minutes) cause.LogCount {
			n := cause.LogCount{Window: l.cal.start(m).UnixMilli(), Entity: p.entity, Pattern: p.text, Query: strings.Join(queries[p], " + ")}
			for _, r := range rs {
				n.Count += r.in(m.from, m.to)
			}
			return n
		}
		c.Logs = append(c.Logs, count(now))
		for _, m := range before {
			c.LogsBaseline = append(c.LogsBaseline, count(m))
		}
	}
	byPattern := func(a, b cause.LogCount) int {
		return cmp.Or(cmp.Compare(a.Window, b.Window), cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.Pattern, b.Pattern))
	}
	slices.SortFunc(c.Logs, byPattern)
	slices.SortFunc(c.LogsBaseline, byPattern)
	return true
}

// label is a label of the key's stream.
func (k lineKey) label(name string) string {
	if i := slices.Index(streamLabels, name); i >= 0 {
		return k.stream[i]
	}
	return ""
}

var (
	lineCount   = prometheus.NewDesc("tidemark_log_lines_total", "Pushed log lines by template, as of the last whole minute and with its time.", append([]string{"template"}, streamLabels...), nil)
	lineRefused = prometheus.NewDesc("tidemark_log_lines_uncounted_total", "Pushed log lines of templates above the bound of counted ones.", nil, nil)
	lineKinds   = prometheus.NewDesc("tidemark_log_templates", "Log templates known.", nil, nil)
)

// Describe implements prometheus.Collector.
func (l *Lines) Describe(ch chan<- *prometheus.Desc) {
	ch <- lineCount
	ch <- lineRefused
	ch <- lineKinds
}

// Collect implements prometheus.Collector.
func (l *Lines) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, t := range l.counts {
		t.export(ch, l.cal, l.now(), lineCount, append([]string{key.template}, key.stream[:]...)...)
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

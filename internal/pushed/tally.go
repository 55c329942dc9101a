package pushed

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// keepMinutes is of how many minutes a tally knows its count at the end.
const keepMinutes = 90

// calendar numbers the stretches of time that are counted in, since the epoch. They are called minutes, which they are
// unless the configuration has them shorter.
type calendar int64 // Seconds of each.

// of is the minute of a time.
func (c calendar) of(t time.Time) int64 { return t.Unix() / int64(c) }

// end is when a minute ends.
func (c calendar) end(minute int64) time.Time { return time.Unix((minute+1)*int64(c), 0).UTC() }

// start is when the first of some minutes begins.
func (c calendar) start(m minutes) time.Time { return c.end(m.from - 1) }

// span is how long some minutes are.
func (c calendar) span(minutes int64) time.Duration {
	return time.Duration(minutes) * time.Duration(c) * time.Second
}

// tally is a count that knows what it was at the end of each of the last minutes. It is exported as of the last
// whole minute, with that minute's time, so that Prometheus has the very numbers that evidence is made of.
type tally struct {
	first, minute int64 // Minutes since the epoch: of the first and of the latest event.
	total         float64
	ends          [keepMinutes]float64 // By minute: the total at its end, of minutes before the latest.
}

func (t *tally) add(minute int64, n float64) {
	if t.first == 0 {
		t.first, t.minute = minute, minute
	}
	if minute > t.minute {
		for m := max(t.minute, minute-keepMinutes); m < minute; m++ {
			t.ends[m%keepMinutes] = t.total
		}
		t.minute = minute
	}
	t.total += n
}

// at is the total at the end of a whole minute; before those that are kept, the oldest of them.
func (t *tally) at(minute int64) float64 {
	switch {
	case t.first == 0 || minute < t.first:
		return 0
	case minute >= t.minute:
		return t.total
	}
	return t.ends[max(minute, t.minute-keepMinutes)%keepMinutes]
}

// in is the count of whole minutes, both included.
func (t *tally) in(from, to int64) float64 { return t.at(to) - t.at(from-1) }

// export sends the tally as of the last whole minute.
func (t *tally) export(ch chan<- prometheus.Metric, c calendar, now time.Time, desc *prometheus.Desc, labels ...string) {
	last := c.of(now) - 1
	if t.first == 0 || t.first > last {
		return
	}
	ch <- prometheus.NewMetricWithTimestamp(c.end(last), prometheus.MustNewConstMetric(desc, prometheus.CounterValue, t.at(last), labels...))
}

// minutes is a stretch of whole minutes, both included.
type minutes struct{ from, to int64 }

const (
	// beforeAlert is how many minutes before its first alert an incident's window of lines and spans begins.
	beforeAlert = 2
	// calmBefore are left out between the windows compared with and the first alert.
	calmBefore  = 5
	maxMinutes  = 10 // of a window
	leastWindow = 3  // windows to compare with, of up to
	mostWindows = 12
)

// windowsOf are the whole minutes of an incident up to a moment, and windows of the same length before it since a
// process has counted; ok is false when there are too few. What was before the minutes that are kept now is forgotten.
func (c calendar) windowsOf(firstAlert, look, since, current time.Time) (now minutes, before []minutes, ok bool) {
	now.from = c.of(firstAlert.Add(-c.span(beforeAlert)))
	now.to = min(c.of(look)-1, now.from+maxMinutes-1)
	n := now.to - now.from + 1
	kept := c.of(current) - keepMinutes + 2
	if n < 1 || now.from < kept {
		return now, nil, false
	}
	oldest := max(c.of(since)+1, kept)
	for to := c.of(firstAlert.Add(-c.span(calmBefore))) - 1; to-n+1 >= oldest && len(before) < mostWindows; to -= n {
		before = append(before, minutes{to - n + 1, to})
	}
	return now, before, len(before) >= leastWindow
}

// countedIn is PromQL for the count of whole minutes of one exported tally.
func (c calendar) countedIn(selector string, m minutes) string {
	return fmt.Sprintf("max(%s @ %d) - (max(%s @ %d) or vector(0))", selector, c.end(m.to).Unix(), selector, c.end(m.from-1).Unix())
}

// selectorOf is a metric with these labels. An empty job is left open: Prometheus fills it in.
func selectorOf(metric string, names, values []string) string {
	var out []string
	for i, name := range names {
		if name == "job" && values[i] == "" {
			continue
		}
		out = append(out, fmt.Sprintf("%s=%q", name, values[i]))
	}
	return metric + "{" + strings.Join(out, ",") + "}"
}

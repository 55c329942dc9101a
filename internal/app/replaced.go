package app

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// churning are the labels that change when something is replaced by its like: a rollout makes new pods, a
// scaling group new machines.
var churning = []string{"container_id", "host_ip", "id", "instance", "pod", "pod_ip", "pod_name", "pod_template_hash", "replicaset", "uid"}

// replacedWithin is how far apart one's end and its successor's begin may lie.
const replacedWithin = int64(time.Hour / time.Millisecond)

// classOf is what stays of a series when it is replaced, as a hash; false when it has none of those labels.
func classOf(ls labels.Labels) (uint64, bool) {
	if !slices.ContainsFunc(churning, ls.Has) {
		return 0, false
	}
	h, _ := ls.HashWithoutLabels(nil, churning...)
	return h, true
}

// replaced finds the series of a watch that gave no sample at t because another of their class has taken their
// place: each that ended is paired with one that began within an hour of it and is there.
func replaced(entries []*entry, t int64) map[*entry]bool {
	var ended, begun []*entry
	if !slices.ContainsFunc(entries, func(e *entry) bool { return e.lastSample < t }) {
		return nil // As almost always: nothing is made.
	}
	for _, e := range entries {
		switch {
		case e.lastSample < t:
			ended = append(ended, e)
		default:
			begun = append(begun, e)
		}
	}
	if len(ended) == 0 || len(begun) == 0 {
		return nil
	}
	wanted := map[uint64][]*entry{}
	for _, e := range ended {
		if class, ok := classOf(e.series.Labels()); ok {
			wanted[class] = append(wanted[class], e)
		}
	}
	out := map[*entry]bool{}
	for _, b := range begun {
		class, ok := classOf(b.series.Labels())
		if !ok || len(wanted[class]) == 0 {
			continue
		}
		first := b.series.First()
		i := slices.IndexFunc(wanted[class], func(e *entry) bool {
			return first-e.lastSample <= replacedWithin && e.lastSample-first <= replacedWithin
		})
		if i >= 0 {
			out[wanted[class][i]] = true
			wanted[class] = slices.Delete(wanted[class], i, i+1)
		}
	}
	return out
}

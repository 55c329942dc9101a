package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
)

// changeSource is one kind of change that metrics show, as an instant query whose samples are the
// things that changed within the window. The metrics are those of the table in the research on
// change events: process_start_time_seconds of every client library, *_build_info, and
// kube-state-metrics.
type changeSource struct {
	kind string
	// expr has one %s: the window. The sample's value is the Unix time of the change, or 0 when it
	// is only known to lie inside the window.
	expr string
	// text says what changed, from the sample's labels.
	text func(m model.Metric) string
}

// changeSources is every kind of change that is read from metrics: one row each.
var changeSources = []changeSource{
	{
		"restart", `max by (job, instance, service, namespace, pod, node, tier) (process_start_time_seconds) > time() - %s and max by (job, instance, service, namespace, pod, node, tier) (process_start_time_seconds offset %[1]ss)`,
		func(m model.Metric) string { return "the process of " + named(m) + " was started anew" },
	},
	{
		"deploy", `0 * max by (job, instance, service, namespace, pod, version, revision, tier) ({__name__=~".+_build_info"}) unless max by (job, instance, service, namespace, pod, version, revision, tier) ({__name__=~".+_build_info"} offset %[1]ss) and on (job, instance) max by (job, instance) ({__name__=~".+_build_info"} offset %[1]ss)`,
		func(m model.Metric) string { return named(m) + " runs version " + versionOf(m) + " now" },
	},
	{
		"deploy", `0 * max by (namespace, deployment) (changes(kube_deployment_status_observed_generation[%ss]) > 0)`,
		func(m model.Metric) string { return "the specification of deployment " + named(m) + " changed" },
	},
	{
		"deploy", `0 * max by (namespace, statefulset) (changes(kube_statefulset_status_observed_generation[%ss]) > 0)`,
		func(m model.Metric) string { return "the specification of statefulset " + named(m) + " changed" },
	},
	{
		"scale", `0 * max by (namespace, deployment) (changes(kube_deployment_spec_replicas[%ss]) > 0)`,
		func(m model.Metric) string { return "deployment " + named(m) + " was scaled" },
	},
	{
		"node", `0 * max by (node) (changes(kube_node_spec_unschedulable[%ss]) > 0)`,
		func(m model.Metric) string { return "node " + named(m) + " was cordoned or uncordoned" },
	},
	{
		"restart", `0 * max by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total[%ss]) > 0)`,
		func(m model.Metric) string { return "a container of pod " + named(m) + " was restarted" },
	},
	{
		"config", `0 * max by (namespace, configmap) (changes(kube_configmap_metadata_resource_version[%ss]) > 0)`,
		func(m model.Metric) string { return "config map " + named(m) + " was edited" },
	},
}

// named is what a change is about, by its most telling label.
func named(m model.Metric) string {
	for _, l := range []model.LabelName{"deployment", "statefulset", "configmap", "pod", "service", "node", "instance", "job"} {
		if v := m[l]; v != "" {
			if ns := m["namespace"]; ns != "" {
				return string(ns) + "/" + string(v)
			}
			return string(v)
		}
	}
	return m.String()
}

func versionOf(m model.Metric) string {
	if v := m["version"]; v != "" {
		return string(v)
	}
	return string(m["revision"])
}

// querier runs instant queries; promread.Client satisfies it.
type querier interface {
	Query(ctx context.Context, expr string, at time.Time) (model.Vector, error)
}

// changeWatch finds change events in metrics. Each is told once.
type changeWatch struct {
	logger *slog.Logger
	query  querier
	now    func() time.Time
	tell   func(now time.Time, c correlate.Change)
	// window is how far back each look reaches, at least twice the time between looks.
	window time.Duration
	seen   map[string]time.Time
}

// look asks for every kind of change in one query. When it fails,
// each kind is asked for alone, so that one that Prometheus refuses does not hide the others.
func (w *changeWatch) look(ctx context.Context) error {
	now := w.now()
	// On the clock's grid, so that a replay looks at the same moments; late enough for the last scrape to be there.
	at := now.Add(-ingestDelay).Truncate(changeInterval)
	exprs := make([]string, len(changeSources))
	for i, src := range changeSources {
		exprs[i] = fmt.Sprintf(src.expr, fmt.Sprint(int(w.window.Seconds())))
	}
	var errs []error
	found, err := together(ctx, w.query, exprs, at)
	if err != nil {
		found = make([]model.Vector, len(exprs))
		for i, src := range changeSources {
			if found[i], err = w.query.Query(ctx, exprs[i], at); err != nil {
				errs = append(errs, fmt.Errorf("look for %s changes: %w", src.kind, err))
			}
		}
	}
	for i, vector := range found {
		sort.Slice(vector, func(a, b int) bool { return vector[a].Metric.String() < vector[b].Metric.String() })
		for _, s := range vector {
			w.note(now, at, i, exprs[i], s)
		}
	}
	for k, at := range w.seen {
		if now.Sub(at) > 4*w.window {
			delete(w.seen, k)
		}
	}
	return errors.Join(errs...)
}

func (w *changeWatch) note(now, looked time.Time, row int, expr string, s *model.Sample) {
	src := changeSources[row]
	at := looked
	key := fmt.Sprintf("%d %s", row, s.Metric)
	if v := float64(s.Value); v > 1 {
		at = time.UnixMilli(int64(v * 1000)).UTC()
		key += fmt.Sprint(int64(v))
	}
	_, known := w.seen[key]
	w.seen[key] = now
	if known {
		return
	}
	ls := model.LabelSet{}
	for name, v := range s.Metric {
		if v != "" && name != model.MetricNameLabel {
			ls[name] = v
		}
	}
	text := src.text(s.Metric)
	w.tell(now, correlate.Change{Time: at, Kind: src.kind, Labels: ls, Text: strings.TrimSpace(text), Source: "metrics", Query: countOf(expr, s.Metric, looked)})
}

// countOf is PromQL that counts one series of an expression at a moment, whenever it is run: 1 as long as
// Prometheus has the samples of that time. The labels are matched on the result, as the expression
// may compare with series that have others.
func countOf(expr string, metric model.Metric, at time.Time) string {
	one := "vector(1)"
	var names []string
	for name := range metric {
		names = append(names, string(name))
	}
	sort.Strings(names)
	for _, name := range names {
		value := strings.ReplaceAll(string(metric[model.LabelName(name)]), "$", "$$")
		one = fmt.Sprintf("label_replace(%s, %q, %q, \"\", \"\")", one, name, value)
	}
	return fmt.Sprintf("last_over_time(count((%s) and on (%s) %s)[1s:1s] @ %d)", expr, strings.Join(names, ", "), one, at.Unix())
}

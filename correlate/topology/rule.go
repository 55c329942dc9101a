package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Rule is a user's own source: any metric with one label that names the caller and one that names
// the callee.
type Rule struct {
	// Metric is a selector or any instant query; series with a value above 0 are edges. A counter is
	// better given as `increase(metric[1h])`. Required.
	Metric string `yaml:"metric"`
	// From are labels that name the end that calls, owns or runs; the first that a series has counts.
	// Required, for example `[client, source_workload]`.
	From []string `yaml:"from"`
	// To are labels that name the other end. Required.
	To []string `yaml:"to"`
	// FromNamespace is the label with the namespace of the first end; none when empty.
	FromNamespace string `yaml:"from_namespace,omitempty"`
	// ToNamespace is the label with the namespace of the other end; none when empty.
	ToNamespace string `yaml:"to_namespace,omitempty"`
	// Kind is what the edges mean: call (the default), owns, host, uses, in or same.
	Kind EdgeKind `yaml:"kind,omitempty"`
	// FromKind is what the first end is: service (the default), pod, instance, node, zone, cluster,
	// volume, ingress, database, queue or external.
	FromKind Kind `yaml:"from_kind,omitempty"`
	// ToKind is what the other end is; service by default.
	ToKind Kind `yaml:"to_kind,omitempty"`
	// Confidence is how sure the edges are, 0 to 1; 1 by default.
	Confidence float64 `yaml:"confidence,omitempty"`
}

// Validate fills in defaults and says what is wrong.
func (r *Rule) Validate() error {
	if r.Metric == "" {
		return errors.New("metric is missing: want a metric's name or an instant query")
	}
	if _, err := parser.NewParser(parser.Options{}).ParseExpr(r.Metric); err != nil {
		return fmt.Errorf("metric %q: %w", r.Metric, err)
	}
	for _, side := range []struct {
		name   string
		labels []string
	}{{"from", r.From}, {"to", r.To}} {
		if len(side.labels) == 0 {
			return fmt.Errorf("%s is missing: want one label name or more", side.name)
		}
		for _, l := range side.labels {
			if !model.UTF8Validation.IsValidLabelName(l) {
				return fmt.Errorf("%s: %q is not a label name", side.name, l)
			}
		}
	}
	if r.Kind == "" {
		r.Kind = Call
	}
	if !slices.Contains(edgeKinds, r.Kind) {
		return fmt.Errorf("kind %q: want one of %s", r.Kind, joinKinds())
	}
	if r.FromKind == "" {
		r.FromKind = KindService
	}
	if r.ToKind == "" {
		r.ToKind = KindService
	}
	if r.Confidence == 0 {
		r.Confidence = 1
	}
	if r.Confidence < 0 || r.Confidence > 1 {
		return fmt.Errorf("confidence %g: want a number from 0 to 1", r.Confidence)
	}
	return nil
}

var edgeKinds = []EdgeKind{Call, Owns, Host, Uses, In, Same}

func joinKinds() string {
	names := make([]string, len(edgeKinds))
	for i, k := range edgeKinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// RuleSource is a Rule as a Source.
type RuleSource struct{ Rule Rule }

// Name implements Source.
func (RuleSource) Name() string { return "rule" }

// Queries implements Source.
func (s RuleSource) Queries() []Query { return []Query{{"edges", s.Rule.Metric}} }

// Find implements Source.
func (s RuleSource) Find(answers [][]Sample) Found {
	var f Found
	for _, samples := range answers {
		for _, x := range samples {
			from, to := first(x.Labels, s.Rule.From...), first(x.Labels, s.Rule.To...)
			if !(x.Value > 0) || from == "" || to == "" {
				continue
			}
			cluster := x.Labels.Get("cluster")
			f.edge(Edge{
				From: Entity{s.Rule.FromKind, cluster, x.Labels.Get(s.Rule.FromNamespace), from},
				To:   Entity{s.Rule.ToKind, cluster, x.Labels.Get(s.Rule.ToNamespace), to},
				Kind: s.Rule.Kind, Source: s.Name(), Confidence: s.Rule.Confidence,
			})
		}
	}
	return f
}

// first is the value of the first label that has one.
func first(ls labels.Labels, names ...string) string {
	for _, n := range names {
		if v := ls.Get(n); v != "" {
			return v
		}
	}
	return ""
}

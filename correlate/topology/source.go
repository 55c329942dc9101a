package topology

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Query is one instant query of a source.
type Query struct {
	Name string // unique within the source
	Expr string // PromQL
}

// Sample is one element of an instant query's answer.
type Sample struct {
	Labels labels.Labels
	Value  float64
}

// SamplesOf is the answer of an instant query as sources read it.
func SamplesOf(vector model.Vector) []Sample {
	out := make([]Sample, 0, len(vector))
	for _, s := range vector {
		out = append(out, Sample{Labels: LabelsOf(model.LabelSet(s.Metric)), Value: float64(s.Value)})
	}
	return out
}

// LabelsOf is a label set in the form that sources and rules read.
func LabelsOf(set model.LabelSet) labels.Labels {
	b := labels.NewScratchBuilder(len(set))
	for k, v := range set {
		b.Add(string(k), string(v))
	}
	b.Sort()
	return b.Labels()
}

// Found is what a source read out of samples. Edges carry no times; Graph.Add knows them.
type Found struct {
	Edges      []Edge
	Attributes map[Entity]Attributes
}

func (f *Found) edge(e Edge) { f.Edges = append(f.Edges, e) }

func (f *Found) describe(e Entity, k, v string) {
	if v == "" || e.Name == "" {
		return
	}
	if f.Attributes == nil {
		f.Attributes = map[Entity]Attributes{}
	}
	if f.Attributes[e] == nil {
		f.Attributes[e] = Attributes{}
	}
	f.Attributes[e][k] = v
}

// Source turns metrics into edges. Implementations have no state and are safe for concurrent use.
type Source interface {
	// Name is the value of the label source and of Edge.Source.
	Name() string
	// Queries are the instant queries the source needs, in the order of their answers.
	Queries() []Query
	// Find reads the answers, one slice of samples per query, in the order of Queries. Samples that
	// lack a label are skipped: a stranger's metric may have the same name.
	Find(answers [][]Sample) Found
}

// Querier runs one instant query. The application satisfies it.
type Querier interface {
	Instant(ctx context.Context, expr string, at time.Time) ([]Sample, error)
}

// Refresh asks every source at time now and adds what it found to the graph. A source whose query
// fails is skipped; the errors are joined.
func Refresh(ctx context.Context, g *Graph, q Querier, sources []Source, now time.Time) error {
	var errs []error
	for _, s := range sources {
		if err := refreshOne(ctx, g, q, s, now); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func refreshOne(ctx context.Context, g *Graph, q Querier, s Source, now time.Time) error {
	queries := s.Queries()
	answers := make([][]Sample, len(queries))
	for i, query := range queries {
		samples, err := q.Instant(ctx, query.Expr, now)
		if err != nil {
			return fmt.Errorf("topology source %s: query %s (%s): %w", s.Name(), query.Name, query.Expr, err)
		}
		answers[i] = samples
	}
	g.Apply(now, s.Find(answers))
	return nil
}

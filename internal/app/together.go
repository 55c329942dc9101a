package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate/topology"
)

// partLabel says in one query for many of which of them a sample is.
const partLabel = "part_of_query"

// together asks many instant queries in one call, since most of what a small query costs both sides, about a millisecond,
// is the call.
func together(ctx context.Context, query querier, exprs []string, at time.Time) ([]model.Vector, error) {
	marked := make([]string, len(exprs))
	for i, expr := range exprs {
		marked[i] = fmt.Sprintf(`label_replace(%s, %q, "%d", "", "")`, expr, partLabel, i)
	}
	all, err := query.Query(ctx, strings.Join(marked, " or "), at)
	if err != nil {
		return nil, err
	}
	found := make([]model.Vector, len(exprs))
	for _, s := range all {
		i, err := strconv.Atoi(string(s.Metric[partLabel]))
		if err != nil || i < 0 || i >= len(found) {
			continue
		}
		own := s.Metric.Clone() // A replay keeps its answers.
		delete(own, partLabel)
		found[i] = append(found[i], &model.Sample{Metric: own, Value: s.Value, Timestamp: s.Timestamp})
	}
	return found, nil
}

// instant implements topology.Querier, with what was asked for together.
type instant struct {
	query querier
	known map[string]model.Vector // By expression; what is not there is asked for by itself.
}

// instantly asks all queries of the sources in one call; when that fails each is asked for by itself, so that one that Prometheus
// refuses does not hide the others.
func instantly(ctx context.Context, query querier, sources []topology.Source, at time.Time) instant {
	q := instant{query, map[string]model.Vector{}}
	var exprs []string
	for _, s := range sources {
		for _, one := range s.Queries() {
			exprs = append(exprs, one.Expr)
		}
	}
	if len(exprs) == 0 {
		return q
	}
	if found, err := together(ctx, query, exprs, at); err == nil {
		for i, expr := range exprs {
			q.known[expr] = found[i]
		}
	}
	return q
}

// Instant implements topology.Querier.
func (i instant) Instant(ctx context.Context, expr string, at time.Time) ([]topology.Sample, error) {
	vector, ok := i.known[expr]
	if !ok {
		var err error
		if vector, err = i.query.Query(ctx, expr, at); err != nil {
			return nil, err
		}
	}
	return topology.SamplesOf(vector), nil
}

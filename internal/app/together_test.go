package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/topology"
)

// marking is a Prometheus that answers each part of a query for many with what it knows of it; it may refuse such queries.
type marking struct {
	known   map[string]model.Vector
	refuses bool
	asked   []string
}

func (m *marking) Query(_ context.Context, expr string, _ time.Time) (model.Vector, error) {
	m.asked = append(m.asked, expr)
	if _, err := parser.NewParser(parser.Options{}).ParseExpr(expr); err != nil {
		return nil, err
	}
	if !strings.Contains(expr, partLabel) {
		return m.known[expr], nil
	}
	if m.refuses {
		return nil, errors.New("query processing would load too many samples")
	}
	var out model.Vector
	for one, vector := range m.known {
		for i, part := range strings.Split(expr, " or label_replace(") {
			if !strings.Contains(part, one+`, "`+partLabel) {
				continue
			}
			for _, s := range vector {
				marked := s.Metric.Clone()
				marked[partLabel] = model.LabelValue(fmt.Sprint(i))
				out = append(out, &model.Sample{Metric: marked, Value: s.Value})
			}
		}
	}
	return out, nil
}

func TestManyQueriesAreAskedInOne(t *testing.T) {
	m := &marking{known: map[string]model.Vector{
		"a":      {{Metric: model.Metric{"x": "1"}, Value: 1}, {Metric: model.Metric{"x": "2"}, Value: 2}},
		"sum(b)": {{Metric: model.Metric{}, Value: 3}},
	}}
	got, err := together(t.Context(), m, []string{"a", "sum(b)", "c"}, time.Now())
	require.NoError(t, err)
	require.Equal(t, []model.Vector{m.known["a"], m.known["sum(b)"], nil}, got)
	require.Equal(t, []string{`label_replace(a, "part_of_query", "0", "", "") or label_replace(sum(b), "part_of_query", "1", "", "") or label_replace(c, "part_of_query", "2", "", "")`}, m.asked)
	require.NotContains(t, m.known["a"][0].Metric, model.LabelName(partLabel), "what was answered is left as it is")
}

func TestTheTopologyIsTheSameHoweverItIsAskedFor(t *testing.T) {
	calls := topology.ServiceGraph{}.Queries()[0].Expr
	edges := func(refuses bool) (edges []topology.Edge, asked int) {
		m := &marking{refuses: refuses, known: map[string]model.Vector{calls: {
			{Metric: model.Metric{"client": "web", "server": "db"}, Value: 5},
		}}}
		g := topology.NewGraph(topology.Options{})
		cfg := topology.DefaultConfig()
		require.NoError(t, topology.Refresh(t.Context(), g, instantly(t.Context(), m, cfg.Sources(), alerted), cfg.Sources(), alerted))
		return g.Edges(alerted), len(m.asked)
	}
	want, single := edges(true)
	got, once := edges(false)
	require.NotEmpty(t, want)
	require.Equal(t, want, got)
	require.Equal(t, 1, once)
	require.Greater(t, single, 10)
}

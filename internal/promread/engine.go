package promread

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// engine evaluates what can't be computed from one selector, by Prometheus' own PromQL engine over
// samples from remote read. This is the only place that knows the engine.
type engine struct {
	client *Client
	promql *promql.Engine
}

func newEngine(c *Client) *engine {
	return &engine{
		client: c,
		promql: promql.NewEngine(promql.EngineOpts{
			Logger:               c.logger,
			MaxSamples:           2 * c.cfg.MaxQuerySamples, // What is read, and what is made of it.
			Timeout:              time.Duration(c.cfg.Timeout),
			LookbackDelta:        c.Lookback(),
			EnableNegativeOffset: true,
			// Prometheus' own default for sub-queries without a step.
			NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
			Parser:                   parser.NewParser(parser.Options{}),
		}),
	}
}

// eval evaluates one slice of steps, all samples of which are in memory for its time.
func (e *engine) eval(ctx context.Context, p plan, g grid, fn func(labels.Labels, []int64, []float64) error) error {
	reader := &storageReader{client: e.client, grid: g}
	q, err := e.promql.NewRangeQuery(ctx, reader, nil, p.expr.String(),
		time.UnixMilli(g.start), time.UnixMilli(g.end), time.Duration(g.step)*time.Millisecond)
	if err != nil {
		return err
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return engineError(res.Err)
	}
	m, err := res.Matrix()
	if err != nil {
		return err
	}
	var t []int64
	var v []float64
	for _, s := range m {
		if len(s.Floats) == 0 {
			continue
		}
		t, v = t[:0], v[:0]
		for _, point := range s.Floats {
			t, v = append(t, point.T), append(v, reader.wholeOr(point.T, point.F))
		}
		if err := fn(s.Metric, t, v); err != nil {
			return err
		}
	}
	return nil
}

// engineError turns what the engine made of an error back into ours.
func engineError(err error) error {
	if s, ok := errors.AsType[promql.ErrStorage](err); ok {
		return s.Err
	}
	if _, ok := errors.AsType[promql.ErrTooManySamples](err); ok {
		return &Error{Reason: TooLarge, Op: "evaluate", Msg: err.Error(), Hint: tooManySamplesHint}
	}
	return err
}

const tooManySamplesHint = "narrow the expression, or raise prometheus.max_query_samples"

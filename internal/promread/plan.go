package promread

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// plan says how an expression is evaluated. Selectors, and rate, irate and increase over one
// selector, are computed straight from the samples as they stream by (fn is not nil); anything else
// goes through Prometheus' engine, which needs all samples of a slice of time in memory.
type plan struct {
	expr parser.Expr
	// span is how far before a step the expression looks, in milliseconds.
	span int64

	matchers []*labels.Matcher
	fn       windowFunc
	window   int64 // Milliseconds: the lookback, or the range of the selector.
	offset   int64 // Milliseconds.
	dropName bool
}

// Check says whether expr can be watched: it parses, yields a vector or a scalar, and its value at
// a moment depends on that moment alone. Errors of the parser are a parser.ParseErrors with positions.
func Check(expr string) error {
	_, err := newPlan(expr, 5*time.Minute)
	return err
}

func newPlan(expr string, lookback time.Duration) (plan, error) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return plan{}, err
	}
	if t := parsed.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return plan{}, fmt.Errorf("%q yields a %s: a watch needs an instant vector or a scalar, for example rate(...) of a range", expr, parser.DocumentedType(t))
	}
	if usesAt(parsed) {
		return plan{}, errors.New("the @ modifier ties a value to another moment: a watch can't use it")
	}
	p := plan{expr: parsed, span: spanOf(parsed, lookback.Milliseconds())}
	p.shortcut(lookback.Milliseconds())
	return p, nil
}

func usesAt(expr parser.Expr) bool {
	found := false
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			found = found || n.Timestamp != nil || n.StartOrEnd != 0
		case *parser.SubqueryExpr:
			found = found || n.Timestamp != nil || n.StartOrEnd != 0
		}
		return nil
	})
	return found
}

// spanOf is the longest reach into the past of any selector, sub-queries and offsets added up.
func spanOf(expr parser.Expr, lookback int64) int64 {
	var longest int64
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		vs, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		span := lookback + vs.OriginalOffset.Milliseconds()
		for _, up := range path {
			switch n := up.(type) {
			case *parser.MatrixSelector:
				span += n.Range.Milliseconds()
			case *parser.SubqueryExpr:
				span += n.Range.Milliseconds() + n.OriginalOffset.Milliseconds()
			}
		}
		longest = max(longest, span)
		return nil
	})
	return longest
}

// shortcut fills in how to compute the expression from the samples of one selector, if it can be.
func (p *plan) shortcut(lookback int64) {
	expr := p.expr
	for {
		paren, ok := expr.(*parser.ParenExpr)
		if !ok {
			break
		}
		expr = paren.Expr
	}
	switch e := expr.(type) {
	case *parser.VectorSelector:
		p.matchers, p.offset = e.LabelMatchers, e.OriginalOffset.Milliseconds()
		p.window, p.fn = lookback, lastValue
	case *parser.Call:
		fn := windowFuncs[e.Func.Name]
		if fn == nil {
			return
		}
		ms, ok := e.Args[0].(*parser.MatrixSelector)
		if !ok {
			return
		}
		vs, ok := ms.VectorSelector.(*parser.VectorSelector)
		if !ok || !oneName(vs.LabelMatchers) {
			return
		}
		p.matchers, p.offset = vs.LabelMatchers, vs.OriginalOffset.Milliseconds()
		p.window, p.fn, p.dropName = ms.Range.Milliseconds(), fn, true
	}
}

// oneName says whether the selector fixes the metric name. Without its name two series of
// different metrics may be alike, which only the engine notices.
func oneName(ms []*labels.Matcher) bool {
	for _, m := range ms {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return true
		}
	}
	return false
}

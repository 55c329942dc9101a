package rules

import (
	"math"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// level is what is left of an alerting rule's expression without its comparison: the series whose
// level decides, the side that is bad, and the threshold where it is a number.
type level struct {
	expr      parser.Expr
	direction Direction
	limit     *float64
}

// Why an expression, or a part of it, gives no level to watch.
const (
	noComparison  = "it compares nothing"
	noSeries      = "it reads no series"
	stateOnly     = "it compares a state (== or !=), not a level"
	onlyWhenWrong = "it counts what is wrong, so it has values only while something is"
	absence       = "it tests for absence, which every watched series is tested for"
	ownMetrics    = "it reads alerts or Tidemark's own metrics"
	notWatchable  = "its value is tied to another moment (@)"
)

// levels takes an alerting expression apart. Guards (and, unless) are dropped, alternatives (or)
// give a level each. The reason says why there is none.
func levels(expr parser.Expr) (found []level, reason string) {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return levels(e.Expr)
	case *parser.StepInvariantExpr:
		return levels(e.Expr)
	case *parser.BinaryExpr:
		return binaryLevels(e)
	case *parser.AggregateExpr:
		return aggregateLevels(e)
	case *parser.Call:
		return callLevels(e)
	}
	return nil, noComparison
}

func binaryLevels(e *parser.BinaryExpr) ([]level, string) {
	switch {
	case e.Op.IsComparisonOperator() && !e.ReturnBool:
		return comparisonLevels(e)
	case e.Op == parser.LUNLESS:
		return levels(e.LHS)
	case e.Op == parser.LAND:
		// The left side is what the alert shows; the right side usually guards it.
		left, reason := levels(e.LHS)
		if len(left) > 0 {
			return left, ""
		}
		if right, _ := levels(e.RHS); len(right) > 0 && reason == noComparison {
			return right, ""
		}
		return nil, reason
	case e.Op == parser.LOR:
		left, reason := levels(e.LHS)
		right, other := levels(e.RHS)
		if len(left)+len(right) > 0 {
			return append(left, right...), ""
		}
		if reason == noComparison {
			reason = other
		}
		return nil, reason
	case e.Op == parser.MUL || e.Op == parser.ADD:
		// (level > 80) * on (instance) group_left (nodename) node_uname_info only adds labels.
		left, reason := levels(e.LHS)
		if len(left) > 0 {
			return left, ""
		}
		if right, _ := levels(e.RHS); len(right) > 0 {
			return right, ""
		}
		return nil, reason
	}
	return nil, noComparison
}

func comparisonLevels(e *parser.BinaryExpr) ([]level, string) {
	if e.Op == parser.EQLC || e.Op == parser.NEQ {
		return nil, stateOnly
	}
	direction := Up
	if e.Op == parser.LSS || e.Op == parser.LTE {
		direction = Down
	}
	watched, other := e.LHS, e.RHS
	if !readsSeries(watched) {
		watched, other = other, watched
		direction = opposite(direction)
	}
	l := level{expr: bare(watched), direction: direction}
	if n, ok := constant(other); ok {
		l.limit = sensible(n, direction)
	}
	if reason := unfit(l.expr); reason != "" {
		return nil, reason
	}
	l.expr = forecasted(l.expr)
	return []level{l}, ""
}

// sensible is the threshold as a limit. A level that may never rise above zero is an event
// counter: there's nothing to forecast.
func sensible(n float64, d Direction) *float64 {
	if math.IsNaN(n) || math.IsInf(n, 0) || n == 0 && d == Up {
		return nil
	}
	return &n
}

func opposite(d Direction) Direction {
	if d == Up {
		return Down
	}
	return Up
}

// aggregateLevels strips inside max, min, avg and sum. A sum has another scale than its parts, so
// that only the direction stays.
func aggregateLevels(e *parser.AggregateExpr) ([]level, string) {
	if e.Op == parser.COUNT || e.Op == parser.GROUP || e.Op == parser.COUNT_VALUES {
		if containsComparison(e.Expr) {
			return nil, onlyWhenWrong
		}
		return nil, noComparison
	}
	inner, reason := levels(e.Expr)
	var out []level
	for _, l := range inner {
		outer := *e
		outer.Expr = l.expr
		l.expr = &outer
		if e.Op != parser.MAX && e.Op != parser.MIN && e.Op != parser.AVG {
			l.limit = nil
		}
		out = append(out, l)
	}
	return out, reason
}

// callLevels strips inside functions that only change labels or order.
func callLevels(e *parser.Call) ([]level, string) {
	switch e.Func.Name {
	case "absent", "absent_over_time":
		return nil, absence
	case "label_replace", "label_join", "sort", "sort_desc":
	default:
		return nil, noComparison
	}
	inner, reason := levels(e.Args[0])
	var out []level
	for _, l := range inner {
		outer := *e
		outer.Args = append(parser.Expressions{l.expr}, e.Args[1:]...)
		l.expr = &outer
		out = append(out, l)
	}
	return out, reason
}

// unfit says why an expression can't be a baseline's input.
func unfit(expr parser.Expr) string {
	if !readsSeries(expr) {
		return noSeries
	}
	reason := ""
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			if own(n) {
				reason = ownMetrics
			}
			if n.Timestamp != nil || n.StartOrEnd != 0 {
				reason = notWatchable
			}
		case *parser.SubqueryExpr:
			if n.Timestamp != nil || n.StartOrEnd != 0 {
				reason = notWatchable
			}
		case *parser.AggregateExpr:
			if filters(n.Expr) {
				reason = onlyWhenWrong
			}
		case *parser.Call:
			if n.Func.Name == "absent" || n.Func.Name == "absent_over_time" {
				reason = absence
			}
		}
		return nil
	})
	return reason
}

// own says whether a selector reads alerts or what we export.
func own(vs *parser.VectorSelector) bool {
	name := vs.Name
	for _, m := range vs.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	return name == "ALERTS" || name == "ALERTS_FOR_STATE" || strings.HasPrefix(name, "tidemark_")
}

// filters says whether an aggregated expression keeps only the series that compare true.
func filters(expr parser.Expr) bool {
	switch e := bare(expr).(type) {
	case *parser.BinaryExpr:
		if e.Op.IsComparisonOperator() {
			return !e.ReturnBool
		}
		return e.Op == parser.LAND && filters(e.LHS)
	}
	return false
}

func containsComparison(expr parser.Expr) bool {
	found := false
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if b, ok := node.(*parser.BinaryExpr); ok && b.Op.IsComparisonOperator() {
			found = true
		}
		return nil
	})
	return found
}

func readsSeries(expr parser.Expr) bool {
	found := false
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if _, ok := node.(*parser.VectorSelector); ok {
			found = true
		}
		return nil
	})
	return found
}

// forecasted replaces predict_linear(x[6h], 4*3600) by x: the level itself is learned, and its
// forecast is ours.
func forecasted(expr parser.Expr) parser.Expr {
	call, ok := expr.(*parser.Call)
	if !ok || call.Func.Name != "predict_linear" {
		return expr
	}
	switch arg := call.Args[0].(type) {
	case *parser.MatrixSelector:
		return arg.VectorSelector
	case *parser.SubqueryExpr:
		return bare(arg.Expr)
	}
	return expr
}

func bare(expr parser.Expr) parser.Expr {
	for {
		p, ok := expr.(*parser.ParenExpr)
		if !ok {
			return expr
		}
		expr = p.Expr
	}
}

// constant is the value of an expression of numbers only.
func constant(expr parser.Expr) (float64, bool) {
	switch e := bare(expr).(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.UnaryExpr:
		n, ok := constant(e.Expr)
		if e.Op == parser.SUB {
			n = -n
		}
		return n, ok
	case *parser.Call:
		if e.Func.Name == "vector" {
			return constant(e.Args[0])
		}
	case *parser.BinaryExpr:
		a, okA := constant(e.LHS)
		b, okB := constant(e.RHS)
		if okA && okB {
			return arithmetic(e.Op, a, b)
		}
	}
	return 0, false
}

func arithmetic(op parser.ItemType, a, b float64) (float64, bool) {
	switch op {
	case parser.ADD:
		return a + b, true
	case parser.SUB:
		return a - b, true
	case parser.MUL:
		return a * b, true
	case parser.DIV:
		return a / b, true
	case parser.POW:
		return math.Pow(a, b), true
	}
	return 0, false
}

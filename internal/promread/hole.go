package promread

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// tornBits is a quiet NaN with a payload of its own, in the manner of Prometheus' stale marker; package baseline
// knows it by the same bits.
const tornBits = 0x7ff8_686f_6c65_0001

// Torn is the value of a torn step.
func Torn() float64 { return math.Float64frombits(tornBits) }

// Scrapes is a client whose Range looks at the scrapes behind each value: where the window of a step reaches over a
// hole in them (Prometheus was down, the target was unreachable), the value is Torn instead of what
// Prometheus makes of the rest. Through the engine a step is torn when more than half of the series of one of its
// selectors have the hole.
type Scrapes struct{ *Client }

// Range is Client.Range but for torn steps.
func (s Scrapes) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration, fn func(ls labels.Labels, t []int64, v []float64) error) error {
	return s.evaluate(ctx, expr, from, to, step, true, fn)
}

// Window is how far each value of an expression looks back by its ranges, sub-queries added up; 0 for plain selectors,
// and for what does not parse.
func Window(expr string) time.Duration {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return 0
	}
	var longest time.Duration
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		if _, ok := node.(*parser.VectorSelector); !ok {
			return nil
		}
		var reach time.Duration
		for _, up := range path {
			switch n := up.(type) {
			case *parser.MatrixSelector:
				reach += n.Range
			case *parser.SubqueryExpr:
				reach += n.Range
			}
		}
		longest = max(longest, reach)
		return nil
	})
	return longest
}

// reach is which scrapes of a window make its value.
type reach int

const (
	newest  reach = iota // The last one alone: a plain selector.
	lastTwo              // irate
	all                  // rate, and ranges of the engine.
)

// holed says whether the times of the scrapes in a window (from, to] show a hole where it matters: a distance between
// two of them, or from the last to the end of the window, or from the begin to the first, of more than 1.75
// usual ones that lacks a tenth of the window at least. Usual is the third largest distance between two, so
// that two holes do not hide each other, and series that come irregularly have none. Nothing outside of
// the window matters: history and live reads tell the same.
func holed(t []int64, from, to int64, of reach) bool {
	n := len(t) - 1
	if n < 1 {
		return false
	}
	first, last, d := t[0]-from, to-t[n], t[n]-t[n-1]
	if of != all {
		first = 0
	}
	if off := t[n] - t[0] - int64(n)*d; 5*off <= 2*d && 5*off >= -2*d && 4*max(first, last) <= 7*d {
		return false // As regular as scrapes are.
	}
	var top [3]int64 // The three largest.
	for i := range n {
		g := t[i+1] - t[i]
		switch {
		case g > top[0]:
			top[0], top[1], top[2] = g, top[0], top[1]
		case g > top[1]:
			top[1], top[2] = g, top[1]
		case g > top[2]:
			top[2] = g
		}
	}
	usual := top[min(n, len(top))-1]
	largest := last
	switch of {
	case lastTwo:
		largest = max(last, d)
	case all:
		largest = max(top[0], first, last)
	}
	return 4*largest > 7*usual && 10*(largest-usual) >= to-from
}

// wholeOr is a value, or torn when the grid asks for it and the window shows a hole.
func (g *grid) wholeOr(v float64, t []int64, at int64, of reach) float64 {
	if g.marks && holed(t, at-g.window, at, of) {
		return Torn()
	}
	return v
}

// tally counts, step by step, how many series of a selector have a window to judge, and how many of these a hole.
type tally struct {
	grid
	window, shift int64 // Of the selector.
	of            reach
	seen, holed   []int32
}

// newTally is for a selector that reads from..to to give the steps of a grid.
func newTally(g grid, from, to int64, of reach) *tally {
	n := (g.end-g.start)/g.step + 1
	return &tally{
		grid: g, shift: g.end - to, window: to - from - (g.end - g.start) + 1, of: of,
		seen: make([]int32, n), holed: make([]int32, n),
	}
}

func reachOf(hints *storage.SelectHints) reach {
	if hints.Range > 0 {
		return all
	}
	return newest
}

// add judges the scrapes of one series.
func (y *tally) add(t []int64) {
	first, next := 0, 0
	for i := range y.seen {
		at := y.start + int64(i)*y.step - y.shift
		for next < len(t) && t[next] <= at {
			next++
		}
		for first < next && t[first] <= at-y.window {
			first++
		}
		if next-first < 2 {
			continue
		}
		y.seen[i]++
		if holed(t[first:next], at-y.window, at, y.of) {
			y.holed[i]++
		}
	}
}

// at says whether most series have a hole at a step.
func (y *tally) at(step int64) bool {
	i := (step - y.start) / y.step
	return 2*y.holed[i] > y.seen[i]
}

package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// Units that [Unit] finds, as they are written after a number.
const (
	Seconds        = "s"
	Bytes          = "B"
	BytesPerSecond = "B/s"
	PerSecond      = "/s"
	Ratio          = "ratio" // Written as percent.
	Percent        = "%"
)

// dim is what is known of an expression's dimension.
type dim struct {
	known      bool
	sec, bytes int  // Exponents.
	ratio      bool // A share: one thing over another of its kind.
	percent    bool
}

var (
	unknown = dim{}
	plain   = dim{known: true}
	share   = dim{known: true, ratio: true}
)

// Unit is the unit of an expression's values as far as the names of its metrics say it, which end in their base unit
// (https://prometheus.io/docs/practices/naming/#base-units); empty: it is a plain number, or nobody can say.
func Unit(expr string) string {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return ""
	}
	d := dimension(parsed)
	switch {
	case !d.known:
		return ""
	case d.percent:
		return Percent
	case d.sec == 1 && d.bytes == 0:
		return Seconds
	case d.sec == 0 && d.bytes == 1:
		return Bytes
	case d.sec == -1 && d.bytes == 1:
		return BytesPerSecond
	case d.sec == -1 && d.bytes == 0:
		return PerSecond
	case d.ratio:
		return Ratio
	}
	return ""
}

func dimension(expr parser.Expr) dim {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return dimension(e.Expr)
	case *parser.StepInvariantExpr:
		return dimension(e.Expr)
	case *parser.UnaryExpr:
		return dimension(e.Expr)
	case *parser.SubqueryExpr:
		return dimension(e.Expr)
	case *parser.MatrixSelector:
		return dimension(e.VectorSelector)
	case *parser.VectorSelector:
		return ofName(e.Name)
	case *parser.AggregateExpr:
		switch e.Op {
		case parser.COUNT, parser.COUNT_VALUES, parser.GROUP:
			return plain
		}
		return dimension(e.Expr)
	case *parser.Call:
		return ofCall(e)
	case *parser.BinaryExpr:
		return ofBinary(e)
	}
	return unknown
}

// ofName reads the base unit off a metric's name; of a recorded one, level:metric:operations.
func ofName(name string) dim {
	parts := strings.Split(name, ":")
	ops := ""
	if len(parts) > 1 {
		ops = parts[len(parts)-1]
		name = parts[len(parts)-2]
	}
	if strings.HasSuffix(name, "_count") {
		return perSecond(plain, ops)
	}
	for _, suffix := range []string{"_total", "_sum", "_bucket"} {
		name = strings.TrimSuffix(name, suffix)
	}
	switch word := name[strings.LastIndexByte(name, '_')+1:]; {
	case ops == "ratio" || word == "ratio":
		return share
	case word == "percent":
		return dim{known: true, percent: true}
	case word == "seconds" && !strings.HasSuffix(name, "_timestamp_seconds"):
		return perSecond(dim{known: true, sec: 1}, ops)
	case word == "bytes":
		return perSecond(dim{known: true, bytes: 1}, ops)
	}
	if ops != "" && !strings.HasPrefix(ops, "rate") {
		return unknown
	}
	return perSecond(plain, ops)
}

// perSecond is d after the operations of a recorded name: rate5m and irate1m make it one per second.
func perSecond(d dim, ops string) dim {
	if strings.HasPrefix(ops, "rate") || strings.HasPrefix(ops, "irate") {
		d.sec--
	}
	return d
}

func ofCall(c *parser.Call) dim {
	name := c.Func.Name
	switch name {
	case "rate", "irate", "deriv":
		d := dimension(c.Args[0])
		d.sec--
		d.ratio = d.known && d == plain // Seconds a second: the share of the time.
		return d
	case "histogram_quantile":
		return bucketOf(c.Args[1])
	case "histogram_avg", "histogram_sum":
		return bucketOf(c.Args[0])
	case "increase", "delta", "idelta", "predict_linear", "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max",
		"sort", "sort_desc", "label_replace", "label_join", "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "last_over_time",
		"stddev_over_time", "double_exponential_smoothing":
		return dimension(c.Args[0])
	case "quantile_over_time":
		return dimension(c.Args[1])
	case "count_over_time", "changes", "resets":
		return plain
	}
	return unknown
}

// bucketOf is the unit that a histogram counts in: that of the name of its buckets, whatever was done to their counts.
func bucketOf(expr parser.Expr) dim {
	out := unknown
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok && !out.known {
			out = ofName(s.Name)
			if strings.HasPrefix(s.Name[strings.LastIndexByte(s.Name, ':')+1:], "rate") {
				out.sec++
			}
		}
		return nil
	})
	return out
}

func ofBinary(e *parser.BinaryExpr) dim {
	left, right := dimension(e.LHS), dimension(e.RHS)
	lnum, lok := literal(e.LHS)
	rnum, rok := literal(e.RHS)
	switch e.Op {
	case parser.ADD, parser.SUB:
		switch {
		case lok:
			return right
		case rok || left == right:
			return left
		}
	case parser.MUL:
		switch {
		case lok:
			return scaled(right, lnum)
		case rok:
			return scaled(left, rnum)
		case left.known && right.known && !left.percent && !right.percent:
			return dim{known: true, sec: left.sec + right.sec, bytes: left.bytes + right.bytes}
		}
	case parser.DIV:
		switch {
		case rok && rnum != 0:
			return scaled(left, 1/rnum)
		case lok || !left.known || !right.known || left.percent || right.percent:
		case left == right && left != plain:
			return share
		default:
			return dim{known: true, sec: left.sec - right.sec, bytes: left.bytes - right.bytes}
		}
	case parser.LAND, parser.LOR, parser.LUNLESS, parser.GTR, parser.LSS, parser.GTE, parser.LTE, parser.EQLC, parser.NEQ:
		if e.ReturnBool {
			return plain
		}
		if lok {
			return right
		}
		return left
	}
	return unknown
}

// scaled is d times a number: a share times 100 is percent, and a plain number stays one; of others the unit is lost.
func scaled(d dim, by float64) dim {
	switch {
	case by == 1 || d == plain:
		return d
	case by == 100 && d.ratio:
		return dim{known: true, percent: true}
	}
	return unknown
}

func literal(expr parser.Expr) (float64, bool) {
	switch e := expr.(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.ParenExpr:
		return literal(e.Expr)
	case *parser.StepInvariantExpr:
		return literal(e.Expr)
	case *parser.UnaryExpr:
		v, ok := literal(e.Expr)
		if e.Op == parser.SUB {
			v = -v
		}
		return v, ok
	}
	return 0, false
}

// step is a unit in which people write values from a size on.
type step struct {
	from, size float64
	name       string
}

// steps of the units, the largest first.
var steps = map[string][]step{
	Seconds: {
		{2 * 86400, 86400, " d"},
		{2 * 3600, 3600, " h"},
		{120, 60, " min"},
		{1, 1, " s"},
		{1e-3, 1e-3, " ms"},
		{0, 1e-6, " µs"},
	},
	Bytes:          binary(""),
	BytesPerSecond: binary("/s"),
	Ratio:          {{0, 0.01, " %"}},
	Percent:        {{0, 1, " %"}},
	PerSecond:      decimal("/s"),
	"":             decimal(""),
}

func binary(per string) []step {
	return []step{
		{1 << 40, 1 << 40, " TiB" + per},
		{1 << 30, 1 << 30, " GiB" + per},
		{1 << 20, 1 << 20, " MiB" + per},
		{1 << 10, 1 << 10, " KiB" + per},
		{0, 1, " B" + per},
	}
}

func decimal(per string) []step {
	return []step{{1e12, 1e12, "T" + per}, {1e9, 1e9, "G" + per}, {1e6, 1e6, "M" + per}, {1e4, 1e3, "k" + per}, {0, 1, per}}
}

// Quantity writes a value with its unit, in three digits and the step of the unit that people would choose: 0.31 of s
// is "310 ms".
func Quantity(v float64, unit string) string {
	if math.IsNaN(v) {
		return "–"
	}
	s := stepOf(v, unit)
	return digits(v/s.size) + s.name
}

// Range writes two values of one unit: "74 to 164 ms".
func Range(from, to float64, unit string) string {
	s := stepOf(max(math.Abs(from), math.Abs(to)), unit)
	return digits(from/s.size) + " to " + digits(to/s.size) + s.name
}

func stepOf(v float64, unit string) step {
	list, ok := steps[unit]
	if !ok {
		list = []step{{0, 1, " " + unit}}
	}
	v = math.Abs(v)
	if v == 0 && unit == Seconds {
		return step{0, 1, " s"}
	}
	if n := slices.IndexFunc(list, func(s step) bool { return v >= s.from*(1-5e-4) }); n >= 0 {
		return list[n]
	}
	return list[len(list)-1] // Not a number.
}

// digits writes three significant digits, and no exponent where people would write none.
func digits(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1e6 || a > 0 && a < 1e-4:
		return fmt.Sprintf("%.3g", v)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	rounded, err := strconv.ParseFloat(fmt.Sprintf("%.3g", v), 64)
	if err != nil {
		return fmt.Sprint(v)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

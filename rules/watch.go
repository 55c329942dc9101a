// Package rules turns Prometheus rules and metric names into watches: what the user's own alerting
// rules compare, and what presets know of well-known metrics.
package rules

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// Direction says which side of the band is bad.
type Direction string

// The directions.
const (
	Up   Direction = "up"   // Too high is bad: latency, errors, load.
	Down Direction = "down" // Too low is bad: free space, traffic.
	Both Direction = "both" // Either is worth an anomaly; the default.
)

// Watch is a PromQL expression whose series are learned and scored.
type Watch struct {
	// Name becomes the label `watch` of what is exported, for example `checkout_orders`. Required.
	Name string `yaml:"name"`
	// Expr is PromQL that yields an instant vector or a scalar, for example
	// `sum by (region) (rate(orders_total[5m]))`. Required.
	Expr string `yaml:"expr"`
	// Interval is the time between samples; by default that of the section discover.
	Interval model.Duration `yaml:"interval,omitempty"`
	// Direction is the side of the band that is bad: up (too high), down (too low) or both, the default.
	Direction Direction `yaml:"direction,omitempty"`
	// Limit is the value that must not be crossed, in the direction of the watch; the forecast says when it will be.
	Limit *float64 `yaml:"limit,omitempty"`
	// GroupBy are the labels within which series are peers of each other. Empty: no peer comparison.
	GroupBy []string `yaml:"group_by,omitempty"`

	// Origin is where the watch comes from: "config", "rules" or "preset NAME".
	Origin string `yaml:"-"`
	// Alerts are the names of the alerting rules that compare this expression, sorted.
	Alerts []string `yaml:"-"`
}

// Watches is the section `watches:` of the configuration file.
type Watches []Watch

// Bounds of a watch's interval.
const (
	minInterval = time.Second
	maxInterval = time.Hour
)

var validName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_:.-]{0,127}$`)

// UnmarshalYAML decodes the list and checks it.
func (w *Watches) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal((*[]Watch)(w)); err != nil {
		return err
	}
	for i := range *w {
		(*w)[i].Origin = "config"
		if (*w)[i].Direction == "" {
			(*w)[i].Direction = Both
		}
	}
	return w.Validate()
}

// Validate says which watch can't be meant, and what would be right.
func (w Watches) Validate() error {
	seen := map[string]int{}
	for i, watch := range w {
		if err := watch.Validate(); err != nil {
			return fmt.Errorf("watches[%d]%s: %w", i, quoted(watch.Name), err)
		}
		if before, ok := seen[watch.Name]; ok {
			return fmt.Errorf("watches[%d]: the name %q is taken by watches[%d]: names must differ", i, watch.Name, before)
		}
		seen[watch.Name] = i
	}
	return nil
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" %q", name)
}

// Validate checks one watch.
func (w Watch) Validate() error {
	if w.Name == "" {
		return errors.New("name is missing")
	}
	if !validName.MatchString(w.Name) {
		return errors.New("name: use up to 128 letters, digits and _ : . - , not beginning with a digit")
	}
	if _, err := parseExpr(w.Expr); err != nil {
		return fmt.Errorf("expr: %w", err)
	}
	if d := time.Duration(w.Interval); d != 0 && (d < minInterval || d > maxInterval) {
		return fmt.Errorf("interval is %s: must be between %s and %s", w.Interval, model.Duration(minInterval), model.Duration(maxInterval))
	}
	switch w.Direction {
	case "", Up, Down, Both:
	default:
		return fmt.Errorf("direction is %q: must be up, down or both", w.Direction)
	}
	for _, name := range w.GroupBy {
		if !model.UTF8Validation.IsValidLabelName(name) {
			return fmt.Errorf("group_by: %q is no label name", name)
		}
	}
	return nil
}

// parseExpr parses an expression that can be watched.
func parseExpr(expr string) (parser.Expr, error) {
	if strings.TrimSpace(expr) == "" {
		return nil, errors.New("is missing: give a PromQL expression")
	}
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, withCaret(expr, err)
	}
	if t := parsed.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return nil, fmt.Errorf("%q yields a %s: a watch needs an instant vector or a scalar, for example rate(...) of a range", expr, parser.DocumentedType(t))
	}
	found := false
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			found = found || n.Timestamp != nil || n.StartOrEnd != 0
		case *parser.SubqueryExpr:
			found = found || n.Timestamp != nil || n.StartOrEnd != 0
		}
		return nil
	})
	if found {
		return nil, errors.New("the @ modifier ties a value to another moment: a watch can't use it")
	}
	return parsed, nil
}

// withCaret adds the line of the expression and a mark under the place of a parse error.
func withCaret(expr string, err error) error {
	errs, ok := errors.AsType[parser.ParseErrors](err)
	if !ok || len(errs) == 0 {
		return err
	}
	at := min(int(errs[0].PositionRange.Start), len(expr))
	line := strings.LastIndexByte(expr[:at], '\n') + 1
	text, _, _ := strings.Cut(expr[line:], "\n")
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, expr[line:at])
	return fmt.Errorf("%w\n  %s\n  %s^", err, text, pad)
}

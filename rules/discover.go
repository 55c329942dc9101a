package rules

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// DiscoverConfig is the section `discover:` of the configuration file: what to watch without
// being told.
type DiscoverConfig struct {
	// Rules takes the expressions of the alerting rules that Prometheus runs.
	Rules bool `yaml:"rules"`
	// Presets are the names of the presets that may apply; each does when its metrics exist.
	Presets []string `yaml:"presets"`
	// Exclude are regular expressions, anchored, of the names of alerts and watches to leave out.
	Exclude []string `yaml:"exclude,omitempty"`
	// Interval is the time between samples of discovered watches, and of those that name none.
	Interval model.Duration `yaml:"interval,omitempty"`
	// RateWindow is the window of rates in presets; four scrape intervals at least.
	RateWindow model.Duration `yaml:"rate_window,omitempty"`
	// MaxWatches bounds the watches that are discovered.
	MaxWatches int `yaml:"max_watches,omitempty"`

	exclude *regexp.Regexp
}

// DefaultDiscoverConfig finds all it can.
func DefaultDiscoverConfig() DiscoverConfig {
	return DiscoverConfig{
		Rules:      true,
		Presets:    PresetNames(),
		Interval:   model.Duration(time.Minute),
		RateWindow: model.Duration(5 * time.Minute),
		MaxWatches: 200,
	}
}

// UnmarshalYAML fills the defaults first and checks.
func (c *DiscoverConfig) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultDiscoverConfig()
	type plain DiscoverConfig
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// Validate says which setting can't be meant, and what would be right.
func (c *DiscoverConfig) Validate() error {
	for _, name := range c.Presets {
		if !slices.Contains(PresetNames(), name) {
			return fmt.Errorf("discover: presets: there is no preset %q: there are %s", name, strings.Join(PresetNames(), ", "))
		}
	}
	if d := time.Duration(c.Interval); d < minInterval || d > maxInterval {
		return fmt.Errorf("discover: interval is %s: must be between %s and %s", c.Interval, model.Duration(minInterval), model.Duration(maxInterval))
	}
	if d := time.Duration(c.RateWindow); d < minInterval || d > 24*time.Hour {
		return fmt.Errorf("discover: rate_window is %s: must be between %s and 1d", c.RateWindow, model.Duration(minInterval))
	}
	if c.MaxWatches < 1 || c.MaxWatches > 10_000 {
		return fmt.Errorf("discover: max_watches is %d: must be between 1 and 10000", c.MaxWatches)
	}
	_, err := c.excluded()
	return err
}

func (c *DiscoverConfig) excluded() (*regexp.Regexp, error) {
	for _, e := range c.Exclude {
		if _, err := regexp.Compile(e); err != nil {
			return nil, fmt.Errorf("discover: exclude: %w", err)
		}
	}
	if len(c.Exclude) == 0 {
		return nil, nil
	}
	return regexp.Compile(`^(?:` + strings.Join(c.Exclude, "|") + `)$`)
}

// Skipped is an alerting rule, or a part of one, that gives no watch, and why.
type Skipped struct {
	Alert, Expr, Reason string
}

// Discovery is what was found, in an order that depends on the input's content alone.
type Discovery struct {
	Watches []Watch
	Skipped []Skipped
	// Dropped is how many watches were over the bound.
	Dropped int
}

// Discover finds what to watch: the expressions of the alerting rules in groups, and the presets
// whose metrics are among metricNames. Same input, same watches, same names; rules come before
// presets, and an expression is watched once. Names that taken holds are not given again.
func Discover(groups []rulefmt.RuleGroup, metricNames []string, cfg DiscoverConfig, taken Watches) (Discovery, error) {
	exclude, err := cfg.excluded()
	if err != nil {
		return Discovery{}, err
	}
	cfg.exclude = exclude
	var d Discovery
	if cfg.Rules {
		d.Watches, d.Skipped = fromRules(groups, cfg)
	}
	presets, err := fromPresets(metricNames, cfg)
	if err != nil {
		return Discovery{}, err
	}
	d.Watches = append(d.Watches, presets...)
	d.Watches = slices.DeleteFunc(unique(d.Watches, taken), func(w Watch) bool { return cfg.excludes(w.Name) })
	if over := len(d.Watches) - cfg.MaxWatches; over > 0 {
		d.Watches, d.Dropped = d.Watches[:cfg.MaxWatches], over
	}
	return d, nil
}

func (c *DiscoverConfig) excludes(name string) bool {
	return c.exclude != nil && c.exclude.MatchString(name)
}

// fromRules makes a watch of every level that alerting rules compare.
func fromRules(groups []rulefmt.RuleGroup, cfg DiscoverConfig) ([]Watch, []Skipped) {
	byExpr := map[string]*Watch{}
	var skipped []Skipped
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Alert == "" || strings.HasPrefix(r.Alert, "Tidemark") || cfg.excludes(r.Alert) {
				continue
			}
			found, reason := levelsOf(r.Expr)
			if len(found) == 0 {
				skipped = append(skipped, Skipped{Alert: r.Alert, Expr: r.Expr, Reason: reason})
			}
			for _, l := range found {
				merge(byExpr, r.Alert, l, cfg)
			}
		}
	}
	out := make([]Watch, 0, len(byExpr))
	for _, w := range byExpr {
		slices.Sort(w.Alerts)
		w.Alerts = slices.Compact(w.Alerts)
		w.Name = w.Alerts[0]
		out = append(out, *w)
	}
	slices.SortFunc(out, func(a, b Watch) int {
		return strings.Compare(a.Name+"\x00"+a.Expr, b.Name+"\x00"+b.Expr)
	})
	slices.SortFunc(skipped, func(a, b Skipped) int {
		return strings.Compare(a.Alert+"\x00"+a.Expr, b.Alert+"\x00"+b.Expr)
	})
	return out, slices.Compact(skipped)
}

func levelsOf(expr string) ([]level, string) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, "it does not parse: " + err.Error()
	}
	return levels(parsed)
}

// merge adds a level to the watch of the same expression. Of several limits the one that is
// crossed last stays: it is the critical one. Two directions become both, which has no limit.
func merge(byExpr map[string]*Watch, alert string, l level, cfg DiscoverConfig) {
	expr := l.expr.String()
	w := byExpr[expr]
	if w == nil {
		byExpr[expr] = &Watch{
			Expr: expr, Interval: cfg.Interval, Direction: l.direction, Limit: l.limit,
			Origin: "rules", Alerts: []string{alert},
		}
		return
	}
	w.Alerts = append(w.Alerts, alert)
	switch {
	case w.Direction != l.direction:
		w.Direction, w.Limit = Both, nil
	case w.Limit == nil:
		w.Limit = l.limit
	case l.limit != nil && (l.direction == Up && *l.limit > *w.Limit || l.direction == Down && *l.limit < *w.Limit):
		w.Limit = l.limit
	}
}

// unique drops expressions that come again, and adds a short hash of the expression to names that
// would: the name then depends on the expression, not on the order.
func unique(ws []Watch, taken Watches) []Watch {
	exprs, count := map[string]bool{}, map[string]int{}
	for _, w := range taken {
		exprs[normal(w.Expr)] = true
		count[w.Name]++
	}
	kept := ws[:0]
	for _, w := range ws {
		if key := normal(w.Expr); !exprs[key] {
			exprs[key] = true
			count[w.Name]++
			kept = append(kept, w)
		}
	}
	for i := range kept {
		if count[kept[i].Name] > 1 {
			h := fnv.New32a()
			_, _ = h.Write([]byte(kept[i].Expr))
			kept[i].Name = fmt.Sprintf("%s-%08x", kept[i].Name, h.Sum32())
		}
	}
	return kept
}

// normal is an expression in the parser's own spelling.
func normal(expr string) string {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return expr
	}
	return bare(parsed).String()
}

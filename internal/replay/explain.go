package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/rules"
)

// Ranger evaluates an expression over a range, series by series; *promread.Client is one.
type Ranger interface {
	Range(ctx context.Context, expr string, from, to time.Time, step time.Duration, fn func(ls labels.Labels, t []int64, v []float64) error) error
}

// Explained is one series of a watch at one moment.
type Explained struct {
	Labels   labels.Labels
	Score    baseline.Score
	Why      baseline.Explanation
	Evidence []baseline.Evidence
	// BudgetRatio is alarms observed over alarms that the budget allows; NaN in the first day.
	BudgetRatio float64
}

// learnSlice is how much history is evaluated at once, so that memory stays bounded.
const learnSlice = 7 * 24 * time.Hour

// tickSlice is the same where series are compared: all of a slice is held in memory.
const tickSlice = 6 * time.Hour

// Explain learns the history of a watch up to the step at or before at, as the live process does when it
// starts, and explains that step for every series that matches.
func Explain(ctx context.Context, src Ranger, cfg baseline.Config, w rules.Watch, matchers []*labels.Matcher, at time.Time, done func(share float64)) ([]Explained, error) {
	step := time.Duration(w.Interval)
	if step <= 0 {
		return nil, fmt.Errorf("watch %s has no interval", w.Name)
	}
	engine, err := baseline.NewEngine(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	end := at.Truncate(step)
	begin := end.Add(-time.Duration(cfg.History)).Truncate(step)
	opts := optionsOf(w)
	alone := end // Up to here each series is learned by itself.
	if len(w.GroupBy) > 0 {
		alone = end.Add(-baseline.Together).Truncate(step)
	}
	ticks := engine.Ticks(w.Name)
	observeFrom := engine.ObserveFrom(end, len(w.GroupBy) > 0)
	observe := func(ls labels.Labels, t []int64, v []float64) error {
		s := engine.Add(w.Name, ls, step, opts)
		n, _ := slices.BinarySearch(t, alone.UnixMilli()+1)
		s.Learn(t[:n], v[:n], observeFrom, nil)
		ticks.Add(s, t[n:], v[n:])
		return nil
	}
	for from := begin; !from.After(end); {
		to := from.Add(learnSlice)
		if from.After(alone) {
			to = from.Add(tickSlice)
		} else if to.After(alone) {
			to = alone
		}
		if to.After(end) {
			to = end
		}
		if err := src.Range(ctx, w.Expr, from, to, step, observe); err != nil {
			return nil, fmt.Errorf("evaluate watch %s: %w", w.Name, err)
		}
		ticks.Feed(end.UnixMilli(), func(*baseline.Series, baseline.Score) {}, func(baseline.Finding) {})
		done(share(begin, end, to))
		from = to.Add(step)
	}
	t := end.UnixMilli()
	for _, s := range engine.All() {
		if s.Last().Time < t {
			s.Absent(t)
		}
	}
	engine.EndTick(w.Name, t)
	return explained(engine, matchers, rules.Unit(w.Expr)), nil
}

// explained are the series that match, in order of their labels.
func explained(engine *baseline.Engine, matchers []*labels.Matcher, unit string) []Explained {
	var out []Explained
	say := func(v float64) string { return rules.Quantity(v, unit) }
	for _, s := range engine.All() {
		ls := s.Labels()
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(ls.Get(m.Name)) }) {
			continue
		}
		out = append(out, Explained{Labels: ls, Score: s.Last(), Why: s.ExplainIn(say), Evidence: s.Evidence(), BudgetRatio: s.BudgetRatio()})
	}
	slices.SortFunc(out, func(a, b Explained) int { return labels.Compare(a.Labels, b.Labels) })
	return out
}

// optionsOf are what a watch says to the baselines.
func optionsOf(w rules.Watch) baseline.SeriesOptions {
	o := baseline.SeriesOptions{Limit: w.Limit, GroupBy: w.GroupBy, Window: promread.Window(w.Expr)}
	switch w.Direction {
	case rules.Up:
		o.Direction = baseline.Up
	case rules.Down:
		o.Direction = baseline.Down
	}
	return o
}

// Discoverer tells what there is to watch; *promread.Client is one.
type Discoverer interface {
	Rules(ctx context.Context) ([]rulefmt.RuleGroup, error)
	LabelValues(ctx context.Context, name, selector string, from, to time.Time) ([]string, error)
}

// namesWindow is how far back a metric name counts as existing.
const namesWindow = time.Hour

// FindWatch returns the watch of a name: one of the configuration, or one that the live process would
// discover from the rules and the metric names of that time.
func FindWatch(ctx context.Context, src Discoverer, own rules.Watches, cfg rules.DiscoverConfig, name string, at time.Time) (rules.Watch, error) {
	for _, w := range own {
		if w.Name == name {
			if w.Interval == 0 {
				w.Interval = cfg.Interval
			}
			return w, nil
		}
	}
	groups, err := src.Rules(ctx)
	if err != nil {
		return rules.Watch{}, fmt.Errorf("read the rules of Prometheus: %w", err)
	}
	names, err := src.LabelValues(ctx, model.MetricNameLabel, "", at.Add(-namesWindow), at)
	if err != nil {
		return rules.Watch{}, fmt.Errorf("read the metric names of Prometheus: %w", err)
	}
	found, err := rules.Discover(groups, names, cfg, own)
	if err != nil {
		return rules.Watch{}, err
	}
	for _, w := range found.Watches {
		if w.Name == name {
			return w, nil
		}
	}
	return rules.Watch{}, errors.New("there is no watch " + name + " in the configuration, nor is one discovered")
}

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/rules"
)

// namesWindow is how far back a metric name counts as existing.
const namesWindow = time.Hour

// discover says what to watch: the watches of the configuration, then what the rules and the metric
// names of Prometheus show. A server that has no rules, as Cortex and Thanos without their rulers, tells none.
func (s *session) discover(ctx context.Context) ([]rules.Watch, error) {
	groups, noRules := s.prom.Rules(ctx)
	if noRules != nil && promread.ReasonOf(noRules) != promread.NotFound {
		return nil, fmt.Errorf("read the rules of Prometheus: %w", noRules)
	}
	durations := rules.DurationsOf(groups)
	s.holds.Store(&durations)
	s.learnExternal(ctx)
	now := s.app.now()
	names, err := s.prom.LabelValues(ctx, model.MetricNameLabel, "", now.Add(-namesWindow), now)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the metric names of Prometheus: %w", err), noRules) // No API at all: another server.
	}
	if noRules != nil {
		s.ruleless.Do(func() {
			s.logger.Warn("This server tells no rules: what alerts use is not found by itself", "err", noRules)
		})
	}
	found, err := rules.Discover(groups, names, s.cfg.Discover, s.cfg.Watches)
	if err != nil {
		return nil, err
	}
	out := make([]rules.Watch, 0, len(s.cfg.Watches)+len(found.Watches))
	for _, w := range s.cfg.Watches {
		if w.Interval == 0 {
			w.Interval = s.cfg.Discover.Interval
		}
		out = append(out, w)
	}
	out = append(out, found.Watches...)
	if found.Dropped > 0 {
		s.logger.Warn("More to watch than discover.max_watches allows", "left_out", found.Dropped)
	}
	for _, sk := range found.Skipped {
		s.logger.Debug("A rule gives nothing to watch", "alert", sk.Alert, "expr", sk.Expr, "reason", sk.Reason)
	}
	return out, nil
}

// learnExternal asks for the labels that Prometheus adds to what it sends; what was known stands while it does not answer.
func (s *session) learnExternal(ctx context.Context) {
	ls, err := s.prom.ExternalLabels(ctx)
	if err != nil {
		s.logger.Debug("The external labels of Prometheus can't be read", "err", err)
		return
	}
	s.external.Store(&ls)
}

// externalLabels are to be left out of queries.
func (s *session) externalLabels() labels.Labels {
	if ls := s.external.Load(); ls != nil {
		return *ls
	}
	return labels.EmptyLabels()
}

// holdOf is the `for:` of the rule that made an alert with these labels.
func (s *session) holdOf(ls model.LabelSet) (time.Duration, bool) {
	holds := s.holds.Load()
	if holds == nil {
		return 0, false
	}
	if !holds.Knows(string(ls[model.AlertNameLabel])) {
		return 0, false
	}
	return holds.ForAlert(topology.LabelsOf(ls)), true
}

// seriesOptions are what a watch says to the baselines.
func seriesOptions(w *watch) baseline.SeriesOptions {
	o := baseline.SeriesOptions{Limit: w.Limit, GroupBy: w.GroupBy, Window: w.window}
	switch w.Direction {
	case rules.Up:
		o.Direction = baseline.Up
	case rules.Down:
		o.Direction = baseline.Down
	}
	return o
}

// refreshTopology asks every source for its edges.
func (s *session) refreshTopology(ctx context.Context) error {
	now := s.app.now()
	err := topology.Refresh(ctx, s.graph, instantly(ctx, s.prom, s.sources, now), s.sources, now)
	s.graph.Expire(now)
	return err
}

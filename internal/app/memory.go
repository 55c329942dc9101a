package app

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/internal/state"
)

// memoryStore is the bucket of past incidents and what people said of them.
type memoryStore struct{ store *state.Store }

func (m memoryStore) write(fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return fn(ctx)
}

// Put implements correlate.KV.
func (m memoryStore) Put(key string, value []byte) error {
	return m.write(func(ctx context.Context) error { return m.store.Put(ctx, state.Feedback, key, value) })
}

// Delete implements correlate.KV.
func (m memoryStore) Delete(key string) error {
	return m.write(func(ctx context.Context) error { return m.store.Delete(ctx, state.Feedback, key) })
}

// Each implements correlate.KV.
func (m memoryStore) Each(visit func(key string, value []byte) error) error {
	return m.store.Each(state.Feedback, visit)
}

// firingGap is how long ALERTS may be silent within one firing.
const firingGap = 5 * time.Minute

// readAlertHistory reads when alerts fired in the past from ALERTS: which are seasonal, and which
// fire together.
func (s *session) readAlertHistory(ctx context.Context) error {
	now := s.app.now()
	from := now.Add(-time.Duration(s.cfg.Baseline.History))
	matchers := []*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, "__name__", "ALERTS"),
		labels.MustNewMatcher(labels.MatchEqual, "alertstate", "firing"),
	}
	// A series comes once for each slice of time that is read: a firing that goes over the edge of a
	// slice began in the one before.
	last := map[string]int64{}
	err := s.prom.Read(promread.Paced(ctx), matchers, from.UnixMilli(), now.UnixMilli(), func(series promread.Series) error {
		key := series.Labels.String()
		before, known := last[key]
		var starts []time.Time
		for _, t := range series.T {
			if !known || t-before > firingGap.Milliseconds() {
				starts = append(starts, time.UnixMilli(t).UTC())
			}
			before, known = t, true
		}
		last[key] = before
		s.incidents.history.Add(labelSetOf(series.Labels), starts...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the history of alerts: %w", err)
	}
	s.incidents.history.Observe(from, now)
	s.incidents.engine.Touch()
	s.logger.Info("Read the history of alerts", "series", len(last))
	return nil
}

// until runs fn until it succeeds, with growing pauses.
func (s *session) until(what string, fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for pause := 5 * time.Second; ; pause = min(2*pause, 5*time.Minute) {
			err := fn(ctx)
			if err == nil || ctx.Err() != nil {
				<-ctx.Done()
				return nil
			}
			s.logger.Warn("A round failed, it is tried again", "round", what, "pause", pause, "err", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
		}
	}
}
